/* The greenlets that users' tasks run in. A user that waits has given its own back. */
#ifndef CLOAD_POOL_H
#define CLOAD_POOL_H

#include "user_greenlet.h"

struct cload_worker {
    struct lc_list idle_link;
    struct cload_ready reap; /* it ended: the hub frees it */
    struct cload_hub *hub;
    PyObject *greenlet;
    struct cload_user_greenlet *user;
    struct cload_user_greenlet *last; /* idle: the waiting user that ran in it last */
    bool is_resumed;                  /* it is the engine that switches into it */
};

/* Whether the greenlet it ran in is, or is to be, this waiting user's own. */
bool cload_pool_is_kept(const struct cload_user_greenlet *user);
/* An idle greenlet, or a new one; NULL with an exception. */
struct cload_worker *cload_pool_get(struct cload_hub *hub);
/* Before a user that waited runs on: if somebody kept the greenlet it ran in last, it is the user's again. */
void cload_pool_reclaim(struct cload_user_greenlet *user);
/* No idle greenlet is to remember this user. */
void cload_worker_forget(struct cload_user_greenlet *user);
/* What came back from a switch into a worker: an exception only when the interpreter ends. Takes `result`. */
void cload_worker_returned(struct cload_worker *worker, PyObject *result);

#endif
