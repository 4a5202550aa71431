/* What is told of a response: the keywords of events.request, whether the request counts as failed, and the with-block
 * in which a script decides that. */
#include "base/clock.h"
#include "base/str.h"
#include "helpers.h"
#include "report.h"
#include "response.h"

static double
start_unix_s(struct cload_response *self)
{
    if (self->start_unix_s == 0 && self->core != NULL) {
        /* So that start_time and the response time end where the response did. */
        int64_t ago_ns = lc_clock_monotonic_ns() - self->core->timings.end_ns + self->response_time_ns;
        self->start_unix_s = (double)(lc_clock_realtime_ns() - ago_ns) * 1e-9;
    }
    return self->start_unix_s;
}

static PyObject *
response_time_ms(const struct cload_response *self)
{
    return PyFloat_FromDouble((double)self->response_time_ns / 1e6);
}

struct lc_str
cload__response_first_url(const struct cload_response *self)
{
    const struct lc_response *hop = self->core;
    while (hop->fail == LCORE_FAIL_NONE && hop->previous != NULL) {
        hop = hop->previous;
    }
    return hop->url;
}

/* {**user.context(), **context} */
static PyObject *
merged_context(struct cload_response *self)
{
    PyObject *merged = NULL;
    if (self->user != NULL && self->user != Py_None) {
        PyObject *own = PyObject_CallMethodNoArgs(self->user, self->state->str_context);
        if (own == NULL) {
            return NULL;
        }
        merged = PyDict_New();
        if (merged == NULL || PyDict_Update(merged, own) < 0) {
            Py_CLEAR(merged);
        }
        Py_DECREF(own);
    } else {
        merged = PyDict_New();
    }
    if (merged != NULL && self->context != NULL && PyDict_Update(merged, self->context) < 0) {
        Py_CLEAR(merged);
    }
    return merged;
}

static int
put_new(PyObject *dict, PyObject *key, PyObject *value)
{
    if (value == NULL) {
        return -1;
    }
    int err = PyDict_SetItem(dict, key, value);
    Py_DECREF(value);
    return err;
}

static PyObject *
meta_url(struct cload_response *self)
{
    if (self->is_fast) {
        return cload__response_url(self);
    }
    return self->asked_url != NULL || self->core == NULL ? Py_XNewRef(self->asked_url)
                                                         : cload__response_text(cload__response_first_url(self));
}

/* A caught response of a FastHttpSession is a shell around the one that listeners get. New reference. */
static PyObject *
meta_response(struct cload_response *self)
{
    if (!self->is_fast || !self->is_catching) {
        return Py_NewRef((PyObject *)self);
    }
    return PyObject_CallMethod((PyObject *)self, "_plain", NULL);
}

/* The exception that the status or the transport stands for; None when all is well. New reference. */
static PyObject *
outcome_exception(struct cload_response *self, PyObject *name)
{
    if (self->is_fast) {
        return cload__response_get((PyObject *)self, (void *)CLOAD_SLOT_error);
    }
    return cload__call_helper(self->state, "outcome_exception", (PyObject *)self, name, NULL);
}

static bool
is_good(const struct cload_response *self)
{
    if (self->core == NULL || self->core->fail != LCORE_FAIL_NONE) {
        return false;
    }
    return self->is_fast ? !self->is_bad_status : self->core->status < 400 || self->core->status >= 600;
}

/* What was reported, for who asks afterwards; before that, what only the with-block can decide is still open. */
static PyObject *
meta_exception(struct cload_response *self)
{
    if (!self->is_reported) {
        return self->is_fast && self->is_catching ? cload__response_get((PyObject *)self, (void *)CLOAD_SLOT_error)
                                                  : Py_NewRef(Py_None);
    }
    if (self->manual != NULL) {
        return Py_NewRef(self->manual == Py_True ? Py_None : self->manual);
    }
    return is_good(self) ? Py_NewRef(Py_None) : outcome_exception(self, self->name);
}

PyObject *
cload__response_build_meta(struct cload_response *self)
{
    struct cload_state *state = self->state;
    PyObject *meta = PyDict_New();
    if (meta == NULL || PyDict_SetItem(meta, state->str_request_type, self->request_type) < 0 ||
        put_new(meta, state->str_response_time, response_time_ms(self)) < 0 ||
        PyDict_SetItem(meta, state->str_name, self->name) < 0 ||
        put_new(meta, state->str_context, merged_context(self)) < 0 ||
        put_new(meta, state->str_response, meta_response(self)) < 0 ||
        put_new(meta, state->str_exception, meta_exception(self)) < 0 ||
        put_new(meta, state->str_start_time, PyFloat_FromDouble(start_unix_s(self))) < 0 ||
        put_new(meta, state->str_url, meta_url(self)) < 0 ||
        put_new(meta, state->str_response_length, PyLong_FromUnsignedLongLong(self->response_length)) < 0) {
        Py_CLEAR(meta);
    }
    return meta;
}

static bool
is_repr_plain(struct lc_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~' || text.data[i] == '\'' || text.data[i] == '\\') {
            return false;
        }
    }
    return true;
}

/* Whether the status stands for a failure, and its text as the failures table has it. false with an empty text: the
 * text cannot be made here, ask Python. */
static bool
status_error_text(struct cload_response *self, char *text, size_t size, struct lc_str *out)
{
    int status = self->core->status;
    if (self->is_fast) {
        int bad_len = snprintf(text, size, "LocustBadStatusCode(code=%d)", status);
        *out = (struct lc_str){text, (size_t)bad_len};
        return true;
    }
    Py_ssize_t name_len;
    const char *name = PyUnicode_AsUTF8AndSize(self->name, &name_len);
    if (name == NULL) {
        PyErr_Clear();
        return false;
    }
    struct lc_str reason = self->core->reason;
    if (!is_repr_plain(reason) || !is_repr_plain((struct lc_str){name, (size_t)name_len})) {
        return false;
    }
    int len = snprintf(text, size, "HTTPError('%d %s Error: %.*s for url: %s')", status,
                       status < 500 ? "Client" : "Server", (int)reason.len, reason.data, name);
    *out = (struct lc_str){text, (size_t)len};
    return len > 0 && (size_t)len < size;
}

/* What the failures table says for an exception; new reference. */
static PyObject *
failure_text(struct cload_response *self, PyObject *exception)
{
    PyObject *text = PyUnicode_Check(exception) ? Py_NewRef(exception) : PyObject_Repr(exception);
    if (text == NULL) {
        return NULL;
    }
    Py_ssize_t len;
    const char *data = PyUnicode_AsUTF8AndSize(text, &len);
    if (data == NULL) {
        Py_CLEAR(text);
    } else if (strstr(data, "object at 0x") != NULL) {
        Py_SETREF(text, cload__call_helper(self->state, "failure_text", exception, NULL, NULL));
    }
    return text;
}

/* Its phases are told by this one. */
static struct cload_report
begin_report(struct cload_response *self)
{
    self->is_phased = true;
    return (struct cload_report){
        .request_type = self->request_type,
        .name = self->name,
        .response_time_ns = self->response_time_ns,
        .response_length = self->response_length,
        .timed = {self->core, self->adopted},
    };
}

static int
log_direct(struct cload_response *self, struct lc_stats *stats, PyObject *owner, PyObject *exception)
{
    struct cload_report report = begin_report(self);
    if (exception == NULL || exception == Py_None) {
        return cload_report_log(self->state, stats, &report);
    }
    PyObject *text = failure_text(self, exception);
    if (text == NULL) {
        return -1;
    }
    Py_ssize_t len;
    const char *data = PyUnicode_AsUTF8AndSize(text, &len);
    int err = -1;
    if (data != NULL) {
        report.error_text = (struct lc_str){data, (size_t)len};
        err = cload_report_log(self->state, stats, &report);
        if (err > 0) {
            err = cload_report_keep(self->state, owner, &report, Py_NewRef(exception));
        }
    }
    Py_DECREF(text);
    return err;
}

static int
log_status_error(struct cload_response *self, struct lc_stats *stats, PyObject *owner)
{
    char buffer[512];
    struct lc_str text;
    if (!status_error_text(self, buffer, sizeof(buffer), &text)) {
        return 1;
    }
    struct cload_report report = begin_report(self);
    report.error_text = text;
    int err = cload_report_log(self->state, stats, &report);
    return err <= 0 ? err : cload_report_keep(self->state, owner, &report, outcome_exception(self, self->name));
}

/* The general way: through fire(), with what the script may have edited in request_meta. */
static int
report_by_event(struct cload_response *self, PyObject *exception)
{
    PyObject *meta = cload__response_get((PyObject *)self, (void *)(intptr_t)CLOAD_SLOT_request_meta);
    if (meta == NULL) {
        return -1;
    }
    int err = -1;
    PyObject *fire = NULL, *empty = NULL, *keywords = NULL, *result = NULL;
    /* A script may have set request_meta to anything. */
    if (PyObject_SetItem(meta, self->state->str_exception, exception) < 0) {
        goto out;
    }
    keywords = PyDict_CheckExact(meta) ? Py_NewRef(meta) : PyDict_New();
    if (keywords == NULL || (keywords != meta && PyDict_Update(keywords, meta) < 0)) {
        goto out;
    }
    fire = PyObject_GetAttr(self->request_event, self->state->str_fire);
    empty = fire == NULL ? NULL : PyTuple_New(0);
    result = empty == NULL ? NULL : PyObject_Call(fire, empty, keywords);
    err = result == NULL ? -1 : 0;
    if (self->is_fast && !self->is_catching) {
        /* It holds this response, and nobody can ask for it any more. */
        Py_CLEAR(self->slots[CLOAD_SLOT_request_meta]);
    }
out:
    Py_XDECREF(result);
    Py_XDECREF(empty);
    Py_XDECREF(fire);
    Py_XDECREF(keywords);
    Py_DECREF(meta);
    return err;
}

struct cload_timed
cload_response_take_timed(struct cload_state *state, PyObject *object)
{
    if (!PyObject_TypeCheck(object, state->response_type) && !PyObject_TypeCheck(object, state->fast_response_type)) {
        return (struct cload_timed){0};
    }
    struct cload_response *self = (struct cload_response *)object;
    bool is_first = !self->is_phased && !self->is_history;
    self->is_phased = true;
    return is_first ? (struct cload_timed){self->core, self->adopted} : (struct cload_timed){0};
}

/* What the script put into request_meta, if it looked at it, else `value`. New reference; NULL with an exception. */
static PyObject *
edited_or(struct cload_response *self, PyObject *key, PyObject *value)
{
    PyObject *meta = self->slots[CLOAD_SLOT_request_meta];
    PyObject *edited = meta != NULL && PyDict_Check(meta) ? PyDict_GetItemWithError(meta, key) : NULL;
    if (edited == NULL && PyErr_Occurred()) {
        return NULL;
    }
    return Py_NewRef(edited != NULL ? edited : value);
}

static int
report_outcome(struct cload_response *self, struct lc_stats *stats, PyObject *owner)
{
    /* A meta dictionary that was looked at may have been edited: it decides then. */
    bool is_direct = stats != NULL && self->slots[CLOAD_SLOT_request_meta] == NULL;
    PyObject *exception;
    if (self->manual != NULL) {
        exception = Py_NewRef(self->manual == Py_True ? Py_None : self->manual);
    } else if (is_good(self)) {
        /* What the script put there, if anything. */
        exception = edited_or(self, self->state->str_exception, Py_None);
    } else {
        if (is_direct && self->core != NULL && self->core->fail == LCORE_FAIL_NONE) {
            int done = log_status_error(self, stats, owner);
            if (done <= 0) {
                return done;
            }
        }
        /* The text of a status has the name the script may have given in request_meta. */
        PyObject *name = edited_or(self, self->state->str_name, self->name);
        exception = name == NULL ? NULL : outcome_exception(self, name);
        Py_XDECREF(name);
    }
    if (exception == NULL) {
        return -1;
    }
    int err = is_direct ? log_direct(self, stats, owner, exception) : report_by_event(self, exception);
    Py_DECREF(exception);
    return err;
}

int
cload_response_report(struct cload_response *self)
{
    struct lc_stats *stats = NULL;
    PyObject *owner = NULL;
    int direct = cload_report_is_direct(self->state, self->request_event, &stats, &owner);
    if (direct < 0) {
        return -1;
    }
    int err = direct == 2 ? 0 : report_outcome(self, stats, owner);
    self->is_reported = true;
    Py_XDECREF(owner);
    return err;
}

static int
check_catching(struct cload_response *self)
{
    if (self->is_catching && self->is_entered) {
        return 0;
    }
    PyObject *result = cload__call_helper(self->state, "raise_not_catching", (PyObject *)self, NULL, NULL);
    Py_XDECREF(result);
    return -1;
}

PyObject *
cload__response_success(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    if (check_catching(self) < 0) {
        return NULL;
    }
    Py_XSETREF(self->manual, Py_NewRef(Py_True));
    Py_RETURN_NONE;
}

PyObject *
cload__response_failure(PyObject *object, PyObject *args, PyObject *kwargs)
{
    struct cload_response *self = (struct cload_response *)object;
    static char *names[] = {"exc", NULL};
    PyObject *reason;
    if (check_catching(self) < 0 || !PyArg_ParseTupleAndKeywords(args, kwargs, "O:failure", names, &reason)) {
        return NULL;
    }
    PyObject *exception = PyExceptionInstance_Check(reason)
                              ? Py_NewRef(reason)
                              : cload__call_helper(self->state, "wrap_failure", reason, NULL, NULL);
    if (exception == NULL) {
        return NULL;
    }
    Py_XSETREF(self->manual, exception);
    Py_RETURN_NONE;
}

PyObject *
cload__response_enter(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    self->is_entered = true;
    if (self->is_fast && !self->is_catching) {
        return Py_NewRef(object);
    }
    if (!self->is_catching && check_catching(self) < 0) {
        return NULL;
    }
    return Py_NewRef(object);
}

PyObject *
cload__response_exit(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    struct cload_response *self = (struct cload_response *)object;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "__exit__ takes an exception's type, value and traceback");
        return NULL;
    }
    if (self->is_fast && !self->is_catching) {
        Py_RETURN_NONE;
    }
    bool has_raised = args[0] != Py_None;
    if (has_raised && self->manual == NULL) {
        PyObject *is_failure = cload__call_helper(self->state, "is_response_error", args[1], NULL, NULL);
        if (is_failure == NULL) {
            return NULL;
        }
        bool is_reported = is_failure == Py_True;
        Py_DECREF(is_failure);
        if (!is_reported) {
            Py_RETURN_FALSE;
        }
        Py_XSETREF(self->manual, Py_NewRef(args[1]));
        return cload_response_report(self) < 0 ? NULL : Py_NewRef(Py_True);
    }
    if (cload_response_report(self) < 0) {
        return NULL;
    }
    return PyBool_FromLong(!has_raised);
}
