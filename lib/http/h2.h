/* HTTP/2 (RFC 9113). A session has one connection to an origin and all its calls are streams of that connection.
 * nghttp2 does frames, HPACK, flow control and the rules of the protocol (h2_codec.c for what goes out, h2_came.c for
 * what came); how streams and connections end, and who tries again, is decided in h2_end.c, connecting and queueing in
 * h2.c. */
#ifndef LCORE_HTTP_H2_H
#define LCORE_HTTP_H2_H

#include "base/list.h"
#include "http/conn.h"
#include "http/exchange.h"
#include "loop/io.h"

/* What a browser grants a stream: bodies flow at full speed, and a window update is needed every few megabytes only. */
#define LCORE_H2_STREAM_WINDOW (6 * 1024 * 1024)

struct nghttp2_session;
struct nghttp2_session_callbacks;
struct lc_h2_wire;

/* The call's part of a connection. It outlives its exchange where nghttp2 still knows the stream. */
struct lc_h2_stream {
    struct lc_list link; /* in h2->waiting, ->open or ->done */
    struct lc_h2 *h2;
    struct lc_exchange *exchange; /* NULL: nobody wants it any more, but for `wire` */
    struct lc_h2_wire *wire;      /* whom it is lent to, or NULL */
    int32_t id;                   /* 0: not handed to nghttp2 yet */
    uint32_t error_code;          /* of the RST_STREAM that ended it */
    enum lc_fail fail;            /* why we gave it up */
    size_t body_sent;
    size_t location_at, location_len; /* value in exchange->in; len 0: none */
    struct lc_list whole_link;        /* in h2->wholes while `whole` is not safe yet */
    struct lc_str whole;              /* all of the body, where it was received */
    int status;                       /* of the head that is coming in */
    uint16_t header_count;
    bool is_reused;    /* the connection had served before */
    bool is_ended;     /* END_STREAM came */
    bool is_closed;    /* nghttp2 is done with it */
    bool is_refused;   /* the server did not look at it */
    bool is_reset;     /* RST_STREAM came; without it nghttp2 gave up, or the connection */
    bool has_location; /* of this head */
    bool is_streamed;  /* the rest of the body is for whoever takes the stream */
};

struct lc_h2 {
    struct lc_list link; /* in session->h2s */
    struct lc_session *session;
    struct lc_origin *origin;      /* referenced */
    struct lc_connect *connect;    /* NULL unless connecting */
    struct lc_conn *conn;          /* NULL until connected */
    struct nghttp2_session *codec; /* NULL until HTTP/2 is spoken */
    struct lc_list waiting;        /* streams for which there is no place yet */
    struct lc_list open;           /* handed to nghttp2 */
    struct lc_list done;           /* to be told; the exchange is over */
    struct lc_list wholes;
    struct lc_io write_io;
    struct lc_buffer pending; /* frames the kernel did not take */
    struct lc_deferred later; /* what start and cancel leave to be done */
    int holds;                /* functions at work that call callbacks: the memory stays, see is_dead */
    int64_t begin_ns, dns_ns, connected_ns, tls_ns;
    int64_t idle_since_ns;
    int64_t sending_ns; /* stands for when the frames that are gathered go out, which is known after it */
    size_t begun_count; /* streams whose first frame is among them */
    size_t open_count;  /* known to nghttp2 */
    size_t live_count;  /* streams that have an exchange */
    uint32_t served;
    uint32_t goaway_code;
    int send_errno;
    bool is_draining; /* no new streams: GOAWAY, or about to be closed */
    bool is_dead;     /* freed but for the memory */
    bool has_goaway;
    bool has_received;
    bool has_settings; /* of the server */
    char why[160];     /* what nghttp2 or the server said about the end; "" */
};

/* ---- h2_codec.c ---- */

/* Begins to speak: queues the preface and our settings. LCE_NOMEM. */
int lc__h2_begin(struct lc_h2 *h2);
/* Hands waiting streams to nghttp2, as many as the server allows. */
void lc__h2_submit(struct lc_h2 *h2);
/* Sends what nghttp2 has to send. False: nghttp2 gave up for lack of memory. */
bool lc__h2_flush(struct lc_h2 *h2);
/* Whether nghttp2 sees no future in the connection. */
bool lc__h2_is_over(const struct lc_h2 *h2);
/* Resets a stream nghttp2 knows. */
void lc__h2_reset_stream(struct lc_h2_stream *stream);
void lc__h2_end_codec(struct lc_h2 *h2);
const char *lc__h2_error_name(uint32_t code);

/* ---- h2_came.c ---- */

/* Has it told of what comes. */
void lc__h2_listen(struct nghttp2_session_callbacks *callbacks);
/* Takes received bytes in; streams that are over are in h2->done afterwards. False: it made no sense, see h2->why. */
bool lc__h2_feed(struct lc_h2 *h2, struct lc_str in);
/* Bodies that lie in the receive buffer and whose streams are not over move to where they can stay. */
void lc__h2_save_bodies(struct lc_h2 *h2);
/* The stream is over, which is told later. */
void lc__h2_move_to_done(struct lc_h2_stream *stream);

/* ---- h2_end.c ---- */

/* Frees it, or all but the memory while somebody holds it (h2->holds). */
void lc__h2_free(struct lc_h2 *h2);
/* Ends a hold. False: it is gone. */
bool lc__h2_release(struct lc_h2 *h2);
/* The stream loses its exchange. It is in no list after it, and freed or, if nghttp2 still knows it, nobody's. */
void lc__h2_let_go(struct lc_h2_stream *stream);
/* Tells how a stream of h2->done ended. Calls callbacks: hold h2 around it. */
void lc__h2_settle(struct lc_h2_stream *stream);
/* The connection broke: tells everybody, or has them go elsewhere, and frees it. */
void lc__h2_end_connection(struct lc_h2 *h2, enum lc_fail reason, int errnum, const char *text);
/* No connection came about: all that wait hear of it, and it is freed. */
void lc__h2_fail_waiting(struct lc_h2 *h2, const struct lc_hop *hop);
/* When the connection was made, as far as the exchange waited for it. */
void lc__h2_take_timings(const struct lc_h2 *h2, struct lc_exchange *exchange);
/* The server speaks HTTP/1.1. The connection, if it is of use, serves the first; the others get their own. */
void lc__h2_fall_back(struct lc_h2 *h2, bool is_conn_usable);

/* ---- h2.c ---- */

/* In the loop's next round: sends what there is to be sent, and tells what is over. */
void lc__h2_soon(struct lc_h2 *h2);

/* Closes the session's connections that serve nobody. */
void lc__h2_close_idle(struct lc_session *session);

#endif
