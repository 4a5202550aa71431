#include "http/conn.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/http.h"
#include "http/redirect.h"
#include "http/seen_head.h"
#include "http/stream.h"
#include "http/tls.h"
#include "http/wire.h"
#include "loop/io.h"

/* TLS bytes are received record by record; how many before other connections get their turn. */
#define RECEIVES_PER_ROUND 64
/* What is reserved at once because a Content-Length says so; beyond it, growth pays for what really came. */
#define RESERVE_MAX (16 * 1024 * 1024)
/* Bodies from here on are received into their own buffer instead of the shared one. */
#define IN_PLACE_MIN (256 * 1024)
/* What the shared body buffer may hold for good. */
#define SHARED_BODY_KEEP (1024 * 1024)
/* Head and body go into one TLS record up to this size. */
#define TLS_CHUNK 16384

/* ---- receiving from the kernel ---- */

/* When what is received now can have come at the earliest: not before the request. Over TLS session tickets can. */
static int64_t
earliest_ns(const struct lc_conn *conn)
{
    return conn->ssl != NULL        ? conn->stamp_ns
           : conn->exchange != NULL ? conn->exchange->timings.sent_ns
           : conn->wire != NULL     ? conn->wire->timings.sent_ns
                                    : 0;
}

/* A stamp is believed only where it can be true: not too early, not in the future. The clocks may have been
 * set in between. Bytes do not arrive before those that came first, however the clocks were compared meanwhile. */
static int64_t
believable_ns(const struct lc_conn *conn, int64_t stamp_ns)
{
    int64_t now_ns = lc_loop_now_ns(conn->http->loop);
    if (stamp_ns > now_ns) {
        now_ns = lc_clock_monotonic_ns();
    }
    int64_t least_ns = earliest_ns(conn);
    if (stamp_ns <= now_ns && stamp_ns >= least_ns) {
        return stamp_ns > conn->stamp_ns ? stamp_ns : conn->stamp_ns;
    }
    return now_ns > least_ns ? now_ns : lc_clock_monotonic_ns();
}

ssize_t
lc__conn_receive(struct lc_conn *conn, void *data, size_t size)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct scm_timestamping))];
        struct cmsghdr align;
    } control;
    struct iovec part = {data, size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    ssize_t got;
    do {
        got = recvmsg(conn->read_io.fd, &message, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return got < 0 ? -errno : 0;
    }
    int64_t stamp_ns = 0;
    for (struct cmsghdr *part_of = CMSG_FIRSTHDR(&message); part_of != NULL; part_of = CMSG_NXTHDR(&message, part_of)) {
        if (part_of->cmsg_level == SOL_SOCKET && part_of->cmsg_type == SCM_TIMESTAMPING) {
            struct scm_timestamping stamps;
            memcpy(&stamps, CMSG_DATA(part_of), sizeof(stamps));
            stamp_ns = (int64_t)stamps.ts[0].tv_sec * LCORE_NS_PER_S + stamps.ts[0].tv_nsec;
        }
    }
    conn->stamp_ns = believable_ns(conn, stamp_ns == 0 ? lc_loop_now_ns(conn->http->loop)
                                                       : lc__http_monotonic_ns(conn->http, stamp_ns));
    return got;
}

ssize_t
lc__conn_read(struct lc_conn *conn, void *data, size_t size)
{
    return conn->ssl == NULL ? lc__conn_receive(conn, data, size) : lc__tls_read(conn, data, size);
}

ssize_t
lc__conn_write(struct lc_conn *conn, const void *data, size_t size)
{
    if (conn->ssl != NULL) {
        return lc__tls_write(conn, data, size);
    }
    ssize_t sent;
    do {
        sent = send(conn->read_io.fd, data, size, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

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

static void
fail(struct lc_conn *conn, enum lc_fail reason, int errnum, const char *text)
{
    struct lc_exchange *exchange = conn->exchange;
    struct lc_hop hop = {
        .fail = reason, .errnum = errnum, .text = lc_str_from(text), .is_kept_alive = conn->served > 0};
    lc__exchange_describe(exchange, &hop);
    bool is_reused = conn->served > 0;
    lc__conn_close(conn);
    lc__direct_fail(exchange, &hop, is_reused);
}

/* Names what came instead of a status line, up to its end or as much as a person wants to see. */
static void
fail_head(struct lc_conn *conn, enum lc_fail reason, struct lc_str in)
{
    char line[101];
    size_t len = in.len < sizeof(line) - 1 ? in.len : sizeof(line) - 1;
    const char *newline = memchr(in.data, '\n', len);
    len = newline == NULL ? len : (size_t)(newline - in.data) + 1;
    memcpy(line, in.data, len);
    line[len] = '\0';
    fail(conn, reason, 0, reason == LCORE_FAIL_BAD_STATUS_LINE ? line : NULL);
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
    snprintf(text, sizeof(text), "read timed out (%.3g s without a byte)", (double)exchange->read_timeout_ns / 1e9);
    fail(exchange->conn, LCORE_FAIL_READ_TIMEOUT, ETIMEDOUT, text);
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
    if (exchange->request.wire != NULL) {
        lc__conn_detach(conn);
        conn->wire = exchange->request.wire;
        conn->wire->place = exchange->place;
        exchange->place = NULL;
        lc__wire_take(conn->wire, conn);
        lc__exchange_fail_later(exchange, LCORE_FAIL_NONE, NULL);
        return;
    }
    int64_t now_ns = lc_clock_monotonic_ns();
    exchange->timings.sent_ns = now_ns;
    if (exchange->timings.begin_ns == 0) {
        exchange->timings.begin_ns = now_ns; /* on a connection that was there */
    }
    exchange->active_ns = now_ns;
    send_more(conn);
    if (exchange->read_timeout_ns > 0 &&
        lc_timer_start(conn->http->loop, &exchange->timer, now_ns + exchange->read_timeout_ns, on_read_timeout) < 0) {
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
    }
}

/* ---- the response ---- */

static struct lc_str
moved(struct lc_str part, const char *from, const char *to)
{
    return part.data == NULL ? part : (struct lc_str){to + (part.data - from), part.len};
}

/* The head must outlive the shared receive buffer. */
static int
keep_head(struct lc_exchange *exchange, const char *data, size_t len)
{
    if (exchange->in.len > 0) {
        exchange->in.len = len;
        return 0;
    }
    int err = lc_buffer_append(&exchange->in, data, len);
    if (err < 0) {
        return err;
    }
    struct lc_h1_head *head = &exchange->in_head;
    head->reason = moved(head->reason, data, exchange->in.data);
    head->lines = moved(head->lines, data, exchange->in.data);
    head->location = moved(head->location, data, exchange->in.data);
    return 0;
}

static struct lc_hop
describe_head(const struct lc_conn *conn)
{
    const struct lc_h1_head *head = &conn->exchange->in_head;
    const struct lc_h1_body *body = &conn->exchange->in_body;
    return (struct lc_hop){
        .status = head->status,
        .minor = head->minor,
        .reason = head->reason,
        .lines = head->lines,
        .location = head->location,
        .has_set_cookie = head->has_set_cookie,
        .is_kept_alive = conn->served > 0,
        .is_in_chunks = body->is_keeping_chunks && head->is_chunked && body->framing != LCORE_H1_NO_BODY,
    };
}

static void
complete(struct lc_conn *conn, bool is_reusable, struct lc_str body, struct lc_buffer *body_buffer)
{
    struct lc_exchange *exchange = conn->exchange;
    struct lc_hop hop = describe_head(conn);
    hop.body = body;
    hop.body_buffer = body_buffer;
    if (exchange->is_decoding) {
        hop.fail = lc__exchange_end_body(exchange);
    }
    if (is_reusable) {
        lc__conn_detach(conn);
        /* Some servers send a body all the same, perhaps a little later: it is looked at before the next request. */
        bool is_suspect = exchange->in_body.framing == LCORE_H1_NO_BODY;
        lc__conn_give_back(conn, is_suspect);
    } else {
        lc__conn_close(conn);
    }
    lc__exchange_finish(exchange, &hop);
}

/* What came of the body, out of the shared buffer, because more of it is to come. */
static int
collect(struct lc_exchange *exchange, struct lc_buffer *body)
{
    uint64_t expected = body->len;
    if (exchange->in_body.framing == LCORE_H1_LENGTH && !exchange->is_decoding) {
        uint64_t left = exchange->in_body.remaining < RESERVE_MAX ? exchange->in_body.remaining : RESERVE_MAX;
        expected += left;
    }
    int err = lc_buffer_reserve(&exchange->collected, (size_t)expected + 1);
    err = err < 0 ? err : lc_buffer_append(&exchange->collected, body->data, body->len);
    if (body->capacity > SHARED_BODY_KEEP) {
        lc_buffer_fini(body);
    }
    body->len = 0;
    return err;
}

/* The response is told of now; the rest of its body is for whoever takes the stream. */
static void
hand_out(struct lc_conn *conn, struct lc_str ready)
{
    struct lc_exchange *exchange = conn->exchange;
    struct lc_hop hop = describe_head(conn);
    hop.stream = lc__stream_new(exchange, ready);
    if (hop.stream == NULL) {
        fail(conn, LCORE_FAIL_INTERNAL, ENOMEM, "out of memory");
        return;
    }
    lc__exchange_finish(exchange, &hop);
}

/* Takes bytes in that arrived at stamp_ns. False: the exchange has left the connection, which may be gone. */
static bool
take_in(struct lc_conn *conn, struct lc_str in, int64_t stamp_ns)
{
    struct lc_exchange *exchange = conn->exchange;
    struct lc_http *http = conn->http;
    exchange->has_received = true;
    exchange->active_ns = lc_loop_now_ns(http->loop);
    exchange->timings.end_ns = stamp_ns;
    if (exchange->timings.first_byte_ns == 0) {
        exchange->timings.first_byte_ns = stamp_ns;
    }
    struct lc_str head_data = {0};
    size_t head_len = 0;
    enum lc_fail reason;
    if (!exchange->has_head) {
        if (exchange->in.len > 0) {
            if (lc_buffer_append_str(&exchange->in, in) < 0) {
                goto no_memory;
            }
            in = (struct lc_str){exchange->in.data, exchange->in.len};
        }
        for (;;) {
            ptrdiff_t len = exchange->in.len > 0 ? lc_h1_parse_head(in.data, in.len, &exchange->in_head)
                                                 : lc__seen_head_parse(http->seen_heads, exchange->url.target, in.data,
                                                                       in.len, &exchange->in_head);
            if (len < 0) {
                fail_head(conn, (enum lc_fail) - len, in);
                return false;
            }
            if (len == 0) {
                if (exchange->in.len == 0 && lc_buffer_append_str(&exchange->in, in) < 0) {
                    goto no_memory;
                }
                return true;
            }
            if (!lc_h1_is_interim(&exchange->in_head)) {
                head_len = (size_t)len;
                break;
            }
            exchange->in_head = (struct lc_h1_head){0};
            if (exchange->in.len > 0) {
                lc_buffer_consume(&exchange->in, (size_t)len);
                in = (struct lc_str){exchange->in.data, exchange->in.len};
            } else {
                in = (struct lc_str){in.data + len, in.len - (size_t)len};
            }
            exchange->timings.first_byte_ns = in.len > 0 ? stamp_ns : 0;
            if (in.len == 0) {
                return true;
            }
        }
        head_data = in;
        in = (struct lc_str){in.data + head_len, in.len - head_len};
        reason = lc__exchange_begin_body(exchange);
        if (reason != LCORE_FAIL_NONE) {
            fail(conn, reason, 0, NULL);
            return false;
        }
    }
    bool is_first = head_data.data != NULL;
    struct lc_buffer *body = is_first ? &http->body : &exchange->collected;
    struct lc_str whole = {0};
    if (is_first) {
        body->len = 0;
    }
    for (;;) {
        struct lc_str run;
        enum lc_h1_event event = lc_h1_body_next(&exchange->in_body, &in, &run);
        if (event == LCORE_H1_DATA) {
            uint64_t limit = conn->session->max_body_bytes;
            if (is_first && exchange->in_body.framing == LCORE_H1_LENGTH && exchange->in_body.remaining == 0 &&
                !exchange->is_decoding && (limit == 0 || run.len <= limit)) {
                /* All of it is here: no copy but the response's own. */
                whole = run;
                exchange->wire_body_bytes = run.len;
                continue;
            }
            reason = lc__exchange_add_body(exchange, run, body);
            if (reason != LCORE_FAIL_NONE) {
                fail(conn, reason, 0, NULL);
                return false;
            }
        } else if (event == LCORE_H1_DONE) {
            bool is_reusable = lc_h1_is_reusable(&exchange->in_head, &exchange->in_body) && in.len == 0 &&
                               exchange->in_head.status != 101 && exchange->send_errno == 0 &&
                               exchange->sent == exchange->head.len + exchange->body.len;
            complete(conn, is_reusable, whole, whole.data == NULL ? body : NULL);
            return false;
        } else if (event == LCORE_H1_FAIL && is_first && exchange->in_body.is_keeping_chunks &&
                   lc__exchange_is_streamed(exchange)) {
            /* Who reads the chunks will see. */
            exchange->in_body.framing = LCORE_H1_UNTIL_CLOSE;
            in = (struct lc_str){run.data, run.len + in.len};
        } else if (event == LCORE_H1_FAIL) {
            fail(conn, exchange->in_body.fail, 0, NULL);
            return false;
        } else {
            break;
        }
    }
    if (is_first && lc__exchange_is_streamed(exchange)) {
        hand_out(conn, (struct lc_str){body->data, body->len});
        return false;
    }
    if (is_first && (keep_head(exchange, head_data.data, head_len) < 0 || collect(exchange, body) < 0)) {
        goto no_memory;
    }
    return true;
no_memory:
    fail(conn, LCORE_FAIL_INTERNAL, ENOMEM, "out of memory");
    return false;
}

/* The response ends with the connection. The kernel stamps bytes only, as TLS's goodbye; an end that was not there
 * right after the last bytes came later, for which there is the loop's time. */
static void
note_end(struct lc_conn *conn)
{
    struct lc_exchange *exchange = conn->exchange;
    int64_t now_ns = lc_loop_now_ns(conn->http->loop);
    if (conn->stamp_ns > exchange->timings.end_ns) {
        exchange->timings.end_ns = conn->stamp_ns;
    } else if (exchange->active_ns < now_ns && exchange->timings.end_ns < now_ns) {
        exchange->timings.end_ns = now_ns;
    }
}

static void
take_end(struct lc_conn *conn, int errnum)
{
    struct lc_exchange *exchange = conn->exchange;
    if (errnum == EPROTO && conn->ssl != NULL) {
        fail(conn, LCORE_FAIL_TLS, 0, lc__tls_why());
        return;
    }
    if (!exchange->has_head) {
        bool is_partial = exchange->in.len > 0;
        if (errnum == 0 && !is_partial) {
            errnum = exchange->send_errno;
        }
        if (errnum == ECONNRESET) {
            fail(conn, LCORE_FAIL_RESET, errnum, strerror(errnum));
        } else if (errnum != 0) {
            fail(conn, exchange->send_errno != 0 ? LCORE_FAIL_SEND : LCORE_FAIL_CLOSED, errnum, strerror(errnum));
        } else {
            fail(conn, LCORE_FAIL_CLOSED, 0, is_partial ? "connection closed in the middle of the header" : NULL);
        }
        return;
    }
    if (errnum != 0) {
        fail(conn, LCORE_FAIL_RESET, errnum, strerror(errnum));
        return;
    }
    note_end(conn);
    enum lc_fail reason = lc_h1_body_end(&exchange->in_body);
    if (reason != LCORE_FAIL_NONE) {
        char text[96];
        lc__exchange_tell_early_end(exchange, NULL, text, sizeof(text));
        fail(conn, reason, 0, text);
        return;
    }
    complete(conn, false, (struct lc_str){0}, &exchange->collected);
}

/* Long bodies of known length are received where they will stay. */
static bool
receive_in_place(struct lc_conn *conn)
{
    struct lc_exchange *exchange = conn->exchange;
    struct lc_buffer *body = &exchange->collected;
    uint64_t left = exchange->in_body.remaining;
    size_t room = body->capacity - body->len;
    if (room < IN_PLACE_MIN / 4) {
        if (lc_buffer_reserve(body, left < RESERVE_MAX ? (size_t)left : RESERVE_MAX) < 0) {
            fail(conn, LCORE_FAIL_INTERNAL, ENOMEM, "out of memory");
            return false;
        }
        room = body->capacity - body->len;
    }
    ssize_t got = lc__conn_read(conn, body->data + body->len, left < room ? (size_t)left : room);
    if (got == -EAGAIN) {
        return false;
    }
    if (got <= 0) {
        take_end(conn, (int)-got);
        return false;
    }
    body->len += (size_t)got;
    exchange->in_body.remaining -= (uint64_t)got;
    exchange->wire_body_bytes += (uint64_t)got;
    exchange->active_ns = lc_loop_now_ns(conn->http->loop);
    exchange->timings.end_ns = conn->stamp_ns;
    return exchange->in_body.remaining > 0 || take_in(conn, (struct lc_str){body->data, 0}, conn->stamp_ns);
}

static void
receive_response(struct lc_conn *conn)
{
    struct lc_http *http = conn->http;
    struct lc_exchange *exchange = conn->exchange;
    conn->receives_left = RECEIVES_PER_ROUND;
    for (;;) {
        if (exchange->has_head && exchange->in_body.framing == LCORE_H1_LENGTH && !exchange->is_decoding &&
            exchange->in_body.remaining >= IN_PLACE_MIN && conn->session->max_body_bytes == 0) {
            if (!receive_in_place(conn) || conn->ssl == NULL) {
                return;
            }
            continue;
        }
        size_t filled = 0;
        int64_t stamp_ns = 0;
        ssize_t got;
        do {
            got = lc__conn_read(conn, http->receive + filled, LCORE_RECEIVE_SIZE - filled);
            if (got > 0) {
                filled += (size_t)got;
                stamp_ns = conn->stamp_ns; /* not that of the goodbye, which comes with a read of nothing */
            }
        } while (conn->ssl != NULL && got > 0 && filled < LCORE_RECEIVE_SIZE);
        if (stamp_ns < exchange->timings.sent_ns) {
            stamp_ns = lc_loop_now_ns(http->loop); /* the clocks were set */
        }
        if (filled > 0 && !take_in(conn, (struct lc_str){http->receive, filled}, stamp_ns)) {
            return;
        }
        if (got <= 0) {
            if (got != -EAGAIN) {
                take_end(conn, (int)-got);
            }
            return;
        }
        bool is_end_awaited = exchange->has_head && exchange->in_body.framing == LCORE_H1_UNTIL_CLOSE;
        if (conn->ssl == NULL && (!is_end_awaited || conn->receives_left-- == 0)) {
            return;
        }
        /* What OpenSSL has read ahead would not make the descriptor readable: on until it wants more. And an end that
         * is there already came with the bytes, see note_end(). */
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
        fail(conn, reason, errnum, text);
        break;
    }
}

static void
on_readable(struct lc_io *io, int events)
{
    struct lc_conn *conn = io->data;
    if (conn->wire != NULL) {
        lc__wire_readable(conn->wire);
    } else if (conn->exchange == NULL) {
        /* Closed by the server, or bytes nobody asked for. TLS may bring session tickets. */
        char byte;
        conn->receives_left = RECEIVES_PER_ROUND;
        if (conn->ssl == NULL || lc__tls_read(conn, &byte, 1) != -EAGAIN) {
            lc__conn_close(conn);
        }
    } else if (conn->is_handshaking) {
        conn->receives_left = RECEIVES_PER_ROUND;
        go_on_handshake(conn);
    } else {
        receive_response(conn);
    }
}

static void
on_writable(struct lc_io *io, int events)
{
    struct lc_conn *conn = io->data;
    conn->receives_left = RECEIVES_PER_ROUND;
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
