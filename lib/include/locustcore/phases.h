/* The phases of a request, of which both HTTP (what one hop took) and the statistics (what they add up to) speak. */
#ifndef LOCUSTCORE_PHASES_H
#define LOCUSTCORE_PHASES_H

#include <stdint.h>
#include "locustcore/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In the order in which they follow each other; the first three happen on new connections only.
 *   dns         until the name was known
 *   connect     TCP, and the proxy's part
 *   tls         the handshake
 *   queue       our own, wherever it came: from the call until the first network operation (preparing the request,
 *               waiting for a core), and from a connection that is ready until the first byte of the request went to
 *               the kernel
 *   first_byte  until the first byte of the response arrived; with what the server made it wait for a stream (HTTP/2)
 *               or a connection of a pool that has a limit
 *   transfer    until the last byte arrived
 * All but `queue` add up to the response time, that of redirects to the time of all their hops: what the generator
 * needs for itself is not the server's. A try that was lost with its connection is part of the phase that followed it.
 */
#define LCORE_PHASE_LIST(X)                                                                                            \
    X(DNS, "dns")                                                                                                      \
    X(CONNECT, "connect")                                                                                              \
    X(TLS, "tls")                                                                                                      \
    X(QUEUE, "queue")                                                                                                  \
    X(FIRST_BYTE, "first_byte")                                                                                        \
    X(TRANSFER, "transfer")

enum lc_phase {
#define LCORE_PHASE_ENUM(name, text) LCORE_PHASE_##name,
    LCORE_PHASE_LIST(LCORE_PHASE_ENUM)
#undef LCORE_PHASE_ENUM
        LCORE_PHASE_COUNT
};

/* What one hop took. */
struct lc_phases {
    int64_t ns[LCORE_PHASE_COUNT]; /* negative: did not happen, or not to its end */
};

#ifdef __cplusplus
}
#endif
#endif
