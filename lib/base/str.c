#include "base/str.h"

#include "base/alloc.h"

bool
lc_str_equal_nocase(struct lc_str a, struct lc_str b)
{
    return a.len == b.len && lc_str_starts_nocase(a, b);
}

bool
lc_str_starts_nocase(struct lc_str text, struct lc_str prefix)
{
    if (text.len < prefix.len) {
        return false;
    }
    for (size_t i = 0; i < prefix.len; i++) {
        if (text.data[i] != prefix.data[i] && lc_ascii_lower(text.data[i]) != lc_ascii_lower(prefix.data[i])) {
            return false;
        }
    }
    return true;
}

struct lc_str
lc_str_trim(struct lc_str text)
{
    while (text.len > 0 && lc_ascii_is_blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && lc_ascii_is_blank(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

bool
lc_str_to_u64(struct lc_str text, uint64_t *out)
{
    uint64_t number = 0;
    if (text.len == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

char *
lc_str_dup(struct lc_str text)
{
    char *copy = lc__alloc(text.len + 1);
    if (copy != NULL) {
        if (text.len > 0) {
            memcpy(copy, text.data, text.len);
        }
        copy[text.len] = '\0';
    }
    return copy;
}

uint64_t
lc_str_hash(struct lc_str text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ (hash >> 32);
}
