#include "http/wire.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/conn.h"
#include "http/exchange.h"
#include "http/h2_wire.h"
#include "http/session.h"
#include "loop/io.h"

/* A request that goes again on another stream began with the first one. */
static void
take_timings(struct lc_wire *wire, const struct lc_timings *timings)
{
    struct lc_timings first = wire->timings;
    wire->timings = *timings;
    if (first.begin_ns != 0) {
        wire->timings.begin_ns = first.begin_ns;
        wire->timings.sent_ns = timings->connected_ns == 0 ? first.sent_ns : 0;
    }
}

static void
on_opened(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct lc_wire *wire = arg;
    (void)exchange;
    wire->exchange = NULL;
    take_timings(wire, &response->timings);
    wire->fail = response->fail;
    wire->fail_errno = response->fail_errno;
    size_t len =
        response->fail_text.len < sizeof(wire->fail_text) ? response->fail_text.len : sizeof(wire->fail_text) - 1;
    if (len > 0) {
        memcpy(wire->fail_text, response->fail_text.data, len);
    }
    wire->fail_text[len] = '\0';
    lc_response_free(response);
    if (wire->h2 != NULL && wire->conn != NULL) {
        /* The server of a request that goes again speaks HTTP/1.1 meanwhile. */
        struct lc_conn *conn = wire->conn;
        wire->conn = NULL;
        conn->wire = NULL;
        lc__conn_close(conn);
    }
    if (wire->h2 == NULL || !lc__h2_wire_go_on(wire->h2)) {
        wire->fn(wire, wire->arg);
    }
}

static int
start(struct lc_wire *wire, const struct lc_request *request, int64_t start_ns, struct lc_error *error)
{
    struct lc_request opening = *request;
    opening.method = LCORE_STR("GET");
    opening.flags = LCORE_REQUEST_NO_REDIRECT | LCORE_REQUEST_NO_COOKIES | LCORE_REQUEST_NO_SESSION_HEADERS;
    opening.wire = wire;
    return lc_session_start(wire->session, &opening, start_ns, on_opened, wire, &wire->exchange, error);
}

int
lc_wire_open(struct lc_session *session, const struct lc_request *request, lc_wire_fn *fn, void *arg,
             struct lc_wire **out, struct lc_error *error)
{
    struct lc_wire *wire = lc__calloc(1, sizeof(*wire));
    if (wire == NULL) {
        return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    wire->session = session;
    wire->fn = fn;
    wire->arg = arg;
    wire->connect_timeout_ns = request->connect_timeout_ns;
    lc_list_append(&session->wires, &wire->link);
    int err = start(wire, request, 0, error);
    if (err < 0) {
        lc_list_remove(&wire->link);
        lc__free(wire);
        return err;
    }
    *out = wire;
    return 0;
}

bool
lc_wire_is_open(struct lc_wire *wire)
{
    if (wire->exchange == NULL) {
        return wire->fail == LCORE_FAIL_NONE;
    }
    if (wire->conn == NULL && wire->h2 == NULL) {
        return false;
    }
    take_timings(wire, &wire->exchange->timings);
    lc_exchange_cancel(wire->exchange);
    wire->exchange = NULL;
    return wire->h2 == NULL || !lc__h2_wire_go_on(wire->h2);
}

int
lc__wire_open_again(struct lc_wire *wire, const struct lc_origin *origin)
{
    struct lc_buffer url = {0};
    bool is_ipv6 = memchr(origin->key.data, ':', origin->key.len) != NULL;
    int err = lc_buffer_append_format(&url, is_ipv6 ? "%s://[%.*s]:%u/" : "%s://%.*s:%u/",
                                      origin->is_https ? "https" : "http", (int)origin->key.len, origin->key.data,
                                      (unsigned)origin->port);
    if (err == 0) {
        struct lc_request request = {.url = {url.data, url.len},
                                     .tls = origin->tls,
                                     .proxy = origin->proxy == NULL ? "" : origin->proxy,
                                     .connect_timeout_ns = wire->connect_timeout_ns};
        err = start(wire, &request, wire->timings.start_ns, NULL);
    }
    lc_buffer_fini(&url);
    return err;
}

struct lc_wire *
lc__wire_lend(struct lc_exchange *exchange, lc_wire_fn *fn, void *arg)
{
    struct lc_wire *wire = lc__calloc(1, sizeof(*wire));
    if (wire == NULL) {
        return NULL;
    }
    if (exchange->stream != NULL && lc__h2_wire_lend(exchange, wire) < 0) {
        lc__free(wire);
        return NULL;
    }
    struct lc_conn *conn = exchange->conn;
    wire->session = exchange->session;
    wire->place = exchange->place;
    exchange->place = NULL;
    wire->fn = fn;
    wire->arg = arg;
    lc_list_append(&wire->session->wires, &wire->link);
    if (wire->h2 == NULL) {
        lc__conn_detach(conn);
        conn->wire = wire;
        lc__wire_take(wire, conn);
    }
    return wire;
}

static void
on_writable(struct lc_io *io, int events)
{
    struct lc_wire *wire = io->data;
    lc_io_stop(wire->session->http->loop, io);
    wire->fn(wire, wire->arg);
}

void
lc__wire_take(struct lc_wire *wire, struct lc_conn *conn)
{
    wire->conn = conn;
    wire->is_reused = conn->served > 0;
    lc_io_init(&wire->write_io, on_writable, conn->read_io.fd, EV_WRITE, wire);
    /* It is watched only while somebody wants to read, so that what nobody takes stays with the kernel. */
    lc_io_stop(wire->session->http->loop, &conn->read_io);
}

void
lc__wire_readable(struct lc_wire *wire)
{
    lc_io_stop(wire->session->http->loop, &wire->conn->read_io);
    wire->fn(wire, wire->arg);
}

ssize_t
lc_wire_read(struct lc_wire *wire, void *data, size_t size)
{
    struct lc_conn *conn = wire->conn;
    if (wire->h2 != NULL) {
        return lc__h2_wire_read(wire->h2, data, size);
    }
    if (conn == NULL) {
        return -ECONNABORTED;
    }
    conn->receives_left = LCORE_RECEIVES_PER_ROUND;
    ssize_t got = lc__conn_read(conn, data, size);
    if (got == -EAGAIN) {
        lc_io_start(wire->session->http->loop, &conn->read_io);
        wire->has_waited = true;
    } else if (got == 0 && wire->has_waited) {
        /* The end was not there with the last bytes, and has no stamp. */
        int64_t now_ns = lc_loop_now_ns(wire->session->http->loop);
        wire->timings.end_ns = now_ns > wire->timings.end_ns ? now_ns : wire->timings.end_ns;
    } else if (got > 0) {
        wire->has_waited = false;
        wire->stamp_ns = conn->stamp_ns < wire->timings.sent_ns ? wire->timings.sent_ns : conn->stamp_ns;
        if (wire->timings.first_byte_ns == 0) {
            wire->timings.first_byte_ns = wire->stamp_ns;
        }
        wire->timings.end_ns = wire->stamp_ns;
    }
    return got;
}

ssize_t
lc_wire_write(struct lc_wire *wire, const void *data, size_t size)
{
    struct lc_conn *conn = wire->conn;
    if (conn == NULL && wire->h2 == NULL) {
        return -ECONNABORTED;
    }
    if (wire->h2 != NULL) {
        return lc__h2_wire_write(wire->h2, data, size);
    }
    if (wire->timings.sent_ns == 0) {
        wire->timings.sent_ns = lc_clock_monotonic_ns();
        if (wire->timings.begin_ns == 0) {
            wire->timings.begin_ns = wire->timings.sent_ns;
        }
    }
    conn->receives_left = LCORE_RECEIVES_PER_ROUND;
    ssize_t sent = lc__conn_write(conn, data, size);
    if (sent == -EAGAIN) {
        lc_io_start(wire->session->http->loop, &wire->write_io);
    }
    return sent;
}

/* Nothing is left of it but the memory. */
static void
let_go(struct lc_wire *wire, bool is_clean)
{
    if (wire->conn != NULL) {
        struct lc_conn *conn = wire->conn;
        lc_io_stop(wire->session->http->loop, &wire->write_io);
        wire->conn = NULL;
        conn->wire = NULL;
        if (is_clean) {
            lc__conn_give_back(conn, false);
        } else {
            lc__conn_close(conn);
        }
    }
    if (wire->h2 != NULL) {
        lc__h2_wire_close(wire->h2);
    }
    if (wire->exchange != NULL) {
        lc_exchange_cancel(wire->exchange);
        wire->exchange = NULL;
    }
    lc_list_remove(&wire->link);
    wire->session = NULL;
    lc__place_free(wire->place);
    wire->place = NULL;
}

void
lc__wire_orphan(struct lc_wire *wire)
{
    let_go(wire, false);
}

void
lc_wire_close(struct lc_wire *wire, bool is_clean)
{
    let_go(wire, is_clean);
    lc__free(wire);
}
