/* Where the core says what a person running it should know. The receiver decides where it goes. */
#ifndef LCORE_BASE_LOG_H
#define LCORE_BASE_LOG_H

#include "locustcore/error.h"

enum lc_log_level { LCORE_LOG_DEBUG, LCORE_LOG_INFO, LCORE_LOG_WARNING, LCORE_LOG_ERROR };
struct lc_log {
    void (*fn)(enum lc_log_level level, const char *text, void *arg);
    void *arg;
};
/* log may be NULL: nothing is said. Texts over 512 bytes are cut. */
void lc_log(const struct lc_log *log, enum lc_log_level level, const char *format, ...) LCORE_PRINTF(3, 4);

#endif
