/* The text of URLs, for the files that read and write them: classes of characters, escapes, pieces, and how a person is
 * told of one that makes no sense. */
#ifndef LCORE_HTTP_URL_TEXT_H
#define LCORE_HTTP_URL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"
#include "locustcore/error.h"

enum {
    LCORE_URL_UNRESERVED = 1 << 0,
    LCORE_URL_USERINFO = 1 << 1, /* unreserved, sub-delims and ':' */
    LCORE_URL_PATH = 1 << 2,     /* those and '@', '/' */
    LCORE_URL_QUERY = 1 << 3,    /* those and '?' */
    LCORE_URL_HOST = 1 << 4,     /* what a host name holds that needs no second look */
    LCORE_URL_SAFE = 1 << 5,     /* what requote_uri() leaves alone */
};
/* The classes of each byte. */
extern const uint8_t lc__url_classes[256];

static inline bool
lc__url_has_class(char c, unsigned mask)
{
    return (lc__url_classes[(unsigned char)c] & mask) != 0;
}

/* The byte an escape stands for; -1 if `text` does not begin with one. */
int lc__url_escape_value(const char *text, const char *end);

static inline struct lc_str
lc__url_between(const char *start, const char *end)
{
    return (struct lc_str){start, (size_t)(end - start)};
}

/* What is before the '?', and behind it in `query`: data NULL where there is none. */
struct lc_str lc__url_split_query(struct lc_str target, struct lc_str *query);

/* How much of a URL an error text shows, for "%.*s". */
int lc__url_shown_len(struct lc_str text);
/* LCE_URL, with the URL and `why` in `error`. */
int lc__url_fail(struct lc_error *error, struct lc_str text, const char *why);

#endif
