/* The life of a user: on_start, then pick a task, run it, wait, and so on until something stops it.
 *
 * One state machine (struct cload_task_loop) serves two ways of living. Pooled: `_cload.UserGreenlet` owns the loop; a
 * greenlet of the pool runs it until the user waits, and goes back to the pool: a waiting user is a deadline and no
 * stack. Blocking: TaskSet.run() and User.run() as Python methods run the same machine on the greenlet they are called
 * in and sleep there; that is how a class lives that overrides run(), and how a task set lives that is run by hand.
 *
 * A nested task set is a frame of the machine, not a call, unless its class has a run() of its own. What an exception
 * means depends on where it arises (enum place); frame_settle() is the table. */
#ifndef CLOAD_TASK_LOOP_H
#define CLOAD_TASK_LOOP_H

#include "state.h"

struct cload_hub;
struct cload_user;

struct cload_frame {
    PyObject *taskset; /* owned */
    unsigned overrides;
    unsigned class_version;   /* of its class, when they were read */
    Py_ssize_t instance_size; /* and how many attributes it had */
    bool is_entered;
};

enum cload_phase { PHASE_NEW, PHASE_FRAMES, PHASE_WAIT, PHASE_WAIT_AFTER_ERROR, PHASE_YIELD };

#define CLOAD_INLINE_FRAMES 2

struct cload_task_loop {
    struct cload_state *state;
    struct cload_hub *hub;   /* NULL: not on the hub's thread, waits block the thread */
    struct cload_user *user; /* borrowed: the owner of the loop keeps it */
    struct cload_frame *frames;
    struct cload_frame inline_frames[CLOAD_INLINE_FRAMES];
    uint32_t count, capacity;
    enum cload_phase phase;
    bool is_pooled;
    bool is_waiting_here;  /* this is TaskSet.wait(): the set's own wait() is not called again */
    bool is_killed;        /* whoever waits for the end of the user need not ask twice */
    bool is_user_level;    /* on_start and on_stop of the user belong to this loop */
    uint64_t switch_count; /* the hub's, when this round began */
    int64_t wait_ns;       /* what LOOP_WAIT asks for; 0: let others run */
    PyObject *thrown;      /* an exception or a class of them: raised where the user waits */
};

enum cload_outcome { LOOP_WAIT, LOOP_END, LOOP_ERROR };

void cload_loop_init(struct cload_task_loop *loop, struct cload_state *state, struct cload_user *user);
/* Keeps a pending exception. Fine twice. */
void cload_loop_fini(struct cload_task_loop *loop);
/* Runs on until the user waits (pooled only) or ends. */
LCORE_YIELDS enum cload_outcome cload_loop_run(struct cload_task_loop *loop);
/* Whether a loop at which something was thrown while it waited, or before it began, would end without any code of the
 * script's being called, so that it need not be run for that. */
bool cload_loop_has_quiet_end(struct cload_task_loop *loop);
/* Runs the machine here, in the caller's greenlet, to its end; `taskset` NULL: the whole life of the user. */
LCORE_YIELDS PyObject *cload_loop_run_here(struct cload_state *state, struct cload_user *user, PyObject *taskset);
/* Waits here, as the task set does after a task. */
LCORE_YIELDS PyObject *cload_loop_wait_here(struct cload_state *state, struct cload_user *user, PyObject *taskset);

#endif
