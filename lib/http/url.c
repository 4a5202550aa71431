#include "http/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "http/url_text.h"

static bool
is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

size_t
lc_url_scheme_len(struct lc_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = lc_ascii_lower(text.data[i]);
        if (c == ':') {
            return i;
        }
        bool is_other = lc_ascii_is_digit(c) || c == '+' || c == '-' || c == '.';
        if (!(c >= 'a' && c <= 'z') && (i == 0 || !is_other)) {
            return 0;
        }
    }
    return 0;
}

static int
parse_scheme(struct lc_str text, size_t *len, bool *is_https, struct lc_error *error)
{
    *len = lc_url_scheme_len(text);
    struct lc_str scheme = {text.data, *len};
    if (lc_str_equal_nocase(scheme, LCORE_STR("http"))) {
        *is_https = false;
        return 0;
    }
    if (lc_str_equal_nocase(scheme, LCORE_STR("https"))) {
        *is_https = true;
        return 0;
    }
    bool has_colon = text.len > 0 && memchr(text.data, ':', text.len) != NULL;
    bool is_dotted = *len > 0 && memchr(scheme.data, '.', *len) != NULL;
    if (!has_colon || (lc_str_starts_nocase(text, LCORE_STR("http")) && (*len == 0 || is_dotted))) {
        return lc_error_set(error, LCE_URL_SCHEME,
                            "Invalid URL '%.*s': it has no scheme. Put http:// or https:// before it",
                            lc__url_shown_len(text), text.data);
    }
    return lc_error_set(
        error, LCE_UNSUPPORTED,
        "URL '%.*s' is neither http nor https. Put http:// or https:// before it if its scheme is missing",
        lc__url_shown_len(text), text.data);
}

/* Digits behind the host's colon; none mean the default. */
static bool
parse_port(struct lc_str digits, struct lc_url *out)
{
    if (digits.len == 0) {
        return true;
    }
    uint64_t port;
    if (!lc_str_to_u64(digits, &port) || port > 65535) {
        return false;
    }
    out->port = (uint16_t)port;
    out->is_port_given = true;
    return true;
}

/* An IPv6 address, with a zone perhaps. */
static bool
is_ipv6(struct lc_str host)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    const char *zone = memchr(host.data, '%', host.len);
    size_t len = zone == NULL ? host.len : (size_t)(zone - host.data);
    if (len >= sizeof(address) || (zone != NULL && len + 1 == host.len) || memchr(host.data, '\0', len) != NULL) {
        return false;
    }
    memcpy(address, host.data, len);
    address[len] = '\0';
    for (size_t i = len; i < host.len; i++) {
        char c = host.data[i];
        if (c != '%' && !lc__url_has_class(c, LCORE_URL_UNRESERVED)) {
            return false;
        }
    }
    return inet_pton(AF_INET6, address, &ignored) == 1;
}

static int
parse_authority(struct lc_str authority, struct lc_url *out, struct lc_error *error)
{
    const char *place = authority.data, *end = authority.data + authority.len;
    for (size_t i = 0; i < authority.len; i++) {
        if (is_control(place[i]) || place[i] == ' ') {
            return lc__url_fail(error, out->text, "there is a blank or control character before its path");
        }
    }
    const char *at = memrchr(place, '@', authority.len);
    if (at != NULL) {
        const char *colon = memchr(place, ':', (size_t)(at - place));
        if (at > place) {
            out->user = lc__url_between(place, colon == NULL ? at : colon);
        }
        if (colon != NULL) {
            out->password = lc__url_between(colon + 1, at);
        }
        place = at + 1;
    }
    const char *port = NULL;
    if (place < end && *place == '[') {
        const char *close = memchr(place, ']', (size_t)(end - place));
        if (close == NULL || !is_ipv6(lc__url_between(place + 1, close)) || (close + 1 < end && close[1] != ':')) {
            return lc__url_fail(error, out->text, "what is in brackets must be an IPv6 address");
        }
        out->host = lc__url_between(place + 1, close);
        out->is_ipv6 = true;
        port = close + 1 < end ? close + 2 : end;
    } else {
        const char *colon = memchr(place, ':', (size_t)(end - place));
        out->host = lc__url_between(place, colon == NULL ? end : colon);
        port = colon == NULL ? end : colon + 1;
    }
    if (!parse_port(lc__url_between(port, end), out)) {
        return lc__url_fail(error, out->text, "its port is not a number from 0 to 65535");
    }
    if (out->host.len == 0) {
        return lc_error_set(error, LCE_URL_HOST, "Invalid URL '%.*s': it has no host. Write it as http://host/path",
                            lc__url_shown_len(out->text), out->text.data);
    }
    if (out->host.data[0] == '.' || out->host.data[0] == '*') {
        return lc__url_fail(error, out->text, "a host cannot begin like this");
    }
    const char *host_end = out->host.data + out->host.len;
    for (const char *c = out->host.data; c < host_end && !out->is_ipv6; c++) {
        int escaped = *c == '%' ? lc__url_escape_value(c, host_end) : 'x';
        if (escaped < 0 || is_control((char)escaped) || *c == '[' || *c == ']') {
            return lc__url_fail(error, out->text, "there is a character in its host that cannot be there");
        }
        if ((unsigned char)*c > 127) {
            out->is_host_ascii = false;
        }
    }
    return 0;
}

int
lc_url_parse(struct lc_str text, struct lc_url *out, struct lc_error *error)
{
    size_t scheme_len;
    bool is_https = false;
    int err = parse_scheme(text, &scheme_len, &is_https, error);
    if (err < 0) {
        return err;
    }
    *out = (struct lc_url){
        .text = text,
        .is_https = is_https,
        .is_host_ascii = true,
        .port = is_https ? 443 : 80,
    };
    const char *place = text.data + scheme_len + 1, *end = text.data + text.len;
    struct lc_str authority = {place, 0};
    if (end - place >= 2 && place[0] == '/' && place[1] == '/') {
        authority.data = place += 2;
        while (place < end && *place != '/' && *place != '\\' && *place != '?' && *place != '#') {
            place++;
        }
        authority.len = (size_t)(place - authority.data);
    }
    err = parse_authority(authority, out, error);
    if (err < 0) {
        return err;
    }
    const char *hash = memchr(place, '#', (size_t)(end - place));
    out->target = lc__url_between(place, hash == NULL ? end : hash);
    if (hash != NULL) {
        out->fragment = lc__url_between(hash + 1, end);
    }
    return 0;
}

int
lc_url_append_host(const struct lc_url *url, struct lc_buffer *out)
{
    int err = lc_buffer_reserve(out, url->host.len + sizeof("[]:65535"));
    if (err < 0) {
        return err;
    }
    struct lc_str host = url->host;
    if (url->is_ipv6) {
        const char *zone = memchr(host.data, '%', host.len);
        host.len = zone == NULL ? host.len : (size_t)(zone - host.data);
        out->data[out->len++] = '[';
    }
    for (size_t i = 0; i < host.len; i++) {
        out->data[out->len++] = lc_ascii_lower(host.data[i]);
    }
    if (url->is_ipv6) {
        out->data[out->len++] = ']';
    }
    if (url->port == (url->is_https ? 443 : 80)) {
        return 0;
    }
    out->data[out->len++] = ':';
    return lc_buffer_append_u64(out, url->port);
}

int
lc_url_unquote(struct lc_str text, struct lc_buffer *out)
{
    int err = lc_buffer_reserve(out, text.len);
    if (err < 0) {
        return err;
    }
    const char *end = text.data + text.len;
    for (const char *place = text.data; place < end; place++) {
        int value = lc__url_escape_value(place, end);
        if (value >= 0) {
            place += 2;
        }
        out->data[out->len++] = value >= 0 ? (char)value : *place;
    }
    return 0;
}
