#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void
lc_log(const struct lc_log *log, enum lc_log_level level, const char *format, ...)
{
    if (log == NULL || log->fn == NULL) {
        return;
    }
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log->fn(level, text, log->arg);
}
