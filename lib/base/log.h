/* Where the core says what a person running it should know. The receiver decides where it goes. */
#ifndef LCORE_BASE_LOG_H
#define LCORE_BASE_LOG_H

#include <stdarg.h>

#include "locustcore/error.h"

enum lc_log_level { LCORE_LOG_DEBUG, LCORE_LOG_INFO, LCORE_LOG_WARNING, LCORE_LOG_ERROR };
struct lc_log {
    void (*fn)(enum lc_log_level level, const char *text, void *arg);
    void *arg;
};
/* log may be NULL: nothing is said. Texts over 512 bytes are cut. */
void lc_log(const struct lc_log *log, enum lc_log_level level, const char *format, ...) LCORE_PRINTF(3, 4);

/* A line to on_log, as the options of runners and masters have it; where there is none, to stderr. */
typedef void lc_log_line_fn(const char *text, void *arg);
void lc_log_line(lc_log_line_fn *on_log, void *arg, const char *text);
/* Texts are cut as above. */
void lc_log_line_format(lc_log_line_fn *on_log, void *arg, const char *format, va_list args) LCORE_PRINTF(3, 0);

#endif
