#include "target_pages.h"

#include <stdio.h>
#include <string.h>

const char *
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

void
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

void
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

void
reply_buf(struct call *call, int status, const char *type, struct buf *body)
{
    reply(call, status, type, (struct text){body->data, body->len});
    buf_free(body);
}

void
reply_json(struct call *call, int status, struct buf *body)
{
    reply_buf(call, status, "application/json", body);
}

void
reply_error(struct call *call, int status, const char *message)
{
    struct buf body = {0};
    buf_printf(&body, "{\"error\": \"%s\"}", message);
    reply_json(call, status, &body);
}

int64_t
query_number(struct call *call, const char *name, int64_t otherwise)
{
    char value[24];
    return form_field(call->request->query, name, value, sizeof(value))
               ? text_number((struct text){value, strlen(value)}, otherwise)
               : otherwise;
}

struct text
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

void
reply_redirect(struct call *call, int status, const char *location)
{
    buf_printf(&call->headers, "Location: %s\r\n", location);
    reply(call, status, "text/plain", TEXT("elsewhere\n"));
}

void
put_chunk(struct buf *out, size_t size)
{
    buf_printf(out, "%zx\r\n", size);
    buf_fill(out, 'x', size);
    buf_puts(out, "\r\n");
}
