/* A URL that needs nothing done to it is the common case and is recognised in one scan; everything else takes the long
 * way, part by part, into a buffer that was made large enough before. */
#include "http/url.h"

#include <arpa/inet.h>

enum {
    CHAR_UNRESERVED = 1 << 0,
    CHAR_USERINFO = 1 << 1, /* unreserved, sub-delims and ':' */
    CHAR_PATH = 1 << 2,     /* those and '@', '/' */
    CHAR_QUERY = 1 << 3,    /* those and '?' */
    CHAR_HOST = 1 << 4,     /* what a host name holds that needs no second look */
    CHAR_SAFE = 1 << 5,     /* what requote_uri() leaves alone */
};

#define S CHAR_SAFE
#define Q (CHAR_QUERY | S)
#define P (CHAR_PATH | Q)
#define D (CHAR_USERINFO | P)
#define U (CHAR_UNRESERVED | D)
#define H (CHAR_HOST | U)
/* clang-format off */
static const uint8_t char_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* control */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* control */
    0, D, 0, S, D, 0, D, D, D, D, D, D, D, H, H, P, /* blank to / */
    H, H, H, H, H, H, H, H, H, H, D, D, 0, D, 0, Q, /* 0 to ? */
    P, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* @ to O */
    U, U, U, U, U, U, U, U, U, U, U, S, 0, S, 0, H, /* P to _ */
    0, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, /* ` to o */
    H, H, H, H, H, H, H, H, H, H, H, 0, 0, 0, U, 0, /* p to ~ */
};
/* clang-format on */
#undef S
#undef Q
#undef P
#undef D
#undef U
#undef H

static bool
has_class(char c, unsigned mask)
{
    return (char_class[(unsigned char)c] & mask) != 0;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = lc_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte an escape stands for; -1 if `text` does not begin with one. */
static int
escape_value(const char *text, const char *end)
{
    if (end - text < 3 || text[0] != '%') {
        return -1;
    }
    int high = hex_value(text[1]), low = hex_value(text[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool
is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static struct lc_str
between(const char *start, const char *end)
{
    return (struct lc_str){start, (size_t)(end - start)};
}

static int
shown_len(struct lc_str text)
{
    return text.len > 120 ? 120 : (int)text.len;
}

size_t
lc_url_scheme_len(struct lc_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = lc_ascii_lower(text.data[i]);
        if (c == ':') {
            return i;
        }
        bool is_other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
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
                            "Invalid URL '%.*s': it has no scheme. Put http:// or https:// before it", shown_len(text),
                            text.data);
    }
    return lc_error_set(
        error, LCE_UNSUPPORTED,
        "URL '%.*s' is neither http nor https. Put http:// or https:// before it if its scheme is missing",
        shown_len(text), text.data);
}

static int
fail_url(struct lc_error *error, struct lc_str text, const char *why)
{
    return lc_error_set(error, LCE_URL, "Invalid URL '%.*s': %s", shown_len(text), text.data, why);
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
        if (c != '%' && !has_class(c, CHAR_UNRESERVED)) {
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
            return fail_url(error, out->text, "there is a blank or control character before its path");
        }
    }
    const char *at = memrchr(place, '@', authority.len);
    if (at != NULL) {
        const char *colon = memchr(place, ':', (size_t)(at - place));
        if (at > place) {
            out->user = between(place, colon == NULL ? at : colon);
        }
        if (colon != NULL) {
            out->password = between(colon + 1, at);
        }
        place = at + 1;
    }
    const char *port = NULL;
    if (place < end && *place == '[') {
        const char *close = memchr(place, ']', (size_t)(end - place));
        if (close == NULL || !is_ipv6(between(place + 1, close)) || (close + 1 < end && close[1] != ':')) {
            return fail_url(error, out->text, "what is in brackets must be an IPv6 address");
        }
        out->host = between(place + 1, close);
        out->is_ipv6 = true;
        port = close + 1 < end ? close + 2 : end;
    } else {
        const char *colon = memchr(place, ':', (size_t)(end - place));
        out->host = between(place, colon == NULL ? end : colon);
        port = colon == NULL ? end : colon + 1;
    }
    if (!parse_port(between(port, end), out)) {
        return fail_url(error, out->text, "its port is not a number from 0 to 65535");
    }
    if (out->host.len == 0) {
        return lc_error_set(error, LCE_URL_HOST, "Invalid URL '%.*s': it has no host. Write it as http://host/path",
                            shown_len(out->text), out->text.data);
    }
    if (out->host.data[0] == '.' || out->host.data[0] == '*') {
        return fail_url(error, out->text, "a host cannot begin like this");
    }
    const char *host_end = out->host.data + out->host.len;
    for (const char *c = out->host.data; c < host_end && !out->is_ipv6; c++) {
        int escaped = *c == '%' ? escape_value(c, host_end) : 'x';
        if (escaped < 0 || is_control((char)escaped) || *c == '[' || *c == ']') {
            return fail_url(error, out->text, "there is a character in its host that cannot be there");
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
    out->target = between(place, hash == NULL ? end : hash);
    if (hash != NULL) {
        out->fragment = between(hash + 1, end);
    }
    return 0;
}

/* Whether the '.' at `dot` may begin a dot segment; may be wrong in favour of yes. */
static bool
is_dot_segment(const char *dot, const char *end)
{
    return dot[-1] == '/' && (dot + 1 == end || dot[1] == '/' || dot[1] == '.' || dot[1] == '?');
}

bool
lc_url_is_clean_target(struct lc_str target)
{
    const char *place = target.data, *end = target.data + target.len;
    if (target.len == 0 || *place != '/') {
        return false;
    }
    /* Most are over after this. */
    while (place < end && has_class(*place, CHAR_PATH) && *place != '.') {
        place++;
    }
    unsigned mask = CHAR_PATH;
    for (; place < end; place++) {
        char c = *place;
        if (c == '.' && mask == CHAR_PATH && is_dot_segment(place, end)) {
            return false;
        }
        if (has_class(c, mask)) {
            continue;
        }
        if (c == '?' && mask == CHAR_PATH && place + 1 < end) {
            mask = CHAR_QUERY;
            continue;
        }
        int value = escape_value(place, end);
        if (value < 0 || has_class((char)value, CHAR_UNRESERVED) || place[1] > 'F' || place[2] > 'F') {
            return false;
        }
        place += 2;
    }
    return true;
}

/* The common case: nothing to do. False: take the long way. */
static bool
parse_clean(struct lc_str text, struct lc_url *out)
{
    const char *place = text.data, *end = text.data + text.len;
    bool is_https = false;
    if (text.len > 8 && memcmp(place, "http://", 7) == 0) {
        place += 7;
    } else if (text.len > 9 && memcmp(place, "https://", 8) == 0) {
        is_https = true;
        place += 8;
    } else {
        return false;
    }
    const char *host = place;
    while (place < end && has_class(*place, CHAR_HOST)) {
        place++;
    }
    struct lc_str name = between(host, place);
    if (name.len == 0 || *host == '.') {
        return false;
    }
    unsigned port = is_https ? 443 : 80;
    bool is_port_given = place < end && *place == ':';
    if (is_port_given) {
        const char *digits = ++place;
        port = 0;
        while (place < end && *place >= '0' && *place <= '9' && place - digits < 6) {
            port = port * 10 + (unsigned)(*place++ - '0');
        }
        if (port == 0 || port > 65535 || *digits == '0') {
            return false;
        }
    }
    struct lc_str target = between(place, end);
    if (!lc_url_is_clean_target(target)) {
        return false;
    }
    *out = (struct lc_url){
        .text = text,
        .host = name,
        .target = target,
        .port = (uint16_t)port,
        .is_https = is_https,
        .is_port_given = is_port_given,
        .is_host_ascii = true,
    };
    return true;
}

static char *
put_escape(char *out, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    *out++ = '%';
    *out++ = digits[c >> 4];
    *out++ = digits[c & 15];
    return out;
}

static char *
put(char *out, const void *data, size_t len)
{
    memcpy(out, data, len);
    return out + len;
}

static bool
are_all_escapes(struct lc_str text)
{
    const char *end = text.data + text.len;
    for (const char *place = text.data; place < end; place++) {
        if (*place == '%' && escape_value(place, end) < 0) {
            return false;
        }
    }
    return true;
}

/* A component, quoted where characters are not of the class. `is_unquoting`: escapes of unreserved characters are
 * undone. Needs room for three times its length. */
static char *
put_component(char *out, struct lc_str text, unsigned mask, bool is_unquoting)
{
    bool has_escapes = are_all_escapes(text);
    const char *end = text.data + text.len;
    for (const char *place = text.data; place < end; place++) {
        if (has_class(*place, mask)) {
            *out++ = *place;
        } else if (*place == '%' && has_escapes) {
            int value = escape_value(place, end);
            if (is_unquoting && has_class((char)value, CHAR_UNRESERVED)) {
                *out++ = (char)value;
            } else {
                out = put_escape(out, (unsigned char)value);
            }
            place += 2;
        } else {
            int value = escape_value(place, end);
            out = put_escape(out, (unsigned char)*place);
            if (value >= 0) {
                /* Capital digits, and then quoted all the same: that is what urllib3 makes of it. */
                char escape[3];
                put_escape(escape, (unsigned char)value);
                out = put(out, escape + 1, 2);
                place += 2;
            }
        }
    }
    return out;
}

static char *
put_host(char *out, const struct lc_url *url)
{
    const char *end = url->host.data + url->host.len;
    if (url->is_ipv6) {
        const char *zone = memchr(url->host.data, '%', url->host.len);
        *out++ = '[';
        for (const char *place = url->host.data; place < end; place++) {
            *out++ = zone == NULL || place < zone ? lc_ascii_lower(*place) : *place;
        }
        *out++ = ']';
        return out;
    }
    for (const char *place = url->host.data; place < end; place++) {
        int escaped = escape_value(place, end);
        if (escaped >= 0) {
            if (has_class((char)escaped, CHAR_UNRESERVED)) {
                *out++ = lc_ascii_lower((char)escaped);
            } else {
                out = put_escape(out, (unsigned char)escaped);
            }
            place += 2;
        } else if ((unsigned char)*place > 127 || has_class(*place, CHAR_SAFE)) {
            *out++ = lc_ascii_lower(*place);
        } else {
            out = put_escape(out, (unsigned char)*place);
        }
    }
    return out;
}

/* Removes dot segments the way urllib3 does: segments are a list, ".." takes the last one off, even the empty one
 * before the first slash. Writes no more than path.len + 1 bytes. */
static struct lc_str
remove_dots(char *out, struct lc_str path)
{
    const char *place = path.data, *end = path.data + path.len;
    size_t len = 0, count = 0;
    struct lc_str segment = {0};
    for (;;) {
        const char *slash = memchr(place, '/', (size_t)(end - place));
        segment = between(place, slash == NULL ? end : slash);
        if (lc_str_equal(segment, LCORE_STR(".."))) {
            if (count > 0) {
                count--;
                const char *last = count == 0 ? NULL : memrchr(out, '/', len);
                len = last == NULL ? 0 : (size_t)(last - out);
            }
        } else if (!lc_str_equal(segment, LCORE_STR("."))) {
            if (count++ > 0) {
                out[len++] = '/';
            }
            memcpy(out + len, segment.data, segment.len);
            len += segment.len;
        }
        if (slash == NULL) {
            break;
        }
        place = slash + 1;
    }
    bool is_first_empty = count > 0 && (len == 0 || out[0] == '/');
    if (path.data[0] == '/' && !is_first_empty) {
        if (count > 0) {
            memmove(out + 1, out, len);
            out[0] = '/';
            len++;
        }
        count++;
    }
    if (lc_str_equal(segment, LCORE_STR(".")) || lc_str_equal(segment, LCORE_STR(".."))) {
        if (path.len > segment.len && count > 0) {
            out[len++] = '/';
        }
    }
    return (struct lc_str){out, len};
}

static struct lc_str
split_query(struct lc_str target, struct lc_str *query)
{
    const char *mark = target.len == 0 ? NULL : memchr(target.data, '?', target.len);
    if (mark == NULL) {
        *query = (struct lc_str){0};
        return target;
    }
    *query = between(mark + 1, target.data + target.len);
    return between(target.data, mark);
}

static struct lc_str
trim_front(struct lc_str text)
{
    while (text.len > 0) {
        char c = text.data[0];
        if (c != ' ' && !(c >= '\t' && c <= '\r') && !(c >= 0x1c && c <= 0x1f)) {
            break;
        }
        text.data++;
        text.len--;
    }
    return text;
}

static int
prepare(struct lc_str text, bool is_keeping_dots, struct lc_buffer *scratch, struct lc_url *out, struct lc_error *error)
{
    scratch->len = 0;
    if (parse_clean(text, out)) {
        return 0;
    }
    struct lc_url raw;
    int err = lc_url_parse(trim_front(text), &raw, error);
    if (err < 0) {
        return err;
    }
    size_t room = raw.text.len * 3 + 32;
    err = lc_buffer_reserve(scratch, room + raw.target.len + 1);
    if (err < 0) {
        return lc_error_set(error, err, "out of memory for a URL of %zu bytes", text.len);
    }
    /* Dot segments are resolved behind the place of the result, from where the path is quoted into it. */
    char *spare = scratch->data + room;
    *out = raw;
    char *place = scratch->data;
    out->text.data = place;
    place = raw.is_https ? put(place, "https://", 8) : put(place, "http://", 7);
    if (raw.user.data != NULL) {
        out->user.data = place;
        place = put_component(place, raw.user, CHAR_USERINFO, true);
        out->user.len = (size_t)(place - out->user.data);
        if (raw.password.data != NULL) {
            *place++ = ':';
            out->password.data = place;
            place = put_component(place, raw.password, CHAR_USERINFO, true);
            out->password.len = (size_t)(place - out->password.data);
        }
        *place++ = '@';
    }
    char *host = place;
    place = put_host(place, &raw);
    out->host = raw.is_ipv6 ? between(host + 1, place - 1) : between(host, place);
    if (*host == '.') {
        return fail_url(error, raw.text, "a host cannot begin like this");
    }
    if (raw.port == 0) {
        out->port = raw.is_https ? 443 : 80;
        out->is_port_given = false;
    } else if (raw.is_port_given) {
        char digits[6];
        size_t start = sizeof(digits);
        for (unsigned port = raw.port; port > 0; port /= 10) {
            digits[--start] = (char)('0' + port % 10);
        }
        digits[--start] = ':';
        place = put(place, digits + start, sizeof(digits) - start);
    }
    char *target = place;
    struct lc_str query;
    struct lc_str path = split_query(raw.target, &query);
    if (path.len > 0 && !is_keeping_dots) {
        path = remove_dots(spare, path);
    }
    if (path.len == 0 || path.data[0] != '/') {
        *place++ = '/';
    }
    place = put_component(place, path, CHAR_PATH, true);
    if (query.len > 0) {
        *place++ = '?';
        place = put_component(place, query, CHAR_QUERY, true);
    }
    out->target = between(target, place);
    out->fragment = (struct lc_str){0};
    if (raw.fragment.len > 0) {
        *place++ = '#';
        out->fragment.data = place;
        place = put_component(place, raw.fragment, CHAR_QUERY, true);
        out->fragment.len = (size_t)(place - out->fragment.data);
    }
    scratch->len = (size_t)(place - scratch->data);
    out->text.len = scratch->len;
    return 0;
}

int
lc_url_prepare(struct lc_str text, struct lc_buffer *scratch, struct lc_url *out, struct lc_error *error)
{
    return prepare(text, false, scratch, out, error);
}

int
lc_url_prepare_keeping_dots(struct lc_str text, struct lc_buffer *scratch, struct lc_url *out, struct lc_error *error)
{
    return prepare(text, true, scratch, out, error);
}

/* As lc_url_parse(), but port 0 is the default one, as in requests. */
static int
parse_settled(struct lc_str text, struct lc_url *out, struct lc_error *error)
{
    int err = lc_url_parse(text, out, error);
    if (err == 0 && out->port == 0) {
        out->port = out->is_https ? 443 : 80;
        out->is_port_given = false;
    }
    return err;
}

int
lc_url_settle(struct lc_buffer *scratch, struct lc_url *out, struct lc_error *error)
{
    size_t len = scratch->len;
    int err = parse_settled((struct lc_str){scratch->data, len}, out, error);
    if (err < 0) {
        return err;
    }
    struct lc_str query;
    struct lc_str path = split_query(out->target, &query);
    if (path.len == 0 && query.len == 0) {
        out->target = LCORE_STR("/");
        return 0;
    }
    /* Room made now moves the text, so that it is cut up again. */
    err = lc_buffer_reserve(scratch, out->target.len * 3 + 1);
    if (err < 0) {
        return lc_error_set(error, err, "out of memory for a URL of %zu bytes", len);
    }
    err = parse_settled((struct lc_str){scratch->data, len}, out, error);
    if (err < 0) {
        return err;
    }
    path = split_query(out->target, &query);
    char *target = scratch->data + len;
    char *place = target;
    if (path.len == 0 || path.data[0] != '/') {
        *place++ = '/';
    }
    place = put_component(place, path, CHAR_PATH, false);
    if (query.len > 0) {
        *place++ = '?';
        place = put_component(place, query, CHAR_QUERY, false);
    }
    struct lc_str wire = between(target, place);
    if (!lc_str_equal(wire, out->target)) {
        out->target = wire;
        scratch->len += wire.len;
    }
    return 0;
}

int
lc_url_requote(struct lc_str text, struct lc_buffer *out)
{
    int err = lc_buffer_reserve(out, text.len * 3);
    if (err < 0) {
        return err;
    }
    /* requests looks at an escape only if two letters or digits follow the '%'; others it leaves as they are. */
    bool is_valid = true;
    for (size_t i = 0; i + 2 < text.len && is_valid; i++) {
        if (text.data[i] == '%') {
            bool is_alnum = true;
            for (size_t k = 1; k <= 2; k++) {
                char c = lc_ascii_lower(text.data[i + k]);
                is_alnum = is_alnum && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
            }
            is_valid = !is_alnum || escape_value(text.data + i, text.data + text.len) >= 0;
        }
    }
    char *place = out->data + out->len;
    const char *end = text.data + text.len;
    for (const char *c = text.data; c < end; c++) {
        int value = escape_value(c, end);
        if (is_valid && value >= 0 && has_class((char)value, CHAR_UNRESERVED)) {
            *place++ = (char)value;
            c += 2;
        } else if (has_class(*c, CHAR_SAFE) || (*c == '%' && is_valid)) {
            *place++ = *c;
        } else {
            place = put_escape(place, (unsigned char)*c);
        }
    }
    out->len = (size_t)(place - out->data);
    return 0;
}

/* A URL or reference cut as urllib.parse.urlsplit() does; host includes credentials and port. */
struct reference {
    struct lc_str scheme, host, path, query, fragment;
    bool has_host;
};

static void
split_reference(struct lc_str text, struct reference *out)
{
    *out = (struct reference){0};
    size_t scheme_len = lc_url_scheme_len(text);
    const char *place = text.data, *end = text.data + text.len;
    if (scheme_len > 0) {
        out->scheme = (struct lc_str){place, scheme_len};
        place += scheme_len + 1;
    }
    if (end - place >= 2 && place[0] == '/' && place[1] == '/') {
        const char *host = place += 2;
        while (place < end && *place != '/' && *place != '?' && *place != '#') {
            place++;
        }
        out->host = between(host, place);
        out->has_host = out->host.len > 0;
    }
    const char *hash = place == end ? NULL : memchr(place, '#', (size_t)(end - place));
    if (hash != NULL) {
        out->fragment = between(hash + 1, end);
        end = hash;
    }
    out->path = split_query(between(place, end), &out->query);
    /* Parameters of the last segment that are empty are dropped. */
    size_t segment = out->path.len;
    while (segment > 0 && out->path.data[segment - 1] != '/') {
        segment--;
    }
    const char *first = out->path.len == 0 ? NULL : memchr(out->path.data + segment, ';', out->path.len - segment);
    if (first != NULL && first + 1 == out->path.data + out->path.len) {
        out->path.len--;
    }
}

/* Where urljoin() merges paths: segments of the base but its last, then those of the reference, without empty ones in
 * between; ".." takes the last one off. */
struct path_merge {
    struct lc_buffer *out;
    size_t start; /* of the path in out */
    size_t count; /* segments in out, joined by '/' */
};

static int
merge_segment(struct path_merge *merge, struct lc_str segment)
{
    struct lc_buffer *out = merge->out;
    if (lc_str_equal(segment, LCORE_STR(".."))) {
        if (merge->count > 0) {
            merge->count--;
            const char *path = out->data + merge->start;
            const char *last = merge->count == 0 ? NULL : memrchr(path, '/', out->len - merge->start);
            out->len = last == NULL ? merge->start : (size_t)(last - out->data);
        }
        return 0;
    }
    if (lc_str_equal(segment, LCORE_STR("."))) {
        return 0;
    }
    int err = merge->count++ > 0 ? lc_buffer_append(out, "/", 1) : 0;
    return err < 0 ? err : lc_buffer_append_str(out, segment);
}

static int
merge_paths(struct lc_str base, struct lc_str path, struct lc_buffer *out)
{
    struct path_merge merge = {.out = out, .start = out->len};
    bool is_absolute = path.len > 0 && path.data[0] == '/';
    bool is_first = true;
    const char *last_slash = base.len == 0 ? NULL : memrchr(base.data, '/', base.len);
    int err = 0;
    if (!is_absolute && last_slash != NULL) {
        const char *place = base.data;
        while (place <= last_slash && err == 0) {
            const char *slash = place;
            while (*slash != '/') {
                slash++;
            }
            if (is_first || slash > place) {
                err = merge_segment(&merge, between(place, slash));
            }
            is_first = false;
            place = slash + 1;
        }
    }
    const char *place = path.data, *end = path.data + path.len;
    bool is_last = false;
    struct lc_str segment = {0};
    while (!is_last && err == 0) {
        const char *slash = place == end ? NULL : memchr(place, '/', (size_t)(end - place));
        is_last = slash == NULL;
        segment = between(place, is_last ? end : slash);
        if (is_absolute || is_first || is_last || segment.len > 0) {
            err = merge_segment(&merge, segment);
        }
        is_first = false;
        place = is_last ? end : slash + 1;
    }
    if (err == 0 && (lc_str_equal(segment, LCORE_STR(".")) || lc_str_equal(segment, LCORE_STR("..")))) {
        err = merge_segment(&merge, (struct lc_str){0});
    }
    if (err < 0 || (out->len > merge.start && out->data[merge.start] == '/')) {
        return err;
    }
    err = lc_buffer_reserve(out, 1);
    if (err == 0) {
        char *start = out->data + merge.start;
        memmove(start + 1, start, out->len++ - merge.start);
        *start = '/';
    }
    return err;
}

static int
append_part(struct lc_buffer *out, const char *mark, struct lc_str part)
{
    if (part.len == 0) {
        return 0;
    }
    int err = lc_buffer_append(out, mark, strlen(mark));
    return err < 0 ? err : lc_buffer_append_str(out, part);
}

int
lc_url_join(struct lc_str base, struct lc_str reference, struct lc_buffer *out)
{
    if (reference.len == 0) {
        return lc_buffer_append_str(out, base);
    }
    struct reference root, rest;
    split_reference(base, &root);
    split_reference(reference, &rest);
    if (rest.scheme.len > 0 && !lc_str_equal_nocase(rest.scheme, root.scheme)) {
        return lc_buffer_append_str(out, reference);
    }
    size_t start = out->len;
    int err = lc_buffer_append_str(out, root.scheme);
    for (size_t i = start; i < out->len; i++) {
        out->data[i] = lc_ascii_lower(out->data[i]);
    }
    if (err == 0) {
        err = lc_buffer_append(out, "://", 3);
    }
    if (err == 0) {
        err = lc_buffer_append_str(out, rest.has_host ? rest.host : root.host);
    }
    if (err < 0) {
        return err;
    }
    struct lc_str query = rest.query;
    if (rest.has_host) {
        err = lc_buffer_append_str(out, rest.path);
    } else if (rest.path.len == 0) {
        query = rest.query.len > 0 ? rest.query : root.query;
        err = lc_buffer_append_str(out, root.path);
    } else {
        err = merge_paths(root.path, rest.path, out);
    }
    if (err == 0) {
        err = append_part(out, "?", query);
    }
    return err < 0 ? err : append_part(out, "#", rest.fragment);
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
        int value = escape_value(place, end);
        if (value >= 0) {
            place += 2;
        }
        out->data[out->len++] = value >= 0 ? (char)value : *place;
    }
    return 0;
}
