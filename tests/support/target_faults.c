/* Pages of a server that does what servers should not do. */
#include <stdio.h>
#include <string.h>

#include "target_pages.h"

/* Bytes that are sent as they stand, followed by the end of the connection. */
static void
reply_raw(struct call *call, const char *bytes)
{
    buf_puts(&call->answer->out, bytes);
    answer_mark(call->answer, MARK_CLOSE, 0);
}

static void
page_close(struct call *call)
{
    answer_mark(call->answer, MARK_CLOSE, 0);
}

static void
page_reset(struct call *call)
{
    answer_mark(call->answer, MARK_RESET, 0);
}

/* ?after=N bytes of the answer. */
static void
page_hang(struct call *call)
{
    int64_t after = query_number(call, "after", 0);
    if (after > 0) {
        put_head(call, 200, "text/plain", "Content-Length: 1000000\r\n");
        buf_fill(&call->answer->out, 'x', (size_t)(after < 900000 ? after : 900000));
    }
    answer_mark(call->answer, MARK_HANG, 0);
}

static void
page_close_body(struct call *call)
{
    int64_t declared = text_number(call->rest, 1000);
    char framing[64];
    snprintf(framing, sizeof(framing), "Content-Length: %lld\r\n", (long long)declared);
    put_head(call, 200, "text/plain", framing);
    buf_fill(&call->answer->out, 'x', (size_t)(declared < MAX_BYTES ? declared / 2 : 100));
    answer_mark(call->answer, MARK_CLOSE, 0);
}

static void
page_reset_body(struct call *call)
{
    put_head(call, 200, "text/plain", "Content-Length: 1000\r\n");
    buf_fill(&call->answer->out, 'x', 100);
    answer_mark(call->answer, MARK_WAIT, 20);
    answer_mark(call->answer, MARK_RESET, 0);
}

static void
page_close_head(struct call *call)
{
    reply_raw(call, "HTTP/1.1 200 OK\r\nContent-Type: text/pl");
}

static void
page_garbage(struct call *call)
{
    reply_raw(call, "SSH-2.0-This_is_not_HTTP at all\r\n\r\n");
}

static void
page_endless_header(struct call *call)
{
    struct buf *out = &call->answer->out;
    buf_puts(out, "HTTP/1.1 200 OK\r\n");
    size_t start = out->len;
    for (int i = 0; i < 256; i++) {
        buf_puts(out, "X-Endless: ");
        buf_fill(out, 'x', 245);
        buf_puts(out, "\r\n");
    }
    answer_mark(call->answer, MARK_REPEAT, start);
}

/* One header line that never ends. */
static void
page_endless_line(struct call *call)
{
    struct buf *out = &call->answer->out;
    buf_puts(out, "HTTP/1.1 200 OK\r\nX-Endless: ");
    size_t start = out->len;
    buf_fill(out, 'x', 65536);
    answer_mark(call->answer, MARK_REPEAT, start);
}

static void
page_endless_body(struct call *call)
{
    put_head(call, 200, "text/plain", "Transfer-Encoding: chunked\r\n");
    size_t start = call->answer->out.len;
    put_chunk(&call->answer->out, 65536);
    answer_mark(call->answer, MARK_REPEAT, start);
}

static void
page_bad_chunk(struct call *call)
{
    put_head(call, 200, "text/plain", "Transfer-Encoding: chunked\r\n");
    buf_puts(&call->answer->out, "5\r\nhello\r\nnot-hex\r\nworld\r\n0\r\n\r\n");
    answer_mark(call->answer, MARK_CLOSE, 0);
}

static void
page_cut_chunk(struct call *call)
{
    put_head(call, 200, "text/plain", "Transfer-Encoding: chunked\r\n");
    buf_puts(&call->answer->out, "5\r\nhello\r\n1000\r\nworld");
    answer_mark(call->answer, MARK_CLOSE, 0);
}

static void
page_bad_length(struct call *call)
{
    reply_raw(call, "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello");
}

static void
page_two_lengths(struct call *call)
{
    reply_raw(call, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello!!");
}

static void
page_bad_header(struct call *call)
{
    reply_raw(call, "HTTP/1.1 200 OK\r\nthis line has no colon\r\nContent-Length: 5\r\n\r\nhello");
}

/* Odd but legal, or at least met in the wild. */

static void
page_no_length(struct call *call)
{
    reply_raw(call, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nup to the end");
}

static void
page_http10(struct call *call)
{
    reply_raw(call, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

static void
page_bare_lf(struct call *call)
{
    reply_raw(call, "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello");
}

static void
page_no_reason(struct call *call)
{
    buf_puts(&call->answer->out, "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello");
}

static void
page_big_header(struct call *call)
{
    int64_t size = text_number(call->rest, 1000);
    buf_puts(&call->headers, "X-Big: ");
    buf_fill(&call->headers, 'x', (size_t)(size < MAX_BYTES ? size : 0));
    buf_puts(&call->headers, "\r\n");
    page_hello(call);
}

static void
page_early_hints(struct call *call)
{
    buf_puts(&call->answer->out, "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    page_hello(call);
}

/* Ends the connection after a whole answer that promised to keep it, at once or after N ms. */
static void
page_keepalive_close(struct call *call)
{
    page_hello(call);
    int64_t wait_ms = text_number(call->rest, 0);
    if (wait_ms > 0) {
        answer_mark(call->answer, MARK_WAIT, (size_t)wait_ms);
    }
    answer_mark(call->answer, MARK_CLOSE, 0);
}

/* A body in ?pieces= pieces (5) with ?ms= (20) between them; /drip sends it byte by byte, the head too. */
static void
page_slow_body(struct call *call)
{
    int64_t pieces = query_number(call, "pieces", 5), wait_ms = query_number(call, "ms", 20);
    char framing[64];
    pieces = pieces < 1 || pieces > 10000 ? 5 : pieces;
    snprintf(framing, sizeof(framing), "Content-Length: %lld\r\n", (long long)pieces * 100);
    put_head(call, 200, "text/plain", framing);
    for (int64_t i = 0; i < pieces; i++) {
        answer_mark(call->answer, MARK_WAIT, (size_t)wait_ms);
        buf_fill(&call->answer->out, 'x', 100);
    }
}

static void
page_drip(struct call *call)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Slow: yes\r\n\r\n"
                                "5\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\n\r\n";
    int64_t wait_ms = query_number(call, "ms", 2);
    for (size_t i = 0; i < sizeof(whole) - 1; i++) {
        buf_add(&call->answer->out, &whole[i], 1);
        answer_mark(call->answer, MARK_WAIT, (size_t)wait_ms);
    }
}

const struct route fault_routes[] = {
    {"/close", page_close},
    {"/close-head", page_close_head},
    {"/close-body/", page_close_body},
    {"/reset", page_reset},
    {"/reset-body", page_reset_body},
    {"/hang", page_hang},
    {"/garbage", page_garbage},
    {"/endless-header", page_endless_header},
    {"/endless-line", page_endless_line},
    {"/endless-body", page_endless_body},
    {"/bad-chunk", page_bad_chunk},
    {"/cut-chunk", page_cut_chunk},
    {"/bad-length", page_bad_length},
    {"/two-lengths", page_two_lengths},
    {"/bad-header", page_bad_header},
    {"/no-length", page_no_length},
    {"/http10", page_http10},
    {"/bare-lf", page_bare_lf},
    {"/no-reason", page_no_reason},
    {"/big-header/", page_big_header},
    {"/1xx", page_early_hints},
    {"/keepalive-close/", page_keepalive_close},
    {"/slow-body", page_slow_body},
    {"/drip", page_drip},
    {NULL, NULL},
};
