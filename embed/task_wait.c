/* The wait between two tasks: how long, and where. */
#include <math.h>

#include "base/clock.h"
#include "greenlet.h"
#include "object.h"
#include "task_loop_parts.h"

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
    return cload_greenlet_sleep(hub, ns);
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

int
cload__loop_wait(struct cload_task_loop *loop)
{
    struct cload_frame *frame = &loop->frames[loop->count - 1];
    if (loop->is_waiting_here) {
        frame->overrides &= ~(unsigned)HAS_WAIT;
    } else {
        cload__frame_refresh(loop->state, frame);
    }
    if (frame->overrides & HAS_WAIT) {
        return cload_call_hook(frame->taskset, loop->state->str_wait);
    }
    if (cload__loop_check_stopping(loop) < 0) {
        return -1;
    }
    loop->user->run_state = USER_WAITING;
    if (ask_wait_time(loop, frame) < 0) {
        return -1;
    }
    /* Nothing to wait for, and others had their turn while this user waited for an answer. */
    bool has_yielded = loop->hub != NULL && loop->switch_count != loop->hub->switch_count;
    if (loop->wait_ns == 0 && has_yielded) {
        if (cload__loop_check_stopping(loop) < 0) {
            return -1;
        }
        loop->switch_count = loop->hub->switch_count;
        loop->user->run_state = USER_RUNNING;
        return 0;
    }
    if (loop->is_pooled) {
        return 1;
    }
    if (sleep_here(loop->hub, loop->wait_ns) < 0 || cload__loop_check_stopping(loop) < 0) {
        return -1;
    }
    loop->user->run_state = USER_RUNNING;
    return 0;
}

int
cload__loop_yield(struct cload_task_loop *loop)
{
    if (loop->hub == NULL || loop->switch_count != loop->hub->switch_count) {
        loop->switch_count = loop->hub == NULL ? 0 : loop->hub->switch_count;
        return 0;
    }
    loop->wait_ns = 0;
    return loop->is_pooled ? 1 : sleep_here(loop->hub, 0);
}
