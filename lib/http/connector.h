/* Brings TCP connections: looks names up, tries their addresses, and leaves proxies that make tunnels to libcurl. */
#ifndef LCORE_HTTP_CONNECTOR_H
#define LCORE_HTTP_CONNECTOR_H

#include <stdint.h>

#include "locustcore/http.h"

struct lc_connector;
struct lc_connect; /* one attempt in flight */

struct lc_connect_result {
    int fd; /* non-blocking, TCP_NODELAY, receive time stamps on; now the receiver's; -1 when it failed */
    enum lc_fail fail;
    int errnum;       /* of LCORE_FAIL_DNS: EAI_* */
    const char *text; /* borrowed during the call; NULL when it did not fail */
    int64_t begin_ns; /* looking up or connecting began; 0: it did not */
    int64_t dns_ns;   /* 0: the name is not known */
    int64_t connected_ns;
};

/* Called once, from the loop, never from inside lc_connector_start(). The attempt is gone after it. */
typedef void lc_connect_fn(void *arg, const struct lc_connect_result *result);

/* NULL: out of memory. */
struct lc_connector *lc_connector_new(struct lc_loop *loop);
/* Every attempt must be over. */
void lc_connector_free(struct lc_connector *connector);
/* host without brackets. proxy: NULL for none, else a URL, http:// meaning a CONNECT tunnel. No time limit of its own.
 * now_ns: CLOCK_MONOTONIC. LCE_NOMEM. */
int lc_connector_start(struct lc_connector *connector, struct lc_str host, uint16_t port, const char *proxy,
                       int64_t now_ns, lc_connect_fn *fn, void *arg, struct lc_connect **out);
/* Gone at once, fn is not called. */
void lc_connector_cancel(struct lc_connect *connect);

#endif
