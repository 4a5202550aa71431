/* Header lines: what may be sent, and walking a block of lines as it was received. */
#ifndef LCORE_HTTP_HEADERS_H
#define LCORE_HTTP_HEADERS_H

#include <stdbool.h>
#include <string.h>
#include "base/buffer.h"
#include "base/str.h"

/* A token (RFC 9110 5.6.2): neither empty nor holding blanks, colons, control or non-ASCII characters. */
bool lc_header_is_name(struct lc_str name);
/* Nothing that could break the framing (CR, LF, NUL) and no leading blank, as in requests. May be empty; bytes above
 * 127 pass. */
bool lc_header_is_value(struct lc_str value);

/* Appends "name: value" and the end of the line. LCE_NOMEM. */
static inline int
lc_header_append(struct lc_buffer *out, struct lc_str name, struct lc_str value)
{
    size_t len = name.len + value.len + 4;
    int err = out->capacity - out->len < len ? lc_buffer_reserve(out, len) : 0;
    if (err < 0) {
        return err;
    }
    char *place = out->data + out->len;
    memcpy(place, name.data, name.len);
    place += name.len;
    memcpy(place, ": ", 2);
    place += 2;
    if (value.len > 0) {
        memcpy(place, value.data, value.len);
        place += value.len;
    }
    memcpy(place, "\r\n", 2);
    out->len += len;
    return 0;
}

/* Walks a block of lines (without status line, each ending in LF or CRLF, blank line optional): *position starts at 0;
 * false at the end. The value is trimmed; a folded value holds its line ends verbatim. Lines without a colon are
 * skipped. */
bool lc_header_next(struct lc_str lines, size_t *position, struct lc_str *name, struct lc_str *value);
/* First value of that name (case-insensitive), trimmed; data NULL if absent. */
struct lc_str lc_header_find(struct lc_str lines, struct lc_str name);

#endif
