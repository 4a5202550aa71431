/* The body of a response that is taken piece by piece; see LCORE_REQUEST_STREAM. Nobody reads ahead of whoever takes:
 * what is not taken stays with the kernel, and in the end with the server. */
#ifndef LCORE_HTTP_STREAM_H
#define LCORE_HTTP_STREAM_H

#include "base/buffer.h"
#include "http/decode.h"
#include "http/h1.h"
#include "http/wire.h"

struct lc_stream;
struct lc_transfer;
typedef void lc_stream_fn(struct lc_stream *stream, void *arg);

struct lc_stream {
    struct lc_http *http;
    struct lc_wire *wire;
    struct lc_transfer *transfer; /* instead of `wire`, where libcurl brings the body */
    struct lc_h1_head head;       /* its strings are gone */
    struct lc_h1_body body;
    struct lc_decoder *decoder; /* NULL: nothing to decode */
    struct lc_buffer ready;     /* decoded, not taken yet */
    size_t taken;               /* of `ready` */
    lc_stream_fn *fn;
    void *arg;
    enum lc_fail fail;
    int fail_errno;
    bool is_done;
    bool is_in_step; /* another request may follow: all of this one was sent, nothing came behind the body */
};

/* Decoded bytes, at least one; 0 at the end; -EAGAIN: `fn` is called once, from the loop, when there is more to read;
 * -EIO: the body broke off, see fail and fail_errno. */
ssize_t lc_stream_read(struct lc_stream *stream, void *data, size_t size);
void lc_stream_set_fn(struct lc_stream *stream, lc_stream_fn *fn, void *arg);
/* The connection goes back to the session if the body was read to its end, else it is closed. NULL is fine. */
void lc_stream_free(struct lc_stream *stream);

/* Takes connection, decoder and the state of the body from an exchange, which then has none; `ready` is what came of
 * the body so far, decoded. NULL: out of memory, nothing was taken. */
struct lc_stream *lc__stream_new(struct lc_exchange *exchange, struct lc_str ready);

#endif
