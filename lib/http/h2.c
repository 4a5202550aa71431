/* The transport that is a stream of a shared connection. The connection is made by the first exchange that needs it and
 * belongs to none: each waits with a time limit of its own, and the last one that gives up cancels it. */
#include "http/h2.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/connector.h"
#include "http/http.h"
#include "http/session.h"
#include "http/tls.h"
#include "loop/io.h"

/* Per session; the one that was idle for longest goes. */
#define IDLE_MAX 10
#define RECEIVES_PER_ROUND 64
/* A TLS record. */
#define RECORD_MAX 16384

/* ---- life ---- */

static struct lc_h2 *
find(const struct lc_exchange *exchange)
{
    struct lc_session *session = exchange->session;
    bool is_lent = exchange->request.wire != NULL; /* what was sent there cannot always be sent again */
    for (struct lc_list *link = session->h2s.next; link != &session->h2s;) {
        struct lc_h2 *h2 = LCORE_CONTAINER(link, struct lc_h2, link);
        link = link->next;
        if (h2->origin != exchange->origin || h2->is_draining) {
            continue;
        }
        if (h2->codec != NULL && h2->live_count == 0 && h2->holds == 0 &&
            (is_lent || lc_clock_monotonic_ns() - h2->idle_since_ns > LCORE_TRUSTED_IDLE_NS)) {
            char byte;
            ssize_t got = recv(h2->conn->read_io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
            if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
                lc__h2_free(h2);
                continue;
            }
        }
        return h2;
    }
    return NULL;
}

static void on_connected(void *arg, const struct lc_connect_result *result);

static struct lc_h2 *
connect_anew(struct lc_session *session, struct lc_origin *origin)
{
    size_t count = 0;
    struct lc_h2 *idle = NULL;
    for (struct lc_list *link = session->h2s.next; link != &session->h2s; link = link->next) {
        struct lc_h2 *other = LCORE_CONTAINER(link, struct lc_h2, link);
        if (other->live_count == 0 && other->holds == 0) {
            count++;
            idle = idle == NULL || other->idle_since_ns < idle->idle_since_ns ? other : idle;
        }
    }
    if (count >= IDLE_MAX) {
        lc__h2_free(idle);
    }
    struct lc_h2 *h2 = lc__calloc(1, sizeof(*h2));
    if (h2 == NULL) {
        return NULL;
    }
    h2->session = session;
    h2->origin = lc__origin_ref(origin);
    lc_list_init(&h2->waiting);
    lc_list_init(&h2->open);
    lc_list_init(&h2->done);
    lc_list_init(&h2->wholes);
    lc_list_prepend(&session->h2s, &h2->link);
    h2->begin_ns = lc_clock_monotonic_ns();
    if (lc_connector_start(session->http->connector, origin->connect_host, origin->connect_port, origin->proxy,
                           h2->begin_ns, on_connected, h2, &h2->connect) < 0) {
        lc__h2_free(h2);
        return NULL;
    }
    return h2;
}

/* ---- at work ---- */

/* Tells what is over, hands over what waits, sends. False: the connection is gone. */
static bool
service(struct lc_h2 *h2)
{
    h2->holds++;
    do {
        while (!lc_list_is_empty(&h2->done)) {
            lc__h2_settle(LCORE_CONTAINER(h2->done.next, struct lc_h2_stream, link));
        }
        if (h2->is_dead) {
            break;
        }
        lc__h2_save_bodies(h2);
        lc__h2_submit(h2);
        if (!lc__h2_flush(h2)) {
            lc__h2_end_connection(h2, LCORE_FAIL_INTERNAL, ENOMEM, "out of memory");
            break;
        }
    } while (!lc_list_is_empty(&h2->done));
    if (!lc__h2_release(h2)) {
        return false;
    }
    if (lc__h2_is_over(h2)) {
        char text[200];
        bool is_told = h2->has_goaway && h2->goaway_code == NGHTTP2_NO_ERROR;
        snprintf(text, sizeof(text), "%s%s",
                 h2->has_goaway ? "" : "malformed HTTP/2: ", h2->why[0] == '\0' ? "protocol error" : h2->why);
        lc__h2_end_connection(h2, is_told ? LCORE_FAIL_CLOSED : LCORE_FAIL_PROTOCOL, 0, text);
        return false;
    }
    if (h2->is_draining) {
        /* They look for another connection. */
        while (!lc_list_is_empty(&h2->waiting)) {
            struct lc_h2_stream *stream = LCORE_CONTAINER(h2->waiting.next, struct lc_h2_stream, link);
            struct lc_exchange *exchange = stream->exchange;
            lc__h2_let_go(stream);
            lc__exchange_start_again(exchange);
        }
        if (h2->live_count == 0) {
            lc__h2_free(h2);
            return false;
        }
    }
    return true;
}

static void
on_later(struct lc_deferred *deferred)
{
    service(LCORE_CONTAINER(deferred, struct lc_h2, later));
}

void
lc__h2_soon(struct lc_h2 *h2)
{
    lc__loop_defer(h2->session->http->loop, &h2->later, on_later);
}

static void
take_end(struct lc_h2 *h2, int errnum)
{
    /* The kernel tells of a reset once, perhaps while something of ours was sent. */
    errnum = errnum == 0 && h2->send_errno != EPIPE ? h2->send_errno : errnum;
    if (!h2->has_received && h2->origin->tls == NULL && h2->origin->spoken == LCORE_SPOKEN_UNKNOWN) {
        lc__h2_fall_back(h2, false);
        return;
    }
    if (errnum == EPROTO && h2->conn->ssl != NULL) {
        lc__h2_end_connection(h2, LCORE_FAIL_TLS, 0, lc__tls_why());
    } else if (h2->has_goaway && h2->goaway_code != NGHTTP2_NO_ERROR) {
        lc__h2_end_connection(h2, LCORE_FAIL_PROTOCOL, errnum, h2->why);
    } else if (errnum == ECONNRESET) {
        lc__h2_end_connection(h2, LCORE_FAIL_RESET, errnum, strerror(errnum));
    } else {
        lc__h2_end_connection(h2, LCORE_FAIL_CLOSED, errnum,
                              errnum == 0 ? lc_fail_text(LCORE_FAIL_CLOSED) : strerror(errnum));
    }
}

static void
receive(struct lc_h2 *h2)
{
    struct lc_http *http = h2->session->http;
    struct lc_conn *conn = h2->conn;
    size_t filled = 0;
    ssize_t got;
    conn->receives_left = RECEIVES_PER_ROUND;
    for (;;) {
        got = lc__conn_read(conn, http->receive + filled, LCORE_RECEIVE_SIZE - filled);
        if (got <= 0) {
            break;
        }
        struct lc_str in = {http->receive + filled, (size_t)got};
        /* The first frame is SETTINGS, which are short: anything but a 0 here is no HTTP/2. */
        if (!h2->has_received && in.data[0] != 0 && conn->ssl == NULL && h2->origin->spoken != LCORE_SPOKEN_H2) {
            lc__h2_fall_back(h2, false);
            return;
        }
        h2->has_received = true;
        h2->origin->spoken = LCORE_SPOKEN_H2;
        if (!lc__h2_feed(h2, in)) {
            char text[200];
            snprintf(text, sizeof(text), "malformed HTTP/2: %s", h2->why);
            lc__h2_end_connection(h2, LCORE_FAIL_PROTOCOL, 0, text);
            return;
        }
        filled += (size_t)got;
        if (conn->ssl == NULL) {
            break;
        }
        if (LCORE_RECEIVE_SIZE - filled < RECORD_MAX) {
            if (!service(h2)) {
                return;
            }
            filled = 0;
        }
    }
    if (service(h2) && got <= 0 && got != -EAGAIN) {
        take_end(h2, (int)-got);
    }
}

/* ---- connecting ---- */

static void
on_read_timeout(struct lc_timer *timer)
{
    struct lc_exchange *exchange = LCORE_CONTAINER(timer, struct lc_exchange, timer);
    if (!lc__exchange_is_late(exchange)) {
        return;
    }
    struct lc_h2_stream *stream = exchange->stream;
    struct lc_h2 *h2 = stream->h2;
    char text[96];
    lc__exchange_tell_read_timeout(exchange, stream->id == 0 ? ", waiting for a stream" : "", text, sizeof(text));
    struct lc_hop hop = {.fail = LCORE_FAIL_READ_TIMEOUT,
                         .errnum = ETIMEDOUT,
                         .text = lc_str_from(text),
                         .major = 2,
                         .is_kept_alive = stream->is_reused};
    lc__exchange_describe(exchange, &hop);
    lc__h2_soon(h2);
    lc__h2_let_go(stream);
    lc__exchange_finish(exchange, &hop);
}

static void
begin_reading(struct lc_exchange *exchange)
{
    struct lc_loop *loop = exchange->session->http->loop;
    lc_timer_stop(loop, &exchange->timer);
    if (exchange->read_timeout_ns <= 0) {
        return;
    }
    exchange->active_ns = lc_clock_monotonic_ns();
    if (lc_timer_start(loop, &exchange->timer, exchange->active_ns + exchange->read_timeout_ns, on_read_timeout) < 0) {
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
    }
}

/* The connection is ready for streams. */
static void
begin(struct lc_h2 *h2)
{
    if (lc__h2_begin(h2) < 0) {
        lc__h2_fail_waiting(
            h2, &(struct lc_hop){.fail = LCORE_FAIL_INTERNAL, .errnum = ENOMEM, .text = LCORE_STR("out of memory")});
        return;
    }
    for (struct lc_list *link = h2->waiting.next; link != &h2->waiting; link = link->next) {
        struct lc_exchange *exchange = LCORE_CONTAINER(link, struct lc_h2_stream, link)->exchange;
        lc__h2_take_timings(h2, exchange);
        begin_reading(exchange);
    }
    service(h2);
}

static void
go_on_handshake(struct lc_h2 *h2)
{
    struct lc_conn *conn = h2->conn;
    struct lc_loop *loop = h2->session->http->loop;
    char text[256];
    int errnum = 0;
    enum lc_fail reason = LCORE_FAIL_NONE;
    conn->receives_left = RECEIVES_PER_ROUND;
    switch (lc__tls_handshake(conn, &reason, &errnum, text, sizeof(text))) {
    case LCORE_TLS_DONE:
        conn->is_handshaking = false;
        lc_io_stop(loop, &h2->write_io);
        h2->tls_ns = lc__tls_ready_ns(conn);
        if (!lc__tls_is_h2(conn)) {
            lc__h2_fall_back(h2, true);
        } else {
            h2->origin->spoken = LCORE_SPOKEN_H2;
            begin(h2);
        }
        break;
    case LCORE_TLS_WANT_READ:
        lc_io_stop(loop, &h2->write_io);
        break;
    case LCORE_TLS_WANT_WRITE:
        lc_io_start(loop, &h2->write_io);
        break;
    case LCORE_TLS_FAILED:
        lc__h2_fail_waiting(h2, &(struct lc_hop){.fail = reason, .errnum = errnum, .text = lc_str_from(text)});
        break;
    }
}

static void
on_readable(struct lc_io *io, int events)
{
    struct lc_conn *conn = io->data;
    struct lc_h2 *h2 = conn->h2;
    if (conn->is_handshaking) {
        go_on_handshake(h2);
    } else {
        receive(h2);
    }
}

static void
on_writable(struct lc_io *io, int events)
{
    struct lc_h2 *h2 = io->data;
    if (h2->conn->is_handshaking) {
        go_on_handshake(h2);
    } else {
        service(h2);
    }
}

static void
on_connected(void *arg, const struct lc_connect_result *result)
{
    struct lc_h2 *h2 = arg;
    h2->connect = NULL;
    h2->begin_ns = result->begin_ns > h2->begin_ns ? result->begin_ns : h2->begin_ns;
    h2->dns_ns = result->dns_ns;
    h2->connected_ns = result->connected_ns;
    if (result->fd < 0) {
        lc__h2_fail_waiting(
            h2, &(struct lc_hop){.fail = result->fail, .errnum = result->errnum, .text = lc_str_from(result->text)});
        return;
    }
    int err = 0;
    struct lc_conn *conn = lc__conn_new(h2->session, h2->origin, result->fd, true, &err);
    if (conn == NULL) {
        close(result->fd);
        lc__h2_fail_waiting(h2, &(struct lc_hop){.fail = err == LCE_TLS ? LCORE_FAIL_TLS : LCORE_FAIL_INTERNAL});
        return;
    }
    struct lc_loop *loop = h2->session->http->loop;
    h2->conn = conn;
    conn->h2 = h2;
    lc_io_init(&conn->read_io, on_readable, result->fd, EV_READ, conn);
    lc_io_init(&h2->write_io, on_writable, result->fd, EV_WRITE, h2);
    lc_io_start(loop, &conn->read_io);
    if (conn->is_handshaking) {
        conn->stamp_ns = h2->connected_ns;
        go_on_handshake(h2);
    } else {
        begin(h2);
    }
}

/* ---- the transport ---- */

static void
h2_start(struct lc_exchange *exchange)
{
    struct lc_session *session = exchange->session;
    struct lc_h2_stream *stream = lc__calloc(1, sizeof(*stream));
    struct lc_h2 *h2 = stream == NULL ? NULL : find(exchange);
    if (stream != NULL && h2 == NULL) {
        h2 = connect_anew(session, exchange->origin);
    }
    if (h2 == NULL) {
        lc__free(stream);
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
        return;
    }
    stream->h2 = h2;
    stream->exchange = exchange;
    exchange->stream = stream;
    h2->live_count++;
    lc_list_append(&h2->waiting, &stream->link);
    if (h2->codec == NULL) {
        if (exchange->timings.begin_ns == 0) {
            exchange->timings.begin_ns = exchange->timings.hop_ns;
        }
        lc__exchange_limit_connect(exchange);
        return;
    }
    begin_reading(exchange);
    if (h2->holds > 0) {
        return; /* service() goes on with it */
    }
    if (h2->live_count > 1 && exchange->request.wire == NULL) {
        /* There may be more where this one came from: they go out together. */
        lc__h2_soon(h2);
        return;
    }
    lc__h2_submit(h2);
    if (!lc__h2_flush(h2) || !lc_list_is_empty(&h2->done) || h2->is_draining) {
        lc__h2_soon(h2);
    }
}

static void
h2_cancel(struct lc_exchange *exchange)
{
    struct lc_h2_stream *stream = exchange->stream;
    if (stream == NULL) {
        lc_timer_stop(exchange->session->http->loop, &exchange->timer);
        return;
    }
    struct lc_h2 *h2 = stream->h2;
    lc__h2_let_go(stream);
    if (h2->holds > 0) {
        return;
    }
    if (h2->codec == NULL && h2->live_count == 0) {
        lc__h2_free(h2);
    } else if (h2->codec != NULL) {
        lc__h2_soon(h2);
    }
}

const struct lc_transport lc__transport_h2 = {h2_start, h2_cancel};

void
lc__h2_close_idle(struct lc_session *session)
{
    for (struct lc_list *link = session->h2s.next; link != &session->h2s;) {
        struct lc_h2 *h2 = LCORE_CONTAINER(link, struct lc_h2, link);
        link = link->next;
        if (h2->live_count == 0) {
            lc__h2_free(h2);
        }
    }
}
