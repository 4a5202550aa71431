#include "http/conn.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/warm.h"
#include "http/http.h"
#include "http/tls.h"
#include "http/wire.h"
#include "loop/io.h"

/* Head and body go into one TLS record up to this size. */
#define TLS_CHUNK 16384

/* ---- life ---- */

void
lc__conn_detach(struct lc_conn *conn)
{
    struct lc_exchange *exchange = conn->exchange;
    struct lc_loop *loop = conn->http->loop;
    lc_io_stop(loop, &exchange->write_io);
    lc_timer_stop(loop, &exchange->timer);
    exchange->conn = NULL;
    conn->exchange = NULL;
}

void
lc__conn_close(struct lc_conn *conn)
{
    if (conn->exchange != NULL) {
        lc__conn_detach(conn);
    } else if (lc_list_is_linked(&conn->link)) {
        lc__conn_pool_drop(conn->pool, conn);
    }
    lc_io_stop(conn->http->loop, &conn->read_io);
    if (conn->ssl != NULL) {
        lc__tls_close(conn);
    }
    close(conn->read_io.fd);
    lc__origin_unref(conn->origin);
    lc__slab_free(&conn->http->conns, conn);
}

void
lc__conn_give_back(struct lc_conn *conn, bool is_suspect)
{
    if (conn->ssl != NULL && lc__tls_is_over(conn)) {
        lc__conn_close(conn);
        return;
    }
    lc_io_start(conn->http->loop, &conn->read_io);
    conn->served++;
    conn->idle_since_ns = is_suspect ? 0 : lc_loop_now_ns(conn->http->loop);
    if (conn->pool->refs > 0) {
        conn->session = NULL;
    }
    lc__conn_pool_keep(conn->pool, conn);
}

bool
lc__conn_is_dropped(const struct lc_conn *conn)
{
    char byte;
    ssize_t got = recv(conn->read_io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) {
        return errno != EAGAIN && errno != EINTR;
    }
    /* Bytes nobody asked for: over TLS perhaps a session ticket, else the connection is out of step. */
    return got == 0 || conn->ssl == NULL;
}

void
lc__conn_note_end(const struct lc_conn *conn)
{
    if (conn->served > 0 && lc_loop_now_ns(conn->http->loop) - conn->idle_since_ns <= LCORE_TRUSTED_IDLE_NS) {
        conn->origin->is_abrupt = true;
    }
}

void
lc__conn_fail(struct lc_conn *conn, enum lc_fail reason, int errnum, const char *text)
{
    struct lc_exchange *exchange = conn->exchange;
    struct lc_hop hop = {
        .fail = reason, .errnum = errnum, .text = lc_str_from(text), .is_kept_alive = conn->served > 0};
    lc__exchange_describe(exchange, &hop);
    bool is_reused = conn->served > 0;
    if (is_reused && !exchange->has_received && (reason == LCORE_FAIL_CLOSED || reason == LCORE_FAIL_RESET)) {
        lc__conn_note_end(conn);
    }
    lc__conn_close(conn);
    lc__direct_fail(exchange, &hop, is_reused);
}

/* ---- timeouts ---- */

static void
on_read_timeout(struct lc_timer *timer)
{
    struct lc_exchange *exchange = LCORE_CONTAINER(timer, struct lc_exchange, timer);
    if (!lc__exchange_is_late(exchange)) {
        return;
    }
    char text[64];
    lc__exchange_tell_read_timeout(exchange, "", text, sizeof(text));
    lc__conn_fail(exchange->conn, LCORE_FAIL_READ_TIMEOUT, ETIMEDOUT, text);
}

/* ---- sending ---- */

static ssize_t
send_plain(struct lc_conn *conn, const struct lc_exchange *exchange)
{
    size_t head_left = exchange->sent < exchange->head.len ? exchange->head.len - exchange->sent : 0;
    size_t body_done = exchange->sent - (exchange->head.len - head_left);
    ssize_t sent;
    do {
        if (exchange->body.len == 0) {
            sent = send(conn->read_io.fd, exchange->head.data + exchange->sent, head_left, MSG_NOSIGNAL);
        } else if (head_left == 0) {
            sent =
                send(conn->read_io.fd, exchange->body.data + body_done, exchange->body.len - body_done, MSG_NOSIGNAL);
        } else {
            struct iovec parts[2] = {{exchange->head.data + exchange->sent, head_left},
                                     {(char *)exchange->body.data, exchange->body.len}};
            struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
            sent = sendmsg(conn->read_io.fd, &message, MSG_NOSIGNAL);
        }
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static ssize_t
send_tls(struct lc_conn *conn, const struct lc_exchange *exchange)
{
    size_t head_len = exchange->head.len;
    if (exchange->sent >= head_len) {
        size_t done = exchange->sent - head_len;
        size_t left = exchange->body.len - done;
        return lc__tls_write(conn, exchange->body.data + done, left < TLS_CHUNK ? left : TLS_CHUNK);
    }
    size_t head_left = head_len - exchange->sent;
    if (exchange->body.len == 0 || head_left >= TLS_CHUNK) {
        return lc__tls_write(conn, exchange->head.data + exchange->sent, head_left < TLS_CHUNK ? head_left : TLS_CHUNK);
    }
    char chunk[TLS_CHUNK];
    size_t room = TLS_CHUNK - head_left;
    size_t body_part = exchange->body.len < room ? exchange->body.len : room;
    memcpy(chunk, exchange->head.data + exchange->sent, head_left);
    memcpy(chunk + head_left, exchange->body.data, body_part);
    return lc__tls_write(conn, chunk, head_left + body_part);
}

static void
send_more(struct lc_conn *conn)
{
    struct lc_exchange *exchange = conn->exchange;
    struct lc_loop *loop = conn->http->loop;
    size_t total = exchange->head.len + exchange->body.len;
    while (exchange->sent < total) {
        ssize_t sent = conn->ssl == NULL ? send_plain(conn, exchange) : send_tls(conn, exchange);
        if (sent == -EAGAIN) {
            lc_io_start(loop, &exchange->write_io);
            return;
        }
        if (sent < 0) {
            /* The peer may have answered before it closed: whatever it is, the read side will see it. */
            exchange->send_errno = (int)-sent;
            shutdown(conn->read_io.fd, SHUT_WR);
            break;
        }
        exchange->sent += (size_t)sent;
        exchange->active_ns = lc_loop_now_ns(loop);
    }
    lc_io_stop(loop, &exchange->write_io);
}

static void
begin_request(struct lc_conn *conn)
{
    struct lc_exchange *exchange = conn->exchange;
    struct lc_timings *timings = &exchange->timings;
    /* In line for this connection, which was there: as if it had been sent and not read yet. */
    bool has_waited = timings->begin_ns != 0 && timings->connected_ns == 0;
    if (exchange->request.wire != NULL) {
        timings->sent_ns = has_waited ? timings->begin_ns : 0;
        lc__conn_detach(conn);
        conn->wire = exchange->request.wire;
        conn->wire->place = exchange->place;
        exchange->place = NULL;
        lc__wire_take(conn->wire, conn);
        lc__exchange_fail_later(exchange, LCORE_FAIL_NONE, NULL);
        return;
    }
    int64_t now_ns = lc_clock_monotonic_ns();
    timings->sent_ns = has_waited ? timings->begin_ns : now_ns;
    if (timings->begin_ns == 0) {
        timings->begin_ns = now_ns; /* on a connection that was there */
    }
    exchange->active_ns = now_ns;
    send_more(conn);
    if (exchange->read_timeout_ns > 0 &&
        lc_timer_start(conn->http->loop, &exchange->timer, now_ns + exchange->read_timeout_ns, on_read_timeout) < 0) {
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
    }
}

/* ---- events ---- */

static void
go_on_handshake(struct lc_conn *conn)
{
    struct lc_exchange *exchange = conn->exchange;
    struct lc_loop *loop = conn->http->loop;
    char text[256];
    int errnum = 0;
    enum lc_fail reason = LCORE_FAIL_NONE;
    switch (lc__tls_handshake(conn, &reason, &errnum, text, sizeof(text))) {
    case LCORE_TLS_DONE:
        conn->is_handshaking = false;
        lc_timer_stop(loop, &exchange->timer);
        lc_io_stop(loop, &exchange->write_io);
        exchange->timings.tls_ns = lc__tls_ready_ns(conn);
        begin_request(conn);
        break;
    case LCORE_TLS_WANT_READ:
        lc_io_stop(loop, &exchange->write_io);
        break;
    case LCORE_TLS_WANT_WRITE:
        lc_io_start(loop, &exchange->write_io);
        break;
    case LCORE_TLS_FAILED:
        lc__conn_fail(conn, reason, errnum, text);
        break;
    }
}

static void on_readable(struct lc_io *io, int events);

/* What the connections that are ready after this one will need: with thousands of them none of it is in a cache. There
 * is a step for each pointer that leads to it, the last of which is for the next one. */
static void
warm_next(const struct lc_conn *conn)
{
    const struct lc_list *ready = lc__loop_ready(conn->http->loop);
    const struct lc_list *first = ready->next;
    if (first == ready || conn->http->session_count < LCORE_WARM_MANY) {
        return;
    }
    const struct lc_io *io = LCORE_CONTAINER(first, struct lc_io, link);
    const struct lc_conn *next = io->data;
    if (io->fn == on_readable && next->exchange != NULL) {
        lc__warm(next->exchange->head.data, next->exchange->head.len);
        lc__warm(next->exchange->arg, 2 * LCORE_CACHE_LINE);
    }
    const struct lc_list *second = first->next;
    if (second == ready) {
        return;
    }
    io = LCORE_CONTAINER(second, struct lc_io, link);
    next = io->data;
    if (io->fn == on_readable) {
        lc__warm(next->exchange, sizeof(*next->exchange));
        lc__warm(next->session, sizeof(*next->session));
    }
    lc__warm(LCORE_CONTAINER(second->next, struct lc_io, link), sizeof(*next));
}

static void
on_readable(struct lc_io *io, int events)
{
    struct lc_conn *conn = io->data;
    warm_next(conn);
    if (conn->wire != NULL) {
        lc__wire_readable(conn->wire);
    } else if (conn->exchange == NULL) {
        /* Closed by the server, or bytes nobody asked for. TLS may bring session tickets. */
        char byte;
        conn->receives_left = LCORE_RECEIVES_PER_ROUND;
        if (conn->ssl == NULL || lc__tls_read(conn, &byte, 1) != -EAGAIN) {
            lc__conn_note_end(conn);
            lc__conn_close(conn);
        }
    } else if (conn->is_handshaking) {
        conn->receives_left = LCORE_RECEIVES_PER_ROUND;
        go_on_handshake(conn);
    } else {
        lc__conn_take_response(conn);
    }
}

static void
on_writable(struct lc_io *io, int events)
{
    struct lc_conn *conn = io->data;
    conn->receives_left = LCORE_RECEIVES_PER_ROUND;
    if (conn->is_handshaking) {
        go_on_handshake(conn);
    } else {
        send_more(conn);
    }
}

static void
attach(struct lc_conn *conn, struct lc_exchange *exchange)
{
    conn->exchange = exchange;
    exchange->conn = conn;
    lc_io_init(&exchange->write_io, on_writable, conn->read_io.fd, EV_WRITE, conn);
}

struct lc_conn *
lc__conn_new(struct lc_session *session, struct lc_origin *origin, int fd, bool is_offering_h2, int *err)
{
    struct lc_conn *conn = lc__slab_alloc(&session->http->conns);
    if (conn == NULL) {
        *err = LCE_NOMEM;
        return NULL;
    }
    *conn = (struct lc_conn){
        .http = session->http, .pool = session->pool, .session = session, .origin = lc__origin_ref(origin)};
    lc_list_init(&conn->link);
    lc_io_init(&conn->read_io, on_readable, fd, EV_READ, conn);
    if (origin->tls != NULL) {
        *err = lc__tls_open(conn, is_offering_h2);
        if (*err < 0) {
            lc__origin_unref(origin);
            lc__slab_free(&session->http->conns, conn);
            return NULL;
        }
        conn->is_handshaking = true;
    }
    lc__http_note_connection(session->http);
    return conn;
}

void
lc__conn_adopt(struct lc_conn *conn, struct lc_exchange *exchange)
{
    struct lc_loop *loop = conn->http->loop;
    lc_io_stop(loop, &conn->read_io);
    lc_io_init(&conn->read_io, on_readable, conn->read_io.fd, EV_READ, conn);
    attach(conn, exchange);
    if (conn->pool->max_connections > 0) {
        /* Out of memory it is one too many for a while. */
        (void)lc__place_take(exchange, true);
    }
    lc_io_start(loop, &conn->read_io);
    begin_request(conn);
}

int
lc__conn_open(struct lc_exchange *exchange, int fd)
{
    int err = 0;
    struct lc_conn *conn = lc__conn_new(exchange->session, exchange->origin, fd, false, &err);
    if (conn == NULL) {
        return err;
    }
    attach(conn, exchange);
    lc_io_start(conn->http->loop, &conn->read_io);
    if (conn->is_handshaking) {
        conn->stamp_ns = exchange->timings.connected_ns;
        /* The first flight goes out in the next round, so that a failure does not end the exchange in here. */
        lc_io_start(conn->http->loop, &exchange->write_io);
    } else {
        begin_request(conn);
    }
    return 0;
}

void
lc__conn_reuse(struct lc_conn *conn, struct lc_exchange *exchange)
{
    lc__conn_pool_drop(conn->pool, conn);
    conn->session = exchange->session;
    attach(conn, exchange);
    begin_request(conn);
}
