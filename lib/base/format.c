#include "base/format.h"

#include <langinfo.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Nearly always: to switch locales takes its time. */
static bool
has_point(void)
{
    return *nl_langinfo(RADIXCHAR) == '.';
}

int
lc__format_args(char *text, size_t size, const char *format, va_list args)
{
    if (has_point()) {
        return vsnprintf(text, size, format, args);
    }
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) {
        return -1;
    }
    locale_t before = uselocale(plain);
    int len = vsnprintf(text, size, format, args);
    uselocale(before);
    freelocale(plain);
    return len;
}

int
lc__format(char *text, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = lc__format_args(text, size, format, args);
    va_end(args);
    return len;
}

double
lc__read_double(const char *text)
{
    if (has_point()) {
        return strtod(text, NULL);
    }
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double number = plain == (locale_t)0 ? 0 : strtod_l(text, NULL, plain);
    if (plain != (locale_t)0) {
        freelocale(plain);
    }
    return number;
}
