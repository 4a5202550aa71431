#include "task_loop.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "hub.h"
#include "object.h"
#include "taskset.h"
#include "user.h"

#include <math.h>

/* Where an exception came up: in the task; elsewhere in the protected part; while an error was being handled. */
enum place { IN_TASK, IN_ROUND, IN_HANDLER };
enum action { ACT_PICK, ACT_PICK_NOW, ACT_WAIT, ACT_WAIT_AFTER_ERROR, ACT_LEAVE };

static bool
is_stop(struct cload_state *state)
{
    return PyErr_ExceptionMatches(state->exc_stop_user) || PyErr_ExceptionMatches(state->exc_stop_test) ||
           PyErr_ExceptionMatches(cload_greenlet_exit_type());
}

static void
frame_read(struct cload_state *state, struct cload_frame *frame)
{
    PyObject *dict = ((struct cload_taskset *)frame->taskset)->dict;
    frame->overrides = cload_taskset_overrides(state, frame->taskset);
    frame->class_version = Py_TYPE(frame->taskset)->tp_version_tag;
    frame->instance_size = dict == NULL ? 0 : PyDict_GET_SIZE(dict);
}

/* Hooks may be put on the class, a base of it, or the instance at any time; a type that is changed gets a new version,
 * or has none any more. */
static void
frame_refresh(struct cload_state *state, struct cload_frame *frame)
{
    PyObject *dict = ((struct cload_taskset *)frame->taskset)->dict;
    if (frame->class_version == 0 || Py_TYPE(frame->taskset)->tp_version_tag != frame->class_version ||
        (dict == NULL ? 0 : PyDict_GET_SIZE(dict)) != frame->instance_size) {
        frame_read(state, frame);
    }
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
    frame_read(loop->state, frame);
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

/* -1 with StopUser when the user shall stop: it was asked to, or a task kept the exception it was killed with. */
static int
check_stopping(struct cload_task_loop *loop)
{
    if (loop->is_killed || loop->user->run_state == USER_STOPPING) {
        PyErr_SetNone(loop->state->exc_stop_user);
        return -1;
    }
    return 0;
}

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
    frame_refresh(state, frame);
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
        if (check_stopping(loop) < 0) {
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
    if (check_stopping(loop) < 0) {
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
    frame_refresh(loop->state, frame);
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

/* --- waiting --- */

static int
seconds_to_ns(PyObject *value, int64_t *out)
{
    double seconds;
    if (PyFloat_CheckExact(value)) {
        seconds = PyFloat_AS_DOUBLE(value);
    } else if (PyLong_CheckExact(value)) {
        seconds = PyLong_AsDouble(value);
    } else {
        seconds = PyFloat_AsDouble(value);
    }
    if (seconds == -1 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Format(PyExc_TypeError, "wait_time has to give a number of seconds, not %R", value);
        }
        return -1;
    }
    if (isnan(seconds)) {
        PyErr_SetString(PyExc_ValueError, "wait_time has to give a number of seconds, not nan");
        return -1;
    }
    *out = seconds > 0 ? seconds > 9e9 ? INT64_MAX / 2 : (int64_t)(seconds * 1e9) : 0;
    return 0;
}

/* Sleeps in the current greenlet. */
static int
sleep_here(struct cload_hub *hub, int64_t ns)
{
    if (hub == NULL) {
        struct timespec time = {ns / LCORE_NS_PER_S, ns % LCORE_NS_PER_S};
        Py_BEGIN_ALLOW_THREADS;
        nanosleep(&time, NULL);
        Py_END_ALLOW_THREADS;
        return PyErr_CheckSignals();
    }
    return cload_hub_sleep(hub, ns);
}

/* The wait_time of the user's class, if that is what counts. Borrowed. */
static PyObject *
class_wait_time(struct cload_task_loop *loop)
{
    PyObject *in_class = _PyType_Lookup(Py_TYPE(loop->user), loop->state->str_wait_time);
    return in_class != NULL && PyCallable_Check(in_class) &&
                   (loop->user->dict == NULL || PyDict_Contains(loop->user->dict, loop->state->str_wait_time) == 0)
               ? in_class
               : NULL;
}

/* What a function that constant() made would return; NULL: it is another one. Borrowed. */
static PyObject *
constant_wait(struct cload_state *state, PyObject *function)
{
    return function != NULL && PyFunction_Check(function) && PyFunction_GET_CODE(function) == state->constant_code
               ? PyCell_GET(PyTuple_GET_ITEM(PyFunction_GET_CLOSURE(function), 0))
               : NULL;
}

/* Asks how long to wait. -1 with an exception. */
static int
ask_wait_time(struct cload_task_loop *loop, struct cload_frame *frame)
{
    /* TaskSet.wait_time() asks the user, if that has one. */
    PyObject *of_user = frame->overrides & HAS_WAIT_TIME ? NULL : class_wait_time(loop);
    PyObject *seconds = Py_XNewRef(constant_wait(loop->state, of_user));
    if (seconds == NULL) {
        PyObject *holder = of_user == NULL ? frame->taskset : (PyObject *)loop->user;
        seconds = PyObject_CallMethodNoArgs(holder, loop->state->str_wait_time);
    }
    int err = seconds == NULL ? -1 : seconds_to_ns(seconds, &loop->wait_ns);
    Py_XDECREF(seconds);
    return err;
}

/* Waits as a task set does after a task; 1 asks the pool to do it. -1 with an exception, 0 when over. */
static int
loop_wait(struct cload_task_loop *loop)
{
    struct cload_frame *frame = &loop->frames[loop->count - 1];
    if (loop->is_waiting_here) {
        frame->overrides &= ~(unsigned)HAS_WAIT;
    } else {
        frame_refresh(loop->state, frame);
    }
    if (frame->overrides & HAS_WAIT) {
        return cload_call_hook(frame->taskset, loop->state->str_wait);
    }
    if (check_stopping(loop) < 0) {
        return -1;
    }
    loop->user->run_state = USER_WAITING;
    if (ask_wait_time(loop, frame) < 0) {
        return -1;
    }
    /* Nothing to wait for, and others had their turn while this user waited for an answer. */
    bool has_yielded = loop->hub != NULL && loop->switch_count != loop->hub->switch_count;
    if (loop->wait_ns == 0 && has_yielded) {
        if (check_stopping(loop) < 0) {
            return -1;
        }
        loop->switch_count = loop->hub->switch_count;
        loop->user->run_state = USER_RUNNING;
        return 0;
    }
    if (loop->is_pooled) {
        return 1;
    }
    if (sleep_here(loop->hub, loop->wait_ns) < 0 || check_stopping(loop) < 0) {
        return -1;
    }
    loop->user->run_state = USER_RUNNING;
    return 0;
}

/* A task that asked to be followed at once: others get a turn if they had none since this user's round began, so that
 * a set that is left at once, over and over, starves nobody. As loop_wait() otherwise. */
static int
loop_yield(struct cload_task_loop *loop)
{
    if (loop->hub == NULL || loop->switch_count != loop->hub->switch_count) {
        loop->switch_count = loop->hub == NULL ? 0 : loop->hub->switch_count;
        return 0;
    }
    loop->wait_ns = 0;
    return loop->is_pooled ? 1 : sleep_here(loop->hub, 0);
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
        frame_refresh(state, &loop->frames[i]);
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
        enum place place = loop->phase == PHASE_WAIT_AFTER_ERROR ? IN_HANDLER : IN_ROUND;
        bool is_yield = loop->phase == PHASE_YIELD;
        loop->phase = PHASE_FRAMES;
        if (loop->thrown != NULL) {
            raise_thrown(loop);
            action = frame_settle(loop, place);
        } else if (!is_yield) {
            if (check_stopping(loop) < 0) {
                action = frame_settle(loop, place);
            } else {
                loop->user->run_state = USER_RUNNING;
            }
        }
    }
    for (;;) {
        if (action == ACT_PICK) {
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
                    action = loop->count == 0 ? ACT_LEAVE : frame_settle(loop, IN_TASK);
                    continue;
                }
            }
            if (frame_execute(loop) != 1) {
                action = frame_settle(loop, IN_TASK);
            }
        } else if (action == ACT_LEAVE) {
            return loop_leave(loop);
        } else if (action == ACT_PICK_NOW) {
            int yielded = loop_yield(loop);
            if (yielded == 1) {
                loop->phase = PHASE_YIELD;
                return LOOP_WAIT;
            }
            action = yielded == 0 ? ACT_PICK : frame_settle(loop, IN_ROUND);
        } else {
            int waited = loop_wait(loop);
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
        err = loop_wait(&loop);
    }
    cload_loop_fini(&loop);
    Py_DECREF(user);
    return err < 0 ? NULL : Py_NewRef(Py_None);
}
