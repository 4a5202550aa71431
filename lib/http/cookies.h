/* A jar of cookies with the rules of Python's http.cookiejar (default policy) and of requests' jar, which is what
 * locustfiles were written against. An empty jar is one pointer. Times are Unix seconds.
 *
 * Bounds, so that no server can make it grow without end: a Set-Cookie of more than LCORE_COOKIE_MAX_BYTES is ignored;
 * a domain holds LCORE_COOKIE_MAX_PER_DOMAIN cookies and a jar LCORE_COOKIE_MAX, beyond which the first one goes.
 *
 * As in http.cookiejar, a host name without a dot is in the domain ".local" ("localhost" sets cookies for
 * "localhost.local"), and a cookie goes to the subdomains of its host also if it has no Domain attribute. Unlike there,
 * "Domain=localhost" works, and the attributes of RFC 2965 (Port, Discard, Comment) are ignored. */
#ifndef LCORE_HTTP_COOKIES_H
#define LCORE_HTTP_COOKIES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buffer.h"
#include "http/url.h"
#include "locustcore/http.h"

#define LCORE_COOKIE_MAX_BYTES 8192
#define LCORE_COOKIE_MAX_PER_DOMAIN 180
#define LCORE_COOKIE_MAX 3000

struct lc_cookie_store;
struct lc_cookie_jar {
    struct lc_cookie_store *store; /* NULL until the first cookie */
};

/* Zero-initialised is empty. */
void lc_cookie_jar_fini(struct lc_cookie_jar *jar);

/* Stores what the Set-Cookie lines among `lines` say for a response from `url`; ignores what must not be stored.
 * LCE_NOMEM; what was stored before it stays. Call it only if the head has_set_cookie. */
int lc_cookie_jar_receive(struct lc_cookie_jar *jar, const struct lc_url *url, struct lc_str lines, int64_t now_s);
/* Appends the value of the Cookie header for a request to `url` ("a=1; b=2"; nothing if there are none), longer paths
 * first, `extra` (of this request only; replace a jar cookie of the same name, path "/" and no domain) in their place.
 * Removes what has expired. LCE_NOMEM. */
int lc_cookie_jar_append_header(struct lc_cookie_jar *jar, const struct lc_url *url, int64_t now_s,
                                const struct lc_header *extra, size_t extra_count, struct lc_buffer *out);

/* lc_session_set_cookie() and its like in locustcore/http.h. A cookie with an empty domain is sent to every host, one
 * with an empty path has "/". LCE_FORMAT for control characters; LCE_NOMEM; LCE_LIMIT for too large a one. */
int lc_cookie_jar_set(struct lc_cookie_jar *jar, const struct lc_cookie *cookie, int64_t now_s);
bool lc_cookie_jar_next(const struct lc_cookie_jar *jar, size_t *position, struct lc_cookie *out);
int lc_cookie_jar_remove(struct lc_cookie_jar *jar, struct lc_str domain, struct lc_str path, struct lc_str name);
uint64_t lc_cookie_jar_version(const struct lc_cookie_jar *jar);

/* A date of an Expires attribute in any of the ways http.cookiejar reads; false if it is none. A year of two digits is
 * the one nearest to now. */
bool lc_cookie_parse_date(struct lc_str text, int64_t now_s, int64_t *unix_s);

#endif
