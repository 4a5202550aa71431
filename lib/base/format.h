/* printf() and strtod() whose numbers have a point, whatever locale the program has set: a locustfile that sets its own
 * (locale.setlocale()) must not put commas into JSON, CSV files and metrics. */
#ifndef LCORE_BASE_FORMAT_H
#define LCORE_BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>
#include "locustcore/error.h"

/* As snprintf() and vsnprintf(). */
int lc__format(char *text, size_t size, const char *format, ...) LCORE_PRINTF(3, 4);
int lc__format_args(char *text, size_t size, const char *format, va_list args) LCORE_PRINTF(3, 0);
/* As strtod() of a whole text. */
double lc__read_double(const char *text);

#endif
