/* Borrowed strings. */
#ifndef LOCUSTCORE_STR_H
#define LOCUSTCORE_STR_H

#include <stddef.h>

/* A borrowed run of bytes. Not NUL-terminated. */
struct lc_str {
    const char *data;
    size_t len;
};
#define LCORE_STR(literal) ((struct lc_str){(literal), sizeof(literal) - 1})

#endif
