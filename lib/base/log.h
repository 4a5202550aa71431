/* Where the core says what a person running it should know. The receiver decides where it goes. */
#ifndef LCORE_BASE_LOG_H
#define LCORE_BASE_LOG_H

#include <stdarg.h>

#include "locustcore/error.h"

/* A line to on_log, as the options of runners and masters have it; where there is none, to stderr. */
typedef void lc_log_line_fn(const char *text, void *arg);
void lc_log_line(lc_log_line_fn *on_log, void *arg, const char *text);
/* The same of a format. Texts over 512 bytes are cut. */
void lc_log_line_format(lc_log_line_fn *on_log, void *arg, const char *format, va_list args) LCORE_PRINTF(3, 0);

#endif
