/* What all sessions of a loop share. */
#ifndef LCORE_HTTP_HTTP_H
#define LCORE_HTTP_HTTP_H

#include "base/buffer.h"
#include "base/reuse.h"
#include "base/slab.h"
#include "http/connector.h"
#include "http/decode.h"
#include "locustcore/http.h"

#define LCORE_RECEIVE_SIZE (128 * 1024)
/* So that a body that unpacks to much more stays bounded. */
#define LCORE_PIECE_SIZE (64 * 1024)
#define LCORE_FRAMES_SIZE (64 * 1024)
#define LCORE_BLOCK_BUCKETS 1024
#define LCORE_IDLE_DECODERS 16

struct lc_exchange;
struct lc_origin;
struct lc_block;
struct lc_seen_heads;
struct lc_site;

/* See h2_memory.h. */
struct lc_lent_frame {
    void *memory; /* NULL: not lent yet, or never */
    size_t size;
    bool is_due;     /* a connection is being made, whose next allocation of a frame's size it is */
    bool is_checked; /* it is used as expected */
    bool is_refused; /* this nghttp2 turned out to use such an allocation for something else */
};

struct lc_http {
    struct lc_loop *loop;
    struct lc_connector *connector;
    struct lc_tls *default_tls; /* NULL until a session without options of its own needs it */
    char *receive;              /* LCORE_RECEIVE_SIZE bytes: what one receive brings; valid until the next one */
    char *piece;                /* LCORE_PIECE_SIZE bytes of a stream; NULL until needed */
    struct lc_seen_heads *seen_heads;
    struct lc_buffer body;    /* a body that came with its head */
    struct lc_buffer scratch; /* for one function at a time */
    char *frames;             /* LCORE_FRAMES_SIZE bytes, on their way out over HTTP/2; NULL until needed */
    struct lc_lent_frame lent_frame;
    struct lc_exchange *idle_exchanges;
    size_t idle_exchange_count;
    struct lc_reuse responses;
    struct lc_slab conns;
    struct lc_decoder *idle_decoders[LCORE_IDLE_DECODERS];
    int idle_decoder_count;
    struct lc_origin *origins;
    struct lc_site *last_site; /* of the session made last; referenced, or NULL */
    struct lc_block *blocks[LCORE_BLOCK_BUCKETS];
    int64_t realtime_offset_ns; /* monotonic minus real time */
    int64_t offset_taken_ns;
    size_t session_count;
    size_t made_count; /* connections, since the heap was trimmed last */
    size_t made_seen;  /* by the timer, when it fired last */
    struct lc_timer quiet;
};

/* A kernel time stamp (real time) on the monotonic clock. The offset of the clocks is looked up once a second. */
int64_t lc__http_monotonic_ns(struct lc_http *http, int64_t realtime_ns);
/* A connection was made, or ready after its handshake. What hundreds of them needed meanwhile, tens of KB each, lies
 * scattered over the heap; it goes back to the system when no more are being made. */
void lc__http_note_connection(struct lc_http *http);
/* NULL: out of memory. */
struct lc_decoder *lc__http_take_decoder(struct lc_http *http);
void lc__http_put_decoder(struct lc_http *http, struct lc_decoder *decoder);
/* Borrowed; NULL and `error` filled when OpenSSL could not be set up. */
struct lc_tls *lc__http_default_tls(struct lc_http *http, struct lc_error *error);

#endif
