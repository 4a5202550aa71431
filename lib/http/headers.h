/* Header lines: what may be sent, and walking a block of lines as it was received. */
#ifndef LCORE_HTTP_HEADERS_H
#define LCORE_HTTP_HEADERS_H

#include <stdbool.h>
#include "base/str.h"

/* A token (RFC 9110 5.6.2): neither empty nor holding blanks, colons, control or non-ASCII characters. */
bool lc_header_is_name(struct lc_str name);
/* Nothing that could break the framing (CR, LF, NUL) and no leading blank, as in requests. May be empty; bytes above
 * 127 pass. */
bool lc_header_is_value(struct lc_str value);

/* Walks a block of lines (without status line, each ending in LF or CRLF, blank line optional): *position starts at 0;
 * false at the end. The value is trimmed; a folded value holds its line ends verbatim. Lines without a colon are
 * skipped. */
bool lc_header_next(struct lc_str lines, size_t *position, struct lc_str *name, struct lc_str *value);
/* First value of that name (case-insensitive), trimmed; data NULL if absent. */
struct lc_str lc_header_find(struct lc_str lines, struct lc_str name);

#endif
