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

static struct lc_str
without_empty_query(struct lc_str text)
{
    const char *query = memchr(text.data, '?', text.len);
    if (query != NULL && query + 1 == text.data + text.len) {
        text.len--;
    }
    return text;
}

/* Appends the location as urlparse() and geturl() of Python would write it: a scheme is there if a host is, in lower
 * case; what follows a scheme without a host is an absolute path; empty query and fragment go, and the fragment is
 * inherited. */
static int
append_location(const struct lc_url *from, struct lc_str location, struct lc_buffer *out, bool *has_host)
{
    const char *hash = memchr(location.data, '#', location.len);
    struct lc_str fragment = {0};
    if (hash != NULL) {
        fragment = (struct lc_str){hash + 1, (size_t)(location.data + location.len - hash - 1)};
        location.len = (size_t)(hash - location.data);
    }
    if (fragment.len == 0) {
        fragment = from->fragment;
    }
    location = without_empty_query(location);
    size_t scheme_len = lc_url_scheme_len(location);
    int err = 0;
    if (location.len >= 2 && memcmp(location.data, "//", 2) == 0) {
        err = lc_buffer_append_str(out, from->is_https ? LCORE_STR("https:") : LCORE_STR("http:"));
    } else if (scheme_len > 0) {
        struct lc_str scheme = {location.data, scheme_len};
        bool is_http =
            lc_str_equal_nocase(scheme, LCORE_STR("http")) || lc_str_equal_nocase(scheme, LCORE_STR("https"));
        err = lc_buffer_append(out, location.data, scheme_len + 1);
        for (size_t i = 0; err == 0 && i < scheme_len; i++) {
            out->data[i] = lc_ascii_lower(out->data[i]);
        }
        location = (struct lc_str){location.data + scheme_len + 1, location.len - scheme_len - 1};
        if (err == 0 && is_http && location.len > 0 && memchr("/?", location.data[0], 2) == NULL) {
            err = lc_buffer_append(out, "/", 1);
        }
    }
    *has_host = out->len > 0 && location.len > 2 && memcmp(location.data, "//", 2) == 0 &&
                memchr("/?", location.data[2], 2) == NULL;
    err = err < 0 ? err : lc_buffer_append_str(out, location);
    if (err == 0 && fragment.len > 0) {
        err = lc_buffer_append(out, "#", 1);
        err = err < 0 ? err : lc_buffer_append_str(out, fragment);
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
