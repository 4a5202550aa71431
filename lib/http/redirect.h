/* What a redirect changes, by the rules of `requests`. Session code asks these in turn for each hop. */
#ifndef LCORE_HTTP_REDIRECT_H
#define LCORE_HTTP_REDIRECT_H

#include <stdbool.h>
#include "base/buffer.h"
#include "base/str.h"
#include "http/url.h"

/* 301, 302, 303, 307, 308 with a Location (data not NULL; an empty one leads nowhere, and is none). */
bool lc_redirect_is_due(int status, struct lc_str location);
/* The method of the next request: `method` itself or "GET". */
struct lc_str lc_redirect_method(int status, struct lc_str method);
/* 307 and 308 send the body again. Otherwise it goes, and with it the headers lc_redirect_is_body_header() names. */
bool lc_redirect_keeps_body(int status);
/* Content-Length, Content-Type, Transfer-Encoding (any case). */
bool lc_redirect_is_body_header(struct lc_str name);
/* Whether an Authorization header must not follow: another host, scheme or port, but for http to https on the
 * standard ports. */
bool lc_redirect_strips_auth(const struct lc_url *from, const struct lc_url *to);

/* The URL `location` leads to from `from`; a fragment is inherited unless the location has one. `scratch` is emptied,
 * and `out` borrows from it; `from` must not. Failures: those of lc_url_parse() and LCE_NOMEM. */
int lc_redirect_url(const struct lc_url *from, struct lc_str location, struct lc_buffer *scratch, struct lc_url *out,
                    struct lc_error *error);

#endif
