/* `_cload.TaskSet`: which task comes next, and how one is run. */
#ifndef CLOAD_TASKSET_H
#define CLOAD_TASKSET_H

#include "state.h"

struct cload_taskset {
    PyObject_HEAD
    PyObject *user, *parent, *queue;
    PyObject *dict, *weakrefs;
    double last_run_s, last_wait_s; /* of constant_pacing() and its like */
};

/* What a task set's class overrides. */
enum {
    HAS_RUN = 1 << 0,
    HAS_WAIT = 1 << 1,
    HAS_PICK = 1 << 2,
    HAS_EXECUTE_NEXT = 1 << 3,
    HAS_EXECUTE = 1 << 4,
    HAS_SCHEDULE = 1 << 5,
    HAS_ON_START = 1 << 6,
    HAS_ON_STOP = 1 << 7,
    HAS_WAIT_TIME = 1 << 8,
    IS_DEFAULT = 1 << 9,
};

/* Which of them hold for a task set: its class's, and hooks that were put on the instance. */
unsigned cload_taskset_overrides(struct cload_state *state, PyObject *taskset);
/* The set that holds the tasks of a user's own class. New reference, or NULL. */
PyObject *cload_taskset_new_default(struct cload_state *state, PyObject *user);
/* The next task: out of the queue, which is filled by picking when it is empty. New reference, or NULL. */
PyObject *cload_taskset_next_task(struct cload_state *state, PyObject *taskset, unsigned overrides);
/* Runs one task of the set. 0: done, 1: `*nested` is a task set instance to be run, -1: exception. */
LCORE_YIELDS int cload_taskset_run_task(struct cload_state *state, PyObject *taskset, bool is_default, PyObject *task,
                                        PyObject **nested);
/* Calls a function that locust/user/task.py registered. */
PyObject *cload_call_task_helper(struct cload_state *state, const char *name, PyObject *first, PyObject *second);

#endif
