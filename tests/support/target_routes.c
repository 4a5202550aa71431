#include "target.h"

#include <brotli/encode.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { MAX_BYTES = 256 << 20, COOKIE_BYTES = 256 };

/* One request and what is being written for it. `rest` is the path behind the route's own part. */
struct call {
    struct answer *answer;
    const struct request *request;
    struct text rest;
    struct buf headers; /* further header lines */
};

static const char *
reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {206, "Partial Content"},
                   {301, "Moved Permanently"},
                   {302, "Found"},
                   {303, "See Other"},
                   {304, "Not Modified"},
                   {307, "Temporary Redirect"},
                   {308, "Permanent Redirect"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {409, "Conflict"},
                   {418, "I'm a Teapot"},
                   {422, "Unprocessable Content"},
                   {429, "Too Many Requests"},
                   {500, "Internal Server Error"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"}};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Status";
}

static void
put_head(struct call *call, int status, const char *type, const char *framing)
{
    struct buf *out = &call->answer->out;
    if (status == 200) {
        buf_puts(out, "HTTP/1.1 200 OK\r\nServer: target\r\n");
    } else {
        buf_printf(out, "HTTP/1.1 %d %s\r\nServer: target\r\n", status, reason_of(status));
    }
    if (type != NULL) {
        buf_puts(out, "Content-Type: ");
        buf_puts(out, type);
        buf_puts(out, "\r\n");
    }
    buf_add(out, call->headers.data != NULL ? call->headers.data : "", call->headers.len);
    buf_puts(out, framing);
    buf_puts(out, call->request->is_keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

/* A whole answer of known length. */
static void
reply(struct call *call, int status, const char *type, struct text body)
{
    char framing[64] = "";
    bool has_body = status >= 200 && status != 204 && status != 304;
    if (has_body) {
        snprintf(framing, sizeof(framing), "Content-Length: %zu\r\n", body.len);
    }
    put_head(call, status, has_body ? type : NULL, framing);
    if (has_body && !call->request->is_head) {
        buf_add(&call->answer->out, body.data, body.len);
    }
}

static void
reply_buf(struct call *call, int status, const char *type, struct buf *body)
{
    reply(call, status, type, (struct text){body->data, body->len});
    buf_free(body);
}

static void
reply_json(struct call *call, int status, struct buf *body)
{
    reply_buf(call, status, "application/json", body);
}

static void
reply_error(struct call *call, int status, const char *message)
{
    struct buf body = {0};
    buf_printf(&body, "{\"error\": \"%s\"}", message);
    reply_json(call, status, &body);
}

/* Bytes that are sent as they stand, followed by the end of the connection. */
static void
reply_raw(struct call *call, const char *bytes)
{
    buf_puts(&call->answer->out, bytes);
    answer_mark(call->answer, MARK_CLOSE, 0);
}

static int64_t
query_number(struct call *call, const char *name, int64_t otherwise)
{
    char value[24];
    return form_field(call->request->query, name, value, sizeof(value))
               ? text_number((struct text){value, strlen(value)}, otherwise)
               : otherwise;
}

/* The first part of the rest of the path, cut off it. */
static struct text
next_part(struct call *call)
{
    struct text part = call->rest;
    const char *slash = part.len ? memchr(part.data, '/', part.len) : NULL;
    if (slash == NULL) {
        call->rest = (struct text){part.data + part.len, 0};
        return part;
    }
    part.len = (size_t)(slash - part.data);
    call->rest = (struct text){slash + 1, call->rest.len - part.len - 1};
    return part;
}

static int
hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower(c) - 'a' + 10 : -1;
}

bool
form_field(struct text form, const char *name, char *out, size_t size)
{
    size_t name_len = strlen(name), position = 0;
    while (position < form.len) {
        const char *field = form.data + position;
        const char *end = memchr(field, '&', form.len - position);
        size_t len = end ? (size_t)(end - field) : form.len - position;
        position += len + 1;
        if (len < name_len || memcmp(field, name, name_len) != 0 || (len > name_len && field[name_len] != '=')) {
            continue;
        }
        size_t written = 0;
        for (size_t i = name_len + 1; i < len; i++) {
            char c = field[i] == '+' ? ' ' : field[i];
            if (c == '%' && i + 2 < len && hex_digit(field[i + 1]) >= 0 && hex_digit(field[i + 2]) >= 0) {
                c = (char)(hex_digit(field[i + 1]) * 16 + hex_digit(field[i + 2]));
                i += 2;
            }
            if (written + 1 >= size) {
                return false;
            }
            out[written++] = c;
        }
        out[written] = '\0';
        return true;
    }
    return false;
}

/* Walks the cookies of all Cookie headers. */
static bool
next_cookie(const struct request *request, size_t *header, struct text *line, struct text *name, struct text *value)
{
    while (line->len == 0) {
        struct text header_name;
        if (!request_next_header(request, header, &header_name, line)) {
            return false;
        }
        if (!text_equals_nocase(header_name, "Cookie")) {
            line->len = 0;
        }
    }
    const char *end = memchr(line->data, ';', line->len);
    struct text pair = {line->data, end ? (size_t)(end - line->data) : line->len};
    size_t taken = pair.len + (end != NULL);
    while (taken < line->len && line->data[taken] == ' ') {
        taken++;
    }
    *line = (struct text){line->data + taken, line->len - taken};
    const char *equals = memchr(pair.data, '=', pair.len);
    size_t name_len = equals ? (size_t)(equals - pair.data) : pair.len;
    *name = (struct text){pair.data, name_len};
    *value = equals ? (struct text){equals + 1, pair.len - name_len - 1} : (struct text){pair.data + pair.len, 0};
    return true;
}

static bool
cookie_value(const struct request *request, const char *wanted, char *out, size_t size)
{
    size_t header = 0;
    struct text line = {0}, name, value;
    while (next_cookie(request, &header, &line, &name, &value)) {
        if (text_equals(name, wanted) && value.len < size) {
            memcpy(out, value.data, value.len);
            out[value.len] = '\0';
            return true;
        }
    }
    return false;
}

static void
json_cookies(const struct request *request, struct buf *out)
{
    size_t header = 0;
    struct text line = {0}, name, value;
    const char *separator = "";
    buf_puts(out, "{");
    while (next_cookie(request, &header, &line, &name, &value)) {
        buf_puts(out, separator);
        buf_json(out, name);
        buf_puts(out, ": ");
        buf_json(out, value);
        separator = ", ";
    }
    buf_puts(out, "}");
}

static void
page_home(struct call *call)
{
    static const char page[] = "<!doctype html>\n<html><head><title>Target</title></head>\n"
                               "<body><h1>It answers.</h1><a href=\"/hello\">hello</a></body></html>\n";
    reply(call, 200, "text/html; charset=utf-8", (struct text){page, sizeof(page) - 1});
}

static void
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

static void
put_chunk(struct buf *out, size_t size)
{
    buf_printf(out, "%zx\r\n", size);
    buf_fill(out, 'x', size);
    buf_puts(out, "\r\n");
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
reply_redirect(struct call *call, int status, const char *location)
{
    buf_printf(&call->headers, "Location: %s\r\n", location);
    reply(call, status, "text/plain", TEXT("elsewhere\n"));
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

static void
page_cookies(struct call *call)
{
    struct buf body = {0};
    buf_puts(&body, "{\"cookies\": ");
    json_cookies(call->request, &body);
    buf_puts(&body, "}");
    reply_json(call, 200, &body);
}

/* /cookies/set?name=value&...  and  /cookies/raw?line=<a whole Set-Cookie value> */
static void
page_cookies_set(struct call *call)
{
    struct text query = call->request->query;
    size_t position = 0;
    while (position < query.len) {
        const char *end = memchr(query.data + position, '&', query.len - position);
        size_t len = end ? (size_t)(end - query.data) - position : query.len - position;
        buf_printf(&call->headers, "Set-Cookie: %.*s; Path=/\r\n", (int)len, query.data + position);
        position += len + 1;
    }
    page_cookies(call);
}

static void
page_cookies_raw(struct call *call)
{
    char line[2048];
    if (form_field(call->request->query, "line", line, sizeof(line)) && strpbrk(line, "\r\n") == NULL) {
        buf_printf(&call->headers, "Set-Cookie: %s\r\n", line);
    }
    page_cookies(call);
}

/* GET shows a form with a token; POST of username, password ("secret") and that token begins a session. */
static void
page_login(struct call *call)
{
    static const char form[] =
        "<!doctype html>\n<form method=\"post\" action=\"/login\">\n"
        "<input type=\"hidden\" name=\"csrf_token\" value=\"token-4711\">\n"
        "<input name=\"username\"> <input name=\"password\" type=\"password\"> <button>Log in</button>\n</form>\n";
    if (!text_equals(call->request->method, "POST")) {
        buf_puts(&call->headers, "Set-Cookie: visitor=1; Path=/\r\n");
        reply(call, 200, "text/html; charset=utf-8", (struct text){form, sizeof(form) - 1});
        return;
    }
    char user[128], password[128], csrf[128], token[64];
    struct text body = call->request->body;
    if (!form_field(body, "csrf_token", csrf, sizeof(csrf)) || strcmp(csrf, "token-4711") != 0) {
        reply_error(call, 403, "the form's token is missing");
    } else if (!form_field(body, "username", user, sizeof(user)) ||
               !form_field(body, "password", password, sizeof(password)) || strcmp(password, "secret") != 0) {
        reply_error(call, 401, "wrong user name or password");
    } else {
        store_session_new(user, token, sizeof(token));
        buf_printf(&call->headers, "Set-Cookie: session=%s; Path=/; HttpOnly\r\n", token);
        reply_redirect(call, 303, "/account");
    }
}

static void
page_account(struct call *call)
{
    char token[COOKIE_BYTES];
    unsigned visits;
    const char *user =
        cookie_value(call->request, "session", token, sizeof(token)) ? store_session_find(token, &visits) : NULL;
    if (user == NULL) {
        reply_error(call, 401, "not logged in");
        return;
    }
    struct buf body = {0};
    buf_puts(&body, "{\"user\": ");
    buf_json(&body, (struct text){user, strlen(user)});
    buf_printf(&body, ", \"visits\": %u}", visits);
    reply_json(call, 200, &body);
}

static void
page_logout(struct call *call)
{
    char token[COOKIE_BYTES];
    if (cookie_value(call->request, "session", token, sizeof(token))) {
        store_session_end(token);
    }
    buf_puts(&call->headers, "Set-Cookie: session=; Path=/; Max-Age=0\r\n");
    reply_redirect(call, 303, "/login");
}

/* POST gives a token; what lies below /api/me wants it as a bearer. */
static void
page_token(struct call *call)
{
    char user[128] = "guest", token[64];
    form_field(call->request->body, "username", user, sizeof(user));
    store_session_new(user, token, sizeof(token));
    struct buf body = {0};
    buf_printf(&body, "{\"access_token\": \"%s\", \"token_type\": \"bearer\"}", token);
    reply_json(call, 200, &body);
}

static void
page_me(struct call *call)
{
    char token[COOKIE_BYTES];
    struct text given = request_header(call->request, "Authorization");
    unsigned visits;
    const char *user = NULL;
    if (text_has_prefix(given, "Bearer ") && given.len - 7 < sizeof(token)) {
        memcpy(token, given.data + 7, given.len - 7);
        token[given.len - 7] = '\0';
        user = store_session_find(token, &visits);
    }
    if (user == NULL) {
        buf_puts(&call->headers, "WWW-Authenticate: Bearer\r\n");
        reply_error(call, 401, "a token is needed");
        return;
    }
    struct buf body = {0};
    buf_puts(&body, "{\"user\": ");
    buf_json(&body, (struct text){user, strlen(user)});
    buf_puts(&body, "}");
    reply_json(call, 200, &body);
}

/* User "user", password "secret". */
static void
page_basic_auth(struct call *call)
{
    if (!text_equals(request_header(call->request, "Authorization"), "Basic dXNlcjpzZWNyZXQ=")) {
        buf_puts(&call->headers, "WWW-Authenticate: Basic realm=\"target\"\r\n");
        reply_error(call, 401, "name and password are needed");
        return;
    }
    reply(call, 200, "text/plain", TEXT("welcome\n"));
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

static void
page_collection(struct call *call, int collection)
{
    struct text method = call->request->method;
    struct buf body = {0};
    if (call->rest.len == 0) {
        if (text_equals(method, "POST")) {
            int64_t id = store_add(collection, call->request->body);
            if (id < 0) {
                reply_error(call, 503, "full");
                return;
            }
            store_print(collection, id, &body);
            reply_json(call, 201, &body);
        } else if (text_equals(method, "GET") || call->request->is_head) {
            store_print_list(collection, query_number(call, "limit", 10), &body);
            reply_json(call, 200, &body);
        } else {
            reply_error(call, 405, "GET or POST");
        }
        return;
    }
    int64_t id = text_number(call->rest, -1);
    bool is_found;
    if (text_equals(method, "DELETE")) {
        is_found = store_remove(collection, id);
        if (is_found) {
            reply(call, 204, NULL, TEXT(""));
            return;
        }
    } else if (text_equals(method, "PUT") || text_equals(method, "PATCH")) {
        is_found = store_set(collection, id, call->request->body) && store_print(collection, id, &body);
    } else {
        is_found = store_print(collection, id, &body);
    }
    if (is_found) {
        reply_json(call, 200, &body);
    } else {
        reply_error(call, 404, "no such thing");
    }
}

/* From here on: what servers should not do. */

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

static const struct route {
    const char *path; /* ends in a slash: everything below it, the slash itself may be missing */
    void (*page)(struct call *call);
} routes[] = {{"/", page_home},
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
              {"/cookies", page_cookies},
              {"/cookies/set", page_cookies_set},
              {"/cookies/raw", page_cookies_raw},
              {"/login", page_login},
              {"/logout", page_logout},
              {"/account", page_account},
              {"/token", page_token},
              {"/me", page_me},
              {"/basic-auth", page_basic_auth},
              {"/fail/", page_fail},
              {"/counter", page_counter},
              {"/search", page_search},
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
              {"/drip", page_drip}};

static const struct route *
route_find(struct text path, struct text *rest)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        size_t len = strlen(routes[i].path);
        *rest = (struct text){path.data + path.len, 0};
        if (path.len == len && memcmp(path.data, routes[i].path, len) == 0) {
            return &routes[i];
        }
        if (len > 1 && routes[i].path[len - 1] == '/') {
            if (path.len > len && memcmp(path.data, routes[i].path, len) == 0) {
                *rest = (struct text){path.data + len, path.len - len};
                return &routes[i];
            }
            if (path.len == len - 1 && memcmp(path.data, routes[i].path, len - 1) == 0) {
                return &routes[i];
            }
        }
    }
    return NULL;
}

void
routes_answer(struct answer *answer, const struct request *request)
{
    struct call call = {.answer = answer, .request = request};
    const struct route *route = route_find(request->path, &call.rest);
    if (route != NULL) {
        route->page(&call);
    } else {
        call.rest = (struct text){request->path.data + 1, request->path.len > 0 ? request->path.len - 1 : 0};
        int collection = store_collection(next_part(&call));
        if (collection >= 0) {
            page_collection(&call, collection);
        } else {
            reply(&call, 404, "text/plain", TEXT("not found\n"));
        }
    }
    buf_free(&call.headers);
}
