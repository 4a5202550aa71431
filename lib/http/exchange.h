/* One call in flight: what session.c decides (hops), what the transport does (the current hop), and the response as it
 * comes in. Pooled in struct lc_http; an exchange in the pool holds small buffers only. */
#ifndef LCORE_HTTP_EXCHANGE_H
#define LCORE_HTTP_EXCHANGE_H

#include "base/list.h"
#include "http/h1.h"
#include "http/origin.h"
#include "http/response.h"
#include "http/transport.h"
#include "loop/io.h"

struct lc_conn;
struct lc_h2_stream;
struct lc_place;
struct lc_transfer;

struct lc_exchange {
    /* memory that stays while the exchange is in the pool */
    struct lc_buffer url_text[2]; /* URLs, taken in turns: the next one is made while the last one is read */
    struct lc_buffer head;        /* request line and headers */
    struct lc_buffer in;          /* an incomplete head; then the head, while the body is incomplete */

    /* from here on all is zero in the pool, but for `next` */
    struct lc_list link; /* in session->exchanges */
    struct lc_session *session;
    lc_exchange_fn *fn;
    void *arg;

    /* the call */
    struct lc_request request; /* url and headers are gone once started */
    int64_t start_ns;
    int64_t connect_timeout_ns; /* <= 0: none */
    int64_t read_timeout_ns;
    int max_redirects;
    struct lc_response *previous;
    int redirect_count;

    /* the hop, set by session.c */
    struct lc_str method;
    struct lc_str body;
    struct lc_url url;        /* borrows from one of url_text */
    struct lc_origin *origin; /* referenced */
    bool has_own_host;        /* the caller gave a Host header */
    bool is_asking_close;     /* the caller gave Connection: close; some servers do so without saying it */
    const struct lc_transport *transport;

    /* the hop, by the transport */
    struct lc_timings timings;
    struct lc_timer timer;
    struct lc_place *place; /* NULL: none is needed, or the connection was lent out and has it */
    struct lc_list turn;    /* among those that wait for a place */
    struct lc_conn *conn;
    struct lc_connect *connect;
    struct lc_transfer *transfer;
    struct lc_h2_stream *stream;
    struct lc_io write_io;   /* active while the kernel takes no more */
    size_t sent;             /* of head and body */
    int64_t active_ns;       /* last time bytes moved */
    int send_errno;          /* sending failed; the response may have come all the same */
    bool is_retried;         /* the second try, on a fresh connection */
    uint8_t refusals;        /* tries that the server said it had not looked at (HTTP/2) */
    bool has_received;       /* bytes came */
    bool has_head;           /* in_head is complete */
    bool is_decoding;        /* decoder is at work */
    struct lc_deferred late; /* see lc__exchange_fail_later() */
    enum lc_fail late_fail;
    const char *late_text;
    int interim_count; /* responses that came before the one that counts */
    struct lc_h1_head in_head;
    struct lc_h1_body in_body;
    struct lc_buffer collected; /* the body of a response that came in pieces */
    struct lc_decoder *decoder;
    uint64_t wire_body_bytes;
};

/* What a transport hands over. Strings are borrowed during the call. */
struct lc_hop {
    int status; /* 0: no head came */
    int major;  /* 0: 1 */
    int minor;
    enum lc_fail fail;
    int errnum;
    struct lc_str text; /* of the failure; empty: the general one */
    struct lc_str reason, lines, location;
    bool has_set_cookie;
    bool is_kept_alive;
    bool is_in_chunks;
    struct lc_str body;            /* used if body_buffer is NULL */
    struct lc_buffer *body_buffer; /* see lc_response_new() */
    struct lc_stream *stream;      /* NULL, or the rest of the body */
};

static inline void
lc__hop_take_head(struct lc_hop *hop, const struct lc_h1_head *head)
{
    hop->status = head->status;
    hop->minor = head->minor;
    hop->reason = head->reason;
    hop->lines = head->lines;
    hop->location = head->location;
    hop->has_set_cookie = head->has_set_cookie;
}

/* NULL: out of memory. */
struct lc_exchange *lc__exchange_new(struct lc_http *http);
/* What was skipped was an interim response; another head follows. False: there were too many. */
bool lc__exchange_skip_interim(struct lc_exchange *exchange);
/* Back to the pool. It must be in no list, and its transport done or canceled. */
void lc__exchange_free(struct lc_http *http, struct lc_exchange *exchange);
/* The pool holds no more than so many, or a thousand, from now on. */
void lc__exchange_shrink(struct lc_http *http, size_t most);
void lc__exchange_free_idle(struct lc_http *http);

/* Forgets what came of the response: before each hop and each try. */
void lc__exchange_reset_response(struct lc_exchange *exchange);
/* The same, and all of the try's times but its beginning. */
void lc__exchange_forget_try(struct lc_exchange *exchange);
/* Tries the hop once more, by the exchange's transport. Does not end it before it returns. */
void lc__exchange_start_again(struct lc_exchange *exchange);
/* The head is complete: whether the body is for whoever takes it piece by piece. */
bool lc__exchange_is_streamed(const struct lc_exchange *exchange);
/* The head is complete (exchange->in_head); gets ready for the body. LCORE_FAIL_NONE or INTERNAL. */
enum lc_fail lc__exchange_begin_body(struct lc_exchange *exchange);
/* A run of body bytes as they came: decodes, checks limits, appends to `out`. */
enum lc_fail lc__exchange_add_body(struct lc_exchange *exchange, struct lc_str run, struct lc_buffer *out);
enum lc_fail lc__exchange_end_body(struct lc_exchange *exchange);
/* After the connection broke: whether the request may be sent once more, on another one. */
bool lc__exchange_may_retry(const struct lc_exchange *exchange);
/* Whether its method may be asked for twice. */
bool lc__exchange_is_idempotent(const struct lc_exchange *exchange);
/* Puts what came of the response into a hop that ended, perhaps early. */
void lc__exchange_describe(struct lc_exchange *exchange, struct lc_hop *hop);
/* How much of a body came that ends too early, and why (NULL: nothing is known), in words that embed's Python code
 * reads. */
void lc__exchange_tell_early_end(const struct lc_exchange *exchange, const char *why, char *text, size_t size);
/* The hop is over; in session.c. The exchange, its session and all that is the session's may be gone after it. */
void lc__exchange_finish(struct lc_exchange *exchange, const struct lc_hop *hop);
/* Starts `timer` with the time that connecting may take, if that is limited; when it is over, the transport is canceled
 * and the hop ends. Without memory for it the hop fails in the next round. */
void lc__exchange_limit_connect(struct lc_exchange *exchange);
/* In the callback of `timer`: whether the read timeout is over. If not, since bytes moved in the meantime, the timer
 * goes on for the rest. */
bool lc__exchange_is_late(struct lc_exchange *exchange);
/* That the read timeout is over, in words that embed's Python code reads. `detail` goes on behind them, or is empty; 64
 * bytes do for the words alone. */
void lc__exchange_tell_read_timeout(const struct lc_exchange *exchange, const char *detail, char *text, size_t size);
/* Ends the hop with a failure in the next round. `text` is constant; NULL: the general one. */
void lc__exchange_fail_later(struct lc_exchange *exchange, enum lc_fail fail, const char *text);

#endif
