/* What sessions with the same base URL and proxy have in common: ten thousand users of one target read their base URL
 * once. Immutable, reference counted. */
#ifndef LCORE_HTTP_SITE_H
#define LCORE_HTTP_SITE_H

#include "http/http.h"
#include "http/url.h"

struct lc_site {
    unsigned refs;
    struct lc_str given;    /* the base URL as the session was given it */
    struct lc_str base;     /* without credentials */
    struct lc_str auth;     /* value of Authorization from the credentials; empty: none */
    const char *proxy;      /* NULL: none */
    struct lc_url base_url; /* of `base`, if is_base_prepared */
    bool is_base_prepared;  /* scheme and host of `base` are as they go on the wire, its path needs no quoting */
};

/* A reference for the caller. NULL: out of memory. */
struct lc_site *lc__site_get(struct lc_http *http, struct lc_str base_url, const char *proxy);

static inline struct lc_site *
lc__site_ref(struct lc_site *site)
{
    site->refs++;
    return site;
}

void lc__site_unref(struct lc_site *site); /* NULL is fine */

#endif
