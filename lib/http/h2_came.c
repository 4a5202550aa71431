/* What nghttp2 tells of the frames that came. Its callbacks only note it; nobody else's code is called from inside of
 * them, because nghttp2 must neither be called again nor freed there. */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/h2.h"
#include "http/h2_head.h"
#include "http/h2_wire.h"
#include "http/headers.h"
#include "http/http.h"
#include "http/session.h"
#include "loop/loop.h"

static struct lc_h2_stream *
find_stream(nghttp2_session *codec, int32_t id)
{
    return nghttp2_session_get_stream_user_data(codec, id);
}

static void
note_arrival(struct lc_h2_stream *stream)
{
    struct lc_exchange *exchange = stream->exchange;
    int64_t stamp_ns = stream->h2->conn->stamp_ns;
    /* The stamp was believed for the connection; the request may have been sent later than that. */
    if (stamp_ns < exchange->timings.sent_ns) {
        stamp_ns = exchange->timings.sent_ns;
    }
    exchange->has_received = true;
    exchange->active_ns = lc_loop_now_ns(stream->h2->session->http->loop);
    exchange->timings.end_ns = stamp_ns;
    if (exchange->timings.first_byte_ns == 0) {
        exchange->timings.first_byte_ns = stamp_ns;
    }
}

void
lc__h2_move_to_done(struct lc_h2_stream *stream)
{
    lc_list_remove(&stream->link);
    lc_list_append(&stream->h2->done, &stream->link);
}

/* We want no more of it. */
static void
give_up(struct lc_h2_stream *stream, enum lc_fail reason)
{
    stream->fail = reason;
    lc__h2_reset_stream(stream);
    lc__h2_move_to_done(stream);
}

static void
forget_head(struct lc_h2_stream *stream)
{
    stream->exchange->in.len = 0;
    stream->exchange->in_head = (struct lc_h1_head){.content_length = -1};
    stream->status = 0;
    stream->header_count = 0;
    stream->has_location = false;
}

static int
on_begin_headers(nghttp2_session *codec, const nghttp2_frame *frame, void *arg)
{
    struct lc_h2_stream *stream = find_stream(codec, frame->hd.stream_id);
    if (stream != NULL && stream->wire != NULL) {
        lc__h2_wire_begin_head(stream);
    } else if (stream != NULL && stream->exchange != NULL && !stream->exchange->has_head) {
        note_arrival(stream);
        forget_head(stream);
    }
    return 0;
}

static int
add_header(struct lc_h2_stream *stream, struct lc_str name, struct lc_str value)
{
    struct lc_exchange *exchange = stream->exchange;
    struct lc_h1_head *head = &exchange->in_head;
    int err = lc_header_append(&exchange->in, name, value);
    if (err < 0) {
        return err;
    }
    switch (name.len) {
    case 8:
        if (!stream->has_location && memcmp(name.data, "location", 8) == 0) {
            stream->has_location = true;
            stream->location_at = exchange->in.len - 2 - value.len;
            stream->location_len = value.len;
        }
        break;
    case 10:
        head->has_set_cookie |= memcmp(name.data, "set-cookie", 10) == 0;
        break;
    case 14:
        if (memcmp(name.data, "content-length", 14) == 0) {
            uint64_t length;
            head->content_length = lc_str_to_u64(value, &length) && length <= INT64_MAX ? (int64_t)length : -1;
        }
        break;
    case 16:
        head->has_content_encoding |= value.len > 0 && memcmp(name.data, "content-encoding", 16) == 0;
        break;
    default:
        break;
    }
    return 0;
}

static int
on_header(nghttp2_session *codec, const nghttp2_frame *frame, nghttp2_rcbuf *name_of, nghttp2_rcbuf *value_of,
          uint8_t flags, void *arg)
{
    struct lc_h2_stream *stream = find_stream(codec, frame->hd.stream_id);
    bool is_lent = stream != NULL && stream->wire != NULL;
    if (!is_lent &&
        (stream == NULL || stream->exchange == NULL || stream->fail != LCORE_FAIL_NONE || stream->exchange->has_head)) {
        return 0; /* trailers, and what nobody waits for */
    }
    nghttp2_vec name_part = nghttp2_rcbuf_get_buf(name_of), value_part = nghttp2_rcbuf_get_buf(value_of);
    struct lc_str name = {(const char *)name_part.base, name_part.len};
    struct lc_str value = {(const char *)value_part.base, value_part.len};
    if (is_lent) {
        lc__h2_wire_header(stream, name, value);
        return 0;
    }
    if (name.data[0] == ':') {
        /* nghttp2 lets through nothing but :status and three digits. */
        stream->status = (value.data[0] - '0') * 100 + (value.data[1] - '0') * 10 + (value.data[2] - '0');
        return 0;
    }
    size_t size = stream->exchange->in.len + name.len + value.len + 4;
    if (++stream->header_count > LCORE_H1_MAX_HEADERS || size > LCORE_H1_MAX_HEAD) {
        /* More of it may come, which nobody should wait behind. */
        stream->h2->is_draining = true;
        give_up(stream, LCORE_FAIL_HEADER_TOO_LARGE);
        return 0;
    }
    if (add_header(stream, name, value) < 0) {
        give_up(stream, LCORE_FAIL_INTERNAL);
    }
    return 0;
}

static void
take_head(struct lc_h2_stream *stream)
{
    struct lc_exchange *exchange = stream->exchange;
    if (stream->status < 200) {
        if (!lc__exchange_skip_interim(exchange)) {
            give_up(stream, LCORE_FAIL_INTERIM);
        }
        return;
    }
    struct lc_h1_head *head = &exchange->in_head;
    head->status = stream->status;
    head->header_count = stream->header_count;
    head->reason = lc_status_reason(stream->status);
    head->lines = (struct lc_str){exchange->in.data, exchange->in.len};
    if (stream->has_location) {
        head->location = (struct lc_str){exchange->in.data + stream->location_at, stream->location_len};
    }
    enum lc_fail reason = lc__exchange_begin_body(exchange);
    if (reason != LCORE_FAIL_NONE) {
        give_up(stream, reason);
    } else if (lc__exchange_is_streamed(exchange) && stream->body_sent == exchange->body.len) {
        stream->is_streamed = true;
        lc__h2_move_to_done(stream);
    }
}

static int
on_data(nghttp2_session *codec, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
    struct lc_h2_stream *stream = find_stream(codec, id);
    /* The connection is never held up by one stream; a stream is where somebody reads it piece by piece. Both can only
     * fail for lack of memory, which ends the connection. */
    if (stream != NULL && stream->wire != NULL) {
        if (nghttp2_session_consume_connection(codec, len) != 0) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        lc__h2_wire_data(stream, (struct lc_str){(const char *)data, len});
        return 0;
    }
    if (nghttp2_session_consume(codec, id, len) != 0) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (stream == NULL || stream->exchange == NULL || stream->fail != LCORE_FAIL_NONE || len == 0) {
        return 0;
    }
    struct lc_exchange *exchange = stream->exchange;
    struct lc_str run = {(const char *)data, len};
    int64_t length = exchange->in_head.content_length;
    uint64_t limit = stream->h2->session->max_body_bytes;
    note_arrival(stream);
    if (length == (int64_t)len && !exchange->is_decoding && (limit == 0 || len <= limit)) {
        /* All of it is here: no copy but the response's own. */
        stream->whole = run;
        exchange->wire_body_bytes = len;
        lc_list_append(&stream->h2->wholes, &stream->whole_link);
        return 0;
    }
    if (length > 0 && exchange->collected.data == NULL && !exchange->is_decoding &&
        (limit == 0 || limit >= (uint64_t)length)) {
        /* One allocation where the size is known; a size nobody could mean is paid for as it comes. */
        (void)lc_buffer_reserve(&exchange->collected,
                                length < LCORE_H2_STREAM_WINDOW ? (size_t)length : LCORE_H2_STREAM_WINDOW);
    }
    enum lc_fail reason = lc__exchange_add_body(exchange, run, &exchange->collected);
    if (reason != LCORE_FAIL_NONE) {
        give_up(stream, reason);
    }
    return 0;
}

static void
note_goaway(struct lc_h2 *h2, const nghttp2_goaway *goaway)
{
    h2->is_draining = true;
    h2->has_goaway = true;
    h2->goaway_code = goaway->error_code;
    size_t len = goaway->opaque_data_len < 80 ? goaway->opaque_data_len : 80;
    int written =
        snprintf(h2->why, sizeof(h2->why), "server ended the connection: %s", lc__h2_error_name(goaway->error_code));
    if (len > 0) {
        char *place = h2->why + written;
        written =
            snprintf(place, sizeof(h2->why) - (size_t)written, " (%.*s)", (int)len, (const char *)goaway->opaque_data);
        for (int i = 0; i < written; i++) {
            place[i] = place[i] < ' ' || place[i] > '~' ? '?' : place[i];
        }
    }
}

/* Bodies that waited for the server's window go on. */
static void
note_settings(struct lc_h2 *h2)
{
    h2->has_settings = true;
    for (struct lc_list *link = h2->open.next; link != &h2->open; link = link->next) {
        struct lc_h2_stream *stream = LCORE_CONTAINER(link, struct lc_h2_stream, link);
        if (stream->wire == NULL) {
            (void)nghttp2_session_resume_data(h2->codec, stream->id); /* refused for those that did not wait */
        }
    }
}

static int
on_frame(nghttp2_session *codec, const nghttp2_frame *frame, void *arg)
{
    struct lc_h2 *h2 = arg;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        note_goaway(h2, &frame->goaway);
        return 0;
    }
    if (frame->hd.type == NGHTTP2_SETTINGS && !h2->has_settings) {
        note_settings(h2);
        return 0;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_RST_STREAM) {
        return 0;
    }
    struct lc_h2_stream *stream = find_stream(codec, frame->hd.stream_id);
    if (stream != NULL && stream->wire != NULL && frame->hd.type != NGHTTP2_RST_STREAM) {
        if (frame->hd.type == NGHTTP2_HEADERS) {
            lc__h2_wire_end_head(stream);
        }
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
            lc__h2_wire_end(stream);
        }
        return 0;
    }
    if (stream == NULL || stream->exchange == NULL || stream->fail != LCORE_FAIL_NONE) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        stream->is_reset = true;
        return 0;
    }
    note_arrival(stream);
    if (frame->hd.type == NGHTTP2_HEADERS && !stream->exchange->has_head) {
        take_head(stream);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && stream->exchange->has_head &&
        stream->fail == LCORE_FAIL_NONE) {
        stream->is_ended = true;
        lc__h2_move_to_done(stream);
    }
    return 0;
}

static int
on_invalid_frame(nghttp2_session *codec, const nghttp2_frame *frame, int lib_error, void *arg)
{
    struct lc_h2_stream *stream = frame->hd.stream_id == 0 ? NULL : find_stream(codec, frame->hd.stream_id);
    struct lc_h2 *h2 = arg;
    if (h2->why[0] == '\0') {
        snprintf(h2->why, sizeof(h2->why), "%s", nghttp2_strerror(lib_error));
    }
    if (stream != NULL && stream->exchange != NULL && stream->fail == LCORE_FAIL_NONE && !stream->is_ended) {
        stream->fail = LCORE_FAIL_PROTOCOL;
    }
    return 0;
}

static int
on_error(nghttp2_session *codec, int lib_error, const char *text, size_t len, void *arg)
{
    struct lc_h2 *h2 = arg;
    if (!h2->has_goaway) {
        snprintf(h2->why, sizeof(h2->why), "%.*s", (int)len, text);
    }
    return 0;
}

static int
on_close(nghttp2_session *codec, int32_t id, uint32_t error_code, void *arg)
{
    struct lc_h2 *h2 = arg;
    struct lc_h2_stream *stream = find_stream(codec, id);
    if (stream == NULL || stream->is_closed) {
        return 0;
    }
    stream->is_closed = true;
    h2->open_count--;
    if (stream->exchange == NULL) {
        if (stream->wire != NULL) {
            lc__h2_wire_lose(stream, stream->is_refused || error_code == NGHTTP2_REFUSED_STREAM);
        }
        lc_list_remove(&stream->link);
        lc__free(stream);
        return 0;
    }
    if (!stream->is_ended && stream->fail == LCORE_FAIL_NONE) {
        stream->error_code = error_code;
        /* Also what GOAWAY leaves out. */
        stream->is_refused |= error_code == NGHTTP2_REFUSED_STREAM;
        if (!stream->is_refused && !stream->is_reset) {
            stream->fail = LCORE_FAIL_PROTOCOL;
        }
    }
    if (!stream->is_ended) {
        lc__h2_move_to_done(stream);
    }
    return 0;
}

void
lc__h2_listen(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
}

bool
lc__h2_feed(struct lc_h2 *h2, struct lc_str in)
{
    ssize_t used = nghttp2_session_mem_recv(h2->codec, (const uint8_t *)in.data, in.len);
    if (used < 0 && h2->why[0] == '\0') {
        snprintf(h2->why, sizeof(h2->why), "%s", nghttp2_strerror((int)used));
    }
    return used >= 0;
}

void
lc__h2_save_bodies(struct lc_h2 *h2)
{
    struct lc_list *link;
    while ((link = lc_list_pop(&h2->wholes)) != NULL) {
        struct lc_h2_stream *stream = LCORE_CONTAINER(link, struct lc_h2_stream, whole_link);
        if (stream->exchange == NULL || stream->fail != LCORE_FAIL_NONE) {
            continue;
        }
        struct lc_str whole = stream->whole;
        stream->whole = (struct lc_str){0};
        if (lc_buffer_append_str(&stream->exchange->collected, whole) < 0) {
            give_up(stream, LCORE_FAIL_INTERNAL);
        }
    }
}
