/* One call, from the Python arguments to the Python response:
 *
 *   call_parse()   reads the arguments once; anything it does not know how to do makes the call "general", which means
 *                  that Python code (locust/clients.py) does it with requests' own machinery
 *   call_start()   fills a struct lc_request with borrowed strings and starts the exchange
 *   call_wait()    parks the greenlet
 *   call_finish()  makes the response object and reports the request
 *
 * Each is a function of its own so that what they need on the C stack is gone before the greenlet is parked: greenlet
 * copies that part of the stack at each switch. */
#include "session.h"

#include <structmember.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "http/url.h"
#include "hub.h"
#include "response.h"

#define MOST_HEADERS 48

struct session_object {
    PyObject_HEAD
    struct cload_state *state;
    struct cload_hub *hub;
    struct lc_session *core;
    PyObject *base_url, *request_event, *user, *request_name, *pool_manager;
    PyObject *auth_value; /* bytes of the Authorization header, or NULL */
    PyObject *tls_owner;  /* capsule of the struct lc_tls in use, or NULL */
    PyTypeObject *response_class;
    PyObject *slots[CLOAD_SESSION_SLOT_COUNT];
    PyObject *dict, *weakrefs;
    bool are_headers_changed;
    bool is_general;            /* a setting that only requests' own code can follow */
    bool is_request_overridden; /* the class has a request() of its own: the verbs go through it */
    bool is_mounted, is_auth_general;
    int max_redirects;   /* as struct lc_request has it */
    bool has_plain_base; /* the base URL has no path, so that a clean relative URL is its own name */
};

struct call {
    PyObject *method, *url;
    PyObject *name, *context, *data, *json, *params, *headers, *cookies, *timeout, *verify, *cert, *auth, *proxies;
    PyObject *body_owner, *content_type, *full_url, *auth_value, *tls_owner, *proxy; /* made on the way, owned */
    bool is_catching, is_redirecting, is_general;
};

static PyObject *
helper(struct cload_state *state, const char *name)
{
    if (state->client_helpers == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "locust.clients has not been imported");
        return NULL;
    }
    return PyObject_GetAttrString(state->client_helpers, name);
}

static PyObject *
call_helper(struct cload_state *state, const char *name, PyObject *first, PyObject *second, PyObject *third)
{
    PyObject *function = helper(state, name);
    if (function == NULL) {
        return NULL;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(function, first, second, third, NULL);
    Py_DECREF(function);
    return result;
}

static void
call_release(struct call *call)
{
    Py_CLEAR(call->body_owner);
    Py_CLEAR(call->content_type);
    Py_CLEAR(call->full_url);
    Py_CLEAR(call->auth_value);
    Py_CLEAR(call->tls_owner);
    Py_CLEAR(call->proxy);
}

/* --- reading the arguments --- */

static int
read_bool(PyObject *value, bool *out)
{
    int truth = PyObject_IsTrue(value);
    *out = truth > 0;
    return truth < 0 ? -1 : 0;
}

static bool
is_set(PyObject *value)
{
    return value != NULL && value != Py_None;
}

static int
call_keyword(struct cload_state *state, struct call *call, PyObject *key, PyObject *value)
{
    struct {
        PyObject *name;
        PyObject **place;
    } const places[] = {
        {state->str_name, &call->name},       {state->str_json, &call->json},     {state->str_data, &call->data},
        {state->str_headers, &call->headers}, {state->str_params, &call->params}, {state->str_timeout, &call->timeout},
        {state->str_context, &call->context}, {state->str_verify, &call->verify}, {state->str_cookies, &call->cookies},
        {state->str_auth, &call->auth},       {state->str_cert, &call->cert},     {state->str_proxies, &call->proxies},
    };
    if (key == state->str_catch_response) {
        return read_bool(value, &call->is_catching);
    }
    if (key == state->str_allow_redirects) {
        return read_bool(value, &call->is_redirecting);
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (key == places[i].name) {
            *places[i].place = value;
            return 0;
        }
    }
    if (key == state->str_url) {
        if (call->url != NULL) {
            PyErr_SetString(PyExc_TypeError, "url was given twice");
            return -1;
        }
        call->url = value;
        return 0;
    }
    if ((key == state->str_stream && (value == Py_None || value == Py_False)) ||
        ((key == state->str_files || key == state->str_hooks) && value == Py_None)) {
        return 0;
    }
    call->is_general = true;
    return 0;
}

/* positional: url [, data [, json]] up to `most`. The strings of keywords in code are interned, as ours are; one that
 * is not is interned first. */
static int
call_parse(struct cload_state *state, struct call *call, PyObject *const *args, Py_ssize_t count, Py_ssize_t most,
           PyObject *kwnames)
{
    if (count > most) {
        PyErr_Format(PyExc_TypeError, "HttpSession.%U() takes %zd positional arguments but %zd were given",
                     call->method, most + 1, count + 1);
        return -1;
    }
    call->url = count > 0 ? args[0] : NULL;
    call->data = count > 1 ? args[1] : NULL;
    call->json = count > 2 ? args[2] : NULL;
    Py_ssize_t keyword_count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < keyword_count; i++) {
        PyObject *key = PyTuple_GET_ITEM(kwnames, i);
        int err;
        if (PyUnicode_CHECK_INTERNED(key)) {
            err = call_keyword(state, call, key, args[count + i]);
        } else {
            PyObject *interned = Py_NewRef(key);
            PyUnicode_InternInPlace(&interned);
            err = call_keyword(state, call, interned, args[count + i]);
            Py_DECREF(interned);
        }
        if (err < 0) {
            return -1;
        }
    }
    if (call->url == NULL) {
        PyErr_SetString(PyExc_TypeError, "missing argument: url");
        return -1;
    }
    return 0;
}

/* --- what the session's own attributes ask for --- */

static int
session_send_headers(struct session_object *self)
{
    PyObject *pairs = call_helper(self->state, "header_pairs", self->slots[CLOAD_SESSION_headers], NULL, NULL);
    if (pairs == NULL) {
        return -1;
    }
    lc_session_clear_headers(self->core);
    int err = 0;
    for (Py_ssize_t i = 0; err == 0 && i < PyList_GET_SIZE(pairs); i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i);
        char *name, *value;
        Py_ssize_t name_len, value_len;
        if (PyBytes_AsStringAndSize(PyTuple_GET_ITEM(pair, 0), &name, &name_len) < 0 ||
            PyBytes_AsStringAndSize(PyTuple_GET_ITEM(pair, 1), &value, &value_len) < 0) {
            Py_DECREF(pairs);
            return -1;
        }
        err = lc_session_set_header(self->core, (struct lc_str){name, (size_t)name_len},
                                    (struct lc_str){value, (size_t)value_len});
    }
    Py_DECREF(pairs);
    if (err < 0) {
        cload_raise(err, NULL);
        return -1;
    }
    self->are_headers_changed = false;
    return 0;
}

static bool
is_filled(PyObject *container)
{
    if (!is_set(container)) {
        return false;
    }
    Py_ssize_t count = PyObject_Size(container);
    if (count < 0) {
        PyErr_Clear();
    }
    return count != 0;
}

/* Whether requests' own code must do the call because of what the script did to the session. */
static int
session_is_general(struct session_object *self)
{
    if (self->is_general) {
        return 1;
    }
    if (self->dict != NULL && PyDict_GET_SIZE(self->dict) > 0 &&
        (PyDict_Contains(self->dict, self->state->str_send) > 0 ||
         PyDict_Contains(self->dict, self->state->str_request) > 0)) {
        return 1;
    }
    if (self->slots[CLOAD_SESSION_hooks] != NULL) {
        PyObject *has_hooks = call_helper(self->state, "has_hooks", self->slots[CLOAD_SESSION_hooks], NULL, NULL);
        if (has_hooks == NULL) {
            return -1;
        }
        Py_DECREF(has_hooks);
        return has_hooks == Py_True;
    }
    return 0;
}

/* lc_tls of a pair (verify, cert), one per distinct pair in the process. Returns the capsule, a new reference. */
static PyObject *
find_tls(struct cload_state *state, PyObject *verify, PyObject *cert)
{
    return call_helper(state, "tls_capsule", verify == NULL ? Py_True : verify, cert == NULL ? Py_None : cert, NULL);
}

static int
call_settings(struct session_object *self, struct call *call)
{
    if (is_set(call->verify) || is_set(call->cert)) {
        call->tls_owner = find_tls(self->state, is_set(call->verify) ? call->verify : self->slots[CLOAD_SESSION_verify],
                                   is_set(call->cert) ? call->cert : self->slots[CLOAD_SESSION_cert]);
        if (call->tls_owner == NULL) {
            return -1;
        }
    } else if (self->slots[CLOAD_SESSION_verify] != NULL || self->slots[CLOAD_SESSION_cert] != NULL) {
        if (self->tls_owner == NULL) {
            self->tls_owner =
                find_tls(self->state, self->slots[CLOAD_SESSION_verify], self->slots[CLOAD_SESSION_cert]);
            if (self->tls_owner == NULL) {
                return -1;
            }
        }
        call->tls_owner = Py_NewRef(self->tls_owner);
    }
    PyObject *proxies = is_filled(call->proxies) ? call->proxies : self->slots[CLOAD_SESSION_proxies];
    if (is_filled(proxies)) {
        PyObject *chosen = call_helper(self->state, "choose_proxy", (PyObject *)self, call->url, proxies);
        if (chosen == NULL) {
            return -1;
        }
        call->proxy = chosen;
    }
    PyObject *auth = is_set(call->auth) ? call->auth : NULL;
    if (auth != NULL) {
        call->auth_value = call_helper(self->state, "basic_auth", auth, NULL, NULL);
        if (call->auth_value == NULL) {
            return -1;
        }
        call->is_general = call->auth_value == Py_None;
    } else {
        call->auth_value = Py_XNewRef(self->auth_value);
    }
    return 0;
}

/* Makes the bytes of the body and its content type. */
static int
call_body(struct session_object *self, struct call *call)
{
    PyObject *data = call->data;
    if (is_set(data) && (PyBytes_CheckExact(data) ? PyBytes_GET_SIZE(data) > 0 : true)) {
        if (PyBytes_CheckExact(data)) {
            call->body_owner = Py_NewRef(data);
            return 0;
        }
        if (PyUnicode_CheckExact(data) && PyUnicode_GET_LENGTH(data) > 0) {
            call->body_owner = PyUnicode_AsUTF8String(data);
            return call->body_owner == NULL ? -1 : 0;
        }
        PyObject *form = call_helper(self->state, "encode_form", data, NULL, NULL);
        if (form == NULL) {
            return -1;
        }
        if (form == Py_None) {
            call->is_general = true;
            Py_DECREF(form);
            return 0;
        }
        bool is_empty = PyBytes_GET_SIZE(form) == 0;
        if (!is_empty) {
            call->body_owner = form;
            call->content_type = PyBytes_FromString("application/x-www-form-urlencoded");
            return call->content_type == NULL ? -1 : 0;
        }
        Py_DECREF(form);
    }
    if (is_set(call->json)) {
        PyObject *body = call_helper(self->state, "dump_json", call->json, NULL, NULL);
        if (body == NULL) {
            return -1;
        }
        if (body == Py_None) {
            call->is_general = true;
            Py_DECREF(body);
            return 0;
        }
        call->body_owner = body;
        call->content_type = PyBytes_FromString("application/json");
        return call->content_type == NULL ? -1 : 0;
    }
    return 0;
}

static int
call_url(struct session_object *self, struct call *call)
{
    PyObject *own = self->slots[CLOAD_SESSION_params];
    if (is_set(call->params) || is_filled(own)) {
        call->full_url = call_helper(self->state, "add_params", call->url,
                                     call->params == NULL ? Py_None : call->params, own == NULL ? Py_None : own);
    } else if (PyUnicode_CheckExact(call->url)) {
        call->full_url = Py_NewRef(call->url);
    } else {
        call->full_url = call_helper(self->state, "url_text", call->url, NULL, NULL);
    }
    return call->full_url == NULL ? -1 : 0;
}

static bool
text_of(PyObject *object, struct lc_str *out)
{
    if (PyUnicode_CheckExact(object)) {
        Py_ssize_t len;
        const char *data = PyUnicode_AsUTF8AndSize(object, &len);
        *out = (struct lc_str){data, (size_t)len};
        return data != NULL;
    }
    if (PyBytes_CheckExact(object)) {
        *out = (struct lc_str){PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
        return true;
    }
    return false;
}

/* Reads a plain dict of str or bytes; false: something else is in it, requests shall look at it. */
static bool
read_pairs(PyObject *dict, struct lc_header *pairs, size_t *count)
{
    if (!PyDict_CheckExact(dict) || PyDict_GET_SIZE(dict) > MOST_HEADERS) {
        return false;
    }
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(dict, &position, &key, &value)) {
        struct lc_header *pair = &pairs[*count];
        if (!text_of(key, &pair->name)) {
            return false;
        }
        if (value == Py_None) {
            pair->value = (struct lc_str){NULL, 0};
        } else if (!text_of(value, &pair->value) || (PyUnicode_Check(value) && !PyUnicode_IS_ASCII(value))) {
            return false;
        }
        (*count)++;
    }
    return true;
}

static int
seconds_to_ns(PyObject *value, int64_t *out)
{
    if (value == Py_None) {
        *out = -1;
        return 0;
    }
    double seconds = PyFloat_AsDouble(value);
    if (seconds == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return -1;
    }
    if (!(seconds > 0)) {
        return -1;
    }
    *out = seconds > 9e9 ? -1 : (int64_t)(seconds * 1e9);
    return 0;
}

/* false: leave it to requests, which knows how to complain. */
static bool
read_timeout(PyObject *timeout, struct lc_request *request)
{
    if (!is_set(timeout)) {
        return true;
    }
    if (PyTuple_CheckExact(timeout)) {
        return PyTuple_GET_SIZE(timeout) == 2 &&
               seconds_to_ns(PyTuple_GET_ITEM(timeout, 0), &request->connect_timeout_ns) == 0 &&
               seconds_to_ns(PyTuple_GET_ITEM(timeout, 1), &request->read_timeout_ns) == 0;
    }
    if (!PyFloat_Check(timeout) && !PyLong_Check(timeout)) {
        return false;
    }
    if (seconds_to_ns(timeout, &request->connect_timeout_ns) < 0) {
        return false;
    }
    request->read_timeout_ns = request->connect_timeout_ns;
    return true;
}

/* --- the exchange --- */

static void
on_done(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct cload_waiter *waiter = arg;
    (void)exchange;
    waiter->value = response;
    cload_waiter_wake(waiter);
}

/* As requests does: the method goes out in capitals, whatever it is called in the statistics. */
static void
upper_method(struct lc_str *method, char *buffer, size_t size)
{
    bool is_upper = true;
    for (size_t i = 0; i < method->len; i++) {
        is_upper = is_upper && !(method->data[i] >= 'a' && method->data[i] <= 'z');
    }
    if (is_upper || method->len > size) {
        return;
    }
    for (size_t i = 0; i < method->len; i++) {
        char c = method->data[i];
        buffer[i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
    }
    method->data = buffer;
}

/* Starts the exchange; NULL with an exception, or NULL without one when the call turned out to be general. */
static __attribute__((noinline)) struct lc_exchange *
call_start(struct session_object *self, struct call *call, int64_t start_ns, struct cload_waiter *waiter)
{
    struct lc_request request = {0};
    struct lc_header headers[MOST_HEADERS + 1];
    struct lc_header cookies[MOST_HEADERS];
    request.headers = headers;
    request.cookies = cookies;
    if ((is_set(call->headers) && !read_pairs(call->headers, headers, &request.header_count)) ||
        (is_set(call->cookies) && !read_pairs(call->cookies, cookies, &request.cookie_count)) ||
        !read_timeout(call->timeout, &request)) {
        if (!PyErr_Occurred()) {
            call->is_general = true;
        }
        return NULL;
    }
    if (!PyUnicode_IS_ASCII(call->method)) {
        call->is_general = true;
        return NULL;
    }
    if (!text_of(call->method, &request.method) || !text_of(call->full_url, &request.url)) {
        return NULL;
    }
    char method[32];
    upper_method(&request.method, method, sizeof(method));
    if (call->auth_value != NULL) {
        headers[request.header_count++] = (struct lc_header){
            LCORE_STR("Authorization"),
            {PyBytes_AS_STRING(call->auth_value), (size_t)PyBytes_GET_SIZE(call->auth_value)},
        };
    }
    if (call->body_owner != NULL) {
        request.body = (struct lc_str){PyBytes_AS_STRING(call->body_owner), (size_t)PyBytes_GET_SIZE(call->body_owner)};
    }
    if (call->content_type != NULL) {
        text_of(call->content_type, &request.content_type);
    }
    if (call->tls_owner != NULL) {
        request.tls = PyCapsule_GetPointer(call->tls_owner, "cload.tls");
    }
    if (call->proxy != NULL) {
        request.proxy = PyUnicode_AsUTF8(call->proxy);
        if (request.proxy == NULL) {
            return NULL;
        }
    }
    request.max_redirects = self->max_redirects;
    request.flags = call->is_redirecting ? 0 : LCORE_REQUEST_NO_REDIRECT;
    struct lc_error error = {0};
    struct lc_exchange *exchange = NULL;
    int err = lc_session_start(self->core, &request, start_ns, on_done, waiter, &exchange, &error);
    if (err == LCE_NOMEM) {
        PyErr_NoMemory();
    } else if (err < 0) {
        /* A URL or header that cannot be used: requests knows which exception says so. */
        call->is_general = true;
    }
    return err < 0 ? NULL : exchange;
}

/* Frees the waiter. NULL with an exception when something was thrown into the greenlet. */
static struct lc_response *
call_wait(struct cload_waiter *waiter, struct lc_exchange *exchange)
{
    int err = cload_waiter_wait(waiter);
    struct lc_response *response = waiter->value;
    cload_waiter_free(waiter);
    if (err < 0) {
        if (response != NULL) {
            lc_response_free(response);
        } else {
            lc_exchange_cancel(exchange);
        }
        return NULL;
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
call_name(struct session_object *self, const struct call *call, const struct lc_response *response)
{
    if (is_set(call->name) && PyUnicode_Check(call->name)) {
        /* As in Python's `name or ...`: an empty one does not count. */
        if (PyUnicode_GET_LENGTH(call->name) > 0) {
            return Py_NewRef(call->name);
        }
    }
    if (is_set(self->request_name)) {
        return Py_NewRef(self->request_name);
    }
    struct lc_str target;
    bool is_first_hop = response->fail == LCORE_FAIL_NONE || response->previous == NULL;
    if (is_first_hop && self->has_plain_base && call->full_url == call->url && text_of(call->url, &target) &&
        target.len > 0 && target.data[0] == '/' && lc_url_is_clean_target(target)) {
        return Py_NewRef(call->url);
    }
    return name_from(response);
}

static PyObject *
call_finish(struct session_object *self, const struct call *call, struct lc_response *core)
{
    PyObject *name = call_name(self, call, core);
    if (name == NULL) {
        lc_response_free(core);
        return NULL;
    }
    PyObject *response = cload_response_new(self->state, self->response_class, core, call->method, name,
                                            self->request_event, self->user, call->context);
    Py_DECREF(name);
    if (response == NULL) {
        return NULL;
    }
    struct cload_response *made = (struct cload_response *)response;
    made->is_catching = call->is_catching;
    made->body = Py_XNewRef(call->body_owner);
    if (!call->is_catching && cload_response_report(made) < 0) {
        Py_CLEAR(response);
    }
    return response;
}

/* The keywords of the call, without method and url. New reference. */
static PyObject *
call_kwargs(struct session_object *self, const struct call *call, PyObject *const *args, Py_ssize_t count,
            PyObject *kwnames)
{
    struct cload_state *state = self->state;
    PyObject *kwargs = PyDict_New();
    Py_ssize_t keyword_count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    int err = kwargs == NULL ? -1 : 0;
    if (err == 0 && call->data != NULL) {
        err = PyDict_SetItem(kwargs, state->str_data, call->data);
    }
    if (err == 0 && call->json != NULL) {
        err = PyDict_SetItem(kwargs, state->str_json, call->json);
    }
    for (Py_ssize_t i = 0; err == 0 && i < keyword_count; i++) {
        PyObject *key = PyTuple_GET_ITEM(kwnames, i);
        if (PyUnicode_Compare(key, state->str_url) != 0 && PyUnicode_Compare(key, state->str_method) != 0) {
            err = PyDict_SetItem(kwargs, key, args[count + i]);
        }
    }
    if (err == 0 && PyDict_Contains(kwargs, state->str_allow_redirects) == 0) {
        err = PyDict_SetItem(kwargs, state->str_allow_redirects, call->is_redirecting ? Py_True : Py_False);
    }
    if (err < 0) {
        Py_CLEAR(kwargs);
    }
    return kwargs;
}

static PyObject *
call_general(struct session_object *self, const struct call *call, PyObject *const *args, Py_ssize_t count,
             PyObject *kwnames)
{
    PyObject *kwargs = call_kwargs(self, call, args, count, kwnames);
    PyObject *function = kwargs == NULL ? NULL : helper(self->state, "request_general");
    PyObject *result =
        function == NULL ? NULL : PyObject_CallFunctionObjArgs(function, self, call->method, call->url, kwargs, NULL);
    Py_XDECREF(function);
    Py_XDECREF(kwargs);
    return result;
}

/* Everything that happens before the wait; 0: `*exchange` runs; 1: the call is general; -1: exception. */
static __attribute__((noinline)) int
call_begin(struct session_object *self, struct call *call, struct cload_waiter **waiter, struct lc_exchange **exchange)
{
    int64_t start_ns = lc_clock_monotonic_ns();
    if (self->core == NULL) {
        if (self->is_general) {
            return 1;
        }
        PyErr_SetString(PyExc_RuntimeError, "HttpSession.__init__() has not been called");
        return -1;
    }
    struct cload_hub *hub = cload_hub_get(self->state);
    if (hub == NULL) {
        return PyErr_Occurred() ? -1 : 1;
    }
    int is_general = call->is_general ? 1 : session_is_general(self);
    if (is_general != 0) {
        return is_general;
    }
    if ((self->are_headers_changed && session_send_headers(self) < 0) || call_url(self, call) < 0 ||
        call_body(self, call) < 0 || call_settings(self, call) < 0) {
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

static PyObject *
session_call(PyObject *object, PyObject *method, bool is_redirecting, Py_ssize_t most, PyObject *const *args,
             Py_ssize_t count, PyObject *kwnames)
{
    struct session_object *self = (struct session_object *)object;
    struct call call = {.method = method, .is_redirecting = is_redirecting};
    if (call_parse(self->state, &call, args, count, most, kwnames) < 0) {
        return NULL;
    }
    struct cload_waiter *waiter = NULL;
    struct lc_exchange *exchange = NULL;
    PyObject *result = NULL;
    int begun = call_begin(self, &call, &waiter, &exchange);
    if (begun > 0) {
        result = call_general(self, &call, args, count, kwnames);
    } else if (begun == 0) {
        struct lc_response *core = call_wait(waiter, exchange);
        if (core != NULL) {
            result = call_finish(self, &call, core);
        }
    }
    call_release(&call);
    return result;
}

/* --- methods --- */

/* The class's own request() gets what the verb was given. */
static PyObject *
session_verb(PyObject *object, PyObject *method, bool is_redirecting, Py_ssize_t most, PyObject *const *args,
             Py_ssize_t count, PyObject *kwnames)
{
    struct session_object *self = (struct session_object *)object;
    if (!self->is_request_overridden && (self->dict == NULL || PyDict_GET_SIZE(self->dict) == 0 ||
                                         PyDict_Contains(self->dict, self->state->str_request) == 0)) {
        return session_call(object, method, is_redirecting, most, args, count, kwnames);
    }
    struct call call = {.method = method, .is_redirecting = is_redirecting};
    if (call_parse(self->state, &call, args, count, most, kwnames) < 0) {
        return NULL;
    }
    PyObject *kwargs = call_kwargs(self, &call, args, count, kwnames);
    PyObject *request = kwargs == NULL ? NULL : PyObject_GetAttr(object, self->state->str_request);
    PyObject *positional = request == NULL ? NULL : PyTuple_Pack(2, call.method, call.url);
    PyObject *result = positional == NULL ? NULL : PyObject_Call(request, positional, kwargs);
    Py_XDECREF(positional);
    Py_XDECREF(request);
    Py_XDECREF(kwargs);
    return result;
}

#define SESSION_VERB(verb, METHOD, is_redirecting, most)                                                               \
    static PyObject *session_##verb(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)        \
    {                                                                                                                  \
        return session_verb(self, ((struct session_object *)self)->state->str_##METHOD, is_redirecting, most, args,    \
                            count, kwnames);                                                                           \
    }
SESSION_VERB(get, GET, true, 1)
SESSION_VERB(options, OPTIONS, true, 1)
SESSION_VERB(head, HEAD, false, 1)
SESSION_VERB(post, POST, true, 3)
SESSION_VERB(put, PUT, true, 2)
SESSION_VERB(patch, PATCH, true, 2)
SESSION_VERB(delete, DELETE, true, 2)

/* request(method, url, name=None, catch_response=False, context={}, *, data=None, json=None, **kwargs) */
static PyObject *
session_request(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    struct session_object *self = (struct session_object *)object;
    Py_ssize_t keyword_count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    PyObject *method = count > 0 ? args[0] : NULL;
    for (Py_ssize_t i = 0; method == NULL && i < keyword_count; i++) {
        if (PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, i), self->state->str_method) == 0) {
            method = args[count + i];
        }
    }
    if (method == NULL || count > 5) {
        PyErr_SetString(PyExc_TypeError, "request() takes method, url, name, catch_response and context");
        return NULL;
    }
    if (count <= 2 && count > 0 && PyUnicode_CheckExact(method)) {
        return session_call(object, method, true, 1, args + 1, count - 1, kwnames);
    }
    PyObject *result = NULL, *kwargs = PyDict_New();
    PyObject *const positional[] = {self->state->str_method, self->state->str_url, self->state->str_name,
                                    self->state->str_catch_response, self->state->str_context};
    int err = kwargs == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; err == 0 && i < count; i++) {
        err = PyDict_SetItem(kwargs, positional[i], args[i]);
    }
    for (Py_ssize_t i = 0; err == 0 && i < keyword_count; i++) {
        err = PyDict_SetItem(kwargs, PyTuple_GET_ITEM(kwnames, i), args[count + i]);
    }
    if (err == 0) {
        PyObject *function = helper(self->state, "request_by_keywords");
        if (function != NULL) {
            result = PyObject_CallFunctionObjArgs(function, object, kwargs, NULL);
            Py_DECREF(function);
        }
    }
    Py_XDECREF(kwargs);
    return result;
}

static PyObject *
session_headers_changed(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    ((struct session_object *)object)->are_headers_changed = true;
    Py_RETURN_NONE;
}

static PyObject *
session_mounted(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct session_object *self = (struct session_object *)object;
    self->is_mounted = self->is_general = true;
    Py_RETURN_NONE;
}

static PyObject *
session_close(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct session_object *self = (struct session_object *)object;
    if (self->core != NULL) {
        lc_session_close_idle(self->core);
    }
    if (self->slots[CLOAD_SESSION_adapters] != NULL) {
        PyObject *closed = call_helper(self->state, "close_adapters", self->slots[CLOAD_SESSION_adapters], NULL, NULL);
        if (closed == NULL) {
            return NULL;
        }
        Py_DECREF(closed);
    }
    Py_RETURN_NONE;
}

static PyObject *
text_or_none(struct lc_str text)
{
    return text.data == NULL ? Py_NewRef(Py_None) : PyUnicode_DecodeLatin1(text.data, (Py_ssize_t)text.len, NULL);
}

static PyObject *
session_cookie_list(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct session_object *self = (struct session_object *)object;
    PyObject *list = PyList_New(0);
    size_t position = 0;
    struct lc_cookie cookie;
    while (list != NULL && self->core != NULL && lc_session_next_cookie(self->core, &position, &cookie)) {
        PyObject *expires =
            cookie.expires_s == INT64_MIN ? Py_NewRef(Py_None) : PyLong_FromLongLong((long long)cookie.expires_s);
        PyObject *item =
            Py_BuildValue("(NNNNNiiiiN)", text_or_none(cookie.name), text_or_none(cookie.value),
                          text_or_none(cookie.domain), text_or_none(cookie.path), expires, cookie.is_host_only,
                          cookie.is_path_set, cookie.is_secure, cookie.is_http_only, text_or_none(cookie.same_site));
        if (item == NULL || PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *
session_cookie_set(PyObject *object, PyObject *args)
{
    struct session_object *self = (struct session_object *)object;
    const char *text[5];
    Py_ssize_t len[5];
    PyObject *expires;
    int is_host_only, is_path_set, is_secure, is_http_only;
    if (!PyArg_ParseTuple(args, "s#s#s#s#Oppppz#", &text[0], &len[0], &text[1], &len[1], &text[2], &len[2], &text[3],
                          &len[3], &expires, &is_host_only, &is_path_set, &is_secure, &is_http_only, &text[4],
                          &len[4])) {
        return NULL;
    }
    struct lc_cookie cookie = {
        .name = {text[0], (size_t)len[0]},
        .value = {text[1], (size_t)len[1]},
        .domain = {text[2], (size_t)len[2]},
        .path = {text[3], (size_t)len[3]},
        .expires_s = INT64_MIN,
        .is_host_only = is_host_only,
        .is_path_set = is_path_set,
        .is_secure = is_secure,
        .is_http_only = is_http_only,
        .same_site = {text[4], text[4] == NULL ? 0 : (size_t)len[4]},
    };
    if (expires != Py_None) {
        cookie.expires_s = PyLong_AsLongLong(expires);
        if (cookie.expires_s == -1 && PyErr_Occurred()) {
            return NULL;
        }
    }
    int err = lc_session_set_cookie(self->core, &cookie);
    return err < 0 ? cload_raise(err, NULL) : Py_NewRef(Py_None);
}

static PyObject *
session_cookie_remove(PyObject *object, PyObject *args)
{
    struct session_object *self = (struct session_object *)object;
    const char *text[3];
    Py_ssize_t len[3];
    if (!PyArg_ParseTuple(args, "z#z#z#", &text[0], &len[0], &text[1], &len[1], &text[2], &len[2])) {
        return NULL;
    }
    struct lc_str part[3];
    for (int i = 0; i < 3; i++) {
        part[i] = (struct lc_str){text[i], text[i] == NULL ? 0 : (size_t)len[i]};
    }
    return PyLong_FromLong(lc_session_remove_cookies(self->core, part[0], part[1], part[2]));
}

static PyObject *
session_cookie_version(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct session_object *self = (struct session_object *)object;
    return PyLong_FromUnsignedLongLong(self->core == NULL ? 0 : lc_session_cookie_version(self->core));
}

/* --- attributes --- */

static const char *const slot_names[] = {
#define CLOAD_SLOT_NAME(name) #name,
    CLOAD_SESSION_SLOT_LIST(CLOAD_SLOT_NAME)
#undef CLOAD_SLOT_NAME
};

static PyObject *
session_get_slot(PyObject *object, void *closure)
{
    struct session_object *self = (struct session_object *)object;
    intptr_t slot = (intptr_t)closure;
    if (self->slots[slot] == NULL) {
        PyObject *name = PyUnicode_InternFromString(slot_names[slot]);
        PyObject *value = name == NULL ? NULL : call_helper(self->state, "session_attribute", object, name, NULL);
        Py_XDECREF(name);
        if (value == NULL) {
            return NULL;
        }
        Py_XSETREF(self->slots[slot], value);
    }
    return Py_NewRef(self->slots[slot]);
}

static int
session_apply_auth(struct session_object *self, PyObject *auth)
{
    Py_CLEAR(self->auth_value);
    self->is_auth_general = false;
    if (!is_set(auth)) {
        return 0;
    }
    PyObject *value = call_helper(self->state, "basic_auth", auth, NULL, NULL);
    if (value == NULL) {
        return -1;
    }
    if (value == Py_None) {
        self->is_auth_general = true;
        Py_DECREF(value);
    } else {
        self->auth_value = value;
    }
    return 0;
}

static bool
is_true(PyObject *value)
{
    int truth = value == NULL ? 0 : PyObject_IsTrue(value);
    if (truth < 0) {
        PyErr_Clear();
    }
    return truth != 0;
}

static int
session_set_slot(PyObject *object, PyObject *value, void *closure)
{
    struct session_object *self = (struct session_object *)object;
    intptr_t slot = (intptr_t)closure;
    if (value == NULL) {
        PyErr_Format(PyExc_AttributeError, "%s cannot be deleted", slot_names[slot]);
        return -1;
    }
    PyObject *kept = Py_NewRef(value);
    if (slot == CLOAD_SESSION_headers || slot == CLOAD_SESSION_cookies) {
        Py_DECREF(kept);
        kept = call_helper(self->state, slot == CLOAD_SESSION_headers ? "wrap_headers" : "wrap_cookies", object, value,
                           NULL);
        if (kept == NULL) {
            return -1;
        }
        self->are_headers_changed |= slot == CLOAD_SESSION_headers;
    } else if (slot == CLOAD_SESSION_auth) {
        if (session_apply_auth(self, value) < 0) {
            Py_DECREF(kept);
            return -1;
        }
    } else if (slot == CLOAD_SESSION_max_redirects) {
        long most = PyLong_AsLong(value);
        if (most == -1 && PyErr_Occurred()) {
            Py_DECREF(kept);
            return -1;
        }
        self->max_redirects = most <= 0 ? -1 : most > INT_MAX ? INT_MAX : (int)most;
    } else if (slot == CLOAD_SESSION_verify || slot == CLOAD_SESSION_cert) {
        Py_CLEAR(self->tls_owner);
    } else if (slot == CLOAD_SESSION_adapters) {
        self->is_mounted = true;
    }
    Py_XSETREF(self->slots[slot], kept);
    self->is_general = self->is_mounted || self->is_auth_general || is_true(self->slots[CLOAD_SESSION_stream]) ||
                       is_true(self->slots[CLOAD_SESSION_trust_env]);
    return 0;
}

static PyObject *
session_get_base_url(PyObject *object, void *Py_UNUSED(closure))
{
    struct session_object *self = (struct session_object *)object;
    return Py_NewRef(self->base_url == NULL ? Py_None : self->base_url);
}

static int
session_make_core(struct session_object *self, PyObject *base_url)
{
    struct lc_session_options options;
    lc_session_options_init(&options);
    if (!text_of(base_url, &options.base_url)) {
        PyErr_SetString(PyExc_TypeError, "base_url must be a str");
        return -1;
    }
    self->hub = cload_hub_get(self->state);
    if (self->hub == NULL) {
        if (!PyErr_Occurred()) {
            /* A session of another thread: requests' own code serves it. */
            self->is_general = self->is_mounted = true;
            return 0;
        }
        return -1;
    }
    PyObject *defaults = helper(self->state, "session_defaults");
    if (defaults == NULL) {
        return -1;
    }
    PyObject *tls_owner = NULL, *agent;
    int accepts_br, accepts_zstd;
    int err = -1;
    if (!PyArg_ParseTuple(defaults, "Upp", &agent, &accepts_br, &accepts_zstd)) {
        goto out;
    }
    options.user_agent = PyUnicode_AsUTF8(agent);
    options.is_accepting_br = accepts_br;
    options.is_accepting_zstd = accepts_zstd;
    tls_owner = find_tls(self->state, NULL, NULL);
    if (options.user_agent == NULL || tls_owner == NULL) {
        goto out;
    }
    options.tls = PyCapsule_GetPointer(tls_owner, "cload.tls");
    struct lc_error error = {0};
    struct lc_session *core = lc_session_new(self->hub->http, &options, &error);
    if (core == NULL) {
        cload_raise(error.code, &error);
        goto out;
    }
    if (self->core != NULL) {
        lc_session_free(self->core);
    }
    self->core = core;
    self->are_headers_changed = self->slots[CLOAD_SESSION_headers] != NULL;
    struct lc_url url;
    self->has_plain_base =
        lc_url_parse(options.base_url, &url, NULL) == 0 && url.target.len == 0 && url.fragment.data == NULL;
    Py_XSETREF(self->base_url, Py_NewRef(base_url));
    err = 0;
out:
    Py_XDECREF(tls_owner);
    Py_DECREF(defaults);
    return err;
}

static int
session_set_base_url(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct session_object *self = (struct session_object *)object;
    if (value == NULL || !PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "base_url must be a str");
        return -1;
    }
    PyObject *cookies = self->core == NULL ? NULL : session_cookie_list(object, NULL);
    if (self->core != NULL && cookies == NULL) {
        return -1;
    }
    int err = session_make_core(self, value);
    for (Py_ssize_t i = 0; err == 0 && cookies != NULL && i < PyList_GET_SIZE(cookies); i++) {
        PyObject *set = session_cookie_set(object, PyList_GET_ITEM(cookies, i));
        Py_XDECREF(set);
        err = set == NULL ? -1 : 0;
    }
    Py_XDECREF(cookies);
    return err;
}

/* HttpSession(base_url, request_event, user, *args, pool_manager=None) */
static int
session_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    struct session_object *self = (struct session_object *)object;
    static char *names[] = {"base_url", "request_event", "user", "pool_manager", NULL};
    PyObject *base_url, *request_event = Py_None, *user = Py_None, *pool_manager = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|OO$O", names, &base_url, &request_event, &user, &pool_manager)) {
        return -1;
    }
    Py_XSETREF(self->request_event, Py_NewRef(request_event));
    Py_XSETREF(self->user, Py_NewRef(user));
    Py_XSETREF(self->pool_manager, Py_NewRef(pool_manager));
    PyObject *setup = call_helper(self->state, "session_setup", object, base_url, NULL);
    if (setup == NULL) {
        return -1;
    }
    /* (base_url without credentials, auth or None, response class, is request() overridden, is the class general) */
    PyObject *plain_url, *auth, *response_class;
    int is_overridden, is_general;
    int err = -1;
    if (PyArg_ParseTuple(setup, "UOO!pp", &plain_url, &auth, &PyType_Type, &response_class, &is_overridden,
                         &is_general) &&
        session_make_core(self, plain_url) == 0) {
        Py_XSETREF(self->response_class, (PyTypeObject *)Py_NewRef(response_class));
        self->is_request_overridden = is_overridden;
        self->is_mounted |= is_general;
        self->is_general |= is_general;
        err = auth == Py_None ? 0 : session_set_slot(object, auth, (void *)(intptr_t)CLOAD_SESSION_auth);
    }
    Py_DECREF(setup);
    return err;
}

static PyObject *
session_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    struct session_object *self = (struct session_object *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->state = cload_state_find(type);
        if (self->state == NULL) {
            Py_CLEAR(self);
        }
    }
    return (PyObject *)self;
}

static int
session_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct session_object *self = (struct session_object *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->request_event);
    Py_VISIT(self->user);
    Py_VISIT(self->pool_manager);
    Py_VISIT(self->response_class);
    Py_VISIT(self->dict);
    for (int i = 0; i < CLOAD_SESSION_SLOT_COUNT; i++) {
        Py_VISIT(self->slots[i]);
    }
    return 0;
}

static int
session_clear(PyObject *object)
{
    struct session_object *self = (struct session_object *)object;
    Py_CLEAR(self->base_url);
    Py_CLEAR(self->request_event);
    Py_CLEAR(self->user);
    Py_CLEAR(self->request_name);
    Py_CLEAR(self->pool_manager);
    Py_CLEAR(self->auth_value);
    Py_CLEAR(self->tls_owner);
    Py_CLEAR(self->response_class);
    Py_CLEAR(self->dict);
    for (int i = 0; i < CLOAD_SESSION_SLOT_COUNT; i++) {
        Py_CLEAR(self->slots[i]);
    }
    return 0;
}

static void
session_dealloc(PyObject *object)
{
    struct session_object *self = (struct session_object *)object;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    if (self->core != NULL) {
        lc_session_free(self->core);
        self->core = NULL;
    }
    session_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static void
tls_capsule_free(PyObject *capsule)
{
    lc_tls_unref(PyCapsule_GetPointer(capsule, "cload.tls"));
}

/* tls_options(is_insecure, ca_file, ca_dir, cert_file, key_file) -> capsule */
static PyObject *
make_tls(PyObject *Py_UNUSED(module), PyObject *args)
{
    struct lc_tls_options options = {.size = sizeof(options)};
    int is_insecure;
    if (!PyArg_ParseTuple(args, "pzzzz", &is_insecure, &options.ca_file, &options.ca_dir, &options.cert_file,
                          &options.key_file)) {
        return NULL;
    }
    options.is_insecure = is_insecure;
    struct lc_error error = {0};
    struct lc_tls *tls = lc_tls_new(&options, &error);
    if (tls == NULL) {
        return cload_raise(error.code, &error);
    }
    PyObject *capsule = PyCapsule_New(tls, "cload.tls", tls_capsule_free);
    if (capsule == NULL) {
        lc_tls_unref(tls);
    }
    return capsule;
}

#define FAST_METHOD(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef session_methods[] = {
    {"get", FAST_METHOD(session_get), PyDoc_STR("get(url, *, name=None, catch_response=False, **kwargs)")},
    {"options", FAST_METHOD(session_options), PyDoc_STR("options(url, *, name=None, catch_response=False, **kwargs)")},
    {"head", FAST_METHOD(session_head), PyDoc_STR("head(url, *, name=None, catch_response=False, **kwargs)")},
    {"post", FAST_METHOD(session_post), PyDoc_STR("post(url, data=None, json=None, **kwargs)")},
    {"put", FAST_METHOD(session_put), PyDoc_STR("put(url, data=None, *, json=None, **kwargs)")},
    {"patch", FAST_METHOD(session_patch), PyDoc_STR("patch(url, data=None, *, json=None, **kwargs)")},
    {"delete", FAST_METHOD(session_delete), PyDoc_STR("delete(url, data=None, *, json=None, **kwargs)")},
    {"request", FAST_METHOD(session_request),
     PyDoc_STR("request(method, url, name=None, catch_response=False, context={}, **kwargs)\n\n"
               "Sends a request and reports it; times in milliseconds, sizes in bytes after decoding.")},
    {"close", session_close, METH_NOARGS, PyDoc_STR("close()\n\nCloses idle connections.")},
    {"_headers_changed", session_headers_changed, METH_NOARGS, NULL},
    {"_mounted", session_mounted, METH_NOARGS, NULL},
    {"_cookie_list", session_cookie_list, METH_NOARGS, NULL},
    {"_cookie_set", session_cookie_set, METH_VARARGS, NULL},
    {"_cookie_remove", session_cookie_remove, METH_VARARGS, NULL},
    {"_cookie_version", session_cookie_version, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef session_getset[] = {
#define CLOAD_SLOT_GETSET(name)                                                                                        \
    {#name, session_get_slot, session_set_slot, NULL, (void *)(intptr_t)CLOAD_SESSION_##name},
    CLOAD_SESSION_SLOT_LIST(CLOAD_SLOT_GETSET)
#undef CLOAD_SLOT_GETSET
        {"base_url", session_get_base_url, session_set_base_url, NULL, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef session_members[] = {
    {"request_event", T_OBJECT, offsetof(struct session_object, request_event), 0, NULL},
    {"user", T_OBJECT, offsetof(struct session_object, user), 0, NULL},
    {"request_name", T_OBJECT, offsetof(struct session_object, request_name), 0, NULL},
    {"pool_manager", T_OBJECT, offsetof(struct session_object, pool_manager), 0, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct session_object, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct session_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot session_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Base of the HTTP clients: common calls go straight to the C core.")},
    {Py_tp_new, session_new},
    {Py_tp_init, session_init},
    {Py_tp_traverse, session_traverse},
    {Py_tp_clear, session_clear},
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_methods, session_methods},
    {Py_tp_getset, session_getset},
    {Py_tp_members, session_members},
    {0, NULL},
};

static PyType_Spec session_spec = {
    .name = "_cload.HttpSession",
    .basicsize = sizeof(struct session_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = session_slots,
};

static PyMethodDef module_functions[] = {
    {"make_tls", make_tls, METH_VARARGS,
     PyDoc_STR("make_tls(is_insecure, ca_file, ca_dir, cert_file, key_file) -> capsule\n\n"
               "TLS options; paths are str or None. OSError or ValueError when a file cannot be used.")},
    {NULL, NULL, 0, NULL},
};

int
cload__session_add_types(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    state->session_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &session_spec, NULL);
    if (state->session_type == NULL || PyModule_AddType(module, state->session_type) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, module_functions);
}
