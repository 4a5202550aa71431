/* How an exchange's next hop is carried out. session.c fills in the hop (method, url, origin, head, body) and starts
 * the transport; the transport ends it with lc__exchange_finish(), from the loop, never from inside start(). */
#ifndef LCORE_HTTP_TRANSPORT_H
#define LCORE_HTTP_TRANSPORT_H

struct lc_exchange;

struct lc_transport {
    void (*start)(struct lc_exchange *exchange);
    /* Nothing of the hop is left after it; lc__exchange_finish() is not called. */
    void (*cancel)(struct lc_exchange *exchange);
};

/* Our codec on a connection of the session's pool. */
extern const struct lc_transport lc__transport_direct;
/* A stream of the session's HTTP/2 connection to the origin. */
extern const struct lc_transport lc__transport_h2;
/* A whole libcurl transfer. */
extern const struct lc_transport lc__transport_transfer;

#endif
