/* Where connections go: scheme, host, port, by which proxy, with which TLS options. Equal ones are one object of the
 * struct lc_http, so connections are compared by pointer. Immutable, reference counted. */
#ifndef LCORE_HTTP_ORIGIN_H
#define LCORE_HTTP_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "http/http.h"
#include "http/url.h"

enum lc_route {
    LCORE_ROUTE_CONNECT,  /* a connection to the host, perhaps through a tunnel */
    LCORE_ROUTE_FORWARD,  /* a connection to an http proxy, which is told the whole URL */
    LCORE_ROUTE_TRANSFER, /* only libcurl can do it */
};

/* What the server of an origin was found to speak, where somebody asked for HTTP/2 or 3. */
enum lc_spoken { LCORE_SPOKEN_UNKNOWN, LCORE_SPOKEN_H1, LCORE_SPOKEN_H2, LCORE_SPOKEN_H3 };

struct lc_origin {
    struct lc_origin *next;
    struct lc_http *http;
    unsigned refs;
    enum lc_route route;
    enum lc_spoken spoken; /* this and the next are all that changes */
    bool is_abrupt;        /* it closed a connection soon after a response that did not say so */
    bool is_https;
    uint16_t port;
    struct lc_str host; /* as it is looked up: no brackets, IDNA applied */
    struct lc_str key;  /* the host as the URL had it */
    struct lc_str host_line;
    struct lc_str loose_host_line; /* of LCORE_REQUEST_LOOSE_URL: a dot at the end of the host stays */
    struct lc_str proxy_auth_line; /* FORWARD only; empty: none */
    const char *proxy;             /* NULL: none */
    struct lc_str connect_host;    /* the proxy's if FORWARD; a zone without its escape */
    uint16_t connect_port;
    struct lc_tls *tls; /* NULL unless is_https */
};

/* proxy: NULL or "" for none. tls: referenced if https, may be NULL otherwise. LCE_NOMEM; LCE_URL where the proxy's URL
 * or the host name cannot be used. */
int lc__origin_get(struct lc_http *http, const struct lc_url *url, const char *proxy, struct lc_tls *tls,
                   struct lc_origin **out, struct lc_error *error);
bool lc__origin_matches(const struct lc_origin *origin, const struct lc_url *url, const char *proxy,
                        const struct lc_tls *tls);
static inline struct lc_origin *
lc__origin_ref(struct lc_origin *origin)
{
    origin->refs++;
    return origin;
}
void lc__origin_unref(struct lc_origin *origin); /* NULL is fine */

/* Appends the name in the form DNS and the Host header want. LCE_NOMEM; LCE_URL_HOST. */
int lc__append_idna(struct lc_str host, struct lc_buffer *out, struct lc_error *error);

/* Appends "Basic ..." for credentials as they stand in a URL (percent-encoded). LCE_NOMEM. */
int lc__append_basic_auth(struct lc_str user, struct lc_str password, struct lc_buffer *out);

#endif
