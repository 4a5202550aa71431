/* The greenlets of the pool, as scripts get them from gevent.getcurrent(). In Locust that is the user's own
 * gevent.Greenlet; what ours lack of it (minimal_ident, name, link(), join(), ...) they have of the UserGreenlet that
 * runs in them, or ran in them last while it waits. */
#ifndef CLOAD_CARRIER_H
#define CLOAD_CARRIER_H

#include "pool.h"

/* A greenlet that runs `run`; NULL with an exception. */
PyObject *cload_carrier_new(struct cload_worker *worker, PyObject *run, PyObject *parent);
/* It ended, and its worker will be freed: from here on `user` is asked, the one it belonged to; NULL: as before. */
void cload_carrier_end(PyObject *carrier, struct cload_user_greenlet *user);

#endif
