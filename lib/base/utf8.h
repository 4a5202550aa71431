/* UTF-8, strictly: neither surrogates nor overlong forms. */
#ifndef LCORE_BASE_UTF8_H
#define LCORE_BASE_UTF8_H

#include "base/str.h"

/* The code point at the start of a text that is not empty; returns its length, 0: that is no UTF-8. */
size_t lc_utf8_decode(struct lc_str text, uint32_t *point);
/* Returns the length; 0: that is no code point. */
size_t lc_utf8_encode(uint32_t point, char bytes[4]);

#endif
