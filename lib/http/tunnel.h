/* Connections that a SOCKS proxy or an HTTP proxy's CONNECT makes, with authentication, all by libcurl
 * (CURLOPT_CONNECT_ONLY). The descriptor is taken over at once, libcurl keeps nothing of it. */
#ifndef LCORE_HTTP_TUNNEL_H
#define LCORE_HTTP_TUNNEL_H

#include "http/connector.h"

struct lc_tunnels;
struct lc_tunnel; /* one attempt in flight */

/* ports: as in dial.h. NULL: out of memory. */
struct lc_tunnels *lc_tunnels_new(struct lc_loop *loop, uint32_t ports);
/* Every attempt must be over. NULL is fine. */
void lc_tunnels_free(struct lc_tunnels *tunnels);
/* As lc_connector_start(). proxy: a URL. */
int lc_tunnel_start(struct lc_tunnels *tunnels, struct lc_str host, uint16_t port, const char *proxy, lc_connect_fn *fn,
                    void *arg, struct lc_tunnel **out);
/* Gone at once, fn is not called. */
void lc_tunnel_cancel(struct lc_tunnel *tunnel);

#endif
