#include "http/head.h"

#include <time.h>

#include "http/headers.h"
#include "http/redirect.h"
#include "http/session.h"

static struct lc_str
host_line(const struct lc_exchange *exchange)
{
    const struct lc_origin *origin = exchange->origin;
    return exchange->request.flags & LCORE_REQUEST_LOOSE_URL ? origin->loose_host_line : origin->host_line;
}

static int
append_request_line(struct lc_exchange *exchange, struct lc_buffer *out)
{
    int err = lc_buffer_append_str(out, exchange->method);
    err = err < 0 ? err : lc_buffer_append(out, " ", 1);
    if (exchange->origin->route != LCORE_ROUTE_CONNECT && !exchange->url.is_https) {
        /* A proxy wants the whole URL, without credentials and fragment. */
        err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("http://"));
        err = err < 0 ? err : lc_url_append_host(&exchange->url, out);
    }
    err = err < 0 ? err : lc_buffer_append_str(out, exchange->url.target);
    return err < 0 ? err : lc_buffer_append_str(out, LCORE_STR(" HTTP/1.1\r\n"));
}

static const struct lc_header *
find_header(const struct lc_request *request, struct lc_str name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (request->headers[i].name.len == name.len && lc_str_equal_nocase(request->headers[i].name, name)) {
            return &request->headers[i];
        }
    }
    return NULL;
}

/* Session's and call's headers merged as requests merges them: a header keeps the session's place and takes the call's
 * value. `known` and `hidden` are LCORE_KNOWN_*: which there are, which must not be written. */
static int
append_merged(struct lc_exchange *exchange, const struct lc_block *block, unsigned hidden, unsigned *known,
              struct lc_buffer *out)
{
    const struct lc_request *request = &exchange->request;
    if (request->header_count == 0 && (block->known & hidden) == 0) {
        *known = block->known;
        return lc_buffer_append_str(out, block->lines);
    }
    size_t position = 0;
    struct lc_str name, value;
    while (lc_header_next(block->lines, &position, &name, &value)) {
        const struct lc_header *header = find_header(request, name);
        if (header != NULL && header->value.data == NULL) {
            continue;
        }
        unsigned kind = lc__known_header(name, header == NULL ? value : header->value);
        *known |= kind;
        if ((kind & hidden) != 0) {
            continue;
        }
        int err =
            header == NULL ? lc_header_append(out, name, value) : lc_header_append(out, header->name, header->value);
        if (err < 0) {
            return err;
        }
    }
    for (size_t i = 0; i < request->header_count; i++) {
        const struct lc_header *header = &request->headers[i];
        if (header->value.data == NULL || lc_header_find(block->lines, header->name).data != NULL) {
            continue;
        }
        unsigned kind = lc__known_header(header->name, header->value);
        *known |= kind;
        if ((kind & hidden) != 0) {
            continue;
        }
        int err = lc_header_append(out, header->name, header->value);
        if (err < 0) {
            return err;
        }
    }
    return 0;
}

static int
append_cookies(struct lc_exchange *exchange, struct lc_buffer *out)
{
    struct lc_session *session = exchange->session;
    const struct lc_request *request = &exchange->request;
    if ((request->flags & LCORE_REQUEST_NO_COOKIES) != 0 ||
        (session->jar.store == NULL && request->cookie_count == 0)) {
        return 0;
    }
    size_t begin = out->len;
    int err = lc_buffer_append_str(out, LCORE_STR("Cookie: "));
    size_t value_begin = out->len;
    err = err < 0 ? err
                  : lc_cookie_jar_append_header(&session->jar, &exchange->url, (int64_t)time(NULL), request->cookies,
                                                request->cookie_count, out);
    if (err == 0 && out->len == value_begin) {
        out->len = begin;
        return 0;
    }
    return err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\r\n"));
}

static int
append_url_auth(const struct lc_url *url, struct lc_buffer *out)
{
    int err = lc_buffer_append_str(out, LCORE_STR("Authorization: "));
    err = err < 0 ? err : lc__append_basic_auth(url->user, url->password, out);
    return err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\r\n"));
}

static int
check(const struct lc_request *request, struct lc_error *error)
{
    if (!lc_header_is_name(request->method)) {
        return lc_error_set(error, LCE_FORMAT, "method that is no HTTP token");
    }
    for (size_t i = 0; i < request->header_count; i++) {
        const struct lc_header *header = &request->headers[i];
        int len = header->name.len > 100 ? 100 : (int)header->name.len;
        if (!lc_header_is_name(header->name)) {
            return lc_error_set(error, LCE_FORMAT, "header name that is no HTTP token: '%.*s'", len, header->name.data);
        }
        if (header->value.data != NULL && !lc_header_is_value(header->value)) {
            return lc_error_set(error, LCE_FORMAT, "value of header '%.*s' has a line break, NUL or leading blank", len,
                                header->name.data);
        }
    }
    for (size_t i = 0; i < request->cookie_count; i++) {
        if (!lc_header_is_value(request->cookies[i].name) || !lc_header_is_value(request->cookies[i].value)) {
            return lc_error_set(error, LCE_FORMAT, "cookie with a line break, NUL or leading blank");
        }
    }
    if (request->content_type.data != NULL && !lc_header_is_value(request->content_type)) {
        return lc_error_set(error, LCE_FORMAT, "content type has a line break, NUL or leading blank");
    }
    return 0;
}

/* Whether a request without a body says so. */
static bool
tells_no_length(struct lc_str method, bool is_plain)
{
    if (is_plain) {
        return !lc_str_equal(method, LCORE_STR("POST")) && !lc_str_equal(method, LCORE_STR("PUT")) &&
               !lc_str_equal(method, LCORE_STR("PATCH"));
    }
    return lc_str_equal(method, LCORE_STR("GET")) || lc_str_equal(method, LCORE_STR("HEAD"));
}

/* Of a redirected request that lost its body; where urllib3 writes it, and for the methods it writes it for. */
static bool
tells_lost_body(const struct lc_exchange *exchange)
{
    static const char *const silent[] = {"GET", "HEAD", "DELETE", "TRACE", "OPTIONS", "CONNECT"};
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        if (lc_str_equal(exchange->method, lc_str_from(silent[i]))) {
            return false;
        }
    }
    return true;
}

int
lc__head_render(struct lc_exchange *exchange, struct lc_error *error)
{
    static const struct lc_block empty;
    struct lc_session *session = exchange->session;
    const struct lc_request *request = &exchange->request;
    struct lc_buffer *out = &exchange->head;
    bool is_bare = (request->flags & LCORE_REQUEST_NO_SESSION_HEADERS) != 0;
    int err = check(request, error);
    if (err < 0) {
        return err;
    }
    const struct lc_block *block = is_bare ? &empty : session->headers;
    bool has_auth = !is_bare && (session->site->auth.len > 0 || exchange->url.user.data != NULL);
    unsigned hidden = LCORE_KNOWN_CONTENT_LENGTH | (has_auth ? LCORE_KNOWN_AUTHORIZATION : 0);
    unsigned known = 0;
    out->len = 0;
    err = append_request_line(exchange, out);
    size_t host_begin = out->len;
    err = err < 0 ? err : lc_buffer_append_str(out, host_line(exchange));
    size_t merged_begin = out->len;
    err = err < 0 ? err : append_merged(exchange, block, hidden, &known, out);
    exchange->has_own_host = (known & LCORE_KNOWN_HOST) != 0;
    exchange->is_asking_close = (known & LCORE_KNOWN_CLOSE) != 0;
    if (err == 0 && exchange->has_own_host) {
        memmove(out->data + host_begin, out->data + merged_begin, out->len - merged_begin);
        out->len -= merged_begin - host_begin;
    }
    if ((known & LCORE_KNOWN_COOKIE) == 0) {
        err = err < 0 ? err : append_cookies(exchange, out);
    }
    /* Who gives a length gets the true one. */
    if ((known & LCORE_KNOWN_TRANSFER_ENCODING) == 0 &&
        (request->body.data != NULL || (known & LCORE_KNOWN_CONTENT_LENGTH) != 0 ||
         !tells_no_length(exchange->method, (request->flags & LCORE_REQUEST_PLAIN_METHODS) != 0))) {
        err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("Content-Length: "));
        err = err < 0 ? err : lc_buffer_append_u64(out, request->body.len);
        err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\r\n"));
    }
    if ((known & LCORE_KNOWN_CONTENT_TYPE) == 0 && request->content_type.data != NULL) {
        err = err < 0 ? err : lc_header_append(out, LCORE_STR("Content-Type"), request->content_type);
    }
    if (has_auth) {
        err = err < 0                       ? err
              : session->site->auth.len > 0 ? lc_header_append(out, LCORE_STR("Authorization"), session->site->auth)
                                            : append_url_auth(&exchange->url, out);
    }
    if ((known & LCORE_KNOWN_PROXY_AUTHORIZATION) == 0) {
        err = err < 0 ? err : lc_buffer_append_str(out, exchange->origin->proxy_auth_line);
    }
    err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\r\n"));
    return err < 0 ? lc_error_set(error, err, "%s", lc_error_text(err)) : 0;
}

int
lc__head_redirect(struct lc_exchange *exchange, const struct lc_url *from, bool is_body_kept)
{
    struct lc_http *http = exchange->session->http;
    struct lc_buffer *out = &http->scratch;
    unsigned hidden = LCORE_KNOWN_COOKIE | LCORE_KNOWN_PROXY_AUTHORIZATION;
    if (!exchange->has_own_host) {
        hidden |= LCORE_KNOWN_HOST;
    }
    if (lc_redirect_strips_auth(from, &exchange->url)) {
        hidden |= LCORE_KNOWN_AUTHORIZATION;
    }
    out->len = 0;
    int err = append_request_line(exchange, out);
    if (!exchange->has_own_host) {
        err = err < 0 ? err : lc_buffer_append_str(out, host_line(exchange));
    }
    if (!is_body_kept && tells_lost_body(exchange)) {
        err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("Content-Length: 0\r\n"));
    }
    const char *line_end = memchr(exchange->head.data, '\n', exchange->head.len);
    size_t skipped = (size_t)(line_end - exchange->head.data) + 1;
    struct lc_str lines = {exchange->head.data + skipped, exchange->head.len - skipped};
    size_t position = 0;
    struct lc_str name, value;
    while (err == 0 && lc_header_next(lines, &position, &name, &value)) {
        if ((lc__known_header(name, value) & hidden) == 0 && (is_body_kept || !lc_redirect_is_body_header(name))) {
            err = lc_header_append(out, name, value);
        }
    }
    err = err < 0 ? err : append_cookies(exchange, out);
    err = err < 0 ? err : lc_buffer_append_str(out, exchange->origin->proxy_auth_line);
    err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\r\n"));
    if (err == 0) {
        struct lc_buffer last = exchange->head;
        exchange->head = *out;
        *out = last;
    }
    return err;
}
