#include "http/h2_head.h"

#include <nghttp2/nghttp2.h>

#include "http/headers.h"

struct lc_str
lc_status_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {102, "Processing"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {207, "Multi-Status"},
        {208, "Already Reported"},
        {226, "IM Used"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {305, "Use Proxy"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {418, "I'm a Teapot"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {424, "Failed Dependency"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {506, "Variant Also Negotiates"},
        {507, "Insufficient Storage"},
        {508, "Loop Detected"},
        {510, "Not Extended"},
        {511, "Network Authentication Required"},
    };
    if (status == 200) {
        return LCORE_STR("OK");
    }
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return lc_str_from(reasons[i].reason);
        }
    }
    return LCORE_STR("");
}

static bool
is_about_connection(struct lc_str name, struct lc_str value)
{
    static const struct lc_str names[] = {
        {"connection", 10},        {"keep-alive", 10}, {"proxy-connection", 16},
        {"transfer-encoding", 17}, {"upgrade", 7},     {"http2-settings", 14},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (name.len == names[i].len && lc_str_equal_nocase(name, names[i])) {
            return true;
        }
    }
    return name.len == 2 && lc_str_equal_nocase(name, LCORE_STR("te")) &&
           !lc_str_equal_nocase(value, LCORE_STR("trailers"));
}

static int
add(struct lc_buffer *out, struct lc_str name, struct lc_str value)
{
    nghttp2_nv field = {.name = (uint8_t *)name.data,
                        .namelen = name.len,
                        .value = (uint8_t *)value.data,
                        .valuelen = value.len,
                        .flags = NGHTTP2_NV_FLAG_NONE};
    return lc_buffer_append(out, &field, sizeof(field));
}

int
lc_h2_request_fields(struct lc_str head, bool is_https, struct lc_buffer *out, size_t *count)
{
    const char *line_end = memchr(head.data, '\r', head.len);
    const char *method_end = memchr(head.data, ' ', (size_t)(line_end - head.data));
    const char *target = method_end + 1;
    struct lc_str lines = {line_end + 2, head.len - (size_t)(line_end + 2 - head.data)};
    struct lc_str path = {target, (size_t)(line_end - target) - (sizeof(" HTTP/1.1") - 1)};
    out->len = 0;
    struct lc_str method = {head.data, (size_t)(method_end - head.data)};
    /* It is told whom to connect to, and nothing else (RFC 9113, 8.5). */
    bool is_connect = lc_str_equal(method, LCORE_STR("CONNECT"));
    int err = add(out, LCORE_STR(":method"), method);
    if (!is_connect) {
        err = err < 0 ? err : add(out, LCORE_STR(":scheme"), is_https ? LCORE_STR("https") : LCORE_STR("http"));
    }
    /* Pseudo-headers come before the others, and the first line is nearly always Host. */
    struct lc_str authority = lc_header_find(lines, LCORE_STR("host"));
    if (authority.data != NULL) {
        err = err < 0 ? err : add(out, LCORE_STR(":authority"), authority);
    }
    if (!is_connect) {
        err = err < 0 ? err : add(out, LCORE_STR(":path"), path);
    }
    size_t position = 0;
    struct lc_str name, value;
    while (err == 0 && lc_header_next(lines, &position, &name, &value)) {
        if (!(name.len == 4 && lc_str_equal_nocase(name, LCORE_STR("host"))) && !is_about_connection(name, value)) {
            err = add(out, name, value);
        }
    }
    *count = out->len / sizeof(nghttp2_nv);
    return err;
}
