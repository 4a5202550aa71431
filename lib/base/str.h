/* Borrowed strings (struct lc_str): comparing and cutting, ASCII rules only. */
#ifndef LCORE_BASE_STR_H
#define LCORE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "locustcore/str.h"

static inline bool
lc_str_equal(struct lc_str a, struct lc_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline char
lc_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool
lc_ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool
lc_ascii_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Of a hexadecimal digit; -1: it is none. */
static inline int
lc_ascii_hex_value(char c)
{
    if (lc_ascii_is_digit(c)) {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Case-insensitive. */
bool lc_str_equal_nocase(struct lc_str a, struct lc_str b);
bool lc_str_starts_nocase(struct lc_str text, struct lc_str prefix);
/* Without blanks and tabs at both ends. */
struct lc_str lc_str_trim(struct lc_str text);
/* Decimal digits only, whole string; false on anything else and on overflow. */
bool lc_str_to_u64(struct lc_str text, uint64_t *out);
/* A NUL-terminated copy to be given to lc__free(); NULL: out of memory. */
char *lc_str_dup(struct lc_str text);
/* FNV-1a style hash of good spread; not for hostile keys. */
uint64_t lc_str_hash(struct lc_str text);

#endif
