#include "http/stream.h"

#include <errno.h>

#include "base/alloc.h"
#include "http/conn.h"
#include "http/exchange.h"
#include "http/http.h"
#include "http/session.h"
#include "http/transfer.h"

/* What an emptied buffer may keep. */
#define KEEP (256 * 1024)

static void
on_transfer(void *arg)
{
    struct lc_stream *stream = arg;
    if (stream->fn != NULL) {
        stream->fn(stream, stream->arg);
    }
}

static void
on_wire(struct lc_wire *wire, void *arg)
{
    (void)wire;
    on_transfer(arg);
}

struct lc_stream *
lc__stream_new(struct lc_exchange *exchange, struct lc_str ready)
{
    struct lc_stream *stream = lc__calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    bool is_transfer = exchange->transfer != NULL;
    if (lc_buffer_append_str(&stream->ready, ready) < 0 ||
        (!is_transfer && (stream->wire = lc__wire_lend(exchange, on_wire, stream)) == NULL)) {
        lc_buffer_fini(&stream->ready);
        lc__free(stream);
        return NULL;
    }
    stream->http = exchange->session->http;
    stream->head = exchange->in_head;
    stream->body = exchange->in_body;
    if (is_transfer) {
        stream->transfer = lc__transfer_lend(exchange, on_transfer, stream);
        stream->body.framing = LCORE_H1_UNTIL_CLOSE;
    }
    stream->is_in_step = !exchange->is_asking_close && exchange->send_errno == 0 &&
                         exchange->sent == exchange->head.len + exchange->body.len;
    if (exchange->is_decoding) {
        stream->decoder = exchange->decoder;
        exchange->decoder = NULL;
        exchange->is_decoding = false;
    }
    return stream;
}

void
lc_stream_set_fn(struct lc_stream *stream, lc_stream_fn *fn, void *arg)
{
    stream->fn = fn;
    stream->arg = arg;
}

static void
finish(struct lc_stream *stream, enum lc_fail fail, int errnum)
{
    stream->is_done = true;
    stream->fail = fail;
    stream->fail_errno = errnum;
    if (fail == LCORE_FAIL_NONE && stream->decoder != NULL) {
        stream->fail = lc_decoder_finish(stream->decoder, false);
    }
}

/* Takes received bytes in: decoded they are in `ready`. */
static void
take_in(struct lc_stream *stream, struct lc_str in)
{
    for (;;) {
        struct lc_str run;
        enum lc_fail fail = LCORE_FAIL_NONE;
        switch (lc_h1_body_next(&stream->body, &in, &run)) {
        case LCORE_H1_DATA:
            if (stream->decoder != NULL) {
                fail = lc_decoder_feed(stream->decoder, run, &stream->ready);
            } else if (lc_buffer_append_str(&stream->ready, run) < 0) {
                fail = LCORE_FAIL_INTERNAL;
            }
            if (fail != LCORE_FAIL_NONE) {
                finish(stream, fail, 0);
                return;
            }
            break;
        case LCORE_H1_DONE:
            stream->is_in_step = stream->is_in_step && in.len == 0;
            finish(stream, LCORE_FAIL_NONE, 0);
            return;
        case LCORE_H1_FAIL:
            finish(stream, stream->body.fail, 0);
            return;
        default:
            return;
        }
    }
}

static void
empty(struct lc_stream *stream)
{
    stream->taken = 0;
    stream->ready.len = 0;
    if (stream->ready.capacity > KEEP) {
        lc_buffer_fini(&stream->ready);
    }
}

/* Not the receive buffer: who reads in a callback has it hold responses that are still to be told. */
static char *
open_piece(struct lc_http *http)
{
    if (http->piece == NULL) {
        http->piece = lc__alloc(LCORE_PIECE_SIZE);
    }
    return http->piece;
}

ssize_t
lc_stream_read(struct lc_stream *stream, void *data, size_t size)
{
    for (;;) {
        size_t left = stream->ready.len - stream->taken;
        if (left > 0) {
            size_t count = left < size ? left : size;
            memcpy(data, stream->ready.data + stream->taken, count);
            stream->taken += count;
            return (ssize_t)count;
        }
        empty(stream);
        if (stream->is_done) {
            return stream->fail == LCORE_FAIL_NONE ? 0 : -EIO;
        }
        char *piece = open_piece(stream->http);
        if (piece == NULL) {
            finish(stream, LCORE_FAIL_INTERNAL, ENOMEM);
            continue;
        }
        ssize_t got = stream->transfer != NULL ? lc__transfer_read(stream->transfer, piece, LCORE_PIECE_SIZE)
                                               : lc_wire_read(stream->wire, piece, LCORE_PIECE_SIZE);
        if (got == -EAGAIN) {
            return got;
        }
        if (got > 0) {
            take_in(stream, (struct lc_str){piece, (size_t)got});
        } else if (got == 0) {
            stream->is_in_step = false;
            finish(stream, lc_h1_body_end(&stream->body), 0);
        } else if (stream->transfer != NULL) {
            finish(stream, stream->transfer->fail, stream->transfer->errnum);
        } else {
            finish(stream, LCORE_FAIL_RESET, (int)-got);
        }
    }
}

void
lc_stream_free(struct lc_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    bool is_clean = stream->is_done && stream->fail == LCORE_FAIL_NONE && stream->is_in_step &&
                    lc_h1_is_reusable(&stream->head, &stream->body);
    if (stream->transfer != NULL) {
        lc__transfer_free(stream->transfer);
    } else {
        lc_wire_close(stream->wire, is_clean);
    }
    if (stream->decoder != NULL) {
        lc__http_put_decoder(stream->http, stream->decoder);
    }
    lc_buffer_fini(&stream->ready);
    lc__free(stream);
}
