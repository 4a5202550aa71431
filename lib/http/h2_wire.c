#include "http/h2_wire.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/alloc.h"
#include "http/h2_head.h"
#include "http/headers.h"
#include "http/http.h"
#include "http/session.h"

/* What is written may run ahead of what is sent by this much, and a body up to this size is kept to go again. */
#define OUT_MAX (256 * 1024)
/* How often a server may say of one request that it did not look at it. */
#define REFUSALS_MAX 5
/* Room is given back to the server in pieces of this size, or when nothing is left. */
#define ROOM_STEP (1024 * 1024)

/* ---- life ---- */

static void go_again(struct lc_h2_wire *self);

static void
on_told(struct lc_deferred *deferred)
{
    struct lc_h2_wire *self = LCORE_CONTAINER(deferred, struct lc_h2_wire, told);
    if (self->is_refused) {
        /* Still being opened it hears of it by lc__h2_wire_go_on(); a request that was not begun yet can wait. */
        if (self->wire->exchange == NULL && self->is_head_written) {
            go_again(self);
        }
        return;
    }
    bool is_over = self->stream == NULL;
    bool is_readable = self->in.len > self->in_taken || self->is_ended || is_over;
    bool is_writable = self->out.len - self->out_taken < OUT_MAX || is_over;
    if ((self->is_reading && is_readable) || (self->is_writing && is_writable)) {
        self->is_reading = self->is_writing = false;
        self->wire->fn(self->wire, self->wire->arg);
    }
}

/* nghttp2 must not be called, nor anybody else, where this is called from. */
static void
tell(struct lc_h2_wire *self)
{
    if (self->is_reading || self->is_writing || self->is_refused) {
        lc__loop_defer(self->http->loop, &self->told, on_told);
    }
}

static struct lc_h2_wire *
make(struct lc_h2_stream *stream, struct lc_wire *wire)
{
    struct lc_exchange *exchange = stream->exchange;
    struct lc_h2_wire *self = wire->h2;
    if (self == NULL) {
        self = lc__calloc(1, sizeof(*self));
        if (self == NULL) {
            return NULL;
        }
        self->wire = wire;
        self->http = exchange->session->http;
        self->origin = lc__origin_ref(stream->h2->origin);
        self->is_kept = true;
        wire->h2 = self;
    }
    self->stream = stream;
    self->is_refused = false;
    wire->is_reused = stream->h2->served > 0;
    lc_timer_stop(self->http->loop, &exchange->timer);
    exchange->stream = NULL;
    stream->exchange = NULL;
    stream->wire = self;
    lc_list_remove(&stream->link);
    lc_list_remove(&stream->whole_link);
    lc_list_append(&stream->h2->open, &stream->link);
    return self;
}

void
lc__h2_wire_open(struct lc_h2_stream *stream)
{
    struct lc_h2 *h2 = stream->h2;
    struct lc_exchange *exchange = stream->exchange;
    if (make(stream, exchange->request.wire) == NULL) {
        lc__h2_let_go(stream);
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
        return;
    }
    h2->open_count++;
    lc__exchange_fail_later(exchange, LCORE_FAIL_NONE, NULL);
}

int
lc__h2_wire_lend(struct lc_exchange *exchange, struct lc_wire *wire)
{
    struct lc_h2_wire *self = make(exchange->stream, wire);
    if (self == NULL) {
        return LCE_NOMEM;
    }
    self->is_head_written = self->is_out_done = self->is_head_in = true;
    self->is_kept = false;
    return 0;
}

void
lc__h2_wire_close(struct lc_h2_wire *self)
{
    struct lc_h2_stream *stream = self->stream;
    self->wire->h2 = NULL;
    if (stream != NULL) {
        struct lc_h2 *h2 = stream->h2;
        lc__h2_wire_lose(stream, false);
        if (stream->id == 0) {
            h2->open_count--;
            lc_list_remove(&stream->link);
            lc__free(stream);
        } else {
            lc__h2_reset_stream(stream);
        }
        lc__h2_soon(h2);
    }
    lc_list_remove(&self->told.link);
    lc__origin_unref(self->origin);
    lc_buffer_fini(&self->in);
    lc_buffer_fini(&self->out);
    lc_buffer_fini(&self->head);
    lc__free(self);
}

void
lc__h2_wire_note_sent(struct lc_h2_stream *stream, int64_t now_ns)
{
    struct lc_timings *timings = &stream->wire->wire->timings;
    stream->wire->is_sent = true;
    timings->sent_ns = timings->sent_ns == 0 ? now_ns : timings->sent_ns;
    timings->begin_ns = timings->begin_ns == 0 ? now_ns : timings->begin_ns;
}

void
lc__h2_wire_lose(struct lc_h2_stream *stream, bool is_unseen)
{
    struct lc_h2_wire *self = stream->wire;
    struct lc_h2 *h2 = stream->h2;
    stream->wire = NULL;
    self->stream = NULL;
    if (!self->is_ended && self->errnum == 0) {
        self->is_refused = (is_unseen || !self->is_sent) && self->is_kept && self->refusals < REFUSALS_MAX;
        self->errnum = self->is_refused ? 0 : ECONNRESET;
    }
    h2->live_count--;
    if (h2->live_count == 0) {
        h2->idle_since_ns = lc_loop_now_ns(self->http->loop);
    }
    tell(self);
}

/* ---- the request ---- */

static ssize_t
on_read_out(nghttp2_session *codec, int32_t id, uint8_t *place, size_t room, uint32_t *flags,
            nghttp2_data_source *source, void *arg)
{
    struct lc_h2_wire *self = ((struct lc_h2_stream *)source->ptr)->wire;
    if (self == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    size_t left = self->out.len - self->out_taken;
    size_t len = left < room ? left : room;
    if (len == 0 && !self->is_out_done) {
        self->is_asleep = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    memcpy(place, self->out.data + self->out_taken, len);
    self->out_taken += len;
    if (len == left) {
        if (!self->is_kept) {
            self->out.len = self->out_taken = 0;
        }
        *flags |= self->is_out_done ? NGHTTP2_DATA_FLAG_EOF : 0;
    }
    if (self->is_writing) {
        tell(self);
    }
    return (ssize_t)len;
}

/* Takes written bytes of the body in. 0, or -errno. */
static int
take_body(struct lc_h2_wire *self, struct lc_str in)
{
    for (;;) {
        struct lc_str run;
        switch (lc_h1_body_next(&self->framing, &in, &run)) {
        case LCORE_H1_DATA:
            if (lc_buffer_append_str(&self->out, run) < 0) {
                return -ENOMEM;
            }
            break;
        case LCORE_H1_DONE:
            self->is_out_done = true;
            return in.len == 0 ? 0 : -EINVAL;
        case LCORE_H1_FAIL:
            return -EINVAL;
        default:
            return 0;
        }
    }
}

/* We want no more of it. */
static void
give_up(struct lc_h2_wire *self, int errnum)
{
    if (self->errnum == 0) {
        self->errnum = errnum;
        lc__h2_reset_stream(self->stream);
    }
}

/* Method, target and a version of the usual length, as whoever cuts the head into fields relies on it. */
static bool
is_request_line(struct lc_str head)
{
    const char *end = memmem(head.data, head.len, "\r\n", 2);
    const char *target = memchr(head.data, ' ', (size_t)(end - head.data));
    const char *version = target == NULL ? NULL : memrchr(target + 1, ' ', (size_t)(end - target - 1));
    return target != head.data && version != NULL && version > target + 1 && end - version == sizeof(" HTTP/1.1") - 1;
}

static struct lc_h1_head
read_framing(struct lc_str head)
{
    struct lc_h1_head framing = {.status = 200, .content_length = 0, .is_keep_alive = true};
    const char *line_end = memchr(head.data, '\n', head.len);
    size_t begin = line_end == NULL ? head.len : (size_t)(line_end - head.data) + 1;
    struct lc_str lines = {head.data + begin, head.len - begin};
    size_t position = 0;
    struct lc_str name, value;
    while (lc_header_next(lines, &position, &name, &value)) {
        uint64_t length;
        if (lc_str_equal_nocase(name, LCORE_STR("transfer-encoding"))) {
            framing.is_chunked = framing.has_transfer_coding = true;
            framing.content_length = -1;
        } else if (!framing.is_chunked && lc_str_equal_nocase(name, LCORE_STR("content-length")) &&
                   lc_str_to_u64(value, &length) && length <= INT64_MAX) {
            framing.content_length = (int64_t)length;
        }
    }
    return framing;
}

/* What was written goes out: at once where nobody else uses the connection, as in h2.c. */
static void
push(struct lc_h2 *h2)
{
    if (h2->live_count > 1 || h2->holds > 0 || !lc__h2_flush(h2) || !lc_list_is_empty(&h2->done) || h2->is_draining) {
        lc__h2_soon(h2);
    }
}

/* Hands the request to nghttp2. 0, or -errno. */
static int
submit(struct lc_h2_wire *self)
{
    struct lc_h2_stream *stream = self->stream;
    struct lc_h2 *h2 = stream->h2;
    struct lc_buffer *fields = &self->http->scratch;
    size_t count;
    if (lc_h2_request_fields((struct lc_str){self->head.data, self->head.len}, h2->origin->is_https, fields, &count) <
        0) {
        return -ENOMEM;
    }
    nghttp2_data_provider body = {.source = {.ptr = stream}, .read_callback = on_read_out};
    int32_t id = nghttp2_submit_request(h2->codec, NULL, (const nghttp2_nv *)fields->data, count,
                                        self->has_body ? &body : NULL, stream);
    if (id < 0) {
        return -ECONNRESET;
    }
    stream->id = id;
    stream->is_reused = h2->served > 0;
    if (self->has_body && self->out.len == 0 && !self->is_out_done) {
        /* Who speaks HTTP/1.1 writes the body next: if at once, both go together, and the server waits for nothing. */
        lc__h2_soon(h2);
    } else {
        push(h2);
    }
    return 0;
}

/* The head is complete. 0, or -errno. */
static int
begin(struct lc_h2_wire *self, size_t head_len)
{
    struct lc_str head = {self->head.data, head_len};
    if (!is_request_line(head)) {
        return -EINVAL;
    }
    struct lc_h1_head framing = read_framing(head);
    lc_h1_body_init(&self->framing, &framing, LCORE_STR("POST"));
    self->has_body = framing.is_chunked || framing.content_length > 0;
    self->is_out_done = !self->has_body;
    self->is_head_written = true;
    struct lc_str rest = {self->head.data + head_len, self->head.len - head_len};
    int err = self->has_body ? take_body(self, rest) : 0;
    self->head.len = head_len;
    if (err == 0 && self->stream == NULL) {
        tell(self); /* it goes when it has one again */
        return 0;
    }
    return err < 0 ? err : submit(self);
}

/* It needs not be sent again any more, or is too much. */
static void
let_go_of_request(struct lc_h2_wire *self)
{
    self->is_kept = false;
    lc_buffer_fini(&self->head);
}

/* The server did not look at the request: another stream, perhaps of another connection. */
static void
go_again(struct lc_h2_wire *self)
{
    self->refusals++;
    self->out_taken = 0;
    self->is_sent = self->is_asleep = self->is_interim = false;
    if (lc__wire_open_again(self->wire, self->origin) < 0) {
        self->is_refused = false;
        self->errnum = ENOMEM;
        tell(self);
    }
}

bool
lc__h2_wire_go_on(struct lc_h2_wire *self)
{
    if (self->wire->fail != LCORE_FAIL_NONE || (self->stream == NULL && !self->is_refused)) {
        self->is_refused = false;
        self->errnum = self->errnum == 0 ? ECONNRESET : self->errnum;
        return false;
    }
    if (self->stream == NULL && self->is_head_written) {
        go_again(self);
        return true;
    }
    int err = self->is_head_written ? submit(self) : 0;
    if (err < 0) {
        give_up(self, -err);
        return false;
    }
    bool is_known = self->is_open;
    self->is_open = true;
    return is_known;
}

static ssize_t
write_head(struct lc_h2_wire *self, const void *data, size_t size)
{
    size_t searched = self->head.len < 3 ? 0 : self->head.len - 3;
    if (lc_buffer_append(&self->head, data, size) < 0) {
        return -ENOMEM;
    }
    const char *end = memmem(self->head.data + searched, self->head.len - searched, "\r\n\r\n", 4);
    if (end == NULL) {
        return self->head.len > LCORE_H1_MAX_HEAD ? -EMSGSIZE : (ssize_t)size;
    }
    int err = begin(self, (size_t)(end + 4 - self->head.data));
    return err < 0 ? err : (ssize_t)size;
}

ssize_t
lc__h2_wire_write(struct lc_h2_wire *self, const void *data, size_t size)
{
    if (self->errnum != 0 || (self->stream == NULL && !self->is_refused)) {
        return -(self->errnum == 0 ? EPIPE : self->errnum);
    }
    if (!self->is_head_written) {
        return write_head(self, data, size);
    }
    if (self->out.len - self->out_taken >= OUT_MAX) {
        self->is_writing = true;
        return -EAGAIN;
    }
    size = size < OUT_MAX ? size : OUT_MAX;
    if (self->is_kept && self->out_taken > 0 && self->out.len + size > OUT_MAX) {
        let_go_of_request(self);
    }
    if (!self->is_kept) {
        lc_buffer_consume(&self->out, self->out_taken);
        self->out_taken = 0;
    }
    int err = take_body(self, (struct lc_str){data, size});
    if (err < 0) {
        return err;
    }
    if (self->stream == NULL) {
        return (ssize_t)size;
    }
    if (self->is_asleep) {
        self->is_asleep = false;
        /* Only out of memory can it fail, and then the next flush ends the connection. */
        (void)nghttp2_session_resume_data(self->stream->h2->codec, self->stream->id);
    }
    push(self->stream->h2);
    return (ssize_t)size;
}

/* ---- the response ---- */

static void
note_arrival(struct lc_h2_wire *self)
{
    struct lc_wire *wire = self->wire;
    int64_t stamp_ns = self->stream->h2->conn->stamp_ns;
    wire->stamp_ns = stamp_ns < wire->timings.sent_ns ? wire->timings.sent_ns : stamp_ns;
    if (wire->timings.first_byte_ns == 0) {
        wire->timings.first_byte_ns = wire->stamp_ns;
    }
    wire->timings.end_ns = wire->stamp_ns;
}

void
lc__h2_wire_begin_head(struct lc_h2_stream *stream)
{
    stream->wire->is_interim = false;
    stream->wire->header_count = 0;
}

void
lc__h2_wire_header(struct lc_h2_stream *stream, struct lc_str name, struct lc_str value)
{
    struct lc_h2_wire *self = stream->wire;
    if (self->is_head_in || self->is_interim) {
        return; /* trailers, and heads that do not count */
    }
    int err;
    if (name.data[0] == ':') {
        int status = (value.data[0] - '0') * 100 + (value.data[1] - '0') * 10 + (value.data[2] - '0');
        struct lc_str reason = lc_status_reason(status);
        self->is_interim = status < 200;
        err = self->is_interim ? 0
                               : lc_buffer_append_format(&self->in, "HTTP/1.1 %03d %.*s\r\n", status, (int)reason.len,
                                                         reason.data == NULL ? "" : reason.data);
    } else if (++self->header_count > LCORE_H1_MAX_HEADERS ||
               self->in.len + name.len + value.len + 4 > LCORE_H1_MAX_HEAD) {
        stream->h2->is_draining = true;
        give_up(self, EMSGSIZE);
        return;
    } else {
        err = lc_header_append(&self->in, name, value);
    }
    if (err < 0) {
        give_up(self, ENOMEM);
    }
}

void
lc__h2_wire_end_head(struct lc_h2_stream *stream)
{
    struct lc_h2_wire *self = stream->wire;
    if (self->is_head_in || self->is_interim || self->errnum != 0) {
        return;
    }
    note_arrival(self);
    self->is_head_in = true;
    let_go_of_request(self);
    if (lc_buffer_append_str(&self->in, LCORE_STR("\r\n")) < 0) {
        give_up(self, ENOMEM);
    }
    tell(self);
}

void
lc__h2_wire_data(struct lc_h2_stream *stream, struct lc_str run)
{
    struct lc_h2_wire *self = stream->wire;
    note_arrival(self);
    self->owed += run.len;
    if (lc_buffer_append_str(&self->in, run) < 0) {
        give_up(self, ENOMEM);
    }
    tell(self);
}

void
lc__h2_wire_end(struct lc_h2_stream *stream)
{
    note_arrival(stream->wire);
    stream->wire->is_ended = true;
    stream->h2->served++;
    tell(stream->wire);
}

ssize_t
lc__h2_wire_read(struct lc_h2_wire *self, void *data, size_t size)
{
    size_t left = self->in.len - self->in_taken;
    if (left == 0) {
        if (self->is_ended) {
            return 0;
        }
        if (self->errnum != 0) {
            return -self->errnum;
        }
        self->is_reading = true;
        return -EAGAIN;
    }
    size_t len = left < size ? left : size;
    memcpy(data, self->in.data + self->in_taken, len);
    self->in_taken += len;
    self->taken_since += len;
    if (len == left) {
        lc_buffer_fini(&self->in);
        self->in_taken = 0;
    }
    if (self->stream != NULL && !self->is_ended && (len == left || self->taken_since >= ROOM_STEP)) {
        size_t room = self->taken_since < self->owed ? self->taken_since : self->owed;
        self->taken_since = 0;
        self->owed -= room;
        /* Only out of memory can it fail, and then the next flush ends the connection. */
        (void)nghttp2_session_consume_stream(self->stream->h2->codec, self->stream->id, room);
        lc__h2_soon(self->stream->h2);
    }
    return (ssize_t)len;
}
