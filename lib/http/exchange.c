#include "http/exchange.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/format.h"
#include "http/conn.h"
#include "http/redirect.h"
#include "http/session.h"
#include "loop/loop.h"

/* Beyond it the pool holds no more than there are sessions, of which each may have one in flight. */
#define POOL_LEAST 1024
/* What an idle exchange may hold in each buffer. */
#define KEEP_MAX 2048

static void
trim(struct lc_buffer *buffer)
{
    if (buffer->capacity > KEEP_MAX) {
        lc_buffer_fini(buffer);
    }
    buffer->len = 0;
}

struct lc_exchange *
lc__exchange_new(struct lc_http *http)
{
    struct lc_exchange *exchange = http->idle_exchanges;
    if (exchange == NULL) {
        return lc__calloc(1, sizeof(*exchange));
    }
    http->idle_exchanges =
        exchange->link.next == NULL ? NULL : LCORE_CONTAINER(exchange->link.next, struct lc_exchange, link);
    http->idle_exchange_count--;
    exchange->link.next = NULL;
    return exchange;
}

static void
destroy(struct lc_exchange *exchange)
{
    lc_buffer_fini(&exchange->url_text[0]);
    lc_buffer_fini(&exchange->url_text[1]);
    lc_buffer_fini(&exchange->head);
    lc_buffer_fini(&exchange->in);
    lc__free(exchange);
}

void
lc__exchange_free(struct lc_http *http, struct lc_exchange *exchange)
{
    lc__exchange_reset_response(exchange);
    lc_timer_stop(http->loop, &exchange->timer);
    lc__origin_unref(exchange->origin);
    while (exchange->previous != NULL) {
        struct lc_response *response = exchange->previous;
        exchange->previous = NULL;
        lc_response_free(response);
    }
    if (http->idle_exchange_count >= POOL_LEAST && http->idle_exchange_count >= http->session_count) {
        destroy(exchange);
        return;
    }
    struct lc_buffer *buffers[] = {&exchange->url_text[0], &exchange->url_text[1], &exchange->head, &exchange->in};
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        trim(buffers[i]);
    }
    memset(&exchange->link, 0, sizeof(*exchange) - offsetof(struct lc_exchange, link));
    exchange->link.next = http->idle_exchanges == NULL ? NULL : &http->idle_exchanges->link;
    http->idle_exchanges = exchange;
    http->idle_exchange_count++;
}

void
lc__exchange_shrink(struct lc_http *http, size_t most)
{
    most = most < POOL_LEAST ? POOL_LEAST : most;
    while (http->idle_exchange_count > most) {
        destroy(lc__exchange_new(http));
    }
}

void
lc__exchange_free_idle(struct lc_http *http)
{
    while (http->idle_exchanges != NULL) {
        struct lc_exchange *exchange = lc__exchange_new(http);
        destroy(exchange);
    }
}

bool
lc__exchange_skip_interim(struct lc_exchange *exchange)
{
    exchange->in_head = (struct lc_h1_head){0};
    exchange->timings.first_byte_ns = 0;
    return ++exchange->interim_count <= LCORE_H1_MAX_INTERIM;
}

void
lc__exchange_reset_response(struct lc_exchange *exchange)
{
    lc_list_remove(&exchange->late.link);
    exchange->sent = 0;
    exchange->send_errno = 0;
    exchange->has_received = false;
    exchange->has_head = false;
    exchange->is_decoding = false;
    exchange->interim_count = 0;
    exchange->in_head = (struct lc_h1_head){0};
    exchange->in.len = 0;
    exchange->wire_body_bytes = 0;
    if (exchange->collected.data != NULL) {
        lc_buffer_fini(&exchange->collected);
    }
    if (exchange->decoder != NULL) {
        lc__http_put_decoder(exchange->session->http, exchange->decoder);
        exchange->decoder = NULL;
    }
}

void
lc__exchange_forget_try(struct lc_exchange *exchange)
{
    lc__exchange_reset_response(exchange);
    const struct lc_timings *lost = &exchange->timings;
    exchange->timings =
        (struct lc_timings){.start_ns = lost->start_ns, .hop_ns = lost->hop_ns, .begin_ns = lost->begin_ns};
}

void
lc__exchange_start_again(struct lc_exchange *exchange)
{
    int64_t sent_ns = exchange->timings.sent_ns;
    lc__exchange_forget_try(exchange);
    exchange->timings.sent_ns = sent_ns;
    exchange->transport->start(exchange);
}

bool
lc__exchange_is_streamed(const struct lc_exchange *exchange)
{
    unsigned flags = exchange->request.flags;
    return (flags & LCORE_REQUEST_STREAM) != 0 &&
           ((flags & LCORE_REQUEST_NO_REDIRECT) != 0 ||
            !lc_redirect_is_due(exchange->in_head.status, exchange->in_head.location));
}

enum lc_fail
lc__exchange_begin_body(struct lc_exchange *exchange)
{
    exchange->has_head = true;
    lc_h1_body_init(&exchange->in_body, &exchange->in_head, exchange->method);
    exchange->in_body.is_keeping_chunks = (exchange->request.flags & LCORE_REQUEST_KEEP_CHUNKS) != 0;
    if (!exchange->in_head.has_content_encoding || (exchange->request.flags & LCORE_REQUEST_NO_DECODE) != 0 ||
        exchange->in_body.framing == LCORE_H1_NO_BODY) {
        return LCORE_FAIL_NONE;
    }
    exchange->decoder = lc__http_take_decoder(exchange->session->http);
    if (exchange->decoder == NULL) {
        return LCORE_FAIL_INTERNAL;
    }
    exchange->is_decoding =
        lc_decoder_start(exchange->decoder, exchange->in_head.lines, exchange->session->max_body_bytes);
    return LCORE_FAIL_NONE;
}

enum lc_fail
lc__exchange_add_body(struct lc_exchange *exchange, struct lc_str run, struct lc_buffer *out)
{
    exchange->wire_body_bytes += run.len;
    if (exchange->is_decoding) {
        return lc_decoder_feed(exchange->decoder, run, out);
    }
    uint64_t limit = exchange->session->max_body_bytes;
    if (limit != 0 && exchange->wire_body_bytes > limit) {
        return LCORE_FAIL_TOO_LARGE;
    }
    return lc_buffer_append_str(out, run) < 0 ? LCORE_FAIL_INTERNAL : LCORE_FAIL_NONE;
}

enum lc_fail
lc__exchange_end_body(struct lc_exchange *exchange)
{
    bool must_be_whole = (exchange->request.flags & LCORE_REQUEST_WHOLE_CODING) != 0;
    return exchange->is_decoding ? lc_decoder_finish(exchange->decoder, must_be_whole) : LCORE_FAIL_NONE;
}

void
lc__exchange_describe(struct lc_exchange *exchange, struct lc_hop *hop)
{
    if (!exchange->has_head) {
        return;
    }
    lc__hop_take_head(hop, &exchange->in_head);
    hop->body_buffer = &exchange->collected;
}

void
lc__exchange_tell_early_end(const struct lc_exchange *exchange, const char *why, char *text, size_t size)
{
    int len = snprintf(text, size, "body ended early after %llu bytes", (unsigned long long)exchange->wire_body_bytes);
    if (exchange->in_head.content_length > (int64_t)exchange->wire_body_bytes) {
        len += snprintf(text + len, size - (size_t)len, ", %llu more were announced",
                        (unsigned long long)exchange->in_head.content_length - exchange->wire_body_bytes);
    } else if (exchange->in_body.framing == LCORE_H1_CHUNKED && exchange->in_body.remaining > 0) {
        const struct lc_h1_body *body = &exchange->in_body;
        len = snprintf(text, size, "body ended early after %llu bytes of a chunk, %llu more were announced",
                       (unsigned long long)(body->chunk_len - body->remaining), (unsigned long long)body->remaining);
    }
    if (why != NULL) {
        snprintf(text + len, size - (size_t)len, ": %s", why);
    }
}

bool
lc__exchange_is_idempotent(const struct lc_exchange *exchange)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (lc_str_equal(exchange->method, lc_str_from(methods[i]))) {
            return true;
        }
    }
    return false;
}

bool
lc__exchange_may_retry(const struct lc_exchange *exchange)
{
    return !exchange->has_received && !exchange->is_retried &&
           (exchange->sent == 0 || lc__exchange_is_idempotent(exchange));
}

static void
on_connect_timeout(struct lc_timer *timer)
{
    struct lc_exchange *exchange = LCORE_CONTAINER(timer, struct lc_exchange, timer);
    const struct lc_origin *origin = exchange->origin;
    char text[320];
    bool is_handshaking = exchange->conn != NULL && exchange->conn->is_handshaking;
    lc__format(text, sizeof(text), "%s %.*s:%u timed out (%.3g s)",
               is_handshaking ? "TLS handshake with" : "connection to",
               origin->host.len > 200 ? 200 : (int)origin->host.len, origin->host.data, origin->port,
               (double)exchange->connect_timeout_ns / 1e9);
    exchange->transport->cancel(exchange);
    lc__exchange_finish(
        exchange, &(struct lc_hop){.fail = LCORE_FAIL_CONNECT_TIMEOUT, .errnum = ETIMEDOUT, .text = lc_str_from(text)});
}

void
lc__exchange_limit_connect(struct lc_exchange *exchange)
{
    if (exchange->connect_timeout_ns > 0 &&
        lc_timer_start(exchange->session->http->loop, &exchange->timer,
                       lc_clock_monotonic_ns() + exchange->connect_timeout_ns, on_connect_timeout) < 0) {
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
    }
}

void
lc__exchange_tell_read_timeout(const struct lc_exchange *exchange, const char *detail, char *text, size_t size)
{
    lc__format(text, size, "read timed out (%.3g s without a byte%s)", (double)exchange->read_timeout_ns / 1e9, detail);
}

bool
lc__exchange_is_late(struct lc_exchange *exchange)
{
    struct lc_loop *loop = exchange->session->http->loop;
    int64_t deadline_ns = exchange->active_ns + exchange->read_timeout_ns;
    if (deadline_ns <= lc_loop_now_ns(loop)) {
        return true;
    }
    lc_timer_start(loop, &exchange->timer, deadline_ns, exchange->timer.fn);
    return false;
}

static void
on_late(struct lc_deferred *deferred)
{
    struct lc_exchange *exchange = LCORE_CONTAINER(deferred, struct lc_exchange, late);
    exchange->transport->cancel(exchange);
    struct lc_hop hop = {.fail = exchange->late_fail, .text = lc_str_from(exchange->late_text)};
    lc__exchange_finish(exchange, &hop);
}

void
lc__exchange_fail_later(struct lc_exchange *exchange, enum lc_fail fail, const char *text)
{
    exchange->late_fail = fail;
    exchange->late_text = text;
    lc__loop_defer(exchange->session->http->loop, &exchange->late, on_late);
}
