/* A connection lent out: somebody else speaks HTTP/1.1 on it. Connecting, TLS, proxies, the session's kept-alive
 * connections and the time stamps are as for any exchange; what goes over it is the borrower's business. Where the
 * session has HTTP/2, it is a stream that looks like an HTTP/1.1 connection for one request. For what the
 * codec here does not do: bodies that are sent or taken piece by piece.
 *
 * Nothing here waits. A call that gives -EAGAIN is followed by one call of `fn`, from the loop, when it may go on. */
#ifndef LCORE_HTTP_WIRE_H
#define LCORE_HTTP_WIRE_H

#include <sys/types.h>

#include "base/list.h"
#include "loop/io.h"
#include "locustcore/http.h"

struct lc_conn;
struct lc_h2_wire;
struct lc_origin;
struct lc_place;
struct lc_wire;

typedef void lc_wire_fn(struct lc_wire *wire, void *arg);

struct lc_wire {
    struct lc_list link;          /* in session->wires */
    struct lc_session *session;   /* NULL: it was freed */
    struct lc_exchange *exchange; /* while it is being opened */
    struct lc_conn *conn;         /* NULL: not open, or no more, or `h2` */
    struct lc_h2_wire *h2;        /* it is a stream of an HTTP/2 connection; else NULL */
    struct lc_place *place;       /* of the connection; NULL: none is needed */
    lc_wire_fn *fn;
    void *arg;
    struct lc_io write_io;
    enum lc_fail fail; /* why it could not be opened */
    int fail_errno;
    char fail_text[256];
    int64_t connect_timeout_ns; /* as it was asked for */
    struct lc_timings timings;  /* begin, unless it was opened by connecting, and sent: of what is written first */
    int64_t stamp_ns;           /* arrival of the last bytes, by the kernel's receive time stamp */
    bool is_reused;             /* it had served before */
    bool has_waited;            /* for what comes after the last bytes */
};

/* Opens one to the host of `request->url`; of the rest of the request tls, proxy and connect_timeout_ns count. An idle
 * connection of the session is taken if there is one. `fn` is called once it is open or has failed (wire->fail), never
 * from inside. Negative, as lc_session_start(): nothing was made. */
int lc_wire_open(struct lc_session *session, const struct lc_request *request, lc_wire_fn *fn, void *arg,
                 struct lc_wire **out, struct lc_error *error);
/* Whether it is open already, as on an idle connection: then `fn` is not called for it any more. Whoever looks needs
 * not wait for the loop's next round, behind all that is to be done there. */
bool lc_wire_is_open(struct lc_wire *wire);
/* Bytes, 0 at the end, or -errno: EAGAIN; EPROTO where TLS failed; ECONNABORTED where the session is gone. */
ssize_t lc_wire_read(struct lc_wire *wire, void *data, size_t size);
/* Bytes taken by the kernel, at least one, or -errno. */
ssize_t lc_wire_write(struct lc_wire *wire, const void *data, size_t size);
/* Gives it back, at any time; `wire` is gone, `fn` is not called any more. is_clean: a whole response was read and the
 * server keeps the connection, so that the next request of the session may use it; else it is closed. */
void lc_wire_close(struct lc_wire *wire, bool is_clean);

/* --- for conn.c, stream.c and session.c --- */

/* Lends out the connection that serves an exchange, which then has none. NULL: out of memory, it keeps it. */
struct lc_wire *lc__wire_lend(struct lc_exchange *exchange, lc_wire_fn *fn, void *arg);

/* An open one that lost its stream before the server looked at it gets another one, of the same origin. */
int lc__wire_open_again(struct lc_wire *wire, const struct lc_origin *origin);
/* The exchange that opens it has its connection, which leaves the exchange. */
void lc__wire_take(struct lc_wire *wire, struct lc_conn *conn);
void lc__wire_readable(struct lc_wire *wire);
/* The session goes. */
void lc__wire_orphan(struct lc_wire *wire);

#endif
