#include "http/redirect.h"

bool
lc_redirect_is_due(int status, struct lc_str location)
{
    switch (status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return location.data != NULL && location.len > 0;
    default:
        return false;
    }
}

struct lc_str
lc_redirect_method(int status, struct lc_str method)
{
    bool is_get = false;
    if (status == 302 || status == 303) {
        is_get = !lc_str_equal(method, LCORE_STR("HEAD"));
    } else if (status == 301) {
        is_get = lc_str_equal(method, LCORE_STR("POST"));
    }
    return is_get ? LCORE_STR("GET") : method;
}

bool
lc_redirect_keeps_body(int status)
{
    return status == 307 || status == 308;
}

bool
lc_redirect_is_body_header(struct lc_str name)
{
    return lc_str_equal_nocase(name, LCORE_STR("content-length")) ||
           lc_str_equal_nocase(name, LCORE_STR("content-type")) ||
           lc_str_equal_nocase(name, LCORE_STR("transfer-encoding"));
}

static bool
is_default_port(const struct lc_url *url)
{
    return url->port == (url->is_https ? 443 : 80);
}

bool
lc_redirect_strips_auth(const struct lc_url *from, const struct lc_url *to)
{
    if (!lc_str_equal_nocase(from->host, to->host)) {
        return true;
    }
    if (from->is_https == to->is_https) {
        return from->port != to->port;
    }
    return from->is_https || !is_default_port(from) || !is_default_port(to);
}

/* The location with its scheme in lower case, without empty query and fragment, and with the inherited fragment. */
static int
append_location(const struct lc_url *from, struct lc_str location, struct lc_buffer *out, bool *has_host)
{
    static const char *const schemes[2] = {"http", "https"};
    if (location.len >= 2 && memcmp(location.data, "//", 2) == 0) {
        int err = lc_buffer_append_str(out, lc_str_from(schemes[from->is_https]));
        if (err == 0) {
            err = lc_buffer_append(out, ":", 1);
        }
        if (err < 0) {
            return err;
        }
    }
    const char *hash = memchr(location.data, '#', location.len);
    struct lc_str rest = {location.data, hash == NULL ? location.len : (size_t)(hash - location.data)};
    struct lc_str fragment = {0};
    if (hash != NULL) {
        fragment = (struct lc_str){hash + 1, location.len - rest.len - 1};
    }
    if (fragment.len == 0) {
        fragment = from->fragment;
    }
    const char *query = memchr(rest.data, '?', rest.len);
    if (query != NULL && query + 1 == rest.data + rest.len) {
        rest.len--;
    }
    size_t start = out->len;
    int err = lc_buffer_append_str(out, rest);
    if (err < 0) {
        return err;
    }
    size_t scheme_len = lc_url_scheme_len(rest);
    for (size_t i = start; i < start + scheme_len; i++) {
        out->data[i] = lc_ascii_lower(out->data[i]);
    }
    size_t path = scheme_len == 0 ? 0 : scheme_len + 1;
    *has_host = start > 0 || (rest.len >= path + 3 && memcmp(rest.data + path, "//", 2) == 0 &&
                              memchr("/?", rest.data[path + 2], 2) == NULL);
    if (fragment.len > 0) {
        err = lc_buffer_append(out, "#", 1);
        if (err == 0) {
            err = lc_buffer_append_str(out, fragment);
        }
    }
    return err;
}

int
lc_redirect_url(const struct lc_url *from, struct lc_str location, struct lc_buffer *scratch, struct lc_url *out,
                struct lc_error *error)
{
    struct lc_buffer plain = {0}, quoted = {0};
    bool has_host;
    int err = append_location(from, location, &plain, &has_host);
    if (err < 0) {
        goto done;
    }
    scratch->len = 0;
    err = lc_url_requote((struct lc_str){plain.data, plain.len}, has_host ? scratch : &quoted);
    if (err == 0 && !has_host) {
        err = lc_url_join(from->text, (struct lc_str){quoted.data, quoted.len}, scratch);
    }
    if (err == 0) {
        err = lc_url_settle(scratch, out, error);
    }
done:
    lc_buffer_fini(&plain);
    lc_buffer_fini(&quoted);
    return err == LCE_NOMEM ? lc_error_set(error, LCE_NOMEM, "out of memory for the URL of a redirect") : err;
}
