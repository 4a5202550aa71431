/* One HTTP/1.1 connection. It is owned by a pool while it is idle, or by the exchange it serves. Idle it
 * holds no buffer, and its read watcher stays on for its whole life, so a request costs no change of the epoll set. */
#ifndef LCORE_HTTP_CONN_H
#define LCORE_HTTP_CONN_H

#include <sys/types.h>

#include "base/clock.h"
#include "http/exchange.h"
#include "http/session.h"
#include "loop/io.h"

/* A connection idle for longer than this is looked at before a request is trusted to it. */
#define LCORE_TRUSTED_IDLE_NS (100 * LCORE_NS_PER_MS)

/* TLS bytes are received record by record; how many before other connections get their turn. */
#define LCORE_RECEIVES_PER_ROUND 64

struct lc_h2;
struct lc_wire;
struct ssl_st;

struct lc_conn {
    struct lc_io read_io;
    struct lc_list link; /* in pool->idle while idle */
    struct lc_http *http;
    struct lc_conn_pool *pool;
    struct lc_session *session;   /* NULL: idle among those that sessions share */
    struct lc_origin *origin;     /* referenced */
    struct lc_exchange *exchange; /* NULL: idle, or lent out */
    struct lc_wire *wire;         /* whom it is lent to, or NULL */
    struct ssl_st *ssl;           /* NULL: plain */
    struct lc_h2 *h2;             /* whose connection it is; NULL: HTTP/1.1 */
    int64_t stamp_ns;             /* when the last bytes arrived, by the kernel's receive time stamp */
    union {
        int64_t idle_since_ns;
        int64_t own_ns; /* while it shakes hands: what of that was our own so far, see lc__tls_ready_ns() */
    };
    uint32_t served;
    uint16_t receives_left; /* of this round, for TLS; see lc__conn_receive() */
    bool is_handshaking;
    bool has_new_ticket; /* TLS: came with the bytes that are being read */
};

/* Takes the connected descriptor and goes on with the exchange: TLS handshake if the origin wants one, request,
 * response. LCE_NOMEM: nothing was taken. Does not end the exchange before it returns. */
int lc__conn_open(struct lc_exchange *exchange, int fd);
/* A connection that serves nobody yet and watches nothing; takes the descriptor. With TLS options in the origin it is
 * ready for the handshake, and offers HTTP/2 beside HTTP/1.1 if asked to. NULL: nothing was taken; *err is LCE_NOMEM or
 * LCE_TLS. Whoever made it sets the callback of its watcher, or lets it serve an exchange with lc__conn_adopt(). */
struct lc_conn *lc__conn_new(struct lc_session *session, struct lc_origin *origin, int fd, bool is_offering_h2,
                             int *err);
/* A connection that is ready for its first request serves the exchange from here on, in HTTP/1.1. Does not end the
 * exchange before it returns. */
void lc__conn_adopt(struct lc_conn *conn, struct lc_exchange *exchange);
/* Serves the exchange on an idle connection. Does not end the exchange before it returns. */
void lc__conn_reuse(struct lc_conn *conn, struct lc_exchange *exchange);
/* Ended by the peer while it was idle, or before it brought anything of the next response: notes how soon that was. */
void lc__conn_note_end(const struct lc_conn *conn);
/* Takes it from its exchange: both go on without the other. */
void lc__conn_detach(struct lc_conn *conn);
/* Among the idle ones again; it may be closed at once, if there are too many or the peer said goodbye. is_suspect: it
 * is looked at before it is used. */
void lc__conn_give_back(struct lc_conn *conn, bool is_suspect);
/* Whether the peer closed an idle connection and the loop had no occasion to see it yet. One system call. */
bool lc__conn_is_dropped(const struct lc_conn *conn);
/* Closes it, also in the middle of an exchange, which then has none. */
void lc__conn_close(struct lc_conn *conn);

/* What the peer sent, decrypted; bytes, 0 at the end, or -errno. Over TLS conn->receives_left bounds the system calls.
 */
ssize_t lc__conn_read(struct lc_conn *conn, void *data, size_t size);
/* Bytes the kernel or TLS took, or -errno. */
ssize_t lc__conn_write(struct lc_conn *conn, const void *data, size_t size);

/* One recvmsg, remembering the arrival. Returns the bytes, 0 at the end, or -errno. */
ssize_t lc__conn_receive(struct lc_conn *conn, void *data, size_t size);

/* For conn_response.c: closes it, and ends the exchange's try with the failure. `text` NULL: the general one. */
void lc__conn_fail(struct lc_conn *conn, enum lc_fail reason, int errnum, const char *text);
/* For conn.c: takes what came of the response to the exchange, which may be over then, and the connection gone; in
 * conn_response.c. */
void lc__conn_take_response(struct lc_conn *conn);

/* The exchange's try on this connection is over, the connection is gone; in direct.c. `text` may be empty. */
void lc__direct_fail(struct lc_exchange *exchange, struct lc_hop *hop, bool is_reused);

#endif
