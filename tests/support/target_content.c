/* Pages of a server that does what it should: bodies of all kinds, encodings, redirects. */
#include <brotli/encode.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "target_pages.h"

static void
page_home(struct call *call)
{
    static const char page[] = "<!doctype html>\n<html><head><title>Target</title></head>\n"
                               "<body><h1>It answers.</h1><a href=\"/hello\">hello</a></body></html>\n";
    reply(call, 200, "text/html; charset=utf-8", (struct text){page, sizeof(page) - 1});
}

void
page_hello(struct call *call)
{
    reply(call, 200, "text/plain; charset=utf-8", TEXT("Hello, world!\n"));
}

static void
page_echo(struct call *call)
{
    const struct request *request = call->request;
    struct buf body = {0};
    buf_puts(&body, "{\"method\": ");
    buf_json(&body, request->method);
    buf_puts(&body, ", \"path\": ");
    buf_json(&body, request->path);
    buf_puts(&body, ", \"query\": ");
    buf_json(&body, request->query);
    buf_puts(&body, ", \"headers\": {");
    size_t position = 0;
    struct text name, value;
    const char *separator = "";
    while (request_next_header(request, &position, &name, &value)) {
        buf_puts(&body, separator);
        buf_json(&body, name);
        buf_puts(&body, ": ");
        buf_json(&body, value);
        separator = ", ";
    }
    buf_puts(&body, "}, \"body\": ");
    buf_json(&body, request->body);
    buf_puts(&body, "}");
    reply_json(call, 200, &body);
}

static void
page_status(struct call *call)
{
    int64_t status = text_number(call->rest, 0);
    if (status < 200 || status > 999) {
        reply_error(call, 400, "no such status");
        return;
    }
    struct buf body = {0};
    buf_printf(&body, "%lld %s\n", (long long)status, reason_of((int)status));
    reply_buf(call, (int)status, "text/plain", &body);
}

static void
page_delay(struct call *call)
{
    answer_mark(call->answer, MARK_WAIT, (size_t)text_number(call->rest, 0));
    page_hello(call);
}

static void
page_bytes(struct call *call)
{
    int64_t count = text_number(call->rest, -1);
    if (count < 0 || count > MAX_BYTES) {
        reply_error(call, 400, "no such size");
        return;
    }
    struct buf body = {0};
    buf_fill(&body, 'x', (size_t)count);
    reply_buf(call, 200, "application/octet-stream", &body);
}

/* Chunks of up to ?size= bytes (1000), a trailer with ?trailer=1. */
static void
page_chunked(struct call *call)
{
    int64_t left = text_number(call->rest, -1), size = query_number(call, "size", 1000);
    if (left < 0 || left > MAX_BYTES || size < 1) {
        reply_error(call, 400, "no such size");
        return;
    }
    put_head(call, 200, "application/octet-stream", "Transfer-Encoding: chunked\r\n");
    if (call->request->is_head) {
        return;
    }
    for (; left > 0; left -= size) {
        put_chunk(&call->answer->out, (size_t)(left < size ? left : size));
    }
    buf_puts(&call->answer->out, query_number(call, "trailer", 0) ? "0\r\nX-Trailer: yes\r\n\r\n" : "0\r\n\r\n");
}

/* What the encoded pages hold: over 3,000 bytes that compress well. */
static struct text
encoded_text(void)
{
    static struct buf text;
    while (text.len < 3000) {
        buf_puts(&text, "The quick brown fox jumps over the lazy dog.\n");
    }
    return (struct text){text.data, text.len};
}

static void
reply_encoded(struct call *call, const char *encoding, struct text body)
{
    buf_printf(&call->headers, "Content-Encoding: %s\r\n", encoding);
    reply(call, 200, "text/plain; charset=utf-8", body);
}

static void
reply_deflated(struct call *call, const char *encoding, int window_bits)
{
    struct text text = encoded_text();
    unsigned char out[4096];
    z_stream stream = {.next_in = (unsigned char *)text.data,
                       .avail_in = (unsigned)text.len,
                       .next_out = out,
                       .avail_out = sizeof(out)};
    deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    deflate(&stream, Z_FINISH);
    reply_encoded(call, encoding, (struct text){(char *)out, stream.total_out});
    deflateEnd(&stream);
}

static void
page_gzip(struct call *call)
{
    reply_deflated(call, "gzip", 15 + 16);
}

/* As RFC 9110 has it, with zlib's head; ?raw=1 as some servers send it. */
static void
page_deflate(struct call *call)
{
    reply_deflated(call, "deflate", query_number(call, "raw", 0) ? -15 : 15);
}

static void
page_br(struct call *call)
{
    struct text text = encoded_text();
    uint8_t out[4096];
    size_t len = sizeof(out);
    BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, text.len, (const uint8_t *)text.data, &len, out);
    reply_encoded(call, "br", (struct text){(char *)out, len});
}

static void
page_zstd(struct call *call)
{
    struct text text = encoded_text();
    char out[4096];
    size_t len = ZSTD_compress(out, sizeof(out), text.data, text.len, 3);
    reply_encoded(call, "zstd", (struct text){out, len});
}

static void
page_bad_gzip(struct call *call)
{
    reply_encoded(call, "gzip", TEXT("this is no gzip"));
}

static void
page_redirect(struct call *call)
{
    int64_t left = text_number(call->rest, 0);
    if (left <= 0) {
        reply(call, 200, "text/plain", TEXT("arrived\n"));
        return;
    }
    char location[64];
    snprintf(location, sizeof(location), "/redirect/%lld", (long long)left - 1);
    reply_redirect(call, 302, location);
}

static void
page_redirect_to(struct call *call)
{
    char location[2048];
    if (!form_field(call->request->query, "url", location, sizeof(location)) || strpbrk(location, "\r\n") != NULL) {
        reply_error(call, 400, "url is missing");
        return;
    }
    reply_redirect(call, (int)query_number(call, "status", 302), location);
}

static void
page_redirect_loop(struct call *call)
{
    reply_redirect(call, 302, "/redirect-loop");
}

/* Fails in that many of 100 calls, evenly spread. */
static void
page_fail(struct call *call)
{
    static uint64_t calls;
    uint64_t percent = (uint64_t)text_number(call->rest, 0);
    uint64_t before = calls * percent / 100;
    if (++calls * percent / 100 > before) {
        reply_error(call, 500, "as asked for");
        return;
    }
    page_hello(call);
}

static void
page_counter(struct call *call)
{
    struct buf body = {0};
    buf_printf(&body, "{\"requests\": %llu, \"connections\": %llu, \"open\": %u}",
               (unsigned long long)counters.requests, (unsigned long long)counters.connections, counters.open);
    reply_json(call, 200, &body);
}

static void
page_search(struct call *call)
{
    char words[256] = "";
    form_field(call->request->query, "q", words, sizeof(words));
    struct buf body = {0};
    buf_puts(&body, "{\"q\": ");
    buf_json(&body, (struct text){words, strlen(words)});
    buf_puts(&body, ", \"hits\": [1, 2, 3]}");
    reply_json(call, 200, &body);
}

const struct route content_routes[] = {
    {"/", page_home},
    {"/hello", page_hello},
    {"/world", page_hello},
    {"/health", page_hello},
    {"/echo/", page_echo},
    {"/status/", page_status},
    {"/delay/", page_delay},
    {"/bytes/", page_bytes},
    {"/chunked/", page_chunked},
    {"/gzip", page_gzip},
    {"/deflate", page_deflate},
    {"/br", page_br},
    {"/zstd", page_zstd},
    {"/bad-gzip", page_bad_gzip},
    {"/redirect/", page_redirect},
    {"/redirect-to", page_redirect_to},
    {"/redirect-loop", page_redirect_loop},
    {"/fail/", page_fail},
    {"/counter", page_counter},
    {"/search", page_search},
    {NULL, NULL},
};
