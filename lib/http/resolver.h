/* What a host's name and a port stand for. Names are looked up by getaddrinfo() in threads of their own, once for all
 * who ask at the same time, and what it said holds for a minute; literal addresses need no thread. */
#ifndef LCORE_HTTP_RESOLVER_H
#define LCORE_HTTP_RESOLVER_H

#include <netinet/in.h>
#include <stdint.h>

#include "base/list.h"
#include "locustcore/http.h"

struct lc_resolver;

union lc_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* The answer; shared and reference counted. */
struct lc_addresses {
    unsigned refs;
    int error;    /* 0: `count` is at least 1. Else EAI_* */
    int errnum;   /* with EAI_SYSTEM */
    size_t first; /* which one to try first: that which a connection was made to last. The only thing that changes */
    size_t count;
    union lc_address *list; /* in the order of getaddrinfo(), with the port */
    const char *host;       /* for texts */
    uint16_t port;
};

/* The caller's memory; zero-initialise. */
struct lc_lookup {
    struct lc_list link;
    /* From the loop, never from inside lc_resolver_find(). The addresses are referenced: they are the receiver's. */
    void (*done)(struct lc_lookup *lookup, struct lc_addresses *addresses);
};

/* NULL: out of memory. */
struct lc_resolver *lc_resolver_new(struct lc_loop *loop);
/* Every lookup must be over; threads that still wait for a name server end on their own. NULL is fine. */
void lc_resolver_free(struct lc_resolver *resolver);
/* The addresses, referenced, in *out; or NULL there: lookup->done will be called. host without brackets.
 * LCE_NOMEM; LCE_SYSTEM with errno where a descriptor or a thread could not be had. */
int lc_resolver_find(struct lc_resolver *resolver, struct lc_str host, uint16_t port, struct lc_lookup *lookup,
                     struct lc_addresses **out);
/* done is not called any more. Fine on one that was never started, or is over. */
static inline void
lc_lookup_cancel(struct lc_lookup *lookup)
{
    lc_list_remove(&lookup->link);
}

void lc_addresses_unref(struct lc_addresses *addresses); /* NULL is fine */

#endif
