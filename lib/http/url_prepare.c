/* URLs as `requests` sends them. One that needs nothing done to it is the common case and is recognised in one scan;
 * everything else takes the long way, part by part, into a buffer that was made large enough before. */
#include <string.h>

#include "http/url.h"
#include "http/url_text.h"

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
    while (place < end && lc__url_has_class(*place, LCORE_URL_PATH) && *place != '.') {
        place++;
    }
    unsigned mask = LCORE_URL_PATH;
    for (; place < end; place++) {
        char c = *place;
        if (c == '.' && mask == LCORE_URL_PATH && is_dot_segment(place, end)) {
            return false;
        }
        if (lc__url_has_class(c, mask)) {
            continue;
        }
        if (c == '?' && mask == LCORE_URL_PATH && place + 1 < end) {
            mask = LCORE_URL_QUERY;
            continue;
        }
        int value = lc__url_escape_value(place, end);
        if (value < 0 || lc__url_has_class((char)value, LCORE_URL_UNRESERVED) || place[1] > 'F' || place[2] > 'F') {
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
    while (place < end && lc__url_has_class(*place, LCORE_URL_HOST)) {
        place++;
    }
    struct lc_str name = lc__url_between(host, place);
    if (name.len == 0 || *host == '.') {
        return false;
    }
    unsigned port = is_https ? 443 : 80;
    bool is_port_given = place < end && *place == ':';
    if (is_port_given) {
        const char *digits = ++place;
        port = 0;
        while (place < end && lc_ascii_is_digit(*place) && place - digits < 6) {
            port = port * 10 + (unsigned)(*place++ - '0');
        }
        if (port == 0 || port > 65535 || *digits == '0') {
            return false;
        }
    }
    struct lc_str target = lc__url_between(place, end);
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
        if (*place == '%' && lc__url_escape_value(place, end) < 0) {
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
        if (lc__url_has_class(*place, mask)) {
            *out++ = *place;
        } else if (*place == '%' && has_escapes) {
            int value = lc__url_escape_value(place, end);
            if (is_unquoting && lc__url_has_class((char)value, LCORE_URL_UNRESERVED)) {
                *out++ = (char)value;
            } else {
                out = put_escape(out, (unsigned char)value);
            }
            place += 2;
        } else {
            int value = lc__url_escape_value(place, end);
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
        int escaped = lc__url_escape_value(place, end);
        if (escaped >= 0) {
            if (lc__url_has_class((char)escaped, LCORE_URL_UNRESERVED)) {
                *out++ = lc_ascii_lower((char)escaped);
            } else {
                out = put_escape(out, (unsigned char)escaped);
            }
            place += 2;
        } else if ((unsigned char)*place > 127 || lc__url_has_class(*place, LCORE_URL_SAFE)) {
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
        segment = lc__url_between(place, slash == NULL ? end : slash);
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

/* What lc_url_requote() appends, at `out`, where there is room for three times its length; returns its end. */
static char *
requote(char *out, struct lc_str text)
{
    /* requests looks at an escape only if two letters or digits follow the '%'; others it leaves as they are. */
    bool is_valid = true;
    for (size_t i = 0; i + 2 < text.len && is_valid; i++) {
        if (text.data[i] == '%') {
            bool is_alnum = true;
            for (size_t k = 1; k <= 2; k++) {
                char c = lc_ascii_lower(text.data[i + k]);
                is_alnum = is_alnum && ((c >= 'a' && c <= 'z') || lc_ascii_is_digit(c));
            }
            is_valid = !is_alnum || lc__url_escape_value(text.data + i, text.data + text.len) >= 0;
        }
    }
    const char *end = text.data + text.len;
    for (const char *c = text.data; c < end; c++) {
        int value = lc__url_escape_value(c, end);
        if (is_valid && value >= 0 && lc__url_has_class((char)value, LCORE_URL_UNRESERVED)) {
            *out++ = (char)value;
            c += 2;
        } else if (lc__url_has_class(*c, LCORE_URL_SAFE) || (*c == '%' && is_valid)) {
            *out++ = *c;
        } else {
            out = put_escape(out, (unsigned char)*c);
        }
    }
    return out;
}

/* urlsplit() of Python drops them anywhere. */
static struct lc_str
without_line_ends(char *out, struct lc_str text)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c != '\t' && c != '\r' && c != '\n') {
            out[len++] = c;
        }
    }
    return (struct lc_str){out, len};
}

/* What of `raw` has its place between scheme and host, at `place`; `prepared` is told of it. Returns the end. */
static char *
put_credentials(char *place, const struct lc_url *raw, struct lc_url *prepared)
{
    if (raw->user.data == NULL) {
        return place;
    }
    prepared->user.data = place;
    place = put_component(place, raw->user, LCORE_URL_USERINFO, true);
    prepared->user.len = (size_t)(place - prepared->user.data);
    if (raw->password.data != NULL) {
        *place++ = ':';
        prepared->password.data = place;
        place = put_component(place, raw->password, LCORE_URL_USERINFO, true);
        prepared->password.len = (size_t)(place - prepared->password.data);
    }
    *place++ = '@';
    return place;
}

/* The same with the port. Port 0 is the default one, as in requests. */
static char *
put_port(char *place, const struct lc_url *raw, struct lc_url *prepared)
{
    if (raw->port == 0) {
        prepared->port = raw->is_https ? 443 : 80;
        prepared->is_port_given = false;
    } else if (raw->is_port_given) {
        char digits[6];
        size_t start = sizeof(digits);
        for (unsigned port = raw->port; port > 0; port /= 10) {
            digits[--start] = (char)('0' + port % 10);
        }
        digits[--start] = ':';
        place = put(place, digits + start, sizeof(digits) - start);
    }
    return place;
}

/* Path and query at `out`, for which there is room enough; returns their end. `spare`: path.len + 1 bytes. */
static char *
put_target(char *out, struct lc_str target, char *spare)
{
    struct lc_str query;
    struct lc_str path = lc__url_split_query(target, &query);
    if (path.len > 0) {
        path = remove_dots(spare, path);
    }
    if (path.len == 0 || path.data[0] != '/') {
        *out++ = '/';
    }
    out = put_component(out, path, LCORE_URL_PATH, true);
    if (query.len > 0) {
        *out++ = '?';
        out = put_component(out, query, LCORE_URL_QUERY, true);
    }
    return out;
}

static char *
put_target_loosely(char *out, struct lc_str target)
{
    struct lc_str query;
    struct lc_str path = lc__url_split_query(target, &query);
    if (path.len == 0 || path.data[0] != '/') {
        *out++ = '/';
    }
    return requote(out, query.len == 0 ? path : target);
}

static int
prepare(struct lc_str text, bool is_loose, struct lc_buffer *scratch, struct lc_url *out, struct lc_error *error)
{
    scratch->len = 0;
    if (parse_clean(text, out)) {
        return 0;
    }
    size_t room = text.len * 3 + 32;
    int err = lc_buffer_reserve(scratch, room + text.len + 1);
    if (err < 0) {
        return lc_error_set(error, err, "out of memory for a URL of %zu bytes", text.len);
    }
    /* Behind the place of the result is what it is made from: the text without line ends, or the path without dots. */
    char *spare = scratch->data + room;
    struct lc_url raw;
    err = lc_url_parse(trim_front(is_loose ? without_line_ends(spare, text) : text), &raw, error);
    if (err < 0) {
        return err;
    }
    *out = raw;
    char *place = scratch->data;
    out->text.data = place;
    place = raw.is_https ? put(place, "https://", 8) : put(place, "http://", 7);
    place = put_credentials(place, &raw, out);
    char *host = place;
    place = put_host(place, &raw);
    out->host = raw.is_ipv6 ? lc__url_between(host + 1, place - 1) : lc__url_between(host, place);
    if (*host == '.') {
        return lc__url_fail(error, raw.text, "a host cannot begin like this");
    }
    place = put_port(place, &raw, out);
    char *target = place;
    place = is_loose ? put_target_loosely(place, raw.target) : put_target(place, raw.target, spare);
    out->target = lc__url_between(target, place);
    out->fragment = (struct lc_str){0};
    if (raw.fragment.len > 0) {
        *place++ = '#';
        out->fragment.data = place;
        place = put_component(place, raw.fragment, LCORE_URL_QUERY, true);
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
lc_url_prepare_loosely(struct lc_str text, struct lc_buffer *scratch, struct lc_url *out, struct lc_error *error)
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
    struct lc_str path = lc__url_split_query(out->target, &query);
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
    path = lc__url_split_query(out->target, &query);
    char *target = scratch->data + len;
    char *place = target;
    if (path.len == 0 || path.data[0] != '/') {
        *place++ = '/';
    }
    place = put_component(place, path, LCORE_URL_PATH, false);
    if (query.len > 0) {
        *place++ = '?';
        place = put_component(place, query, LCORE_URL_QUERY, false);
    }
    struct lc_str wire = lc__url_between(target, place);
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
    if (err == 0) {
        out->len = (size_t)(requote(out->data + out->len, text) - out->data);
    }
    return err;
}
