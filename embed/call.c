/* The life of a call. Each step is a function of its own so that what it needs on the C stack is gone before the
 * greenlet is parked: greenlet copies that part of the stack at each switch. */
#include "call.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "greenlet.h"
#include "helpers.h"
#include "http/url.h"
#include "response.h"
#include "stream.h"

static void
call_release(struct cload_call *call)
{
    Py_CLEAR(call->body_owner);
    Py_CLEAR(call->full_url);
    Py_CLEAR(call->auth_value);
    Py_CLEAR(call->tls_owner);
    Py_CLEAR(call->proxy);
    Py_CLEAR(call->upper_method);
    Py_CLEAR(call->cookies_owner);
    lc__free(call->cookie_pairs);
    call->cookie_pairs = NULL;
}

static void
on_done(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct cload_waiter *waiter = arg;
    (void)exchange;
    waiter->value = response;
    cload_waiter_wake(waiter);
}

/* Starts the exchange; NULL with an exception, or NULL without one when the call turned out to be general. */
static __attribute__((noinline)) struct lc_exchange *
call_start(struct cload_session *self, struct cload_call *call, int64_t start_ns, struct cload_waiter *waiter)
{
    struct cload_call_room room;
    room.many_headers = NULL;
    struct lc_request request = {0};
    struct lc_exchange *exchange = NULL;
    int err = cload__call_fill(self, call, &room, &request);
    if (err != 0) {
        call->is_general = err > 0;
        goto out;
    }
    struct lc_error error; /* not cleared: 264 bytes for each request */
    error.text[0] = '\0';
    err = lc_session_start(self->core, &request, start_ns, on_done, waiter, &exchange, &error);
    if (err == LCE_NOMEM) {
        PyErr_NoMemory();
    } else if (err < 0 && call->is_plain) {
        PyErr_SetString(PyExc_ValueError, error.text);
    } else if (err < 0) {
        /* A URL or header that cannot be used: requests knows which exception says so. */
        call->is_general = true;
    }
out:
    cload__call_room_fini(&room);
    return err != 0 ? NULL : exchange;
}

/* Frees the waiter. NULL with an exception when something was thrown into the greenlet. */
static struct lc_response *
call_wait(struct cload_waiter *waiter, struct lc_exchange *exchange)
{
    int err = cload_waiter_wait(waiter);
    struct lc_response *response = waiter->value;
    bool is_left = waiter->hub->is_left;
    cload_waiter_free(waiter);
    if (err < 0) {
        if (response != NULL) {
            lc_response_free(response);
        } else if (!is_left) {
            lc_exchange_cancel(exchange);
        }
        return NULL;
    }
    return response;
}

/* call_wait() on a session whose core stays meanwhile. */
static struct lc_response *
call_fly(struct cload_session *self, struct cload_waiter *waiter, struct lc_exchange *exchange)
{
    self->flight_count++;
    waiter->session = self;
    struct lc_response *response = call_wait(waiter, exchange);
    if (--self->flight_count == 0) {
        cload__session_free_retired(self);
    }
    return response;
}

/* Path and query of the first hop, as sent; of a chain that failed, those of the hop that failed. */
static PyObject *
name_from(const struct lc_response *response)
{
    while (response->fail == LCORE_FAIL_NONE && response->previous != NULL) {
        response = response->previous;
    }
    struct lc_url url;
    struct lc_str text = response->url;
    if (lc_url_parse(text, &url, NULL) == 0) {
        text = url.target;
    }
    return PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.len, "replace");
}

/* The name for the statistics. New reference. */
static PyObject *
call_name(struct cload_session *self, const struct cload_call *call, const struct lc_response *response)
{
    /* As in Python's `name or ...`: an empty one does not count. */
    if (cload__is_set(call->name)) {
        bool is_text = PyUnicode_Check(call->name);
        int is_named = is_text ? PyUnicode_GET_LENGTH(call->name) > 0 : PyObject_IsTrue(call->name);
        if (is_named != 0) {
            return is_named < 0 ? NULL : is_text ? Py_NewRef(call->name) : PyObject_Str(call->name);
        }
    }
    if (cload__is_set(self->request_name)) {
        return Py_NewRef(self->request_name);
    }
    if (self->is_fast) {
        return Py_NewRef(call->url);
    }
    struct lc_str target;
    bool is_first_hop = response->fail == LCORE_FAIL_NONE || response->previous == NULL;
    if (is_first_hop && self->has_plain_base && call->full_url == call->url && cload__text_of(call->url, &target) &&
        target.len > 0 && target.data[0] == '/' && lc_url_is_clean_target(target)) {
        return Py_NewRef(call->url);
    }
    return name_from(response);
}

/* Warns that the server was talked to in an older version: a test of HTTP/2 that is none must not pass unnoticed. */
static int
tell_of_older_http(struct cload_session *self, const struct lc_response *response)
{
    self->is_older_told = true;
    PyObject *told = NULL;
    PyObject *url = PyUnicode_DecodeUTF8(response->url.data, (Py_ssize_t)response->url.len, "replace");
    PyObject *version = PyLong_FromLong(self->http_version);
    if (url != NULL && version != NULL) {
        told = cload__call_helper(self->state, "tell_of_older_http", url, version, NULL);
    }
    Py_XDECREF(told);
    Py_XDECREF(url);
    Py_XDECREF(version);
    return told == NULL ? -1 : 0;
}

/* As requests: the exception is the task's to handle, and nothing is recorded. */
static void
raise_bad_redirect(struct cload_session *self, const struct lc_response *response)
{
    struct lc_str to = lc_response_header(response, LCORE_STR("location"));
    PyObject *text = PyUnicode_DecodeUTF8(response->fail_text.data, (Py_ssize_t)response->fail_text.len, "replace");
    PyObject *location = PyUnicode_DecodeUTF8(to.data, (Py_ssize_t)to.len, "replace");
    if (text != NULL && location != NULL) {
        Py_XDECREF(cload__call_helper(self->state, "raise_bad_redirect", text, location, NULL));
    }
    Py_XDECREF(location);
    Py_XDECREF(text);
}

/* The length that counts is the one that is announced: the body is still to come. */
static int
take_stream(struct cload_session *self, const struct cload_call *call, struct cload_response *response)
{
    struct lc_response *core = response->core;
    response->is_stream = true;
    if (core->fail != LCORE_FAIL_NONE) {
        return 0;
    }
    struct lc_str announced = lc_response_header(core, LCORE_STR("content-length"));
    response->response_length = 0;
    for (size_t i = 0; i < announced.len && lc_ascii_is_digit(announced.data[i]); i++) {
        response->response_length = response->response_length * 10 + (uint64_t)(announced.data[i] - '0');
    }
    if (core->stream != NULL) {
        struct lc_stream *stream = core->stream;
        core->stream = NULL;
        response->stream = cload__stream_new(self, stream, call->read_timeout_ns);
        return response->stream == NULL ? -1 : 0;
    }
    return 0;
}

static __attribute__((noinline)) PyObject *
call_finish(struct cload_session *self, const struct cload_call *call, struct lc_response *core)
{
    if (core->fail == LCORE_FAIL_BAD_REDIRECT && !self->is_fast) {
        raise_bad_redirect(self, core);
        lc_response_free(core);
        return NULL;
    }
    PyObject *name = call_name(self, call, core);
    if (name == NULL || (core->http_major < self->http_version && core->status != 0 && !self->is_older_told &&
                         tell_of_older_http(self, core) < 0)) {
        Py_XDECREF(name);
        lc_response_free(core);
        return NULL;
    }
    PyTypeObject *type = !self->is_fast                  ? self->response_class
                         : call->is_catching             ? self->catching_class
                         : core->fail != LCORE_FAIL_NONE ? self->error_class
                                                         : self->response_class;
    PyObject *response =
        cload_response_new(self->state, type, core, call->method, name, self->request_event, self->user, call->context);
    Py_DECREF(name);
    if (response == NULL) {
        return NULL;
    }
    struct cload_response *made = (struct cload_response *)response;
    made->response_time_ns += call->lost_ns;
    made->is_catching = call->is_catching;
    made->body = Py_XNewRef(call->body_owner);
    if (core->fail == LCORE_FAIL_CONNECT_TIMEOUT || core->fail == LCORE_FAIL_READ_TIMEOUT) {
        made->timeout = Py_XNewRef(call->timeout);
    }
    if (self->is_fast) {
        made->is_fast = true;
        made->asked_url = Py_NewRef(call->url);
        made->base_url = Py_NewRef(self->base_url);
        made->max_retries = call->max_retries;
        made->is_bad_status = core->status < 0 || core->status >= CLOAD_STATUS_LIMIT ||
                              PyBytes_AS_STRING(self->valid_statuses)[core->status] == 0;
    }
    if (call->is_stream && take_stream(self, call, made) < 0) {
        Py_CLEAR(response);
    } else if (!call->is_catching && cload_response_report(made) < 0) {
        Py_CLEAR(response);
    }
    return response;
}

static PyObject *
call_general(struct cload_session *self, const struct cload_call *call, PyObject *const *args, Py_ssize_t count,
             PyObject *kwnames)
{
    PyObject *kwargs = cload__call_keywords(self, call, args, count, kwnames);
    PyObject *result = NULL;
    if (call->is_plain && cload_hub_get(self->state) != NULL) {
        PyErr_SetString(PyExc_ValueError, "the request cannot be sent as it is");
    } else if (kwargs != NULL && call->is_plain) {
        /* On another thread requests' own code does it. */
        PyObject *function = PyObject_GetAttrString((PyObject *)self, "_request_with_requests");
        PyObject *positional = function == NULL ? NULL : PyTuple_Pack(2, call->method, call->url);
        result = positional == NULL ? NULL : PyObject_Call(function, positional, kwargs);
        Py_XDECREF(positional);
        Py_XDECREF(function);
    } else if (kwargs != NULL && self->is_fast) {
        result = PyObject_CallMethod((PyObject *)self, "_request_general", "OOO", call->method, call->url, kwargs);
    } else if (kwargs != NULL) {
        PyObject *function = cload__helper(self->state, "request_general");
        result = function == NULL ? NULL
                                  : PyObject_CallFunctionObjArgs(function, self, call->method, call->url, kwargs, NULL);
        Py_XDECREF(function);
    }
    Py_XDECREF(kwargs);
    return result;
}

/* Everything that happens before the wait; 0: `*exchange` runs; 1: the call is general; -1: exception. */
static __attribute__((noinline)) int
call_begin(struct cload_session *self, struct cload_call *call, struct cload_waiter **waiter,
           struct lc_exchange **exchange)
{
    int64_t start_ns = lc_clock_monotonic_ns();
    if (self->core == NULL || self->response_class == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "HttpSession.__init__() has not been called");
        return -1;
    }
    struct cload_hub *hub = cload_hub_get(self->state);
    if (hub == NULL) {
        return PyErr_Occurred() ? -1 : 1;
    }
    if (hub != self->hub && cload__session_rehome(self) < 0) {
        return -1;
    }
    int is_general = call->is_general ? 1 : call->is_plain ? 0 : cload__session_is_general(self);
    if (is_general != 0) {
        return is_general;
    }
    if ((self->are_headers_changed && cload__session_send_headers(self) < 0) || cload__call_prepare(self, call) < 0) {
        return -1;
    }
    if (call->is_general) {
        return 1;
    }
    *waiter = cload_waiter_new(hub);
    if (*waiter == NULL) {
        return -1;
    }
    *exchange = call_start(self, call, start_ns, *waiter);
    if (*exchange == NULL) {
        cload_waiter_free(*waiter);
        return PyErr_Occurred() ? -1 : 1;
    }
    return 0;
}

/* As geventhttpclient: what ran into a timeout or a broken pipe is tried again, if twice does no more than once. */
static bool
is_retried(const struct cload_call *call, const struct lc_response *core)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    bool is_temporary = core->fail == LCORE_FAIL_CONNECT_TIMEOUT || core->fail == LCORE_FAIL_READ_TIMEOUT ||
                        core->fail == LCORE_FAIL_SEND;
    for (size_t i = 0; is_temporary && i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (PyUnicode_CompareWithASCIIString(call->method, methods[i]) == 0) {
            return true;
        }
    }
    return false;
}

PyObject *
cload__call_run(struct cload_session *self, struct cload_call *call, PyObject *const *args, Py_ssize_t count,
                PyObject *kwnames)
{
    struct cload_waiter *waiter = NULL;
    struct lc_exchange *exchange = NULL;
    PyObject *result = NULL;
    int tries_left = call->max_retries;
    for (;;) {
        int begun = call_begin(self, call, &waiter, &exchange);
        if (begun > 0) {
            result = call_general(self, call, args, count, kwnames);
        }
        struct lc_response *core = begun == 0 ? call_fly(self, waiter, exchange) : NULL;
        if (core != NULL && tries_left > 0 && is_retried(call, core)) {
            tries_left--;
            call->lost_ns += lc_response_time_ns(core);
            lc_response_free(core);
            call_release(call);
            continue;
        }
        if (core != NULL) {
            result = call_finish(self, call, core);
        }
        call_release(call);
        return result;
    }
}

struct cload_call
cload__call_of(const struct cload_session *self, PyObject *method, bool is_redirecting)
{
    return (struct cload_call){
        .method = method,
        .is_redirecting = is_redirecting,
        .max_redirects = self->max_redirects,
        .max_retries = self->max_retries,
    };
}

PyObject *
cload__session_request(PyObject *object, PyObject *method, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    struct cload_session *self = (struct cload_session *)object;
    struct cload_call call = cload__call_of(self, method, true);
    call.is_request = true;
    if (cload__call_parse(self, &call, args, count, 1, kwnames) < 0) {
        return NULL;
    }
    return cload__call_run(self, &call, args, count, kwnames);
}

/* What Locust's verbs hand to request(): those of HttpSession always say what they know (of redirects only get, head
 * and options do), those of FastHttpSession name only the bodies that their signature has. */
static PyObject *
verb_keywords(struct cload_session *self, const struct cload_call *call, Py_ssize_t most, PyObject *const *args,
              Py_ssize_t count, PyObject *kwnames)
{
    struct cload_state *state = self->state;
    PyObject *kwargs = cload__call_keywords(self, call, args, count, kwnames);
    int err = kwargs == NULL ? -1 : 0;
    if (err == 0 && (!self->is_fast || most > 1) && PyDict_SetDefault(kwargs, state->str_data, Py_None) == NULL) {
        err = -1;
    }
    if (err == 0 && (!self->is_fast || most > 2) && PyDict_SetDefault(kwargs, state->str_json, Py_None) == NULL) {
        err = -1;
    }
    bool is_told = false;
    for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
        is_told |= PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, i), state->str_allow_redirects) == 0;
    }
    if (err == 0 && !is_told && (self->is_fast || most > 1 || call->method == state->str_DELETE)) {
        err = PyDict_DelItem(kwargs, state->str_allow_redirects);
    }
    if (err < 0) {
        Py_CLEAR(kwargs);
    }
    return kwargs;
}

/* The class's own request() gets what the verb was given. */
PyObject *
cload__session_verb(PyObject *object, PyObject *method, bool is_redirecting, Py_ssize_t most, PyObject *const *args,
                    Py_ssize_t count, PyObject *kwnames)
{
    struct cload_session *self = (struct cload_session *)object;
    if (cload__session_read_class(self) < 0) {
        return NULL;
    }
    struct cload_call call = cload__call_of(self, method, is_redirecting);
    if (cload__call_parse(self, &call, args, count, most, kwnames) < 0) {
        return NULL;
    }
    if (!self->is_request_overridden && (self->dict == NULL || PyDict_GET_SIZE(self->dict) == 0 ||
                                         PyDict_Contains(self->dict, self->state->str_request) == 0)) {
        return cload__call_run(self, &call, args, count, kwnames);
    }
    PyObject *kwargs = verb_keywords(self, &call, most, args, count, kwnames);
    PyObject *request = kwargs == NULL ? NULL : PyObject_GetAttr(object, self->state->str_request);
    PyObject *positional = request == NULL ? NULL : PyTuple_Pack(2, call.method, call.url);
    PyObject *result = positional == NULL ? NULL : PyObject_Call(request, positional, kwargs);
    Py_XDECREF(positional);
    Py_XDECREF(request);
    Py_XDECREF(kwargs);
    return result;
}
