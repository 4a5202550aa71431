/* The life of a user: on_start, then pick a task, run it, wait, and so on until something stops it.
 *
 * One state machine (struct task_loop) serves two ways of living. Pooled: `_cload.UserGreenlet` owns the loop; a
 * greenlet of the pool runs it until the user waits, and goes back to the pool: a waiting user is a deadline and no
 * stack. Blocking: TaskSet.run() and User.run() as Python methods run the same machine on the greenlet they are called
 * in and sleep there; that is how a class lives that overrides run(), and how a task set lives that is run by hand.
 *
 * A nested task set is a frame of the machine, not a call, unless its class has a run() of its own. What an exception
 * means depends on where it arises (enum place); frame_settle() is the table. */
#include "state.h"

#include <malloc.h>
#include <structmember.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "hub.h"

enum run_state { USER_NEW, USER_RUNNING, USER_WAITING, USER_STOPPING };

struct user_object {
    PyObject_HEAD
    PyObject *environment, *greenlet, *group, *taskset;
    PyObject *dict, *weakrefs;
    enum run_state run_state;
};

struct taskset_object {
    PyObject_HEAD
    PyObject *user, *parent, *queue;
    PyObject *dict, *weakrefs;
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

struct frame {
    PyObject *taskset; /* owned */
    unsigned overrides;
    bool is_entered;
};

enum phase { PHASE_NEW, PHASE_FRAMES, PHASE_WAIT, PHASE_WAIT_AFTER_ERROR, PHASE_YIELD };

#define INLINE_FRAMES 2

struct task_loop {
    struct cload_state *state;
    struct cload_hub *hub;    /* NULL: not on the hub's thread, waits block the thread */
    struct user_object *user; /* borrowed: the owner of the loop keeps it */
    struct frame *frames;
    struct frame inline_frames[INLINE_FRAMES];
    uint32_t count, capacity;
    enum phase phase;
    bool is_pooled;
    bool is_user_level;    /* on_start and on_stop of the user belong to this loop */
    uint64_t switch_count; /* the hub's, when this round began */
    int64_t wait_ns;       /* what LOOP_WAIT asks for; 0: let others run */
    PyObject *thrown;      /* raised where the user waits */
};

enum outcome { LOOP_WAIT, LOOP_END, LOOP_ERROR };

/* Where an exception came up: in the task; elsewhere in the protected part; while an error was being handled. */
enum place { IN_TASK, IN_ROUND, IN_HANDLER };
enum action { ACT_PICK, ACT_PICK_NOW, ACT_WAIT, ACT_WAIT_AFTER_ERROR, ACT_LEAVE };

static PyObject *
call_task_helper(struct cload_state *state, const char *name, PyObject *first, PyObject *second)
{
    if (state->task_helpers == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "locust.user.task has not been imported");
        return NULL;
    }
    PyObject *function = PyObject_GetAttrString(state->task_helpers, name);
    if (function == NULL) {
        return NULL;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(function, first, second, NULL);
    Py_DECREF(function);
    return result;
}

/* The pending exception as an instance with its traceback, taken. */
static PyObject *
take_exception(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

/* Takes `value`. */
static void
restore_exception(PyObject *value)
{
    PyErr_Restore(Py_NewRef(Py_TYPE(value)), value, PyException_GetTraceback(value));
}

static bool
is_stop(struct cload_state *state)
{
    return PyErr_ExceptionMatches(state->exc_stop_user) || PyErr_ExceptionMatches(state->exc_stop_test) ||
           PyErr_ExceptionMatches(cload_greenlet_exit_type());
}

/* --- frames --- */

static unsigned
class_overrides(struct cload_state *state, PyTypeObject *type)
{
    const struct {
        PyObject *name;
        unsigned flag;
    } hooks[] = {
        {state->str_run, HAS_RUN},
        {state->str_wait, HAS_WAIT},
        {state->str_get_next_task, HAS_PICK},
        {state->str_execute_next_task, HAS_EXECUTE_NEXT},
        {state->str_execute_task, HAS_EXECUTE},
        {state->str_schedule_task, HAS_SCHEDULE},
        {state->str_on_start, HAS_ON_START},
        {state->str_on_stop, HAS_ON_STOP},
    };
    unsigned overrides = (PyObject *)type == state->default_taskset_type ? IS_DEFAULT : 0;
    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        if (_PyType_Lookup(type, hooks[i].name) != _PyType_Lookup(state->taskset_type, hooks[i].name)) {
            overrides |= hooks[i].flag;
        }
    }
    if (_PyType_Lookup(type, state->str_wait_time) !=
        _PyType_Lookup((PyTypeObject *)state->default_taskset_type, state->str_wait_time)) {
        overrides |= HAS_WAIT_TIME;
    }
    return overrides;
}

/* A hook may also be put on the instance. */
static unsigned
instance_overrides(struct cload_state *state, PyObject *taskset)
{
    unsigned overrides = class_overrides(state, Py_TYPE(taskset));
    PyObject *dict = ((struct taskset_object *)taskset)->dict;
    if (dict != NULL && PyDict_GET_SIZE(dict) > 0) {
        overrides |= PyDict_Contains(dict, state->str_wait) > 0 ? HAS_WAIT : 0;
        overrides |= PyDict_Contains(dict, state->str_wait_time) > 0 ? HAS_WAIT_TIME : 0;
        overrides |= PyDict_Contains(dict, state->str_get_next_task) > 0 ? HAS_PICK : 0;
        overrides |= PyDict_Contains(dict, state->str_execute_task) > 0 ? HAS_EXECUTE : 0;
        overrides |= PyDict_Contains(dict, state->str_on_stop) > 0 ? HAS_ON_STOP : 0;
        overrides |= PyDict_Contains(dict, state->str_on_start) > 0 ? HAS_ON_START : 0;
    }
    return overrides;
}

/* Takes `taskset`, also when it fails. */
static int
loop_push(struct task_loop *loop, PyObject *taskset)
{
    if (loop->count == loop->capacity) {
        uint32_t capacity = loop->capacity * 2;
        struct frame *frames = lc__alloc(capacity * sizeof(*frames));
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
    loop->frames[loop->count++] = (struct frame){taskset, instance_overrides(loop->state, taskset), false};
    return 0;
}

static void
loop_pop(struct task_loop *loop)
{
    Py_DECREF(loop->frames[--loop->count].taskset);
}

static void
loop_init(struct task_loop *loop, struct cload_state *state, struct user_object *user)
{
    *loop = (struct task_loop){.state = state, .user = user, .capacity = INLINE_FRAMES};
    loop->frames = loop->inline_frames;
}

static void
loop_fini(struct task_loop *loop)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    while (loop->count > 0) {
        loop_pop(loop);
    }
    if (loop->frames != loop->inline_frames) {
        lc__free(loop->frames);
        loop->frames = loop->inline_frames;
        loop->capacity = INLINE_FRAMES;
    }
    Py_CLEAR(loop->thrown);
    PyErr_Restore(type, value, traceback);
}

/* --- one round of a frame --- */

/* The number random.choice() would draw from its generator: a file that seeds it gets the tasks it got from Locust. */
static Py_ssize_t
draw_below(struct cload_state *state, Py_ssize_t count)
{
    int bits = 0;
    while (count >> bits != 0) {
        bits++;
    }
    PyObject *width = PyLong_FromLong(bits);
    if (width == NULL) {
        return -1;
    }
    Py_ssize_t place;
    do {
        PyObject *number = PyObject_CallOneArg(state->getrandbits, width);
        place = number == NULL ? -1 : PyLong_AsSsize_t(number);
        Py_XDECREF(number);
    } while (place >= count);
    Py_DECREF(width);
    return place;
}

/* What tasks are functions of: the user for the set that every user has, else the set. NULL with an exception. */
static PyObject *
task_holder(PyObject *taskset, bool is_default)
{
    PyObject *holder = is_default ? ((struct taskset_object *)taskset)->user : taskset;
    if (holder == NULL) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this task set has no user; does its __init__() call super().__init__(parent)?");
    }
    return Py_XNewRef(holder);
}

/* random.choice() of the holder's tasks. New reference. */
static PyObject *
pick_task(struct cload_state *state, PyObject *taskset, bool is_default)
{
    PyObject *holder = task_holder(taskset, is_default);
    if (holder == NULL) {
        return NULL;
    }
    PyObject *tasks = PyObject_GetAttr(holder, state->str_tasks);
    if (tasks == NULL) {
        Py_DECREF(holder);
        return NULL;
    }
    PyObject *task = NULL;
    Py_ssize_t count = PySequence_Size(tasks);
    if (count == 0) {
        PyObject *raised = call_task_helper(state, "raise_no_tasks", holder, NULL);
        Py_XDECREF(raised);
    } else if (count > 0) {
        Py_ssize_t place = count == 1 ? 0 : draw_below(state, count);
        if (place < 0) {
            goto out;
        }
        task = PySequence_GetItem(tasks, place);
    }
out:
    Py_DECREF(tasks);
    Py_DECREF(holder);
    return task;
}

static bool
is_taskset_class(struct cload_state *state, PyObject *task)
{
    return PyType_Check(task) && PyType_IsSubtype((PyTypeObject *)task, state->taskset_type);
}

/* Runs one task of the set. 0: done, 1: `*nested` is a task set instance to be run, -1: exception. */
static int
run_task(struct cload_state *state, PyObject *taskset, bool is_default, PyObject *task, PyObject **nested)
{
    PyObject *holder = task_holder(taskset, is_default);
    if (holder == NULL) {
        return -1;
    }
    PyObject *result;
    if (PyFunction_Check(task)) {
        result = PyObject_CallOneArg(task, holder);
    } else if (is_taskset_class(state, task)) {
        *nested = PyObject_CallOneArg(task, holder);
        Py_DECREF(holder);
        if (*nested != NULL && !PyObject_TypeCheck(*nested, state->taskset_type)) {
            PyErr_SetString(PyExc_TypeError, "a task set class made an object that is no task set");
            Py_CLEAR(*nested);
        }
        return *nested == NULL ? -1 : 1;
    } else if (!is_default && PyMethod_Check(task) && PyMethod_GET_SELF(task) == taskset) {
        result = PyObject_CallNoArgs(task);
    } else {
        result = PyObject_CallOneArg(task, holder);
    }
    Py_DECREF(holder);
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

static int
call_hook(PyObject *object, PyObject *name)
{
    PyObject *result = PyObject_CallMethodNoArgs(object, name);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* The next task: out of the queue, which is filled by picking when it is empty. New reference. */
static PyObject *
next_task(struct cload_state *state, PyObject *object, unsigned overrides)
{
    struct taskset_object *taskset = (struct taskset_object *)object;
    bool is_queue_empty =
        taskset->queue == NULL || !PyList_Check(taskset->queue) || PyList_GET_SIZE(taskset->queue) == 0;
    if (is_queue_empty) {
        PyObject *task = overrides & HAS_PICK ? PyObject_CallMethodNoArgs(object, state->str_get_next_task)
                                              : pick_task(state, object, overrides & IS_DEFAULT);
        if (task == NULL ||
            (!(overrides & HAS_SCHEDULE) && (taskset->queue == NULL || PyList_GET_SIZE(taskset->queue) == 0))) {
            return task;
        }
        PyObject *scheduled = PyObject_CallMethodOneArg(object, state->str_schedule_task, task);
        Py_DECREF(task);
        if (scheduled == NULL) {
            return NULL;
        }
        Py_DECREF(scheduled);
        if (taskset->queue == NULL || !PyList_Check(taskset->queue) || PyList_GET_SIZE(taskset->queue) == 0) {
            PyErr_SetString(PyExc_IndexError, "schedule_task() left the task queue empty");
            return NULL;
        }
    }
    PyObject *task = Py_NewRef(PyList_GET_ITEM(taskset->queue, 0));
    if (PyList_SetSlice(taskset->queue, 0, 1, NULL) < 0) {
        Py_CLEAR(task);
    }
    return task;
}

/* Runs the next task of the top frame. 0: done, 1: a frame was pushed, -1: exception. */
static int
frame_execute(struct task_loop *loop)
{
    struct cload_state *state = loop->state;
    struct frame *frame = &loop->frames[loop->count - 1];
    PyObject *taskset = frame->taskset;
    unsigned overrides = frame->overrides;
    if (overrides & HAS_EXECUTE_NEXT) {
        struct taskset_object *self = (struct taskset_object *)taskset;
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
        if (loop->user->run_state == USER_STOPPING) {
            PyErr_SetNone(state->exc_stop_user);
            return -1;
        }
        return call_hook(taskset, state->str_execute_next_task);
    }
    PyObject *task = next_task(state, taskset, overrides);
    if (task == NULL) {
        return -1;
    }
    int done = -1;
    PyObject *nested = NULL;
    if (loop->user->run_state == USER_STOPPING) {
        PyErr_SetNone(state->exc_stop_user);
    } else if (overrides & HAS_EXECUTE) {
        PyObject *result = PyObject_CallMethodOneArg(taskset, state->str_execute_task, task);
        done = result == NULL ? -1 : 0;
        Py_XDECREF(result);
    } else {
        done = run_task(state, taskset, overrides & IS_DEFAULT, task, &nested);
    }
    Py_DECREF(task);
    if (done == 1) {
        if (instance_overrides(state, nested) & HAS_RUN) {
            done = call_hook(nested, state->str_run);
            Py_DECREF(nested);
        } else {
            done = loop_push(loop, nested) < 0 ? -1 : 1;
        }
    }
    return done;
}

/* on_stop of the top frame; an ordinary exception in it is only logged. -1: a control exception left it. */
static int
frame_stop(struct task_loop *loop, bool may_stop)
{
    struct frame *frame = &loop->frames[loop->count - 1];
    if (!(frame->overrides & HAS_ON_STOP) || call_hook(frame->taskset, loop->state->str_on_stop) == 0) {
        return 0;
    }
    if ((may_stop && is_stop(loop->state)) || !PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1;
    }
    PyObject *exception = take_exception();
    PyObject *logged = call_task_helper(loop->state, "log_on_stop_error", frame->taskset, exception);
    Py_DECREF(exception);
    Py_XDECREF(logged);
    return logged == NULL ? -1 : 0;
}

/* An interrupt becomes, for the parent, a task that asks to be followed at once or after a wait. */
static void
turn_interrupt(struct task_loop *loop, PyObject *interrupt)
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
frame_settle(struct task_loop *loop, enum place place)
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
                PyObject *interrupt = take_exception();
                if (frame_stop(loop, true) == 0) {
                    turn_interrupt(loop, interrupt);
                }
                Py_DECREF(interrupt);
            } else if (is_stop(state)) {
                PyObject *stop = take_exception();
                if (frame_stop(loop, false) == 0) {
                    restore_exception(stop);
                } else {
                    Py_DECREF(stop);
                }
            } else if (PyErr_ExceptionMatches(PyExc_Exception)) {
                PyObject *exception = take_exception();
                PyObject *caught =
                    call_task_helper(state, "report_task_error", loop->frames[loop->count - 1].taskset, exception);
                if (caught == Py_True) {
                    Py_DECREF(caught);
                    Py_DECREF(exception);
                    return ACT_WAIT_AFTER_ERROR;
                }
                if (caught != NULL) {
                    Py_DECREF(caught);
                    restore_exception(exception);
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
    double seconds = PyFloat_AsDouble(value);
    if (seconds == -1 && PyErr_Occurred()) {
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

/* Before a wait: -1 with StopUser when the user shall stop. */
static int
check_stopping(struct task_loop *loop)
{
    if (loop->user->run_state == USER_STOPPING) {
        PyErr_SetNone(loop->state->exc_stop_user);
        return -1;
    }
    return 0;
}

static bool
has_wait_time(struct task_loop *loop)
{
    PyObject *in_class = _PyType_Lookup(Py_TYPE(loop->user), loop->state->str_wait_time);
    return in_class != NULL && PyCallable_Check(in_class) &&
           (loop->user->dict == NULL || PyDict_Contains(loop->user->dict, loop->state->str_wait_time) == 0);
}

/* Waits as a task set does after a task; LOOP_WAIT asks the pool to do it. -1 with an exception, 0 when over. */
static int
loop_wait(struct task_loop *loop)
{
    struct frame *frame = &loop->frames[loop->count - 1];
    if (frame->overrides & HAS_WAIT) {
        return call_hook(frame->taskset, loop->state->str_wait);
    }
    if (check_stopping(loop) < 0) {
        return -1;
    }
    loop->user->run_state = USER_WAITING;
    /* TaskSet.wait_time() asks the user, if that has one. */
    PyObject *holder =
        frame->overrides & HAS_WAIT_TIME || !has_wait_time(loop) ? frame->taskset : (PyObject *)loop->user;
    PyObject *seconds = PyObject_CallMethodNoArgs(holder, loop->state->str_wait_time);
    if (seconds == NULL) {
        return -1;
    }
    int err = seconds_to_ns(seconds, &loop->wait_ns);
    Py_DECREF(seconds);
    if (err < 0) {
        return -1;
    }
    /* Nothing to wait for, and others had their turn while this user waited for an answer. */
    bool has_yielded = loop->hub != NULL && loop->switch_count != loop->hub->switch_count;
    if (loop->wait_ns == 0 && has_yielded && check_stopping(loop) == 0) {
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
loop_yield(struct task_loop *loop)
{
    if (loop->hub == NULL || loop->switch_count != loop->hub->switch_count) {
        loop->switch_count = loop->hub == NULL ? 0 : loop->hub->switch_count;
        return 0;
    }
    loop->wait_ns = 0;
    return loop->is_pooled ? 1 : sleep_here(loop->hub, 0);
}

/* --- the machine --- */

/* The user's own end. With an exception set that means a regular stop: on_stop, and all is well. */
static enum outcome
loop_leave(struct task_loop *loop)
{
    if (!loop->is_user_level || !is_stop(loop->state)) {
        return LOOP_ERROR;
    }
    PyErr_Clear();
    return call_hook((PyObject *)loop->user, loop->state->str_on_stop) < 0 ? LOOP_ERROR : LOOP_END;
}

/* LOOP_WAIT when the first round may begin, else how the user ended. */
static enum outcome
loop_begin(struct task_loop *loop)
{
    struct cload_state *state = loop->state;
    struct user_object *user = loop->user;
    user->run_state = USER_RUNNING;
    PyObject *taskset = PyObject_CallOneArg(state->default_taskset_type, (PyObject *)user);
    if (taskset == NULL) {
        return LOOP_ERROR;
    }
    Py_XSETREF(user->taskset, Py_NewRef(taskset));
    if (loop_push(loop, taskset) < 0) {
        return LOOP_ERROR;
    }
    loop->frames[0].is_entered = true;
    if (call_hook((PyObject *)user, state->str_on_start) == 0) {
        return LOOP_WAIT;
    }
    if (PyErr_ExceptionMatches(cload_greenlet_exit_type()) || !PyErr_ExceptionMatches(PyExc_Exception)) {
        return loop_leave(loop);
    }
    bool is_regular = is_stop(state);
    PyObject *exception = take_exception();
    PyObject *reported = call_task_helper(state, "report_start_error", (PyObject *)user, exception);
    Py_DECREF(exception);
    if (reported == NULL) {
        return LOOP_ERROR;
    }
    Py_DECREF(reported);
    return is_regular && call_hook((PyObject *)user, state->str_on_stop) < 0 ? LOOP_ERROR : LOOP_END;
}

/* Runs on until the user waits (pooled only) or ends. */
static enum outcome
loop_run(struct task_loop *loop)
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
            enum outcome begun = loop_begin(loop);
            if (begun != LOOP_WAIT) {
                return begun;
            }
        }
    } else if (loop->phase != PHASE_FRAMES) {
        enum place place = loop->phase == PHASE_WAIT_AFTER_ERROR ? IN_HANDLER : IN_ROUND;
        bool is_yield = loop->phase == PHASE_YIELD;
        loop->phase = PHASE_FRAMES;
        if (loop->thrown != NULL) {
            restore_exception(loop->thrown);
            loop->thrown = NULL;
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
            struct frame *frame = &loop->frames[loop->count - 1];
            if (!frame->is_entered) {
                frame->is_entered = true;
                if (frame->overrides & HAS_ON_START && call_hook(frame->taskset, loop->state->str_on_start) < 0) {
                    if (PyErr_ExceptionMatches(loop->state->exc_interrupt)) {
                        PyObject *interrupt = take_exception();
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

/* Runs the machine here, in the caller's greenlet, to its end. */
static PyObject *
run_blocking(struct cload_state *state, struct user_object *user, PyObject *taskset)
{
    struct task_loop loop;
    loop_init(&loop, state, user);
    loop.hub = cload_hub_get(state);
    if (loop.hub == NULL && PyErr_Occurred()) {
        return NULL;
    }
    enum outcome outcome = LOOP_ERROR;
    if (taskset != NULL) {
        if (loop_push(&loop, Py_NewRef(taskset)) == 0) {
            loop.phase = PHASE_NEW;
            outcome = loop_run(&loop);
        }
    } else {
        loop.is_user_level = true;
        outcome = loop_run(&loop);
    }
    loop_fini(&loop);
    return outcome == LOOP_ERROR ? NULL : Py_NewRef(Py_None);
}

/* --- the pool --- */

struct user_greenlet {
    PyObject_HEAD
    struct task_loop loop;
    struct lc_timer timer;
    struct cload_ready ready;      /* the user shall run on, or its links be told */
    struct cload_ready kill_ready; /* `thrown` shall reach it */
    struct worker *worker;         /* while it runs, and for good once user code left state on the greenlet */
    struct worker *last;           /* waiting: the idle one it ran in, until somebody else takes that */
    PyObject *user;
    PyObject *exception; /* what ended it, other than a regular stop */
    PyObject *links;     /* list of callables, or NULL */
    PyObject *weakrefs;
    bool is_started, is_running, is_dead, is_pinned;
};

struct worker {
    struct lc_list idle_link;
    struct cload_ready reap; /* it ended: the hub frees it */
    struct cload_hub *hub;
    PyObject *greenlet;
    struct user_greenlet *user;
    struct user_greenlet *last; /* idle: the waiting user that ran in it last */
    bool is_resumed;            /* it is the engine that switches into it */
};

static void
unlink_last(struct user_greenlet *self)
{
    if (self->last != NULL) {
        self->last->last = NULL;
        self->last = NULL;
    }
}

static void
tell_links(struct cload_ready *ready)
{
    struct user_greenlet *self = LCORE_CONTAINER(ready, struct user_greenlet, ready);
    PyObject *links = self->links;
    self->links = NULL;
    for (Py_ssize_t i = 0; links != NULL && i < PyList_GET_SIZE(links); i++) {
        PyObject *result = PyObject_CallOneArg(PyList_GET_ITEM(links, i), (PyObject *)self);
        if (result == NULL) {
            cload_hub_handle_error(self->loop.hub, (PyObject *)self);
        }
        Py_XDECREF(result);
    }
    Py_XDECREF(links);
    cload_hub_release(self->loop.hub);
    Py_DECREF(self); /* the reference the engine held since start() */
}

/* The user is over. An exception that is set is reported by gevent's hub, as for any greenlet. */
static void
user_finish(struct user_greenlet *self, bool has_failed)
{
    struct cload_hub *hub = self->loop.hub;
    self->is_running = false;
    self->is_dead = true;
    if (has_failed) {
        PyObject *exception = take_exception();
        Py_XSETREF(self->exception, Py_NewRef(exception));
        restore_exception(exception);
        cload_hub_handle_error(hub, (PyObject *)self);
    }
    lc_timer_stop(hub->loop, &self->timer);
    lc_list_remove(&self->kill_ready.link);
    loop_fini(&self->loop);
    unlink_last(self);
    self->worker = NULL;
    self->ready.fn = tell_links;
    cload_hub_put(hub, &self->ready);
}

static void user_resume(struct cload_ready *ready);
static struct worker *worker_new(struct cload_hub *hub);
static void worker_returned(struct worker *worker, PyObject *result);
static void pool_watch(struct cload_hub *hub);

static void
user_wait_is_over(struct lc_timer *timer)
{
    struct user_greenlet *self = LCORE_CONTAINER(timer, struct user_greenlet, timer);
    cload_hub_put(self->loop.hub, &self->ready);
}

/* The user waits: from here on it is a deadline. */
static void
user_park(struct user_greenlet *self)
{
    struct cload_hub *hub = self->loop.hub;
    self->is_running = false;
    self->ready.fn = user_resume;
    if (self->loop.wait_ns == 0 || self->loop.thrown != NULL) {
        cload_hub_put(hub, &self->ready);
    } else if (lc_timer_start(hub->loop, &self->timer, lc_clock_monotonic_ns() + self->loop.wait_ns,
                              user_wait_is_over) < 0) {
        /* No memory for the deadline: it goes on at once rather than never. */
        cload_hub_put(hub, &self->ready);
    } else if (cload_hub_kick(hub) < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
}

/* Has an idle greenlet, which is off the list, return. */
static void
worker_end(struct worker *worker)
{
    worker->is_resumed = true;
    PyObject *result = cload_greenlet_switch(worker->greenlet); /* it sees that it has no user */
    worker_returned(worker, result);
}

/* Whether user code kept the greenlet. Then it is somebody's: who kills it means that user and no other. */
static bool
is_kept(const struct worker *worker)
{
    return Py_REFCNT(worker->greenlet) > 1;
}

/* Gives a worker, which is off the list, back to the user that ran in it last. */
static void
worker_pin(struct worker *worker)
{
    struct user_greenlet *user = worker->last;
    unlink_last(user);
    worker->user = user;
    user->worker = worker;
    user->is_pinned = true;
    worker->hub->busy_count++;
}

/* The first idle greenlet; NULL: there is none, or it turned out to be somebody's own. */
static struct worker *
pool_take(struct cload_hub *hub)
{
    struct lc_list *idle = lc_list_pop(&hub->idle_workers);
    if (idle == NULL) {
        return NULL;
    }
    hub->idle_count--;
    struct worker *worker = LCORE_CONTAINER(idle, struct worker, idle_link);
    if (is_kept(worker)) {
        if (worker->last != NULL) {
            worker_pin(worker);
        } else {
            worker_end(worker);
        }
        return NULL;
    }
    if (worker->last != NULL) {
        unlink_last(worker->last);
    }
    return worker;
}

/* A greenlet that ran Python code keeps pages of its own. The pool holds no more of them than were in use at once
 * lately. */
#define POOL_LEAST 64
#define POOL_TRIM_NS LCORE_NS_PER_S

static void
pool_trim(struct cload_ready *ready)
{
    struct cload_hub *hub = LCORE_CONTAINER(ready, struct cload_hub, trim_ready);
    size_t wanted = hub->busy_peak > POOL_LEAST ? hub->busy_peak : POOL_LEAST;
    size_t ended_count = 0;
    while (hub->idle_count > 0 && hub->idle_count + hub->busy_count > wanted) {
        struct worker *worker = pool_take(hub);
        if (worker != NULL) {
            ended_count++;
            worker_end(worker);
        }
    }
    if (ended_count > 1000) {
        malloc_trim(0);
    }
    hub->busy_peak = hub->busy_count;
    pool_watch(hub);
}

static void
pool_trim_is_due(struct lc_timer *timer)
{
    struct cload_hub *hub = LCORE_CONTAINER(timer, struct cload_hub, trim_timer);
    cload_hub_put(hub, &hub->trim_ready);
}

/* Has the pool trimmed later on, while there is something to trim. */
static void
pool_watch(struct cload_hub *hub)
{
    if (hub->trim_timer.index == 0 && hub->idle_count > POOL_LEAST) {
        hub->trim_ready.fn = pool_trim;
        /* Without memory for the timer the pool just stays as it is. */
        lc_timer_start(hub->loop, &hub->trim_timer, lc_loop_now_ns(hub->loop) + POOL_TRIM_NS, pool_trim_is_due);
    }
}

/* `user` waits, or is NULL. */
static void
pool_put(struct cload_hub *hub, struct worker *worker, struct user_greenlet *user)
{
    worker->user = NULL;
    if (user != NULL) {
        worker->last = user;
        user->last = worker;
    }
    hub->busy_count--;
    hub->idle_count++;
    lc_list_prepend(&hub->idle_workers, &worker->idle_link); /* the last one used is the warmest */
    pool_watch(hub);
}

/* An idle greenlet, or a new one. */
static struct worker *
pool_get(struct cload_hub *hub)
{
    struct worker *worker = NULL;
    while (worker == NULL && hub->idle_count > 0) {
        worker = pool_take(hub);
    }
    if (worker == NULL) {
        worker = worker_new(hub);
    }
    if (worker != NULL) {
        hub->busy_count++;
        if (hub->busy_count > hub->busy_peak) {
            hub->busy_peak = hub->busy_count;
        }
    }
    return worker;
}

/* Somebody threw into a greenlet in which no task runs. It is over; the exception is for the user who waits, if any. */
static PyObject *
worker_thrown_into(struct worker *worker)
{
    struct cload_hub *hub = worker->hub;
    struct user_greenlet *user = worker->user;
    PyObject *exception = take_exception();
    if (user != NULL) {
        worker->user = NULL;
        user->worker = NULL;
        user->is_pinned = false;
        hub->busy_count--;
    } else {
        lc_list_remove(&worker->idle_link);
        hub->idle_count--;
        user = worker->last;
        if (user != NULL) {
            unlink_last(user);
        }
    }
    if (user != NULL) {
        Py_XSETREF(user->loop.thrown, exception);
        cload_hub_put(hub, &user->kill_ready);
    } else {
        Py_DECREF(exception);
    }
    cload_hub_put(hub, &worker->reap);
    Py_RETURN_NONE;
}

/* Runs users, one after the other, until it is told to end. */
static PyObject *
worker_main(PyObject *capsule, PyObject *Py_UNUSED(args))
{
    struct worker *worker = PyCapsule_GetPointer(capsule, "cload.worker");
    struct cload_hub *hub = worker->hub;
    for (;;) {
        worker->is_resumed = false;
        struct user_greenlet *user = worker->user;
        enum outcome outcome = loop_run(&user->loop);
        if (outcome == LOOP_WAIT) {
            user->is_pinned = user->is_pinned || cload_greenlet_has_state(worker->greenlet);
            if (!user->is_pinned) {
                user->worker = NULL;
            }
            user_park(user);
        } else {
            bool was_pinned = user->is_pinned;
            user_finish(user, outcome == LOOP_ERROR);
            if (was_pinned || cload_greenlet_has_state(worker->greenlet)) {
                /* What user code left on this greenlet must not reach another user. */
                hub->busy_count--;
                cload_hub_put(hub, &worker->reap);
                Py_RETURN_NONE;
            }
            user = NULL;
        }
        if (user == NULL || !user->is_pinned) {
            pool_put(hub, worker, user);
        }
        PyObject *result;
        for (;;) {
            result = cload_greenlet_switch(hub->greenlet);
            if (result == NULL) {
                return worker_thrown_into(worker);
            }
            if (worker->is_resumed) {
                break;
            }
            /* Somebody else switched into it: it has nothing to do yet. */
            Py_DECREF(result);
        }
        Py_DECREF(result);
        if (worker->user == NULL) {
            cload_hub_put(hub, &worker->reap);
            Py_RETURN_NONE;
        }
    }
}

static PyMethodDef worker_main_def = {"cload_user", worker_main, METH_VARARGS, NULL};

static void
worker_reap(struct cload_ready *ready)
{
    struct worker *worker = LCORE_CONTAINER(ready, struct worker, reap);
    Py_DECREF(worker->greenlet);
    lc__free(worker);
}

static struct worker *
worker_new(struct cload_hub *hub)
{
    struct worker *worker = lc__calloc(1, sizeof(*worker));
    if (worker == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    worker->hub = hub;
    worker->reap.fn = worker_reap;
    PyObject *capsule = PyCapsule_New(worker, "cload.worker", NULL);
    PyObject *run = capsule == NULL ? NULL : PyCFunction_New(&worker_main_def, capsule);
    worker->greenlet = run == NULL ? NULL : cload_greenlet_new(run, hub->greenlet);
    Py_XDECREF(capsule);
    Py_XDECREF(run);
    if (worker->greenlet == NULL) {
        lc__free(worker);
        return NULL;
    }
    return worker;
}

/* What came back from a switch into a worker: an exception only when the interpreter ends. */
static void
worker_returned(struct worker *worker, PyObject *result)
{
    if (result == NULL) {
        PyErr_WriteUnraisable(worker->greenlet);
    }
    Py_XDECREF(result);
}

static void
user_resume(struct cload_ready *ready)
{
    struct user_greenlet *self = LCORE_CONTAINER(ready, struct user_greenlet, ready);
    struct cload_hub *hub = self->loop.hub;
    if (self->last != NULL) {
        if (is_kept(self->last)) {
            lc_list_remove(&self->last->idle_link);
            hub->idle_count--;
            worker_pin(self->last);
        } else {
            unlink_last(self);
        }
    }
    struct worker *worker = self->worker;
    if (worker == NULL) {
        worker = pool_get(hub);
        if (worker == NULL) {
            user_finish(self, true);
            return;
        }
        self->worker = worker;
        worker->user = self;
    }
    self->is_running = true;
    worker->is_resumed = true;
    PyObject *result = cload_greenlet_switch(worker->greenlet);
    worker_returned(worker, result);
}

/* In the hub: makes `thrown` reach the user wherever it is. */
static void
user_deliver(struct cload_ready *ready)
{
    struct user_greenlet *self = LCORE_CONTAINER(ready, struct user_greenlet, kill_ready);
    if (self->is_dead || self->loop.thrown == NULL) {
        return;
    }
    if (!self->is_running) {
        /* Waiting or not yet begun: it is raised where the wait is. */
        lc_timer_stop(self->loop.hub->loop, &self->timer);
        cload_hub_put(self->loop.hub, &self->ready);
        return;
    }
    PyObject *exception = self->loop.thrown;
    self->loop.thrown = NULL;
    struct worker *worker = self->worker;
    PyObject *result = cload_greenlet_throw(worker->greenlet, (PyObject *)Py_TYPE(exception), exception);
    worker_returned(worker, result);
    Py_DECREF(exception);
}

/* --- _cload.UserGreenlet --- */

static PyObject *
greenlet_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"user", NULL};
    struct cload_state *state = cload_state_find(type);
    PyObject *user;
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!", names, state->user_type, &user)) {
        return NULL;
    }
    struct cload_hub *hub = cload_hub_get(state);
    if (hub == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_RuntimeError, "users run on the thread that the first one was made on");
        }
        return NULL;
    }
    struct user_greenlet *self = (struct user_greenlet *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->user = Py_NewRef(user);
    loop_init(&self->loop, state, (struct user_object *)user);
    self->loop.hub = hub;
    self->loop.is_pooled = self->loop.is_user_level = true;
    self->ready.fn = user_resume;
    self->kill_ready.fn = user_deliver;
    return (PyObject *)self;
}

static PyObject *
greenlet_start(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct user_greenlet *self = (struct user_greenlet *)object;
    if (self->is_started || self->is_dead) {
        Py_RETURN_NONE;
    }
    if (cload_hub_retain(self->loop.hub) < 0) {
        return NULL;
    }
    self->is_started = true;
    Py_INCREF(self);
    cload_hub_put(self->loop.hub, &self->ready);
    Py_RETURN_NONE;
}

static PyObject *
greenlet_join(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    struct user_greenlet *self = (struct user_greenlet *)object;
    if (count + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames)) > 1) {
        PyErr_SetString(PyExc_TypeError, "join() takes one argument: timeout");
        return NULL;
    }
    if (self->is_dead || !self->is_started) {
        Py_RETURN_NONE;
    }
    PyObject *timeout = count > 0 || kwnames != NULL ? args[0] : Py_None;
    PyObject *gevent = PyImport_ImportModule("gevent");
    PyObject *result = gevent == NULL ? NULL : PyObject_CallMethod(gevent, "wait", "[O]O", object, timeout);
    Py_XDECREF(gevent);
    if (result == NULL) {
        return NULL;
    }
    Py_DECREF(result);
    Py_RETURN_NONE;
}

/* kill(exception=GreenletExit, block=True, timeout=None) */
static PyObject *
greenlet_kill(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"exception", "block", "timeout", NULL};
    struct user_greenlet *self = (struct user_greenlet *)object;
    PyObject *exception = cload_greenlet_exit_type(), *timeout = Py_None;
    int is_blocking = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OpO", names, &exception, &is_blocking, &timeout)) {
        return NULL;
    }
    if (self->is_dead) {
        Py_RETURN_NONE;
    }
    PyObject *instance = PyExceptionClass_Check(exception) ? PyObject_CallNoArgs(exception) : Py_NewRef(exception);
    if (instance == NULL) {
        return NULL;
    }
    if (!PyExceptionInstance_Check(instance)) {
        Py_DECREF(instance);
        PyErr_SetString(PyExc_TypeError, "an exception is needed to kill with");
        return NULL;
    }
    if (!self->is_started) {
        Py_DECREF(instance);
        if (cload_hub_retain(self->loop.hub) < 0) {
            return NULL;
        }
        self->is_started = true;
        Py_INCREF(self);
        user_finish(self, false);
        Py_RETURN_NONE;
    }
    Py_XSETREF(self->loop.thrown, instance);
    cload_hub_put(self->loop.hub, &self->kill_ready);
    if (is_blocking) {
        return greenlet_join(object, &timeout, 1, NULL);
    }
    Py_RETURN_NONE;
}

/* throw(exception=GreenletExit): what gevent.killall() calls. */
static PyObject *
greenlet_throw(PyObject *object, PyObject *args)
{
    PyObject *type = cload_greenlet_exit_type(), *value = Py_None, *traceback = Py_None;
    if (!PyArg_ParseTuple(args, "|OOO", &type, &value, &traceback)) {
        return NULL;
    }
    PyObject *positional = PyTuple_Pack(2, PyExceptionInstance_Check(value) ? value : type, Py_False);
    PyObject *result = positional == NULL ? NULL : greenlet_kill(object, positional, NULL);
    Py_XDECREF(positional);
    return result;
}

/* get(block=True, timeout=None): waits for the end; a user has no value. */
static PyObject *
greenlet_get(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"block", "timeout", NULL};
    struct user_greenlet *self = (struct user_greenlet *)object;
    int is_blocking = 1;
    PyObject *timeout = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pO", names, &is_blocking, &timeout)) {
        return NULL;
    }
    PyObject *joined = is_blocking ? greenlet_join(object, &timeout, 1, NULL) : Py_NewRef(Py_None);
    if (joined == NULL) {
        return NULL;
    }
    Py_DECREF(joined);
    if (self->exception != NULL) {
        restore_exception(Py_NewRef(self->exception));
        return NULL;
    }
    if (!self->is_dead) {
        PyObject *gevent = PyImport_ImportModule("gevent");
        PyObject *type = gevent == NULL ? NULL : PyObject_GetAttrString(gevent, "Timeout");
        if (type != NULL) {
            PyErr_SetNone(type);
        }
        Py_XDECREF(type);
        Py_XDECREF(gevent);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
greenlet_rawlink(PyObject *object, PyObject *callback)
{
    struct user_greenlet *self = (struct user_greenlet *)object;
    if (!PyCallable_Check(callback)) {
        PyErr_SetString(PyExc_TypeError, "a link must be callable");
        return NULL;
    }
    if (self->links == NULL && (self->links = PyList_New(0)) == NULL) {
        return NULL;
    }
    if (PyList_Append(self->links, callback) < 0) {
        return NULL;
    }
    if (self->is_dead && !lc_list_is_linked(&self->ready.link)) {
        /* As with any greenlet: a link to one that is over is told soon. */
        if (cload_hub_retain(self->loop.hub) < 0) {
            return NULL;
        }
        Py_INCREF(self);
        cload_hub_put(self->loop.hub, &self->ready);
    }
    Py_RETURN_NONE;
}

static PyObject *
greenlet_unlink(PyObject *object, PyObject *callback)
{
    struct user_greenlet *self = (struct user_greenlet *)object;
    if (self->links != NULL) {
        Py_ssize_t place = PySequence_Index(self->links, callback);
        if (place >= 0) {
            return PySequence_DelItem(self->links, place) < 0 ? NULL : Py_NewRef(Py_None);
        }
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

static PyObject *
greenlet_ready(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(((struct user_greenlet *)object)->is_dead);
}

static PyObject *
greenlet_successful(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct user_greenlet *self = (struct user_greenlet *)object;
    return PyBool_FromLong(self->is_dead && self->exception == NULL);
}

static int
greenlet_bool(PyObject *object)
{
    struct user_greenlet *self = (struct user_greenlet *)object;
    return self->is_started && !self->is_dead;
}

static PyObject *
greenlet_get_carrier(PyObject *object, void *Py_UNUSED(closure))
{
    struct worker *worker = ((struct user_greenlet *)object)->worker;
    return Py_NewRef(worker == NULL ? Py_None : worker->greenlet);
}

static PyObject *
greenlet_get_args(PyObject *object, void *Py_UNUSED(closure))
{
    return PyTuple_Pack(1, ((struct user_greenlet *)object)->user);
}

static PyObject *
greenlet_get_loop(PyObject *object, void *Py_UNUSED(closure))
{
    return Py_NewRef(((struct user_greenlet *)object)->loop.hub->gevent_loop);
}

static PyObject *
greenlet_get_none(PyObject *Py_UNUSED(object), void *Py_UNUSED(closure))
{
    Py_RETURN_NONE;
}

static int
greenlet_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct user_greenlet *self = (struct user_greenlet *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->user);
    Py_VISIT(self->exception);
    Py_VISIT(self->links);
    Py_VISIT(self->loop.thrown);
    for (uint32_t i = 0; i < self->loop.count; i++) {
        Py_VISIT(self->loop.frames[i].taskset);
    }
    return 0;
}

static int
greenlet_clear(PyObject *object)
{
    struct user_greenlet *self = (struct user_greenlet *)object;
    loop_fini(&self->loop);
    Py_CLEAR(self->user);
    Py_CLEAR(self->exception);
    Py_CLEAR(self->links);
    return 0;
}

static void
greenlet_dealloc(PyObject *object)
{
    struct user_greenlet *self = (struct user_greenlet *)object;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    lc_timer_stop(self->loop.hub->loop, &self->timer);
    lc_list_remove(&self->ready.link);
    lc_list_remove(&self->kill_ready.link);
    unlink_last(self);
    greenlet_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef greenlet_methods[] = {
    {"start", greenlet_start, METH_NOARGS, PyDoc_STR("start()\n\nLets the user run, soon.")},
    {"kill", (PyCFunction)(void (*)(void))greenlet_kill, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("kill(exception=GreenletExit, block=True, timeout=None)\n\nRaises `exception` in the user.")},
    {"throw", greenlet_throw, METH_VARARGS,
     PyDoc_STR("throw(exception=GreenletExit)\n\nRaises `exception` in the user, soon.")},
    {"get", (PyCFunction)(void (*)(void))greenlet_get, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("get(block=True, timeout=None)\n\nWaits until the user is over; raises what ended it.")},
    {"join", (PyCFunction)(void (*)(void))greenlet_join, METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("join(timeout=None)\n\nWaits until the user is over, at most `timeout` seconds.")},
    {"rawlink", greenlet_rawlink, METH_O,
     PyDoc_STR("rawlink(callback)\n\nCalls callback(self) when the user is over.")},
    {"link", greenlet_rawlink, METH_O, PyDoc_STR("link(callback)\n\nCalls callback(self) when the user is over.")},
    {"unlink", greenlet_unlink, METH_O, PyDoc_STR("unlink(callback)\n\nTakes a link back.")},
    {"ready", greenlet_ready, METH_NOARGS, PyDoc_STR("ready() -> bool\n\nWhether the user is over.")},
    {"successful", greenlet_successful, METH_NOARGS, PyDoc_STR("successful() -> bool\n\nWhether it ended in order.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef greenlet_getset[] = {
    {"args", greenlet_get_args, NULL, PyDoc_STR("A tuple of one: the user."), NULL},
    {"carrier", greenlet_get_carrier, NULL, PyDoc_STR("The greenlet the user's code runs in, or None."), NULL},
    {"loop", greenlet_get_loop, NULL, PyDoc_STR("gevent's loop."), NULL},
    {"value", greenlet_get_none, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef greenlet_members[] = {
    {"user", T_OBJECT, offsetof(struct user_greenlet, user), READONLY, NULL},
    {"exception", T_OBJECT, offsetof(struct user_greenlet, exception), READONLY, NULL},
    {"dead", T_BOOL, offsetof(struct user_greenlet, is_dead), READONLY, NULL},
    {"started", T_BOOL, offsetof(struct user_greenlet, is_started), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct user_greenlet, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot greenlet_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("UserGreenlet(user)\n\nA user as gevent's groups see it. It only has a stack while a "
                                  "task runs.")},
    {Py_tp_new, greenlet_new},
    {Py_nb_bool, greenlet_bool},
    {Py_tp_traverse, greenlet_traverse},
    {Py_tp_clear, greenlet_clear},
    {Py_tp_dealloc, greenlet_dealloc},
    {Py_tp_methods, greenlet_methods},
    {Py_tp_getset, greenlet_getset},
    {Py_tp_members, greenlet_members},
    {0, NULL},
};

static PyType_Spec greenlet_spec = {
    .name = "_cload.UserGreenlet",
    .basicsize = sizeof(struct user_greenlet),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = greenlet_slots,
};

/* --- _cload.User --- */

static const char *const run_state_names[] = {NULL, "running", "waiting", "stopping"};

static PyObject *
user_get_state(PyObject *object, void *Py_UNUSED(closure))
{
    const char *name = run_state_names[((struct user_object *)object)->run_state];
    return name == NULL ? Py_NewRef(Py_None) : PyUnicode_InternFromString(name);
}

static int
user_set_state(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct user_object *self = (struct user_object *)object;
    if (value == Py_None) {
        self->run_state = USER_NEW;
        return 0;
    }
    for (int i = USER_RUNNING; i <= USER_STOPPING; i++) {
        if (value != NULL && PyUnicode_Check(value) &&
            PyUnicode_CompareWithASCIIString(value, run_state_names[i]) == 0) {
            self->run_state = (enum run_state)i;
            return 0;
        }
    }
    PyErr_SetString(PyExc_ValueError, "a user's state is 'running', 'waiting', 'stopping' or None");
    return -1;
}

static PyObject *
user_run(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    return state == NULL ? NULL : run_blocking(state, (struct user_object *)object, NULL);
}

static int
user_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct user_object *self = (struct user_object *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->environment);
    Py_VISIT(self->greenlet);
    Py_VISIT(self->group);
    Py_VISIT(self->taskset);
    Py_VISIT(self->dict);
    return 0;
}

static int
user_clear(PyObject *object)
{
    struct user_object *self = (struct user_object *)object;
    Py_CLEAR(self->environment);
    Py_CLEAR(self->greenlet);
    Py_CLEAR(self->group);
    Py_CLEAR(self->taskset);
    Py_CLEAR(self->dict);
    return 0;
}

static void
user_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (((struct user_object *)object)->weakrefs != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    user_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef user_methods[] = {
    {"run", user_run, METH_NOARGS,
     PyDoc_STR("run()\n\nLives the user's life in the current greenlet: on_start, tasks, on_stop.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef user_getset[] = {
    {"_state", user_get_state, user_set_state, PyDoc_STR("'running', 'waiting', 'stopping' or None"), NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef user_members[] = {
    {"environment", T_OBJECT_EX, offsetof(struct user_object, environment), 0, NULL},
    {"_greenlet", T_OBJECT, offsetof(struct user_object, greenlet), 0, NULL},
    {"_group", T_OBJECT, offsetof(struct user_object, group), 0, NULL},
    {"_taskset_instance", T_OBJECT, offsetof(struct user_object, taskset), 0, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct user_object, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct user_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot user_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Base of locust.User: the part of a user that the task loop looks at.")},
    {Py_tp_traverse, user_traverse},
    {Py_tp_clear, user_clear},
    {Py_tp_dealloc, user_dealloc},
    {Py_tp_methods, user_methods},
    {Py_tp_getset, user_getset},
    {Py_tp_members, user_members},
    {0, NULL},
};

static PyType_Spec user_spec = {
    .name = "_cload.User",
    .basicsize = sizeof(struct user_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = user_slots,
};

/* --- _cload.TaskSet --- */

static struct cload_state *
taskset_state(PyObject *object)
{
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    struct taskset_object *self = (struct taskset_object *)object;
    if (state != NULL && (self->user == NULL || !PyObject_TypeCheck(self->user, state->user_type))) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this task set has no user; does its __init__() call super().__init__(parent)?");
        return NULL;
    }
    return state;
}

static PyObject *
taskset_run(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = taskset_state(object);
    return state == NULL ? NULL
                         : run_blocking(state, (struct user_object *)((struct taskset_object *)object)->user, object);
}

static PyObject *
taskset_wait(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = taskset_state(object);
    if (state == NULL) {
        return NULL;
    }
    struct task_loop loop;
    loop_init(&loop, state, (struct user_object *)((struct taskset_object *)object)->user);
    loop.hub = cload_hub_get(state);
    if (loop.hub == NULL && PyErr_Occurred()) {
        return NULL;
    }
    loop.switch_count = loop.hub == NULL ? 0 : loop.hub->switch_count;
    int err = loop_push(&loop, Py_NewRef(object));
    if (err == 0) {
        loop.frames[0].overrides &= ~(unsigned)HAS_WAIT;
        err = loop_wait(&loop);
    }
    loop_fini(&loop);
    return err < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
taskset_get_next_task(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = taskset_state(object);
    return state == NULL ? NULL : pick_task(state, object, (PyObject *)Py_TYPE(object) == state->default_taskset_type);
}

/* schedule_task(task_callable, first=False) */
static PyObject *
taskset_schedule_task(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"task_callable", "first", NULL};
    struct taskset_object *self = (struct taskset_object *)object;
    PyObject *task;
    int is_first = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p", names, &task, &is_first)) {
        return NULL;
    }
    if (self->queue == NULL && (self->queue = PyList_New(0)) == NULL) {
        return NULL;
    }
    if ((is_first ? PyList_Insert(self->queue, 0, task) : PyList_Append(self->queue, task)) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
taskset_execute_task(PyObject *object, PyObject *task)
{
    struct cload_state *state = taskset_state(object);
    if (state == NULL) {
        return NULL;
    }
    PyObject *nested = NULL;
    int done = run_task(state, object, (PyObject *)Py_TYPE(object) == state->default_taskset_type, task, &nested);
    if (done == 1) {
        done = call_hook(nested, state->str_run);
        Py_DECREF(nested);
    }
    return done < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
taskset_execute_next_task(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = taskset_state(object);
    struct taskset_object *self = (struct taskset_object *)object;
    if (state == NULL) {
        return NULL;
    }
    if (self->queue == NULL || !PyList_Check(self->queue) || PyList_GET_SIZE(self->queue) == 0) {
        PyErr_SetString(PyExc_IndexError, "no task is scheduled");
        return NULL;
    }
    PyObject *task = Py_NewRef(PyList_GET_ITEM(self->queue, 0));
    PyObject *result = NULL;
    if (PyList_SetSlice(self->queue, 0, 1, NULL) == 0) {
        result = PyObject_CallMethodOneArg(object, state->str_execute_task, task);
    }
    Py_DECREF(task);
    return result;
}

static PyObject *
taskset_do_nothing(PyObject *Py_UNUSED(object), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_NONE;
}

static PyObject *
taskset_get_queue(PyObject *object, void *Py_UNUSED(closure))
{
    struct taskset_object *self = (struct taskset_object *)object;
    if (self->queue == NULL && (self->queue = PyList_New(0)) == NULL) {
        return NULL;
    }
    return Py_NewRef(self->queue);
}

static int
taskset_set_queue(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct taskset_object *self = (struct taskset_object *)object;
    PyObject *list = value == NULL ? NULL : PySequence_List(value);
    if (value != NULL && list == NULL) {
        return -1;
    }
    Py_XSETREF(self->queue, list);
    return 0;
}

static int
taskset_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct taskset_object *self = (struct taskset_object *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->user);
    Py_VISIT(self->parent);
    Py_VISIT(self->queue);
    Py_VISIT(self->dict);
    return 0;
}

static int
taskset_clear(PyObject *object)
{
    struct taskset_object *self = (struct taskset_object *)object;
    Py_CLEAR(self->user);
    Py_CLEAR(self->parent);
    Py_CLEAR(self->queue);
    Py_CLEAR(self->dict);
    return 0;
}

static void
taskset_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (((struct taskset_object *)object)->weakrefs != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    taskset_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef taskset_methods[] = {
    {"run", taskset_run, METH_NOARGS, PyDoc_STR("run()\n\nRuns tasks in the current greenlet until something raises.")},
    {"wait", taskset_wait, METH_NOARGS, PyDoc_STR("wait()\n\nWaits as after a task.")},
    {"get_next_task", taskset_get_next_task, METH_NOARGS, PyDoc_STR("get_next_task()\n\nPicks a task by weight.")},
    {"schedule_task", (PyCFunction)(void (*)(void))taskset_schedule_task, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("schedule_task(task_callable, first=False)\n\nPuts a task into the queue.")},
    {"execute_task", taskset_execute_task, METH_O, PyDoc_STR("execute_task(task)\n\nRuns a task now.")},
    {"execute_next_task", taskset_execute_next_task, METH_NOARGS,
     PyDoc_STR("execute_next_task()\n\nRuns the first task of the queue.")},
    {"on_start", taskset_do_nothing, METH_NOARGS, PyDoc_STR("on_start()\n\nCalled when the set is entered.")},
    {"on_stop", taskset_do_nothing, METH_NOARGS, PyDoc_STR("on_stop()\n\nCalled when the set is left.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef taskset_getset[] = {
    {"_task_queue", taskset_get_queue, taskset_set_queue, PyDoc_STR("Tasks that run before new ones are picked."),
     NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef taskset_members[] = {
    {"_user", T_OBJECT_EX, offsetof(struct taskset_object, user), 0, NULL},
    {"_parent", T_OBJECT_EX, offsetof(struct taskset_object, parent), 0, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct taskset_object, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct taskset_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot taskset_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Base of locust.TaskSet: the task loop.")},
    {Py_tp_traverse, taskset_traverse},
    {Py_tp_clear, taskset_clear},
    {Py_tp_dealloc, taskset_dealloc},
    {Py_tp_methods, taskset_methods},
    {Py_tp_getset, taskset_getset},
    {Py_tp_members, taskset_members},
    {0, NULL},
};

static PyType_Spec taskset_spec = {
    .name = "_cload.TaskSet",
    .basicsize = sizeof(struct taskset_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = taskset_slots,
};

int
cload__user_add_types(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    const struct {
        PyType_Spec *spec;
        PyTypeObject **place;
    } types[] = {
        {&user_spec, &state->user_type},
        {&taskset_spec, &state->taskset_type},
        {&greenlet_spec, &state->user_greenlet_type},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        *types[i].place = (PyTypeObject *)PyType_FromModuleAndSpec(module, types[i].spec, NULL);
        if (*types[i].place == NULL || PyModule_AddType(module, *types[i].place) < 0) {
            return -1;
        }
    }
    return 0;
}
