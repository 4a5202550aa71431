/* A secret that two ends share, as CurveZMQ's keys: whoever knows it can work out the key the master has to prove, and
 * whoever does not can neither join nor listen in. */
#ifndef LCORE_RPC_CURVE_H
#define LCORE_RPC_CURVE_H

#include <stdbool.h>
#include "locustcore/error.h"

/* Before the socket is bound or connected. Takes about 0.1 s, which is what makes guessing a secret slow.
 * LCE_UNSUPPORTED: ZeroMQ was built without encryption. LCE_SYSTEM, LCE_NOMEM. */
int lc__curve_set_up(void *socket, const char *secret, bool is_server, struct lc_error *error);

#endif
