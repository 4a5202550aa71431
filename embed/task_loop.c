#include "task_loop.h"

#include "base/alloc.h"
#include "greenlet.h"
#include "object.h"
#include "task_loop_parts.h"

/* Where an exception came up: in the task; elsewhere in the protected part; while an error was being handled. */
enum place { IN_TASK, IN_ROUND, IN_HANDLER };
enum action { ACT_PICK, ACT_PICK_NOW, ACT_WAIT, ACT_WAIT_AFTER_ERROR, ACT_LEAVE };

static bool
is_stop(struct cload_state *state)
{
    return PyErr_ExceptionMatches(state->exc_stop_user) || PyErr_ExceptionMatches(state->exc_stop_test) ||
           PyErr_ExceptionMatches(cload_greenlet_exit_type());
}

void
cload__frame_read(struct cload_state *state, struct cload_frame *frame)
{
    PyObject *dict = ((struct cload_taskset *)frame->taskset)->dict;
    frame->overrides = cload_taskset_overrides(state, frame->taskset);
    frame->class_version = Py_TYPE(frame->taskset)->tp_version_tag;
    frame->instance_size = dict == NULL ? 0 : PyDict_GET_SIZE(dict);
}

/* Takes `taskset`, also when it fails. */
static int
loop_push(struct cload_task_loop *loop, PyObject *taskset)
{
    if (loop->count == loop->capacity) {
        uint32_t capacity = loop->capacity * 2;
        struct cload_frame *frames = lc__alloc(capacity * sizeof(*frames));
        if (frames == NULL) {
            Py_DECREF(taskset);
            PyErr_NoMemory();
            return -1;
        }
        memcpy(frames, loop->frames, loop->count * sizeof(*frames));
        if (loop->frames != loop->inline_frames) {
            lc__free(loop->frames);
        }
        loop->frames = frames;
        loop->capacity = capacity;
    }
    struct cload_frame *frame = &loop->frames[loop->count++];
    *frame = (struct cload_frame){.taskset = taskset};
    cload__frame_read(loop->state, frame);
    return 0;
}

static void
loop_pop(struct cload_task_loop *loop)
{
    Py_DECREF(loop->frames[--loop->count].taskset);
}

void
cload_loop_init(struct cload_task_loop *loop, struct cload_state *state, struct cload_user *user)
{
    *loop = (struct cload_task_loop){.state = state, .user = user, .capacity = CLOAD_INLINE_FRAMES};
    loop->frames = loop->inline_frames;
}

void
cload_loop_fini(struct cload_task_loop *loop)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    while (loop->count > 0) {
        loop_pop(loop);
    }
    if (loop->frames != loop->inline_frames) {
        lc__free(loop->frames);
        loop->frames = loop->inline_frames;
        loop->capacity = CLOAD_INLINE_FRAMES;
    }
    Py_CLEAR(loop->thrown);
    PyErr_Restore(type, value, traceback);
}

/* --- one round of a frame --- */

/* What was thrown at the user, as the pending exception. */
static void
raise_thrown(struct cload_task_loop *loop)
{
    PyObject *thrown = loop->thrown;
    loop->thrown = NULL;
    if (PyExceptionClass_Check(thrown)) {
        PyErr_SetNone(thrown);
        Py_DECREF(thrown);
    } else {
        cload_exception_restore(thrown);
    }
}

/* Runs the next task of the top frame. 0: done, 1: a frame was pushed, -1: exception. */
static int
frame_execute(struct cload_task_loop *loop)
{
    struct cload_state *state = loop->state;
    struct cload_frame *frame = &loop->frames[loop->count - 1];
    PyObject *taskset = frame->taskset;
    cload__frame_refresh(state, frame);
    unsigned overrides = frame->overrides;
    if (overrides & HAS_EXECUTE_NEXT) {
        struct cload_taskset *self = (struct cload_taskset *)taskset;
        if (self->queue == NULL || !PyList_Check(self->queue) || PyList_GET_SIZE(self->queue) == 0) {
            PyObject *task = PyObject_CallMethodNoArgs(taskset, state->str_get_next_task);
            PyObject *scheduled =
                task == NULL ? NULL : PyObject_CallMethodOneArg(taskset, state->str_schedule_task, task);
            Py_XDECREF(task);
            if (scheduled == NULL) {
                return -1;
            }
            Py_DECREF(scheduled);
        }
        if (cload__loop_check_stopping(loop) < 0) {
            return -1;
        }
        return cload_call_hook(taskset, state->str_execute_next_task);
    }
    PyObject *task = cload_taskset_next_task(state, taskset, overrides);
    if (task == NULL) {
        return -1;
    }
    int done = -1;
    PyObject *nested = NULL;
    if (cload__loop_check_stopping(loop) < 0) {
        done = -1;
    } else if (overrides & HAS_EXECUTE) {
        PyObject *result = PyObject_CallMethodOneArg(taskset, state->str_execute_task, task);
        done = result == NULL ? -1 : 0;
        Py_XDECREF(result);
    } else {
        done = cload_taskset_run_task(state, taskset, overrides & IS_DEFAULT, task, &nested);
    }
    Py_DECREF(task);
    if (done == 1) {
        if (cload_taskset_overrides(state, nested) & HAS_RUN) {
            done = cload_call_hook(nested, state->str_run);
            Py_DECREF(nested);
        } else {
            done = loop_push(loop, nested) < 0 ? -1 : 1;
        }
    }
    return done;
}

/* on_stop of the top frame; an ordinary exception in it is only logged. -1: a control exception left it. */
static int
frame_stop(struct cload_task_loop *loop, bool may_stop)
{
    struct cload_frame *frame = &loop->frames[loop->count - 1];
    cload__frame_refresh(loop->state, frame);
    if (!(frame->overrides & HAS_ON_STOP) || cload_call_hook(frame->taskset, loop->state->str_on_stop) == 0) {
        return 0;
    }
    if ((may_stop && is_stop(loop->state)) || !PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1;
    }
    PyObject *exception = cload_exception_take();
    PyObject *logged = cload_call_task_helper(loop->state, "log_on_stop_error", frame->taskset, exception);
    Py_DECREF(exception);
    Py_XDECREF(logged);
    return logged == NULL ? -1 : 0;
}

/* An interrupt becomes, for the parent, a task that asks to be followed at once or after a wait. */
static void
turn_interrupt(struct cload_task_loop *loop, PyObject *interrupt)
{
    PyObject *reschedule = PyObject_GetAttr(interrupt, loop->state->str_reschedule);
    int is_immediate = reschedule == NULL ? -1 : PyObject_IsTrue(reschedule);
    if (is_immediate >= 0) {
        PyErr_SetObject(is_immediate ? loop->state->exc_reschedule_now : loop->state->exc_reschedule, reschedule);
    }
    Py_XDECREF(reschedule);
}

/* The table: what follows an exception (or none) that came up in the top frame. ACT_LEAVE: no frame is left and the
 * exception is set. */
static enum action
frame_settle(struct cload_task_loop *loop, enum place place)
{
    struct cload_state *state = loop->state;
    for (;;) {
        if (!PyErr_Occurred()) {
            return ACT_WAIT;
        }
        if (place == IN_TASK) {
            if (PyErr_ExceptionMatches(state->exc_reschedule_now)) {
                PyErr_Clear();
                return ACT_PICK_NOW;
            }
            if (PyErr_ExceptionMatches(state->exc_reschedule)) {
                PyErr_Clear();
                return ACT_WAIT;
            }
        }
        if (place != IN_HANDLER) {
            if (PyErr_ExceptionMatches(state->exc_interrupt)) {
                PyObject *interrupt = cload_exception_take();
                if (frame_stop(loop, true) == 0) {
                    turn_interrupt(loop, interrupt);
                }
                Py_DECREF(interrupt);
            } else if (is_stop(state)) {
                PyObject *stop = cload_exception_take();
                if (frame_stop(loop, false) == 0) {
                    cload_exception_restore(stop);
                } else {
                    Py_DECREF(stop);
                }
            } else if (PyErr_ExceptionMatches(PyExc_Exception)) {
                PyObject *exception = cload_exception_take();
                PyObject *caught = cload_call_task_helper(state, "report_task_error",
                                                          loop->frames[loop->count - 1].taskset, exception);
                if (caught == Py_True) {
                    Py_DECREF(caught);
                    Py_DECREF(exception);
                    return ACT_WAIT_AFTER_ERROR;
                }
                if (caught != NULL) {
                    Py_DECREF(caught);
                    cload_exception_restore(exception);
                } else {
                    Py_DECREF(exception);
                }
            }
        }
        loop_pop(loop);
        if (loop->count == 0) {
            return ACT_LEAVE;
        }
        place = IN_TASK;
    }
}

/* --- the machine --- */

/* Whether the user has a hook of its own in place of the one that does nothing. */
static bool
has_user_hook(struct cload_task_loop *loop, PyObject *name)
{
    struct cload_user *user = loop->user;
    return _PyType_Lookup(Py_TYPE(user), name) != _PyType_Lookup(loop->state->user_type, name) ||
           (user->dict != NULL && PyDict_GET_SIZE(user->dict) > 0 && PyDict_Contains(user->dict, name) != 0) ||
           Py_TYPE(user)->tp_getattro != PyObject_GenericGetAttr;
}

static int
call_user_hook(struct cload_task_loop *loop, PyObject *name)
{
    return has_user_hook(loop, name) ? cload_call_hook((PyObject *)loop->user, name) : 0;
}

/* The user's own end. With an exception set that means a regular stop: on_stop, and all is well. */
static enum cload_outcome
loop_leave(struct cload_task_loop *loop)
{
    if (!loop->is_user_level || !is_stop(loop->state)) {
        return LOOP_ERROR;
    }
    PyErr_Clear();
    return call_user_hook(loop, loop->state->str_on_stop) < 0 ? LOOP_ERROR : LOOP_END;
}

bool
cload_loop_has_quiet_end(struct cload_task_loop *loop)
{
    struct cload_state *state = loop->state;
    if (loop->phase == PHASE_NEW) {
        return true;
    }
    if (loop->phase == PHASE_FRAMES || loop->thrown == NULL ||
        !(PyErr_GivenExceptionMatches(loop->thrown, cload_greenlet_exit_type()) ||
          PyErr_GivenExceptionMatches(loop->thrown, state->exc_stop_user))) {
        return false;
    }
    for (uint32_t i = 0; i < loop->count; i++) {
        cload__frame_refresh(state, &loop->frames[i]);
        if (loop->frames[i].overrides & HAS_ON_STOP) {
            return false;
        }
    }
    return !has_user_hook(loop, state->str_on_stop);
}

/* LOOP_WAIT when the first round may begin, else how the user ended. */
static enum cload_outcome
loop_begin(struct cload_task_loop *loop)
{
    struct cload_state *state = loop->state;
    struct cload_user *user = loop->user;
    user->run_state = USER_RUNNING;
    PyObject *taskset = cload_taskset_new_default(state, (PyObject *)user);
    if (taskset == NULL) {
        return LOOP_ERROR;
    }
    Py_XSETREF(user->taskset, Py_NewRef(taskset));
    if (loop_push(loop, taskset) < 0) {
        return LOOP_ERROR;
    }
    loop->frames[0].is_entered = true;
    if (call_user_hook(loop, state->str_on_start) == 0) {
        return LOOP_WAIT;
    }
    if (PyErr_ExceptionMatches(cload_greenlet_exit_type()) || !PyErr_ExceptionMatches(PyExc_Exception)) {
        return loop_leave(loop);
    }
    bool is_regular = is_stop(state);
    PyObject *exception = cload_exception_take();
    PyObject *reported = cload_call_task_helper(state, "report_start_error", (PyObject *)user, exception);
    if (reported == NULL) {
        Py_DECREF(exception);
        return LOOP_ERROR;
    }
    Py_DECREF(reported);
    if (!is_regular) {
        cload_exception_restore(exception);
        return LOOP_ERROR;
    }
    Py_DECREF(exception);
    return call_user_hook(loop, state->str_on_stop) < 0 ? LOOP_ERROR : LOOP_END;
}

/* How a loop goes on that has waited. */
static enum action
loop_resume(struct cload_task_loop *loop)
{
    enum place place = loop->phase == PHASE_WAIT_AFTER_ERROR ? IN_HANDLER : IN_ROUND;
    bool is_yield = loop->phase == PHASE_YIELD;
    loop->phase = PHASE_FRAMES;
    if (loop->thrown != NULL) {
        raise_thrown(loop);
        return frame_settle(loop, place);
    }
    if (!is_yield) {
        if (cload__loop_check_stopping(loop) < 0) {
            return frame_settle(loop, place);
        }
        loop->user->run_state = USER_RUNNING;
    }
    return ACT_PICK;
}

/* The next task of the top frame, and on_start before its first one. */
static enum action
frame_round(struct cload_task_loop *loop)
{
    struct cload_frame *frame = &loop->frames[loop->count - 1];
    if (!frame->is_entered) {
        frame->is_entered = true;
        if (frame->overrides & HAS_ON_START && cload_call_hook(frame->taskset, loop->state->str_on_start) < 0) {
            if (PyErr_ExceptionMatches(loop->state->exc_interrupt)) {
                PyObject *interrupt = cload_exception_take();
                turn_interrupt(loop, interrupt);
                Py_DECREF(interrupt);
            }
            loop_pop(loop);
            return loop->count == 0 ? ACT_LEAVE : frame_settle(loop, IN_TASK);
        }
    }
    return frame_execute(loop) == 1 ? ACT_PICK : frame_settle(loop, IN_TASK);
}

enum cload_outcome
cload_loop_run(struct cload_task_loop *loop)
{
    enum action action = ACT_PICK;
    if (loop->hub != NULL) {
        loop->switch_count = loop->hub->switch_count;
    }
    if (loop->phase == PHASE_NEW) {
        if (loop->thrown != NULL) {
            return LOOP_END;
        }
        loop->phase = PHASE_FRAMES;
        if (loop->is_user_level) {
            enum cload_outcome begun = loop_begin(loop);
            if (begun != LOOP_WAIT) {
                return begun;
            }
        }
    } else if (loop->phase != PHASE_FRAMES) {
        action = loop_resume(loop);
    }
    for (;;) {
        if (action == ACT_PICK) {
            action = frame_round(loop);
        } else if (action == ACT_LEAVE) {
            return loop_leave(loop);
        } else if (action == ACT_PICK_NOW) {
            int yielded = cload__loop_yield(loop);
            if (yielded == 1) {
                loop->phase = PHASE_YIELD;
                return LOOP_WAIT;
            }
            action = yielded == 0 ? ACT_PICK : frame_settle(loop, IN_ROUND);
        } else {
            int waited = cload__loop_wait(loop);
            if (waited == 1) {
                loop->phase = action == ACT_WAIT ? PHASE_WAIT : PHASE_WAIT_AFTER_ERROR;
                return LOOP_WAIT;
            }
            action = waited == 0 ? ACT_PICK : frame_settle(loop, action == ACT_WAIT ? IN_ROUND : IN_HANDLER);
        }
    }
}

/* A loop for the caller's greenlet. */
static int
loop_init_here(struct cload_task_loop *loop, struct cload_state *state, struct cload_user *user)
{
    cload_loop_init(loop, state, user);
    loop->hub = cload_hub_get(state);
    if (loop->hub == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    loop->switch_count = loop->hub->switch_count;
    return 0;
}

PyObject *
cload_loop_run_here(struct cload_state *state, struct cload_user *user, PyObject *taskset)
{
    struct cload_task_loop loop;
    if (loop_init_here(&loop, state, user) < 0) {
        return NULL;
    }
    Py_INCREF(user); /* a task may give its set another user */
    loop.is_user_level = taskset == NULL;
    enum cload_outcome outcome = LOOP_ERROR;
    if (taskset == NULL || loop_push(&loop, Py_NewRef(taskset)) == 0) {
        outcome = cload_loop_run(&loop);
    }
    cload_loop_fini(&loop);
    Py_DECREF(user);
    return outcome == LOOP_ERROR ? NULL : Py_NewRef(Py_None);
}

PyObject *
cload_loop_wait_here(struct cload_state *state, struct cload_user *user, PyObject *taskset)
{
    struct cload_task_loop loop;
    if (loop_init_here(&loop, state, user) < 0) {
        return NULL;
    }
    Py_INCREF(user);
    int err = loop_push(&loop, Py_NewRef(taskset));
    if (err == 0) {
        loop.is_waiting_here = true;
        err = cload__loop_wait(&loop);
    }
    cload_loop_fini(&loop);
    Py_DECREF(user);
    return err < 0 ? NULL : Py_NewRef(Py_None);
}
