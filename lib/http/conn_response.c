/* How a connection takes the response of the exchange that it serves. */
#include "http/conn.h"

#include <errno.h>
#include <string.h>

#include "http/http.h"
#include "http/seen_head.h"
#include "http/stream.h"
#include "http/tls.h"
#include "loop/loop.h"

/* What is reserved at once because a Content-Length says so; beyond it, growth pays for what really came. */
#define RESERVE_MAX (16 * 1024 * 1024)
/* Bodies from here on are received into their own buffer instead of the shared one. */
#define IN_PLACE_MIN (256 * 1024)
/* What the shared body buffer may hold for good. */
#define SHARED_BODY_KEEP (1024 * 1024)

/* Always false, as those say who lose the exchange. */
static bool
fail_for_memory(struct lc_conn *conn)
{
    lc__conn_fail(conn, LCORE_FAIL_INTERNAL, ENOMEM, "out of memory");
    return false;
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
    lc__conn_fail(conn, reason, 0, reason == LCORE_FAIL_BAD_STATUS_LINE ? line : NULL);
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
    lc__h1_head_move(&exchange->in_head, data, exchange->in.data);
    return 0;
}

static struct lc_hop
describe_head(const struct lc_conn *conn)
{
    const struct lc_h1_head *head = &conn->exchange->in_head;
    const struct lc_h1_body *body = &conn->exchange->in_body;
    struct lc_hop hop = {
        .is_kept_alive = conn->served > 0,
        .is_in_chunks = body->is_keeping_chunks && head->is_chunked && body->framing != LCORE_H1_NO_BODY,
    };
    lc__hop_take_head(&hop, head);
    return hop;
}

/* What servers say of requests that they do not read on, before they close without having said so. */
static bool
is_often_last(int status)
{
    return status == 400 || status == 408 || status == 413 || status == 414 || status == 431;
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
        bool is_suspect = exchange->in_body.framing == LCORE_H1_NO_BODY || is_often_last(hop.status);
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
        fail_for_memory(conn);
        return;
    }
    lc__exchange_finish(exchange, &hop);
}

static ptrdiff_t
parse_head(struct lc_exchange *exchange, struct lc_str in)
{
    struct lc_h1_head *head = &exchange->in_head;
    head->may_be_large = (exchange->request.flags & LCORE_REQUEST_LARGE_HEAD) != 0;
    if (exchange->in.len > 0) {
        return lc_h1_parse_head(in.data, in.len, head);
    }
    return lc__seen_head_parse(exchange->session->http->seen_heads, exchange->url.target, in.data, in.len, head);
}

enum head_state { HEAD_DONE, HEAD_INCOMPLETE, HEAD_FAILED };

/* Takes heads off `in` up to the one that counts, behind those of interim responses. Done: it is `head`, and `in` is
 * what follows. Incomplete: the exchange keeps what there is. Failed: the exchange has left the connection. */
static enum head_state
take_head(struct lc_conn *conn, struct lc_str *in, int64_t stamp_ns, struct lc_str *head)
{
    struct lc_exchange *exchange = conn->exchange;
    if (exchange->in.len > 0) {
        if (lc_buffer_append_str(&exchange->in, *in) < 0) {
            fail_for_memory(conn);
            return HEAD_FAILED;
        }
        *in = (struct lc_str){exchange->in.data, exchange->in.len};
    }
    for (;;) {
        ptrdiff_t len = parse_head(exchange, *in);
        if (len < 0) {
            fail_head(conn, (enum lc_fail) - len, *in);
            return HEAD_FAILED;
        }
        if (len == 0) {
            if (exchange->in.len == 0 && lc_buffer_append_str(&exchange->in, *in) < 0) {
                fail_for_memory(conn);
                return HEAD_FAILED;
            }
            return HEAD_INCOMPLETE;
        }
        struct lc_str rest = {in->data + len, in->len - (size_t)len};
        if (!lc_h1_is_interim(&exchange->in_head)) {
            *head = (struct lc_str){in->data, (size_t)len};
            *in = rest;
            return HEAD_DONE;
        }
        if (!lc__exchange_skip_interim(exchange)) {
            lc__conn_fail(conn, LCORE_FAIL_INTERIM, 0, NULL);
            return HEAD_FAILED;
        }
        if (exchange->in.len > 0) {
            lc_buffer_consume(&exchange->in, (size_t)len);
            rest.data = exchange->in.data;
        }
        if (rest.len == 0) {
            return HEAD_INCOMPLETE;
        }
        *in = rest;
        exchange->timings.first_byte_ns = stamp_ns;
    }
}

/* Of a body's first run: it needs no copy but the response's own. */
static bool
is_whole_body(const struct lc_exchange *exchange, struct lc_str run)
{
    uint64_t limit = exchange->session->max_body_bytes;
    return exchange->in_body.framing == LCORE_H1_LENGTH && exchange->in_body.remaining == 0 && !exchange->is_decoding &&
           (limit == 0 || run.len <= limit);
}

/* Whether the connection may serve another request after this response, behind which `rest_len` bytes came. */
static bool
may_serve_again(const struct lc_exchange *exchange, size_t rest_len)
{
    return lc_h1_is_reusable(&exchange->in_head, &exchange->in_body) && rest_len == 0 && !exchange->is_asking_close &&
           exchange->in_head.status != 101 && exchange->send_errno == 0 &&
           exchange->sent == exchange->head.len + exchange->body.len;
}

/* A head came and perhaps some of the body, the rest of which is to come. As take_in(). */
static bool
begin_long_body(struct lc_conn *conn, struct lc_str head, struct lc_buffer *body)
{
    struct lc_exchange *exchange = conn->exchange;
    if (lc__exchange_is_streamed(exchange)) {
        hand_out(conn, (struct lc_str){body->data, body->len});
        return false;
    }
    if (keep_head(exchange, head.data, head.len) < 0 || collect(exchange, body) < 0) {
        return fail_for_memory(conn);
    }
    return true;
}

/* Takes body bytes in; `head` is what came right before them, if it did. As take_in(). */
static bool
take_body(struct lc_conn *conn, struct lc_str head, struct lc_str in)
{
    struct lc_exchange *exchange = conn->exchange;
    bool is_first = head.data != NULL;
    struct lc_buffer *body = is_first ? &conn->http->body : &exchange->collected;
    struct lc_str run, whole = {0};
    enum lc_fail reason;
    if (is_first) {
        body->len = 0;
    }
    for (;;) {
        switch (lc_h1_body_next(&exchange->in_body, &in, &run)) {
        case LCORE_H1_DATA:
            if (is_first && is_whole_body(exchange, run)) {
                whole = run;
                exchange->wire_body_bytes = run.len;
                break;
            }
            reason = lc__exchange_add_body(exchange, run, body);
            if (reason != LCORE_FAIL_NONE) {
                lc__conn_fail(conn, reason, 0, NULL);
                return false;
            }
            break;
        case LCORE_H1_DONE:
            complete(conn, may_serve_again(exchange, in.len), whole, whole.data == NULL ? body : NULL);
            return false;
        case LCORE_H1_FAIL:
            if (!is_first || !exchange->in_body.is_keeping_chunks || !lc__exchange_is_streamed(exchange)) {
                lc__conn_fail(conn, exchange->in_body.fail, 0, NULL);
                return false;
            }
            /* Who reads the chunks will see. */
            exchange->in_body.framing = LCORE_H1_UNTIL_CLOSE;
            in = (struct lc_str){run.data, run.len + in.len};
            break;
        case LCORE_H1_MORE:
            return !is_first || begin_long_body(conn, head, body);
        }
    }
}

/* Takes bytes in that arrived at stamp_ns. False: the exchange has left the connection, which may be gone. */
static bool
take_in(struct lc_conn *conn, struct lc_str in, int64_t stamp_ns)
{
    struct lc_exchange *exchange = conn->exchange;
    exchange->has_received = true;
    exchange->active_ns = lc_loop_now_ns(conn->http->loop);
    exchange->timings.end_ns = stamp_ns;
    if (exchange->timings.first_byte_ns == 0) {
        exchange->timings.first_byte_ns = stamp_ns;
    }
    struct lc_str head = {0};
    if (!exchange->has_head) {
        enum head_state state = take_head(conn, &in, stamp_ns, &head);
        if (state != HEAD_DONE) {
            return state == HEAD_INCOMPLETE;
        }
        enum lc_fail reason = lc__exchange_begin_body(exchange);
        if (reason != LCORE_FAIL_NONE) {
            lc__conn_fail(conn, reason, 0, NULL);
            return false;
        }
    }
    return take_body(conn, head, in);
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
        lc__conn_fail(conn, LCORE_FAIL_TLS, 0, lc__tls_why());
        return;
    }
    if (!exchange->has_head) {
        bool is_partial = exchange->in.len > 0;
        if (errnum == 0 && !is_partial) {
            errnum = exchange->send_errno;
        }
        /* Over TLS whoever still sends meets an end that breaks the protocol, whatever the kernel calls it. */
        bool is_cut = conn->ssl != NULL && exchange->sent < exchange->head.len + exchange->body.len;
        if (errnum == ECONNRESET && !is_cut) {
            lc__conn_fail(conn, LCORE_FAIL_RESET, errnum, strerror(errnum));
        } else if (errnum != 0) {
            lc__conn_fail(conn, is_cut || exchange->send_errno != 0 ? LCORE_FAIL_SEND : LCORE_FAIL_CLOSED, errnum,
                          strerror(errnum));
        } else {
            lc__conn_fail(conn, LCORE_FAIL_CLOSED, 0,
                          is_partial ? "connection closed in the middle of the header" : NULL);
        }
        return;
    }
    if (errnum != 0) {
        lc__conn_fail(conn, LCORE_FAIL_RESET, errnum, strerror(errnum));
        return;
    }
    note_end(conn);
    enum lc_fail reason = lc_h1_body_end(&exchange->in_body);
    if (reason != LCORE_FAIL_NONE) {
        char text[96];
        lc__exchange_tell_early_end(exchange, NULL, text, sizeof(text));
        lc__conn_fail(conn, reason, 0, text);
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
            return fail_for_memory(conn);
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

void
lc__conn_take_response(struct lc_conn *conn)
{
    struct lc_http *http = conn->http;
    struct lc_exchange *exchange = conn->exchange;
    conn->receives_left = LCORE_RECEIVES_PER_ROUND;
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
