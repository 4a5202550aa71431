/* `_cload.UserGreenlet`: a started user as gevent's groups see it. It has a stack only while a task runs. */
#ifndef CLOAD_USER_GREENLET_H
#define CLOAD_USER_GREENLET_H

#include "hub.h"
#include "task_loop.h"

struct cload_worker;

struct cload_user_greenlet {
    PyObject_HEAD
    struct cload_task_loop loop;
    struct lc_timer timer;
    struct cload_ready ready;      /* the user shall run on, or its links be told */
    struct cload_ready kill_ready; /* `thrown` shall reach it */
    struct cload_worker *worker;   /* while it runs, and for good once user code left state on the greenlet */
    struct cload_worker *last;     /* waiting: the idle one it ran in, until somebody else takes that */
    PyObject *user;
    PyObject *exception; /* what ended it, other than a regular stop */
    PyObject *links;     /* NULL, a callable, or a list of them */
    PyObject *dict, *weakrefs;
    bool is_started, is_running, is_dead, is_pinned;
};

/* As UserGreenlet(user) and its start(): a new reference, or NULL; 0, or -1. */
PyObject *cload_user_greenlet_new(struct cload_state *state, PyObject *user);
int cload_user_greenlet_start(PyObject *greenlet);
/* Raises GreenletExit in the user, soon, as kill(block=False). 0, or -1 with an exception. */
int cload_user_kill(struct cload_user_greenlet *self);
/* The user waits: from here on it is a deadline. */
void cload_user_park(struct cload_user_greenlet *self);
/* The user is over. An exception that is set is reported by gevent's hub, as for any greenlet. */
void cload_user_finish(struct cload_user_greenlet *self, bool has_failed);

/* Lets go of what a user that is over, its greenlet, its task set and its client hold of one another, where nobody else
 * has any of them; else it is for Python's collector to find. `held`: the caller's references to the greenlet. */
void cload_user_release(struct cload_user_greenlet *self, Py_ssize_t held);

/* Attributes of UserGreenlet; in user_greenlet_values.c. */
extern PyGetSetDef cload__user_greenlet_getset[];

/* Methods of UserGreenlet; in user_links.c. */
PyObject *cload__user_rawlink(PyObject *object, PyObject *callback);
PyObject *cload__user_unlink(PyObject *object, PyObject *callback);
PyObject *cload__user_link(PyObject *object, PyObject *callback);
PyObject *cload__user_link_value(PyObject *object, PyObject *callback);
PyObject *cload__user_link_exception(PyObject *object, PyObject *callback);
PyObject *cload__user_has_links(PyObject *object, PyObject *ignored);
PyObject *cload__user_unlink_all(PyObject *object, PyObject *ignored);

#endif
