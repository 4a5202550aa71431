#include "http/origin.h"

#include <curl/curl.h>

#include "base/alloc.h"

static int
append_base64(struct lc_str in, struct lc_buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int err = lc_buffer_reserve(out, (in.len + 2) / 3 * 4);
    if (err < 0) {
        return err;
    }
    const unsigned char *bytes = (const unsigned char *)in.data;
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? bytes[i + 2] : 0;
        char *place = out->data + out->len;
        place[0] = digits[group >> 18];
        place[1] = digits[group >> 12 & 63];
        place[2] = left > 1 ? digits[group >> 6 & 63] : '=';
        place[3] = left > 2 ? digits[group & 63] : '=';
        out->len += 4;
    }
    return 0;
}

int
lc__append_basic_auth(struct lc_str user, struct lc_str password, struct lc_buffer *out)
{
    struct lc_buffer plain = {0};
    int err = lc_url_unquote(user, &plain);
    err = err < 0 ? err : lc_buffer_append(&plain, ":", 1);
    err = err < 0 ? err : lc_url_unquote(password, &plain);
    err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("Basic "));
    err = err < 0 ? err : append_base64((struct lc_str){plain.data, plain.len}, out);
    lc_buffer_fini(&plain);
    return err;
}

bool
lc__origin_matches(const struct lc_origin *origin, const struct lc_url *url, const char *proxy,
                   const struct lc_tls *tls)
{
    if (proxy != NULL && *proxy == '\0') {
        proxy = NULL;
    }
    return origin->port == url->port && origin->is_https == url->is_https && lc_str_equal(origin->key, url->host) &&
           (!url->is_https || origin->tls == tls) &&
           (proxy == NULL ? origin->proxy == NULL : origin->proxy != NULL && strcmp(proxy, origin->proxy) == 0);
}

int
lc__append_idna(struct lc_str host, struct lc_buffer *out, struct lc_error *error)
{
    CURLU *parts = curl_url();
    char *text = lc_str_dup(host), *idna = NULL;
    int err = LCE_NOMEM;
    if (parts != NULL && text != NULL) {
        CURLUcode code = curl_url_set(parts, CURLUPART_HOST, text, 0);
        unsigned flags = 0;
#ifdef CURLU_PUNYCODE
        flags = CURLU_PUNYCODE;
#endif
        if (code == CURLUE_OK) {
            code = curl_url_get(parts, CURLUPART_HOST, &idna, flags);
        }
        /* Older libcurl says CURLUE_OUT_OF_MEMORY of every name that IDNA refuses. */
        err = code == CURLUE_OK
                  ? lc_buffer_append_str(out, lc_str_from(idna))
                  : lc_error_set(error, LCE_URL_HOST, "host name that cannot be written for DNS: '%s'", text);
    }
    curl_free(idna);
    lc__free(text);
    curl_url_cleanup(parts);
    return err;
}

/* What the proxy's URL says about the route. `text` gets a scheme if it has none, as in requests. */
static int
route_through(struct lc_origin *origin, struct lc_buffer *text, struct lc_url *proxy_url, struct lc_error *error)
{
    struct lc_str proxy = {text->data, text->len - 1};
    if (lc_str_starts_nocase(proxy, LCORE_STR("socks"))) {
        origin->route = LCORE_ROUTE_CONNECT;
        return 0;
    }
    int err = lc_url_parse(proxy, proxy_url, error);
    if (err < 0) {
        return err == LCE_NOMEM ? err : lc_error_set(error, LCE_URL, "proxy URL '%s' cannot be used", text->data);
    }
    origin->route = proxy_url->is_https ? LCORE_ROUTE_TRANSFER
                    : origin->is_https  ? LCORE_ROUTE_CONNECT
                                        : LCORE_ROUTE_FORWARD;
    return 0;
}

/* The zone of an IPv6 address as the system wants it: URLs write its '%' as "%25" (RFC 6874). `host` is borrowed from
 * `scratch` afterwards if it has one. */
static int
unquote_zone(struct lc_str *host, struct lc_buffer *scratch)
{
    const char *zone = memmem(host->data, host->len, "%25", 3);
    size_t begin = zone == NULL ? host->len : (size_t)(zone - host->data) + 1;
    if (begin + 2 >= host->len || memchr(host->data, ':', host->len) == NULL) {
        return 0;
    }
    int err = lc_buffer_append(scratch, host->data, begin);
    err = err < 0 ? err : lc_buffer_append(scratch, host->data + begin + 2, host->len - begin - 2);
    *host = (struct lc_str){scratch->data, scratch->len};
    return err;
}

static int
append_host_line(const struct lc_url *url, struct lc_buffer *out)
{
    int err = lc_buffer_append_str(out, LCORE_STR("Host: "));
    err = err < 0 ? err : lc_url_append_host(url, out);
    return err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\r\n"));
}

static struct lc_str
copy_to(char **place, struct lc_str text)
{
    struct lc_str copy = {*place, text.len};
    if (text.len > 0) {
        memcpy(*place, text.data, text.len);
    }
    *place += text.len;
    return copy;
}

/* What an origin will be made of. Its strings borrow from the URL and from the rest. */
struct parts {
    struct lc_origin origin;
    struct lc_url url;
    struct lc_buffer idna, zoned;
    struct lc_buffer proxy; /* its URL, with a NUL */
    struct lc_buffer host_line, loose_line, auth_line;
};

static int
gather_host(struct parts *parts, struct lc_error *error)
{
    struct lc_origin *origin = &parts->origin;
    if (!parts->url.is_host_ascii) {
        int err = lc__append_idna(parts->url.host, &parts->idna, error);
        if (err < 0) {
            return err;
        }
        parts->url.host = (struct lc_str){parts->idna.data, parts->idna.len};
    }
    origin->host = origin->connect_host = parts->url.host;
    origin->connect_port = origin->port;
    return 0;
}

static int
gather_proxy(struct parts *parts, const char *proxy, struct lc_error *error)
{
    struct lc_origin *origin = &parts->origin;
    struct lc_url url = {0};
    const char *scheme = strstr(proxy, "://") == NULL ? "http://" : "";
    int err = lc_buffer_append_format(&parts->proxy, "%s%s", scheme, proxy);
    err = err < 0 ? err : lc_buffer_append(&parts->proxy, "", 1);
    err = err < 0 ? err : route_through(origin, &parts->proxy, &url, error);
    if (err < 0 || origin->route != LCORE_ROUTE_FORWARD) {
        return err;
    }
    origin->connect_host = url.host;
    origin->connect_port = url.is_port_given ? url.port : 80;
    if (url.user.data != NULL) {
        err = lc_buffer_append_str(&parts->auth_line, LCORE_STR("Proxy-Authorization: "));
        err = err < 0 ? err : lc__append_basic_auth(url.user, url.password, &parts->auth_line);
        err = err < 0 ? err : lc_buffer_append_str(&parts->auth_line, LCORE_STR("\r\n"));
    }
    return err;
}

static int
gather_host_lines(struct parts *parts)
{
    struct lc_url url = parts->url;
    int err = append_host_line(&url, &parts->loose_line);
    /* http.client takes the dot off; a proxy is told the host by urllib3, which does not. */
    if (parts->origin.route != LCORE_ROUTE_FORWARD && url.host.data[url.host.len - 1] == '.') {
        url.host.len--;
    }
    return err < 0 ? err : append_host_line(&url, &parts->host_line);
}

/* One allocation. `proxy` is kept as it was given, so that it is found again; libcurl too takes a missing scheme for
 * http. NULL: out of memory. */
static struct lc_origin *
make(const struct parts *parts, const char *proxy, struct lc_tls *tls)
{
    const struct lc_origin *from = &parts->origin;
    size_t proxy_size = proxy == NULL ? 0 : strlen(proxy) + 1;
    struct lc_origin *origin =
        lc__alloc(sizeof(*origin) + from->key.len + from->host.len + from->connect_host.len + parts->host_line.len +
                  parts->loose_line.len + parts->auth_line.len + proxy_size);
    if (origin == NULL) {
        return NULL;
    }
    char *place = (char *)(origin + 1);
    *origin = *from;
    origin->key = copy_to(&place, from->key);
    origin->host = copy_to(&place, from->host);
    origin->connect_host = copy_to(&place, from->connect_host);
    origin->host_line = copy_to(&place, (struct lc_str){parts->host_line.data, parts->host_line.len});
    origin->loose_host_line = copy_to(&place, (struct lc_str){parts->loose_line.data, parts->loose_line.len});
    origin->proxy_auth_line = copy_to(&place, (struct lc_str){parts->auth_line.data, parts->auth_line.len});
    origin->proxy = proxy == NULL ? NULL : copy_to(&place, (struct lc_str){proxy, proxy_size}).data;
    origin->tls = from->is_https ? lc_tls_ref(tls) : NULL;
    return origin;
}

int
lc__origin_get(struct lc_http *http, const struct lc_url *url, const char *proxy, struct lc_tls *tls,
               struct lc_origin **out, struct lc_error *error)
{
    proxy = proxy == NULL || *proxy == '\0' ? NULL : proxy;
    for (struct lc_origin *origin = http->origins; origin != NULL; origin = origin->next) {
        if (lc__origin_matches(origin, url, proxy, tls)) {
            *out = lc__origin_ref(origin);
            return 0;
        }
    }
    struct parts parts = {
        .origin = {.http = http, .refs = 1, .is_https = url->is_https, .port = url->port, .key = url->host},
        .url = *url};
    int err = gather_host(&parts, error);
    if (err == 0 && proxy != NULL) {
        err = gather_proxy(&parts, proxy, error);
    }
    err = err < 0 ? err : unquote_zone(&parts.origin.connect_host, &parts.zoned);
    err = err < 0 ? err : gather_host_lines(&parts);
    struct lc_origin *origin = err < 0 ? NULL : make(&parts, proxy, tls);
    if (origin != NULL) {
        origin->next = http->origins;
        http->origins = *out = origin;
    } else if (err == 0 || err == LCE_NOMEM) {
        err = lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    struct lc_buffer *const buffers[] = {&parts.idna,      &parts.zoned,      &parts.proxy,
                                         &parts.host_line, &parts.loose_line, &parts.auth_line};
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        lc_buffer_fini(buffers[i]);
    }
    return err;
}

void
lc__origin_unref(struct lc_origin *origin)
{
    if (origin == NULL || --origin->refs > 0) {
        return;
    }
    struct lc_origin **place = &origin->http->origins;
    while (*place != origin) {
        place = &(*place)->next;
    }
    *place = origin->next;
    lc_tls_unref(origin->tls);
    lc__free(origin);
}
