/* Proxies of the environment: http_proxy, https_proxy, all_proxy and no_proxy, in lower or upper case, with the rules
 * of `requests`. */
#ifndef LCORE_HTTP_ENV_PROXY_H
#define LCORE_HTTP_ENV_PROXY_H

#include "http/url.h"

/* Borrowed from the environment; NULL: none. */
const char *lc__env_proxy(const struct lc_url *url);

#endif
