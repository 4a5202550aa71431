#include "http/headers.h"

#include <stdint.h>

/* One bit for each of the 128 ASCII characters that a token may hold. */
static const uint64_t token_chars[2] = {
    UINT64_C(0x03ff6cfa00000000), /* ! # $ % & ' * + - . 0-9 */
    UINT64_C(0x57ffffffc7fffffe), /* A-Z ^ _ ` a-z | ~ */
};

bool
lc_header_is_name(struct lc_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c > 127 || (token_chars[c >> 6] >> (c & 63) & 1) == 0) {
            return false;
        }
    }
    return name.len > 0;
}

bool
lc_header_is_value(struct lc_str value)
{
    if (value.len == 0) {
        return true;
    }
    unsigned char first = (unsigned char)value.data[0];
    if (first == ' ' || (first >= '\t' && first <= '\r')) {
        return false;
    }
    unsigned bad = 0;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        bad |= (unsigned)(c == '\r') | (unsigned)(c == '\n') | (unsigned)(c == '\0');
    }
    return bad == 0;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
lc_header_next(struct lc_str lines, size_t *position, struct lc_str *name, struct lc_str *value)
{
    while (*position < lines.len) {
        const char *line = lines.data + *position;
        const char *end = lines.data + lines.len;
        const char *stop = line;
        do {
            const char *newline = memchr(stop, '\n', (size_t)(end - stop));
            stop = newline == NULL ? end : newline + 1;
        } while (stop < end && lc_ascii_is_blank(*stop));
        *position = (size_t)(stop - lines.data);
        const char *colon = memchr(line, ':', (size_t)(stop - line));
        if (colon == NULL || colon == line || is_space(*line)) {
            continue;
        }
        *name = (struct lc_str){line, (size_t)(colon - line)};
        const char *start = colon + 1;
        while (start < stop && is_space(*start)) {
            start++;
        }
        while (stop > start && is_space(stop[-1])) {
            stop--;
        }
        *value = (struct lc_str){start, (size_t)(stop - start)};
        return true;
    }
    return false;
}

struct lc_str
lc_header_find(struct lc_str lines, struct lc_str name)
{
    size_t position = 0;
    struct lc_str found, value;
    while (lc_header_next(lines, &position, &found, &value)) {
        if (found.len == name.len && lc_str_equal_nocase(found, name)) {
            return value;
        }
    }
    return (struct lc_str){0};
}
