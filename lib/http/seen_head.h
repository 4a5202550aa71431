/* Heads of responses that were parsed lately, and what came of it. A server's answers to the same request have the same
 * head until its clock shows another second, and comparing costs a tenth of parsing. */
#ifndef LCORE_HTTP_SEEN_HEAD_H
#define LCORE_HTTP_SEEN_HEAD_H

#include "http/h1.h"

#define LCORE_SEEN_HEADS 16
#define LCORE_SEEN_HEAD_MAX 1024

/* Zero-initialised is empty. */
struct lc_seen_heads {
    struct lc_seen_head {
        size_t len;             /* 0: none */
        struct lc_h1_head head; /* its strings lie in bytes */
        char bytes[LCORE_SEEN_HEAD_MAX];
    } slots[LCORE_SEEN_HEADS];
};

/* lc_h1_parse_head() of a head that begins with `data`. `target` is what was asked for: where to look first. */
ptrdiff_t lc__seen_head_parse(struct lc_seen_heads *seen, struct lc_str target, const char *data, size_t len,
                              struct lc_h1_head *head);

#endif
