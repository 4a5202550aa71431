/* The phases of a request, of which both HTTP (what one hop took) and the statistics (what they add up to) speak. */
#ifndef LOCUSTCORE_PHASES_H
#define LOCUSTCORE_PHASES_H

#include <stdint.h>
#include "locustcore/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In the order in which they follow each other; the first three happen on new connections only.
 *   dns         until the name was known, waiting for a free place among the attempts to connect included
 *   connect     TCP, and the proxy's part
 *   tls         the handshake
 *   queue       our own: until the first byte of the request was handed to the kernel
 *   first_byte  until the first byte of the response arrived
 *   transfer    until the last byte arrived */
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
