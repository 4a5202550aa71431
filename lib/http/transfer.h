/* Hops that our own codec does not serve, as whole libcurl transfers: what goes through a proxy reached over TLS. Each
 * session has a multi handle of its own for them, so connections are not shared between users. */
#ifndef LCORE_HTTP_TRANSFER_H
#define LCORE_HTTP_TRANSFER_H

#include "http/transport.h"

struct lc_session;

/* Closes the session's idle libcurl connections; keeps them if a transfer is under way. */
void lc__transfer_close_idle(struct lc_session *session);

#endif
