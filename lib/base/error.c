#include "locustcore/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
lc_error_text(int code)
{
    switch (code) {
    case 0:
        return "no error";
#define LCORE_ERROR_CASE(name, number, text)                                                                           \
    case LCE_##name:                                                                                                   \
        return text;
        LCORE_ERROR_LIST(LCORE_ERROR_CASE)
#undef LCORE_ERROR_CASE
    default:
        return "unknown error";
    }
}

static void
error_fill(struct lc_error *error, int code, int errnum, const char *format, va_list args)
{
    error->code = code;
    error->errnum = errnum;
    vsnprintf(error->text, sizeof(error->text), format, args);
}

int
lc_error_set(struct lc_error *error, int code, const char *format, ...)
{
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        error_fill(error, code, 0, format, args);
        va_end(args);
    }
    return code;
}

int
lc_error_set_errno(struct lc_error *error, int code, int errnum, const char *format, ...)
{
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        error_fill(error, code, errnum, format, args);
        va_end(args);
        size_t used = strlen(error->text);
        snprintf(error->text + used, sizeof(error->text) - used, ": %s", strerror(errnum));
    }
    return code;
}
