#include "base/log.h"

#include <stdio.h>

#define TEXT_SIZE 512

void
lc_log(const struct lc_log *log, enum lc_log_level level, const char *format, ...)
{
    if (log == NULL || log->fn == NULL) {
        return;
    }
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log->fn(level, text, log->arg);
}

void
lc_log_line(lc_log_line_fn *on_log, void *arg, const char *text)
{
    if (on_log != NULL) {
        on_log(text, arg);
    } else {
        fprintf(stderr, "%s\n", text);
    }
}

void
lc_log_line_format(lc_log_line_fn *on_log, void *arg, const char *format, va_list args)
{
    char text[TEXT_SIZE];
    vsnprintf(text, sizeof(text), format, args);
    lc_log_line(on_log, arg, text);
}
