/* A connection that Python objects hold beyond a call: waiting for it, and giving it back on the hub's thread, whoever
 * drops the last reference. */
#ifndef CLOAD_LENT_H
#define CLOAD_LENT_H

#include "session.h"

struct cload_lent {
    struct cload_session *session; /* keeps the core's session; NULL: given back */
    struct cload_hub *hub;
    struct cload_waiter *waiter; /* of whoever waits for it */
    void *core;                  /* NULL: given back */
    void (*give_back)(void *core, bool is_clean);
    void (*mute)(void *core); /* from here on it tells nobody anything */
};

/* From now on it holds `core`. */
void cload__lent_hold(struct cload_lent *lent, struct cload_session *session, void *core,
                      void (*give_back)(void *core, bool is_clean), void (*mute)(void *core));
/* At any time, twice, from any thread. */
void cload__lent_let_go(struct cload_lent *lent, bool is_clean);
/* The core has something to tell. */
void cload__lent_wake(struct cload_lent *lent);
/* Parks the greenlet. 1: the core told something, or it was given back; 0: `timeout_ns` (0: none) is over; -1 with an
 * exception. */
LCORE_YIELDS int cload__lent_wait(struct cload_lent *lent, int64_t timeout_ns);
/* Whether this thread may use it: 0, or -1 with an exception. */
int cload__lent_check(const struct cload_lent *lent);

/* Seconds or None as nanoseconds, 0 for none. 0, or -1 with an exception. */
int cload__read_timeout(PyObject *value, int64_t *out);
/* The name in LCORE_FAIL_LIST. */
const char *cload__fail_name(enum lc_fail fail);

#endif
