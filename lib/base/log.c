#include "base/log.h"

#include <stdio.h>

#define TEXT_SIZE 512

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
