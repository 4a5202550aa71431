/* How streams and connections of HTTP/2 end: who is told what, who goes round once more, and on which connection. */
#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "base/alloc.h"
#include "http/connector.h"
#include "http/h2_wire.h"
#include "http/http.h"
#include "http/session.h"
#include "http/stream.h"
#include "loop/io.h"

/* How often a server may say of one call that it did not look at it. */
#define REFUSALS_MAX 5

void
lc__h2_free(struct lc_h2 *h2)
{
    struct lc_loop *loop = h2->session->http->loop;
    h2->is_dead = true;
    lc_list_remove(&h2->link);
    lc_list_remove(&h2->later.link);
    if (h2->connect != NULL) {
        lc_connector_cancel(h2->connect);
    }
    if (h2->codec != NULL) {
        lc__h2_end_codec(h2);
    }
    struct lc_list *lists[] = {&h2->waiting, &h2->open, &h2->done};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct lc_list *link;
        while ((link = lc_list_pop(lists[i])) != NULL) {
            struct lc_h2_stream *stream = LCORE_CONTAINER(link, struct lc_h2_stream, link);
            if (stream->wire != NULL) {
                lc__h2_wire_lose(stream, false);
            }
            lc__free(stream);
        }
    }
    if (h2->conn != NULL) {
        lc_io_stop(loop, &h2->write_io);
        lc__conn_close(h2->conn);
    }
    lc_buffer_fini(&h2->pending);
    lc__origin_unref(h2->origin);
    if (h2->holds == 0) {
        lc__free(h2);
    }
}

bool
lc__h2_release(struct lc_h2 *h2)
{
    bool is_dead = h2->is_dead;
    if (--h2->holds == 0 && is_dead) {
        lc__free(h2);
    }
    return !is_dead;
}

void
lc__h2_let_go(struct lc_h2_stream *stream)
{
    struct lc_h2 *h2 = stream->h2;
    lc_timer_stop(h2->session->http->loop, &stream->exchange->timer);
    stream->exchange->stream = NULL;
    stream->exchange = NULL;
    h2->live_count--;
    if (h2->live_count == 0) {
        h2->idle_since_ns = lc_loop_now_ns(h2->session->http->loop);
    }
    lc_list_remove(&stream->link);
    lc_list_remove(&stream->whole_link);
    if (stream->id == 0 || stream->is_closed || h2->codec == NULL) {
        lc__free(stream);
        return;
    }
    lc_list_append(&h2->open, &stream->link);
    if (stream->fail == LCORE_FAIL_NONE) {
        /* Canceled, or the answer came before all of the body went. */
        lc__h2_reset_stream(stream);
    }
}

static bool
is_refused_again(struct lc_exchange *exchange)
{
    return exchange->refusals++ >= REFUSALS_MAX;
}

/* The response is told of now; the rest of its body is for whoever takes the stream. */
static void
hand_out(struct lc_h2_stream *stream)
{
    struct lc_exchange *exchange = stream->exchange;
    struct lc_hop hop = {.major = 2, .is_kept_alive = stream->is_reused};
    lc__exchange_describe(exchange, &hop);
    hop.body_buffer = NULL;
    if (exchange->in_body.framing == LCORE_H1_LENGTH) {
        exchange->in_body.remaining -= exchange->wire_body_bytes < exchange->in_body.remaining
                                           ? exchange->wire_body_bytes
                                           : exchange->in_body.remaining;
    }
    struct lc_str ready = {exchange->collected.data, exchange->collected.len};
    hop.stream = lc__stream_new(exchange, stream->whole.data == NULL ? ready : stream->whole);
    if (hop.stream == NULL) {
        hop.fail = LCORE_FAIL_INTERNAL;
        lc__h2_let_go(stream);
    }
    lc__exchange_finish(exchange, &hop);
}

void
lc__h2_settle(struct lc_h2_stream *stream)
{
    struct lc_h2 *h2 = stream->h2;
    struct lc_exchange *exchange = stream->exchange;
    if (stream->is_streamed && !stream->is_ended && !stream->is_closed && stream->fail == LCORE_FAIL_NONE) {
        hand_out(stream);
        return;
    }
    char text[400], why[240] = "";
    struct lc_hop hop = {.fail = stream->fail, .major = 2, .is_kept_alive = stream->is_reused};
    bool is_reset = !stream->is_ended && stream->fail == LCORE_FAIL_NONE;
    if (stream->is_refused && is_reset && !is_refused_again(exchange)) {
        lc__h2_let_go(stream);
        lc__exchange_start_again(exchange);
        return;
    }
    if (is_reset && stream->error_code == NGHTTP2_HTTP_1_1_REQUIRED && !exchange->has_head) {
        lc__h2_let_go(stream);
        exchange->transport = &lc__transport_direct;
        lc__exchange_start_again(exchange);
        return;
    }
    if (is_reset) {
        snprintf(why, sizeof(why), "stream reset by the server: %s (%u)", lc__h2_error_name(stream->error_code),
                 (unsigned)stream->error_code);
        hop.fail = LCORE_FAIL_STREAM;
    } else if (stream->fail == LCORE_FAIL_PROTOCOL) {
        snprintf(why, sizeof(why), "malformed HTTP/2: %s", h2->why[0] == '\0' ? "protocol error" : h2->why);
        if (!h2->has_goaway) {
            h2->why[0] = '\0'; /* said */
        }
    }
    if (exchange->has_head && (is_reset || stream->fail == LCORE_FAIL_PROTOCOL)) {
        lc__exchange_tell_early_end(exchange, why, text, sizeof(text));
        hop.fail = LCORE_FAIL_INCOMPLETE;
        hop.text = lc_str_from(text);
    } else {
        hop.text = lc_str_from(why);
    }
    if (hop.fail == LCORE_FAIL_NONE) {
        h2->served++;
        hop.fail = lc__exchange_end_body(exchange);
    }
    lc__exchange_describe(exchange, &hop);
    if (stream->whole.data != NULL) {
        hop.body = stream->whole;
        hop.body_buffer = NULL;
    }
    lc__h2_let_go(stream);
    lc__exchange_finish(exchange, &hop);
}

/* The connection is gone: one of its streams. */
static void
lose(struct lc_h2_stream *stream, const struct lc_hop *how)
{
    struct lc_exchange *exchange = stream->exchange;
    bool is_gone = how->fail == LCORE_FAIL_CLOSED || how->fail == LCORE_FAIL_RESET || how->fail == LCORE_FAIL_SEND;
    bool is_stale = is_gone && stream->is_reused && lc__exchange_may_retry(exchange);
    bool is_unseen = stream->id == 0 || exchange->sent == 0;
    struct lc_hop hop = *how;
    char text[400];
    hop.is_kept_alive = stream->is_reused;
    lc__h2_let_go(stream);
    if (is_stale || (is_unseen && !is_refused_again(exchange))) {
        exchange->is_retried |= is_stale;
        lc__exchange_start_again(exchange);
        return;
    }
    if (exchange->has_head && how->fail != LCORE_FAIL_INTERNAL) {
        char why[200];
        snprintf(why, sizeof(why), "%.*s", how->text.len > 199 ? 199 : (int)how->text.len, how->text.data);
        lc__exchange_tell_early_end(exchange, why, text, sizeof(text));
        hop.fail = LCORE_FAIL_INCOMPLETE;
        hop.text = lc_str_from(text);
    }
    lc__exchange_describe(exchange, &hop);
    lc__exchange_finish(exchange, &hop);
}

/* Drops streams that are lent out or nobody's. This comes before any callback: a caller may go on to use a stream that
 * it borrowed, for which there is no codec any more. */
static void
drop_unowned(struct lc_h2 *h2)
{
    for (struct lc_list *link = h2->open.next; link != &h2->open;) {
        struct lc_h2_stream *stream = LCORE_CONTAINER(link, struct lc_h2_stream, link);
        link = link->next;
        if (stream->exchange != NULL) {
            continue;
        }
        if (stream->wire != NULL) {
            lc__h2_wire_lose(stream, false);
        }
        lc_list_remove(&stream->link);
        lc__free(stream);
    }
}

void
lc__h2_end_connection(struct lc_h2 *h2, enum lc_fail reason, int errnum, const char *text)
{
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", text);
    struct lc_hop how = {.fail = reason, .errnum = errnum, .text = lc_str_from(copy), .major = 2};
    h2->is_draining = true;
    h2->holds++;
    while (!lc_list_is_empty(&h2->done)) {
        lc__h2_settle(LCORE_CONTAINER(h2->done.next, struct lc_h2_stream, link));
    }
    if (h2->codec != NULL) {
        lc__h2_end_codec(h2);
    }
    drop_unowned(h2);
    while (!lc_list_is_empty(&h2->open)) {
        lose(LCORE_CONTAINER(h2->open.next, struct lc_h2_stream, link), &how);
    }
    while (!lc_list_is_empty(&h2->waiting)) {
        lose(LCORE_CONTAINER(h2->waiting.next, struct lc_h2_stream, link), &how);
    }
    if (lc__h2_release(h2)) {
        lc__h2_free(h2);
    }
}

void
lc__h2_fail_waiting(struct lc_h2 *h2, const struct lc_hop *hop)
{
    h2->is_draining = true;
    h2->holds++;
    while (!lc_list_is_empty(&h2->waiting)) {
        struct lc_h2_stream *stream = LCORE_CONTAINER(h2->waiting.next, struct lc_h2_stream, link);
        struct lc_exchange *exchange = stream->exchange;
        lc__h2_let_go(stream);
        lc__exchange_finish(exchange, hop);
    }
    if (lc__h2_release(h2)) {
        lc__h2_free(h2);
    }
}

void
lc__h2_take_timings(const struct lc_h2 *h2, struct lc_exchange *exchange)
{
    struct lc_timings *timings = &exchange->timings;
    if (timings->sent_ns == 0 && h2->begin_ns > timings->begin_ns) {
        timings->begin_ns = h2->begin_ns;
    }
    timings->dns_ns = h2->dns_ns >= timings->begin_ns ? h2->dns_ns : 0;
    timings->connected_ns = h2->connected_ns >= timings->begin_ns ? h2->connected_ns : 0;
    timings->tls_ns = h2->tls_ns >= timings->begin_ns ? h2->tls_ns : 0;
    timings->sent_ns = 0;
}

void
lc__h2_fall_back(struct lc_h2 *h2, bool is_conn_usable)
{
    struct lc_conn *conn = h2->conn;
    if (h2->codec != NULL) {
        lc__h2_end_codec(h2);
    }
    if (conn != NULL) {
        lc_io_stop(h2->session->http->loop, &h2->write_io);
        conn->h2 = NULL;
        h2->conn = NULL;
    }
    h2->is_draining = true;
    if (h2->origin->spoken == LCORE_SPOKEN_UNKNOWN) {
        h2->origin->spoken = LCORE_SPOKEN_H1;
    }
    bool is_taken = false;
    for (;;) {
        struct lc_list *link = lc_list_pop(&h2->open);
        link = link == NULL ? lc_list_pop(&h2->waiting) : link;
        if (link == NULL) {
            break;
        }
        struct lc_h2_stream *stream = LCORE_CONTAINER(link, struct lc_h2_stream, link);
        struct lc_exchange *exchange = stream->exchange;
        if (exchange == NULL) {
            if (stream->wire != NULL) {
                lc__h2_wire_lose(stream, false);
            }
            lc__free(stream);
            continue;
        }
        lc__h2_let_go(stream);
        /* None of the calls that start anew here can end before this function returns. */
        if (is_conn_usable && !is_taken) {
            is_taken = true;
            exchange->transport = &lc__transport_direct;
            lc__h2_take_timings(h2, exchange);
            lc__conn_adopt(conn, exchange);
            continue;
        }
        if (h2->origin->spoken == LCORE_SPOKEN_H1) {
            exchange->transport = &lc__transport_direct;
        }
        lc__exchange_start_again(exchange);
    }
    if (conn != NULL && !is_taken) {
        lc__conn_close(conn);
    }
    lc__h2_free(h2);
}
