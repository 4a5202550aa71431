/* `_cload.User`: the part of a user that the task loop looks at. */
#ifndef CLOAD_USER_H
#define CLOAD_USER_H

#include "state.h"

enum cload_run_state { USER_NEW, USER_RUNNING, USER_WAITING, USER_STOPPING };

struct cload_user {
    PyObject_HEAD
    PyObject *environment, *client, *greenlet, *group, *taskset;
    PyObject *dict, *weakrefs;
    double last_run_s, last_wait_s; /* of constant_pacing() and its like */
    enum cload_run_state run_state;
};

/* What User(environment) does; NULL with an exception. */
struct cload_state *cload_user_init(PyObject *object, PyObject *args, PyObject *kwargs);

#endif
