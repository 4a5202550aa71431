/* Locust's key of a failure: SHA-256, in hex, of METHOD.NAME.repr(text) (compat REP-21). */
#ifndef LCORE_STATS_FAILURE_KEY_H
#define LCORE_STATS_FAILURE_KEY_H

#include "locustcore/error.h"
#include "locustcore/str.h"

#define LCORE_FAILURE_KEY_SIZE 65

/* Writes 64 digits and a NUL. LCE_NOMEM. */
int lc__failure_key(struct lc_str method, struct lc_str name, struct lc_str text, char key[LCORE_FAILURE_KEY_SIZE]);

#endif
