/* HTTP/1.x responses (RFC 9112), parsed where they were received: no copy, no allocation, no state but the caller's.
 *
 * First the head, with lc_h1_parse_head() over the receive buffer until it is complete; interim responses (1xx but 101)
 * are heads like others, which the caller skips. Then the body, with lc_h1_body_next(), which hands out runs of body
 * bytes inside whatever was received. */
#ifndef LCORE_HTTP_H1_H
#define LCORE_HTTP_H1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"
#include "locustcore/http.h"

/* Larger ones are LCORE_FAIL_HEADER_TOO_LARGE. */
#define LCORE_H1_MAX_LINE 65536
#define LCORE_H1_MAX_HEADERS 256
#define LCORE_H1_MAX_HEAD (256 * 1024)
/* The only limit of a head that may be large. */
#define LCORE_H1_MAX_LARGE_HEAD (8 * 1024 * 1024)
/* Interim responses before the one that counts, for the callers that skip them: each begins a read timeout anew, so a
 * server that sends nothing else would hold a request for good. */
#define LCORE_H1_MAX_INTERIM 1000
/* Of all trailers of a chunked body together, and of one chunk's extensions: beyond it LCORE_FAIL_BAD_CHUNK. */
#define LCORE_H1_MAX_TRAILER 65536

/* Zero-initialise before the first try at each head, but for what the caller sets. Strings are borrowed from the data
 * of the successful try. */
struct lc_h1_head {
    size_t resume_line, resume_scan; /* private: where an incomplete try stopped */
    int status;                      /* 100..999 */
    int minor;                       /* HTTP/1.minor, 0 or 1 */
    struct lc_str reason;            /* trimmed, may be empty */
    struct lc_str lines;             /* header lines with their line ends, without the blank line */
    int64_t content_length;          /* -1: not given */
    struct lc_str location;          /* value of the first Location; data NULL: none */
    int header_count;
    bool is_chunked;           /* the last transfer coding is chunked */
    bool has_transfer_coding;  /* any other coding than identity: content_length is not to be believed */
    bool is_keep_alive;        /* what version and Connection say; see also lc_h1_is_reusable() */
    bool has_set_cookie;       /* at least one Set-Cookie */
    bool has_content_encoding; /* at least one Content-Encoding that is not empty */
    bool may_be_large;         /* set by the caller: lines may have any length, and there may be any number of them */
};

/* Tries to read a head at the start of `data`, which holds all that was received of it so far (the same bytes again,
 * and more, on the next try; the address may change). Returns its length, blank line included; 0: incomplete, try again
 * with more; negative: -(enum lc_fail), one of BAD_STATUS_LINE, BAD_HEADER, HEADER_TOO_LARGE. Lines may end in a bare
 * LF. Each byte is looked at no more than twice, in however many pieces the head comes. */
ptrdiff_t lc_h1_parse_head(const char *data, size_t len, struct lc_h1_head *head);

static inline struct lc_str
lc__h1_moved(struct lc_str part, const char *from, const char *to)
{
    return part.data == NULL ? part : (struct lc_str){to + (part.data - from), part.len};
}

/* Its bytes, which were at `from`, are at `to` as well: its strings lie there now. */
static inline void
lc__h1_head_move(struct lc_h1_head *head, const char *from, const char *to)
{
    head->reason = lc__h1_moved(head->reason, from, to);
    head->lines = lc__h1_moved(head->lines, from, to);
    head->location = lc__h1_moved(head->location, from, to);
}

/* A head the caller must skip to get at the real response. */
static inline bool
lc_h1_is_interim(const struct lc_h1_head *head)
{
    return head->status < 200 && head->status != 101;
}

enum lc_h1_framing { LCORE_H1_NO_BODY, LCORE_H1_LENGTH, LCORE_H1_CHUNKED, LCORE_H1_UNTIL_CLOSE };

struct lc_h1_body {
    uint64_t remaining; /* LENGTH: bytes to come; CHUNKED: of this chunk */
    uint64_t chunk_len; /* CHUNKED: all of this chunk, once its data begins */
    enum lc_h1_framing framing;
    enum lc_fail fail;      /* why lc_h1_body_next() gave LCORE_H1_FAIL */
    bool is_keeping_chunks; /* set by the caller: runs are all that belongs to a chunked body, its framing included */
    /* private */
    uint32_t line_len;
    uint8_t state;
};

/* Framing of the response to a request of that method: none for HEAD, 1xx, 204, 304 and CONNECT's 2xx. */
void lc_h1_body_init(struct lc_h1_body *body, const struct lc_h1_head *head, struct lc_str method);

enum lc_h1_event {
    LCORE_H1_DATA, /* *run is body (not empty); call again */
    LCORE_H1_MORE, /* all input is used, more is needed */
    LCORE_H1_DONE, /* the body is complete; what is left in *in does not belong to it */
    /* body->fail says why; the connection is of no use any more. Keeping chunks, *run is what came before the failure.
     */
    LCORE_H1_FAIL,
};
/* Takes input off the front of *in. Callable with empty input; after DONE it gives DONE again. */
enum lc_h1_event lc_h1_body_next(struct lc_h1_body *body, struct lc_str *in, struct lc_str *run);
/* The peer closed: LCORE_FAIL_NONE if the body is complete with that, else LCORE_FAIL_INCOMPLETE. What follows the last
 * chunk, trailers and the blank line, is not missed. */
enum lc_fail lc_h1_body_end(const struct lc_h1_body *body);
/* Whether another request may follow on the connection once the body is done. */
static inline bool
lc_h1_is_reusable(const struct lc_h1_head *head, const struct lc_h1_body *body)
{
    return head->is_keep_alive && body->framing != LCORE_H1_UNTIL_CLOSE;
}

#endif
