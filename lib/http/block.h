/* The default headers of sessions, rendered as they go on the wire. Equal ones are one block, shared by all sessions
 * that have it: ten thousand users carry ten thousand pointers. Immutable, reference counted. */
#ifndef LCORE_HTTP_BLOCK_H
#define LCORE_HTTP_BLOCK_H

#include <stdint.h>

#include "base/str.h"
#include "http/http.h"

/* Headers that a request is built around, so whoever renders one must know whether they are there. */
enum {
    LCORE_KNOWN_HOST = 1 << 0,
    LCORE_KNOWN_COOKIE = 1 << 1,
    LCORE_KNOWN_CONTENT_LENGTH = 1 << 2,
    LCORE_KNOWN_CONTENT_TYPE = 1 << 3,
    LCORE_KNOWN_TRANSFER_ENCODING = 1 << 4,
    LCORE_KNOWN_AUTHORIZATION = 1 << 5,
    LCORE_KNOWN_PROXY_AUTHORIZATION = 1 << 6,
    LCORE_KNOWN_CLOSE = 1 << 7, /* Connection: close */
};
/* One of the above, or 0. */
unsigned lc__known_header(struct lc_str name, struct lc_str value);

struct lc_block {
    struct lc_block *next;
    uint64_t hash;
    unsigned refs;
    unsigned known; /* LCORE_KNOWN_* of its lines */
    struct lc_str lines;
};

/* The block of these lines, made if missing; a reference for the caller. NULL: out of memory. */
struct lc_block *lc__block_get(struct lc_http *http, struct lc_str lines);

static inline struct lc_block *
lc__block_ref(struct lc_block *block)
{
    block->refs++;
    return block;
}

void lc__block_unref(struct lc_http *http, struct lc_block *block); /* NULL is fine */

#endif
