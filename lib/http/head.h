/* Request line and headers, in the order in which `requests` sends them: Host, the session's headers with the call's
 * put in their places, the call's other headers, Cookie, Content-Length, Content-Type, Authorization. */
#ifndef LCORE_HTTP_HEAD_H
#define LCORE_HTTP_HEAD_H

#include "http/exchange.h"

/* Renders exchange->head for the first hop from exchange->request and the session. LCE_FORMAT, LCE_NOMEM. */
int lc__head_render(struct lc_exchange *exchange, struct lc_error *error);
/* Turns exchange->head, which was that of a request to `from`, into the head for exchange->url. LCE_NOMEM. */
int lc__head_redirect(struct lc_exchange *exchange, const struct lc_url *from, bool is_body_kept);

#endif
