/* A stream of an HTTP/2 connection that is lent out (wire.h). Whoever has it writes a request and reads a response in
 * HTTP/1.1, piece by piece; here they become frames and the other way round. So code that only knows HTTP/1.1 uses the
 * session's HTTP/2 connection. What is not read stays with the server, but for the window of a stream. A request that
 * the server did not look at goes again, on another stream, as long as all of it is still here. */
#ifndef LCORE_HTTP_H2_WIRE_H
#define LCORE_HTTP_H2_WIRE_H

#include "http/h1.h"
#include "http/h2.h"
#include "http/wire.h"

struct lc_h2_wire {
    struct lc_wire *wire;
    struct lc_http *http;
    struct lc_h2_stream *stream; /* NULL: over */
    struct lc_deferred told;     /* the call of wire->fn */
    struct lc_buffer in;         /* for whoever reads */
    size_t in_taken;
    size_t taken_since;        /* of `in`, since the server last got room for more */
    size_t owed;               /* bytes of the body for which the server gets room again when they are taken */
    struct lc_origin *origin;  /* referenced */
    struct lc_buffer head;     /* of the request */
    struct lc_h1_body framing; /* of the request's body */
    struct lc_buffer out;      /* of the request's body: not sent yet, or (is_kept) all of it */
    size_t out_taken;
    int errnum; /* why it is over; 0: it is not, or as it should be */
    int refusals;
    uint16_t header_count;
    bool is_open;                /* whoever has the wire knows of it */
    bool is_kept;                /* the whole request is here, to go again */
    bool is_sent;                /* perhaps not all of it */
    bool is_refused;             /* it is to go again, and has no stream meanwhile */
    bool is_head_written;        /* the request was begun */
    bool has_body;               /* the request */
    bool is_out_done;            /* all of the request was written */
    bool is_asleep;              /* nghttp2 waits for more of the body */
    bool is_head_in;             /* of the response */
    bool is_interim;             /* the head that comes in is none that counts */
    bool is_ended;               /* all of the response is here */
    bool is_reading, is_writing; /* got -EAGAIN */
};

/* For h2_codec.c: the waiting stream of an exchange that opens a wire becomes it; the exchange ends. */
void lc__h2_wire_open(struct lc_h2_stream *stream);
/* For wire.c: the stream of an exchange whose response has begun goes over to the wire, which reads the body alone.
 * LCE_NOMEM: nothing was taken. */
int lc__h2_wire_lend(struct lc_exchange *exchange, struct lc_wire *wire);
/* For wire.c: it was opened. True: not for whoever has the wire, but for the request that goes again. */
bool lc__h2_wire_go_on(struct lc_h2_wire *self);
/* As lc_wire_read(), lc_wire_write() and lc_wire_close(). */
ssize_t lc__h2_wire_read(struct lc_h2_wire *self, void *data, size_t size);
ssize_t lc__h2_wire_write(struct lc_h2_wire *self, const void *data, size_t size);
void lc__h2_wire_close(struct lc_h2_wire *self);

/* What nghttp2 tells of a stream that has a wire. */
void lc__h2_wire_begin_head(struct lc_h2_stream *stream);
void lc__h2_wire_header(struct lc_h2_stream *stream, struct lc_str name, struct lc_str value);
void lc__h2_wire_end_head(struct lc_h2_stream *stream);
void lc__h2_wire_data(struct lc_h2_stream *stream, struct lc_str run);
void lc__h2_wire_end(struct lc_h2_stream *stream);
void lc__h2_wire_note_sent(struct lc_h2_stream *stream, int64_t now_ns);
/* The stream is about to be freed. is_unseen: the server did not look at it. */
void lc__h2_wire_lose(struct lc_h2_stream *stream, bool is_unseen);

#endif
