/* nghttp2 on our own connection: what goes out, and the beginning and end of it. */
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/h2.h"
#include "http/h2_head.h"
#include "http/h2_memory.h"
#include "http/h2_wire.h"
#include "http/http.h"
#include "http/session.h"
#include "loop/io.h"

/* As large as a browser's. */
#define CONNECTION_WINDOW (15 * 1024 * 1024)
/* Servers may allow more, but few say so before the first requests are on their way. */
#define STREAMS_AT_FIRST 100
/* As large a head as over HTTP/1.1. */
#define CONTINUATIONS_MAX (LCORE_H1_MAX_HEAD / LCORE_FRAME_SIZE + 1)

/* A server may have a window smaller than the one it is to be taken for until it has said so, and some reset streams
 * that go beyond it before they could know. A longer body can wait for that; a short one need not. */
#define EARLY_BODY_MAX 16384

static ssize_t
on_read_body(nghttp2_session *codec, int32_t id, uint8_t *place, size_t room, uint32_t *flags,
             nghttp2_data_source *source, void *arg)
{
    struct lc_h2_stream *stream = source->ptr;
    if (stream->exchange == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    struct lc_str body = stream->exchange->body;
    if (!stream->h2->has_settings && body.len > EARLY_BODY_MAX) {
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t left = body.len - stream->body_sent;
    size_t len = left < room ? left : room;
    memcpy(place, body.data + stream->body_sent, len);
    stream->body_sent += len;
    stream->exchange->active_ns = lc_loop_now_ns(stream->h2->session->http->loop);
    if (len == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)len;
}

/* A request that was held back, or is sent again, counts from the first time. */
static void
note_sent(struct lc_timings *timings, int64_t now_ns)
{
    if (timings->sent_ns == 0) {
        timings->sent_ns = now_ns;
        if (timings->begin_ns == 0) {
            timings->begin_ns = now_ns;
        }
    }
}

/* The frames go out now: their making took its time, in which the core may have been lost. */
static void
stamp_begun(struct lc_h2 *h2)
{
    int64_t now_ns = lc_clock_monotonic_ns();
    for (struct lc_list *link = h2->open.prev; link != &h2->open && h2->begun_count > 0; link = link->prev) {
        struct lc_h2_stream *stream = LCORE_CONTAINER(link, struct lc_h2_stream, link);
        struct lc_timings *timings = stream->wire != NULL       ? &stream->wire->wire->timings
                                     : stream->exchange != NULL ? &stream->exchange->timings
                                                                : NULL;
        if (timings == NULL || timings->sent_ns != h2->sending_ns) {
            continue;
        }
        timings->sent_ns = now_ns;
        timings->begin_ns = timings->begin_ns == h2->sending_ns ? now_ns : timings->begin_ns;
        h2->begun_count--;
    }
    h2->begun_count = 0;
}

static int
on_frame_sent(nghttp2_session *codec, const nghttp2_frame *frame, void *arg)
{
    if (frame->hd.type == NGHTTP2_HEADERS) {
        struct lc_h2_stream *stream = nghttp2_session_get_stream_user_data(codec, frame->hd.stream_id);
        ((struct lc_h2 *)arg)->begun_count++;
        if (stream != NULL && stream->wire != NULL) {
            lc__h2_wire_note_sent(stream, ((struct lc_h2 *)arg)->sending_ns);
        } else if (stream != NULL && stream->exchange != NULL) {
            struct lc_exchange *exchange = stream->exchange;
            exchange->sent = 1;
            exchange->active_ns = ((struct lc_h2 *)arg)->sending_ns;
            note_sent(&exchange->timings, exchange->active_ns);
        }
    }
    return 0;
}

static int
on_frame_not_sent(nghttp2_session *codec, const nghttp2_frame *frame, int lib_error, void *arg)
{
    if (frame->hd.type == NGHTTP2_HEADERS) {
        /* The server said goodbye before it could be sent. nghttp2 closes the stream next, with another code. */
        struct lc_h2_stream *stream = nghttp2_session_get_stream_user_data(codec, frame->hd.stream_id);
        if (stream != NULL && (stream->exchange != NULL || stream->wire != NULL) && !stream->is_ended &&
            stream->fail == LCORE_FAIL_NONE) {
            stream->is_refused = true;
        }
    }
    return 0;
}

int
lc__h2_begin(struct lc_h2 *h2)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LCORE_H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LCORE_H1_MAX_HEAD},
    };
    struct lc_http *http = h2->session->http;
    if (http->frames == NULL) {
        http->frames = lc__alloc(LCORE_FRAMES_SIZE);
    }
    nghttp2_mem memory = lc__h2_memory_begin(http);
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *options = NULL;
    int err = LCE_NOMEM;
    if (http->frames == NULL || nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&options) != 0) {
        goto done;
    }
    lc__h2_listen(callbacks);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
    nghttp2_option_set_peer_max_concurrent_streams(options, STREAMS_AT_FIRST);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_max_send_header_block_length(options, 2 * LCORE_H1_MAX_HEAD);
#ifdef LCORE_HAS_MAX_CONTINUATIONS
    nghttp2_option_set_max_continuations(options, CONTINUATIONS_MAX);
#endif
    if (nghttp2_session_client_new3(&h2->codec, callbacks, h2, options, &memory) != 0) {
        h2->codec = NULL;
        goto done;
    }
    if (nghttp2_submit_settings(h2->codec, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0])) == 0 &&
        nghttp2_session_set_local_window_size(h2->codec, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) == 0 &&
        lc__h2_memory_check(h2) == 0) {
        err = 0;
    } else {
        lc__h2_end_codec(h2);
    }
done:
    lc__h2_memory_end(http);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    return err;
}

void
lc__h2_end_codec(struct lc_h2 *h2)
{
    nghttp2_session_del(h2->codec);
    h2->codec = NULL;
}

static bool
submit_one(struct lc_h2 *h2, struct lc_h2_stream *stream)
{
    struct lc_exchange *exchange = stream->exchange;
    struct lc_buffer *fields = &h2->session->http->scratch;
    size_t count;
    struct lc_str head = {exchange->head.data, exchange->head.len};
    if (lc_h2_request_fields(head, h2->origin->is_https, fields, &count) < 0) {
        return false;
    }
    nghttp2_data_provider body = {.source = {.ptr = stream}, .read_callback = on_read_body};
    int32_t id = nghttp2_submit_request(h2->codec, NULL, (const nghttp2_nv *)fields->data, count,
                                        exchange->body.len > 0 ? &body : NULL, stream);
    if (id < 0) {
        return false;
    }
    stream->id = id;
    stream->is_reused = h2->served > 0;
    h2->open_count++;
    lc_list_remove(&stream->link);
    lc_list_append(&h2->open, &stream->link);
    return true;
}

/* Those that wait do so for the server from now on. The newest are last. */
static void
hold_back(struct lc_h2 *h2)
{
    int64_t now_ns = lc_loop_now_ns(h2->session->http->loop);
    for (struct lc_list *link = h2->waiting.prev; link != &h2->waiting; link = link->prev) {
        struct lc_timings *timings = &LCORE_CONTAINER(link, struct lc_h2_stream, link)->exchange->timings;
        if (timings->sent_ns != 0) {
            break;
        }
        int64_t ready_ns = timings->tls_ns != 0 ? timings->tls_ns : timings->connected_ns;
        ready_ns = ready_ns != 0 ? ready_ns : timings->hop_ns;
        note_sent(timings, now_ns > ready_ns ? now_ns : ready_ns);
    }
}

void
lc__h2_submit(struct lc_h2 *h2)
{
    if (lc_list_is_empty(&h2->waiting)) {
        return;
    }
    if (!nghttp2_session_check_request_allowed(h2->codec)) {
        h2->is_draining = true;
        return;
    }
    uint32_t limit = nghttp2_session_get_remote_settings(h2->codec, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    while (!lc_list_is_empty(&h2->waiting) && h2->open_count < limit) {
        struct lc_h2_stream *stream = LCORE_CONTAINER(h2->waiting.next, struct lc_h2_stream, link);
        if (stream->exchange->request.wire != NULL) {
            if (!h2->has_received && h2->conn->ssl == NULL) {
                return; /* what is lent cannot be sent again to a server that turns out to speak HTTP/1.1 */
            }
            lc__h2_wire_open(stream);
            continue;
        }
        if (!submit_one(h2, stream)) {
            stream->fail = LCORE_FAIL_INTERNAL;
            stream->is_closed = true;
            lc__h2_move_to_done(stream);
        }
    }
    hold_back(h2);
}

void
lc__h2_reset_stream(struct lc_h2_stream *stream)
{
    /* Only out of memory can it fail, and then the next flush ends the connection. */
    (void)nghttp2_submit_rst_stream(stream->h2->codec, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
}

/* Frames, as many as fit into http->frames; -1: out of memory. */
static ssize_t
gather(struct lc_h2 *h2)
{
    char *frames = h2->session->http->frames;
    size_t len = 0;
    h2->sending_ns = lc_loop_now_ns(h2->session->http->loop);
    h2->begun_count = 0;
    /* nghttp2 hands out a frame at a time: at most the usual size of a frame and its header. */
    while (len + LCORE_FRAME_SIZE + 9 <= LCORE_FRAMES_SIZE) {
        const uint8_t *data;
        ssize_t got = nghttp2_session_mem_send(h2->codec, &data);
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        if ((size_t)got > LCORE_FRAMES_SIZE - len) {
            if (lc_buffer_append(&h2->pending, frames, len) < 0 ||
                lc_buffer_append(&h2->pending, data, (size_t)got) < 0) {
                return -1;
            }
            return 0;
        }
        memcpy(frames + len, data, (size_t)got);
        len += (size_t)got;
    }
    return (ssize_t)len;
}

/* How many of the bytes went. */
static size_t
send_bytes(struct lc_h2 *h2, const char *data, size_t len)
{
    size_t sent = 0;
    while (sent < len) {
        ssize_t some = lc__conn_write(h2->conn, data + sent, len - sent);
        if (some == -EAGAIN) {
            break;
        }
        if (some < 0) {
            /* The peer may have said why before it closed: whatever it is, the read side will see it. */
            h2->send_errno = (int)-some;
            shutdown(h2->conn->read_io.fd, SHUT_WR);
            break;
        }
        sent += (size_t)some;
    }
    return sent;
}

bool
lc__h2_flush(struct lc_h2 *h2)
{
    struct lc_http *http = h2->session->http;
    while (h2->send_errno == 0) {
        if (h2->pending.len > 0) {
            lc_buffer_consume(&h2->pending, send_bytes(h2, h2->pending.data, h2->pending.len));
            if (h2->pending.len > 0) {
                break;
            }
            lc_buffer_fini(&h2->pending);
        }
        ssize_t len = gather(h2);
        if (len < 0) {
            return false;
        }
        if (len == 0 && h2->pending.len == 0) {
            break;
        }
        if (h2->begun_count > 0) {
            stamp_begun(h2);
        }
        size_t sent = send_bytes(h2, http->frames, (size_t)len);
        if (sent < (size_t)len && lc_buffer_append(&h2->pending, http->frames + sent, (size_t)len - sent) < 0) {
            return false;
        }
    }
    if (h2->pending.len > 0 && h2->send_errno == 0) {
        lc_io_start(http->loop, &h2->write_io);
    } else {
        lc_io_stop(http->loop, &h2->write_io);
    }
    return true;
}

bool
lc__h2_is_over(const struct lc_h2 *h2)
{
    return nghttp2_session_want_read(h2->codec) == 0 && nghttp2_session_want_write(h2->codec) == 0;
}

const char *
lc__h2_error_name(uint32_t code)
{
    static const char *const names[] = {
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    };
    return code < sizeof(names) / sizeof(names[0]) ? names[code] : "unknown error code";
}
