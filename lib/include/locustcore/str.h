/* Borrowed strings. */
#ifndef LOCUSTCORE_STR_H
#define LOCUSTCORE_STR_H

#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A borrowed run of bytes. Not NUL-terminated. */
struct lc_str {
    const char *data;
    size_t len;
};
/* The struct lc_str of a string literal. */
#ifdef __cplusplus
#define LCORE_STR(literal) (lc_str{(literal), sizeof(literal) - 1})
#else
#define LCORE_STR(literal) ((struct lc_str){(literal), sizeof(literal) - 1})
#endif

/* The struct lc_str of a NUL-terminated text, which stays the caller's. NULL gives one whose data is NULL. */
static inline struct lc_str
lc_str_from(const char *text)
{
    struct lc_str str = {text, text == NULL ? 0 : strlen(text)};
    return str;
}

#ifdef __cplusplus
}
#endif

#endif
