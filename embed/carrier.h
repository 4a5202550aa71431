/* The greenlets of the pool, as scripts get them from gevent.getcurrent(). In Locust that is the user's own
 * gevent.Greenlet; what ours lack of it (minimal_ident, name, link(), join(), ...) they have of the UserGreenlet that
 * runs in them, or ran in them last while it waits. They are equal to it, and isinstance() takes both for what they
 * stand for: their `__class__` is gevent's. */
#ifndef CLOAD_CARRIER_H
#define CLOAD_CARRIER_H

#include "pool.h"

/* A greenlet that runs `run`; NULL with an exception. */
PyObject *cload_carrier_new(struct cload_worker *worker, PyObject *run, PyObject *parent);
/* It ended, and its worker will be freed: from here on `user` is asked, the one it belonged to; NULL: as before. */
void cload_carrier_end(PyObject *carrier, struct cload_user_greenlet *user);

/* `__class__` of both: gevent.Greenlet. */
PyObject *cload_carrier_class(PyObject *object, void *closure);
/* repr() of both, as of a gevent.Greenlet that runs the user. */
PyObject *cload_carrier_text(PyObject *greenlet, PyObject *user);
/* What a UserGreenlet has not, of the greenlet it runs in. New reference; NULL with an exception. */
PyObject *cload_carrier_attribute(PyObject *carrier, PyObject *name);
/* The greenlet that runs now, pinned, if it is the one of this UserGreenlet; else NULL, also without an exception. New
 * reference. */
PyObject *cload_carrier_of(PyObject *user);

#endif
