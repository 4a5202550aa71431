/* What task_loop.c and task_wait.c have in common. */
#ifndef CLOAD_TASK_LOOP_PARTS_H
#define CLOAD_TASK_LOOP_PARTS_H

#include "task_loop.h"
#include "taskset.h"
#include "user.h"

/* Notes which hooks the frame's task set has. */
void cload__frame_read(struct cload_state *state, struct cload_frame *frame);

/* Hooks may be put on the class, a base of it, or the instance at any time; a type that is changed gets a new version,
 * or has none any more. */
static inline void
cload__frame_refresh(struct cload_state *state, struct cload_frame *frame)
{
    PyObject *dict = ((struct cload_taskset *)frame->taskset)->dict;
    if (frame->class_version == 0 || Py_TYPE(frame->taskset)->tp_version_tag != frame->class_version ||
        (dict == NULL ? 0 : PyDict_GET_SIZE(dict)) != frame->instance_size) {
        cload__frame_read(state, frame);
    }
}

/* -1 with StopUser when the user shall stop: it was asked to, or a task kept the exception it was killed with. */
static inline int
cload__loop_check_stopping(struct cload_task_loop *loop)
{
    if (loop->is_killed || loop->user->run_state == USER_STOPPING) {
        PyErr_SetNone(loop->state->exc_stop_user);
        return -1;
    }
    return 0;
}

/* In task_wait.c: waits as a task set does after a task; 1 asks the pool to do it. -1 with an exception, 0 when over.
 */
LCORE_YIELDS int cload__loop_wait(struct cload_task_loop *loop);
/* A task that asked to be followed at once: others get a turn if they had none since this user's round began, so that
 * a set that is left at once, over and over, starves nobody. As cload__loop_wait() otherwise. */
LCORE_YIELDS int cload__loop_yield(struct cload_task_loop *loop);

#endif
