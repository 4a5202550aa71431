/* One call, from the Python arguments to the Python response:
 *
 *   call_parse()   reads the arguments once; anything it does not know how to do makes the call "general", which means
 *                  that Python code (locust/clients.py) does it with requests' own machinery
 *   call_start()   fills a struct lc_request with borrowed strings and starts the exchange
 *   call_wait()    parks the greenlet
 *   call_finish()  makes the response object and reports the request
 *
 * The sessions of FastHttpUser (`is_fast`) go the same way; they differ in what the arguments mean, in the name, and in
 * which statuses are failures. Their general calls are done by Python code that says them again in plain terms.
 *
 * Each is a function of its own so that what they need on the C stack is gone before the greenlet is parked: greenlet
 * copies that part of the stack at each switch. */
#include "session.h"

#include <strings.h>

#include <structmember.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "http/url.h"
#include "hub.h"
#include "response.h"

#define MOST_HEADERS 48
#define MOST_ADDED_HEADERS 3 /* Authorization, Content-Type, Accept */
#define STATUS_LIMIT 1024

/* A core that was replaced while calls were in flight on it. */
struct retired {
    struct retired *next;
    struct lc_session *core;
};

struct session_object {
    PyObject_HEAD
    struct cload_state *state;
    struct cload_hub *hub;
    struct lc_session *core;
    struct retired *retired; /* until no call is in flight */
    size_t flight_count;
    PyObject *base_url, *request_event, *user, *request_name, *pool_manager;
    PyObject *auth_value; /* bytes of the Authorization header, or NULL */
    PyObject *tls_owner;  /* capsule of the struct lc_tls in use, or NULL */
    PyTypeObject *response_class;
    PyTypeObject *catching_class, *error_class; /* fast: of calls with catch_response, of those without an answer */
    PyObject *options;                          /* fast: the tuple that fast_setup() was given */
    PyObject *valid_statuses;                   /* fast: bytes, one for each status: 1 where it is a success */
    PyObject *slots[CLOAD_SESSION_SLOT_COUNT];
    PyObject *dict, *weakrefs;
    bool are_headers_changed;
    bool is_general;            /* a setting that only requests' own code can follow */
    bool is_request_overridden; /* the class has a request() of its own: the verbs go through it */
    bool is_mounted, is_auth_general;
    bool is_fast;        /* a FastHttpSession */
    int max_redirects;   /* as struct lc_request has it */
    int max_retries;     /* fast */
    bool has_slash_base; /* the base URL's path is a slash, so that a path behind it would begin with two */
    bool has_plain_base; /* the base URL has no path, so that a clean relative URL is its own name */
};

struct call {
    PyObject *method, *url;
    PyObject *name, *context, *data, *json, *params, *headers, *cookies, *timeout, *verify, *cert, *auth, *proxies;
    PyObject *body_owner, *full_url, *auth_value, *tls_owner, *proxy; /* made on the way, owned */
    const char *content_type;
    int64_t first_start_ns; /* of a call that is tried again */
    int max_redirects, max_retries;
    bool is_catching, is_redirecting, is_general;
    bool is_json;  /* fast: the body came from json= */
    bool is_plain; /* fast: cannot be general, Python has looked at it */
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
set_call_url(struct call *call, PyObject *value)
{
    if (call->url != NULL) {
        PyErr_SetString(PyExc_TypeError, "url was given twice");
        return -1;
    }
    call->url = value;
    return 0;
}

static int
read_limit(PyObject *value, int *out)
{
    long limit = PyLong_AsLong(value);
    *out = limit < 0 ? 0 : limit > INT_MAX ? INT_MAX : (int)limit;
    return limit == -1 && PyErr_Occurred() ? -1 : 0;
}

/* Of a FastHttpSession. What it does not know becomes a part of the query or the form, which is Python's work. */
static int
fast_keyword(struct cload_state *state, struct call *call, PyObject *key, PyObject *value)
{
    struct {
        PyObject *name;
        PyObject **place;
    } const places[] = {
        {state->str_name, &call->name},       {state->str_json, &call->json},     {state->str_data, &call->data},
        {state->str_headers, &call->headers}, {state->str_params, &call->params}, {state->str_context, &call->context},
        {state->str_auth, &call->auth},
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
        return set_call_url(call, value);
    }
    if (call->is_plain && key == state->str_max_redirects) {
        return read_limit(value, &call->max_redirects);
    }
    if (call->is_plain && key == state->str_max_retries) {
        return read_limit(value, &call->max_retries);
    }
    call->is_general |= key != state->str_stream || (value != Py_None && value != Py_False);
    return 0;
}

static int
call_keyword(struct session_object *self, struct call *call, PyObject *key, PyObject *value)
{
    struct cload_state *state = self->state;
    if (self->is_fast) {
        return fast_keyword(state, call, key, value);
    }
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
        return set_call_url(call, value);
    }
    if ((key == state->str_stream && (value == Py_None || value == Py_False)) ||
        ((key == state->str_files || key == state->str_hooks) && value == Py_None)) {
        return 0;
    }
    call->is_general = true;
    return 0;
}

/* As Python itself says it, with the verb's name. */
static void
complain_of_count(struct session_object *self, PyObject *method, Py_ssize_t most, Py_ssize_t count)
{
    const char *type = self->is_fast ? "FastHttpSession" : "HttpSession";
    PyObject *verb = PyObject_CallMethod(method, "lower", NULL);
    if (verb != NULL && most > 1) {
        PyErr_Format(PyExc_TypeError, "%s.%U() takes from 2 to %zd positional arguments but %zd were given", type, verb,
                     most + 1, count + 1);
    } else if (verb != NULL) {
        PyErr_Format(PyExc_TypeError, "%s.%U() takes 2 positional arguments but %zd were given", type, verb, count + 1);
    }
    Py_XDECREF(verb);
}

static void
complain_of_url(struct session_object *self, PyObject *method)
{
    PyObject *verb = PyObject_CallMethod(method, "lower", NULL);
    if (verb != NULL) {
        PyErr_Format(PyExc_TypeError, "%s.%U() missing 1 required positional argument: 'url'",
                     self->is_fast ? "FastHttpSession" : "HttpSession", verb);
    }
    Py_XDECREF(verb);
}

/* positional: url [, data [, json]] up to `most`. The strings of keywords in code are interned, as ours are; one that
 * is not is interned first. */
static int
call_parse(struct session_object *self, struct call *call, PyObject *const *args, Py_ssize_t count, Py_ssize_t most,
           PyObject *kwnames)
{
    if (count > most) {
        complain_of_count(self, call->method, most, count);
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
            err = call_keyword(self, call, key, args[count + i]);
        } else {
            PyObject *interned = Py_NewRef(key);
            PyUnicode_InternInPlace(&interned);
            err = call_keyword(self, call, interned, args[count + i]);
            Py_DECREF(interned);
        }
        if (err < 0) {
            return -1;
        }
    }
    if (call->url == NULL) {
        complain_of_url(self, call->method);
        return -1;
    }
    return 0;
}

/* --- what the session's own attributes ask for --- */

/* Makes a list of (name, value), bytes, the session's default headers. */
static int
send_pairs(struct lc_session *core, PyObject *pairs)
{
    lc_session_clear_headers(core);
    int err = 0;
    for (Py_ssize_t i = 0; err == 0 && i < PyList_GET_SIZE(pairs); i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i);
        char *name, *value;
        Py_ssize_t name_len, value_len;
        if (PyBytes_AsStringAndSize(PyTuple_GET_ITEM(pair, 0), &name, &name_len) < 0 ||
            PyBytes_AsStringAndSize(PyTuple_GET_ITEM(pair, 1), &value, &value_len) < 0) {
            return -1;
        }
        err = lc_session_set_header(core, (struct lc_str){name, (size_t)name_len},
                                    (struct lc_str){value, (size_t)value_len});
    }
    if (err < 0) {
        cload_raise(err, NULL);
    }
    return err;
}

static int
session_send_headers(struct session_object *self)
{
    PyObject *pairs = call_helper(self->state, "header_pairs", self->slots[CLOAD_SESSION_headers], NULL, NULL);
    if (pairs == NULL) {
        return -1;
    }
    int err = send_pairs(self->core, pairs);
    Py_DECREF(pairs);
    self->are_headers_changed = err < 0;
    return err;
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
            self->tls_owner = find_tls(self->state, self->slots[CLOAD_SESSION_verify], self->slots[CLOAD_SESSION_cert]);
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
            call->content_type = "application/x-www-form-urlencoded";
            return 0;
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
        call->content_type = "application/json";
        return 0;
    }
    return 0;
}

static bool
has_content_type(PyObject *headers)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (is_set(headers) && PyDict_CheckExact(headers) && PyDict_Next(headers, &position, &key, &value)) {
        if (PyUnicode_Check(key) && PyUnicode_GET_LENGTH(key) == 12) {
            const char *name = PyUnicode_AsUTF8(key);
            if (name != NULL && strcasecmp(name, "Content-Type") == 0) {
                return true;
            }
        }
    }
    return false;
}

/* What response.request.body shows is what is sent: str where the caller (or json=) says what type it is. */
static int
fast_body(struct session_object *self, struct call *call)
{
    PyObject *data = call->data;
    if (is_set(data)) {
        if (PyBytes_CheckExact(data) && PyBytes_GET_SIZE(data) > 0) {
            call->body_owner = Py_NewRef(data);
            call->content_type = "application/octet-stream";
            return 0;
        }
        if (PyUnicode_CheckExact(data) && PyUnicode_GET_LENGTH(data) > 0) {
            call->body_owner = has_content_type(call->headers) ? Py_NewRef(data) : PyUnicode_AsUTF8String(data);
            call->content_type = "text/plain; charset=utf-8";
            return call->body_owner == NULL ? -1 : 0;
        }
        if (PyDict_CheckExact(data) && PyDict_GET_SIZE(data) > 0) {
            call->body_owner = call_helper(self->state, "encode_fast_form", data, NULL, NULL);
            call->content_type = "application/x-www-form-urlencoded; charset=utf-8";
            return call->body_owner == NULL ? -1 : 0;
        }
        if (!PyBytes_CheckExact(data) && !PyUnicode_CheckExact(data) && !PyDict_CheckExact(data)) {
            call->is_general = true;
            return 0;
        }
    }
    if (is_set(call->json)) {
        call->body_owner = call_helper(self->state, "dump_fast_json", call->json, NULL, NULL);
        call->is_json = true;
        return call->body_owner == NULL ? -1 : 0;
    }
    return 0;
}

static int
call_url(struct session_object *self, struct call *call)
{
    if (self->is_fast) {
        if (!PyUnicode_CheckExact(call->url)) {
            call->is_general = true;
        } else if (is_set(call->params)) {
            call->full_url = call_helper(self->state, "add_params", call->url, call->params, Py_None);
        } else {
            call->full_url = Py_NewRef(call->url);
        }
        if (call->full_url != NULL && PyUnicode_GET_LENGTH(call->url) > 1 && PyUnicode_READ_CHAR(call->url, 0) == '/' &&
            (self->has_slash_base || PyUnicode_READ_CHAR(call->url, 1) == '/')) {
            PyErr_Format(PyExc_ValueError, "the path of %U%U begins with two slashes", self->base_url, call->url);
            return -1;
        }
        return call->full_url == NULL && !call->is_general ? -1 : 0;
    }
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

static bool
has_header(const struct lc_request *request, struct lc_str name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (lc_str_equal_nocase(request->headers[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* json= says so itself, above what the session's default headers say. */
static void
add_json_headers(struct lc_request *request, struct lc_header *headers)
{
    const struct lc_header added[] = {
        {LCORE_STR("Content-Type"), LCORE_STR("application/json")},
        {LCORE_STR("Accept"), LCORE_STR("application/json")},
    };
    bool is_missing[2] = {!has_header(request, added[0].name), !has_header(request, added[1].name)};
    for (int i = 0; i < 2; i++) {
        if (is_missing[i]) {
            headers[request->header_count++] = added[i];
        }
    }
}

/* Starts the exchange; NULL with an exception, or NULL without one when the call turned out to be general. */
static __attribute__((noinline)) struct lc_exchange *
call_start(struct session_object *self, struct call *call, int64_t start_ns, struct cload_waiter *waiter)
{
    struct lc_request request = {0};
    struct lc_header headers[MOST_HEADERS + MOST_ADDED_HEADERS];
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
    if (call->is_json) {
        add_json_headers(&request, headers);
    }
    if (call->body_owner != NULL && !text_of(call->body_owner, &request.body)) {
        return NULL;
    }
    if (call->content_type != NULL) {
        request.content_type = lc_str_from(call->content_type);
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
    request.max_redirects = call->max_redirects;
    request.flags =
        call->is_redirecting && !(self->is_fast && call->max_redirects == 0) ? 0 : LCORE_REQUEST_NO_REDIRECT;
    struct lc_error error = {0};
    struct lc_exchange *exchange = NULL;
    int err = lc_session_start(self->core, &request, start_ns, on_done, waiter, &exchange, &error);
    if (err == LCE_NOMEM) {
        PyErr_NoMemory();
    } else if (err < 0 && call->is_plain) {
        PyErr_SetString(PyExc_ValueError, error.text);
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

static void
session_free_retired(struct session_object *self)
{
    while (self->retired != NULL) {
        struct retired *retired = self->retired;
        self->retired = retired->next;
        lc_session_free(retired->core);
        lc__free(retired);
    }
}

/* call_wait() on a session whose core stays meanwhile. */
static struct lc_response *
call_fly(struct session_object *self, struct cload_waiter *waiter, struct lc_exchange *exchange)
{
    self->flight_count++;
    struct lc_response *response = call_wait(waiter, exchange);
    if (--self->flight_count == 0) {
        session_free_retired(self);
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
    if (self->is_fast) {
        return Py_NewRef(call->url);
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
    if (call->first_start_ns != 0) {
        core->timings.start_ns = call->first_start_ns;
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
    made->is_catching = call->is_catching;
    made->body = Py_XNewRef(call->body_owner);
    if (self->is_fast) {
        made->is_fast = true;
        made->asked_url = Py_NewRef(call->url);
        made->base_url = Py_NewRef(self->base_url);
        made->max_retries = call->max_retries;
        made->is_bad_status = core->status < 0 || core->status >= STATUS_LIMIT ||
                              PyBytes_AS_STRING(self->valid_statuses)[core->status] == 0;
    }
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
    PyObject *result = NULL;
    if (call->is_plain) {
        PyErr_SetString(PyExc_ValueError, "the request cannot be sent as it is");
    } else if (kwargs != NULL && self->is_fast) {
        result = PyObject_CallMethod((PyObject *)self, "_request_general", "OOO", call->method, call->url, kwargs);
    } else if (kwargs != NULL) {
        PyObject *function = helper(self->state, "request_general");
        result = function == NULL ? NULL
                                  : PyObject_CallFunctionObjArgs(function, self, call->method, call->url, kwargs, NULL);
        Py_XDECREF(function);
    }
    Py_XDECREF(kwargs);
    return result;
}

/* Everything that happens before the wait; 0: `*exchange` runs; 1: the call is general; -1: exception. */
static __attribute__((noinline)) int
call_begin(struct session_object *self, struct call *call, struct cload_waiter **waiter, struct lc_exchange **exchange)
{
    int64_t start_ns = lc_clock_monotonic_ns();
    if (self->core == NULL || self->response_class == NULL) {
        if (self->is_general && self->response_class != NULL) {
            return 1;
        }
        PyErr_SetString(PyExc_RuntimeError, "HttpSession.__init__() has not been called");
        return -1;
    }
    struct cload_hub *hub = cload_hub_get(self->state);
    if (hub == NULL) {
        return PyErr_Occurred() ? -1 : 1;
    }
    int is_general = call->is_general ? 1 : call->is_plain ? 0 : session_is_general(self);
    if (is_general != 0) {
        return is_general;
    }
    if ((self->are_headers_changed && session_send_headers(self) < 0) || call_url(self, call) < 0 ||
        (self->is_fast ? fast_body(self, call) : call_body(self, call)) < 0 || call_settings(self, call) < 0) {
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
is_retried(const struct call *call, const struct lc_response *core)
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

static PyObject *
call_run(struct session_object *self, struct call *call, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
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
            call->first_start_ns = call->first_start_ns == 0 ? core->timings.start_ns : call->first_start_ns;
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

static PyObject *
session_call(PyObject *object, PyObject *method, bool is_redirecting, Py_ssize_t most, PyObject *const *args,
             Py_ssize_t count, PyObject *kwnames)
{
    struct session_object *self = (struct session_object *)object;
    struct call call = {
        .method = method,
        .is_redirecting = is_redirecting,
        .max_redirects = self->max_redirects,
        .max_retries = self->max_retries,
    };
    if (call_parse(self, &call, args, count, most, kwnames) < 0) {
        return NULL;
    }
    return call_run(self, &call, args, count, kwnames);
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
    if (call_parse(self, &call, args, count, most, kwnames) < 0) {
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

/* The verbs of a FastHttpSession: HEAD follows redirects, DELETE takes its body by keyword. */
#define FAST_VERB(verb, METHOD, most)                                                                                  \
    static PyObject *fast_##verb(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)           \
    {                                                                                                                  \
        return session_verb(self, ((struct session_object *)self)->state->str_##METHOD, true, most, args, count,       \
                            kwnames);                                                                                  \
    }
FAST_VERB(head, HEAD, 1)
FAST_VERB(delete, DELETE, 1)

/* _request_plain(method, url, **kwargs): request() with nothing in it that is Python's work. */
static PyObject *
fast_request_plain(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    struct session_object *self = (struct session_object *)object;
    if (count != 2 || !PyUnicode_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "_request_plain() takes method and url");
        return NULL;
    }
    struct call call = {
        .method = args[0],
        .is_redirecting = true,
        .is_plain = true,
        .max_redirects = self->max_redirects,
        .max_retries = self->max_retries,
    };
    if (call_parse(self, &call, args + 1, 1, 1, kwnames) < 0) {
        return NULL;
    }
    return call_run(self, &call, args + 1, 1, kwnames);
}

/* request(method, url, name=None, data=None, ...): two arguments are the usual way, more are Python's work. */
static PyObject *
fast_request(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    if (count == 2 && PyUnicode_CheckExact(args[0])) {
        return session_call(object, args[0], true, 1, args + 1, 1, kwnames);
    }
    PyObject *function = PyObject_GetAttrString(object, "_request_by_keywords");
    PyObject *result = function == NULL ? NULL : PyObject_Vectorcall(function, args, (size_t)count, kwnames);
    Py_XDECREF(function);
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
    if (self->core == NULL) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this session has no cookies: it was not initialised, or is another thread's");
        return NULL;
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
    return PyLong_FromLong(self->core == NULL ? 0 : lc_session_remove_cookies(self->core, part[0], part[1], part[2]));
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

/* What requests would use. tls_owner: a new reference that keeps options->tls. */
static int
default_options(struct session_object *self, struct lc_session_options *options, PyObject **tls_owner)
{
    PyObject *defaults = helper(self->state, "session_defaults");
    if (defaults == NULL) {
        return -1;
    }
    PyObject *agent;
    int accepts_br, accepts_zstd;
    int err = -1;
    if (PyArg_ParseTuple(defaults, "Upp", &agent, &accepts_br, &accepts_zstd)) {
        options->user_agent = PyUnicode_AsUTF8(agent);
        options->is_accepting_br = accepts_br;
        options->is_accepting_zstd = accepts_zstd;
        *tls_owner = find_tls(self->state, NULL, NULL);
        err = options->user_agent == NULL || *tls_owner == NULL ? -1 : 0;
    }
    Py_DECREF(defaults);
    return err;
}

/* Timeouts in seconds; none where it is 0. */
static int64_t
timeout_ns(double seconds)
{
    return seconds > 0 && seconds < 9e9 ? (int64_t)(seconds * 1e9) : -1;
}

/* What the tuple of _setup() says; `options` borrows from it. */
static int
fast_options(struct session_object *self, struct lc_session_options *options, PyObject **headers)
{
    PyObject *tls, *statuses, *response_class, *error_class, *catching_class;
    double connect_timeout, read_timeout;
    int is_general;
    if (!PyArg_ParseTuple(self->options, "OddzO!iiSO!O!O!p", &tls, &connect_timeout, &read_timeout, &options->proxy,
                          &PyList_Type, headers, &self->max_redirects, &self->max_retries, &statuses, &PyType_Type,
                          &response_class, &PyType_Type, &error_class, &PyType_Type, &catching_class, &is_general)) {
        return -1;
    }
    options->tls = PyCapsule_GetPointer(tls, "cload.tls");
    if (options->tls == NULL) {
        return -1;
    }
    if (PyBytes_GET_SIZE(statuses) != STATUS_LIMIT) {
        PyErr_SetString(PyExc_ValueError, "one byte for each status is needed");
        return -1;
    }
    options->connect_timeout_ns = timeout_ns(connect_timeout);
    options->read_timeout_ns = timeout_ns(read_timeout);
    Py_XSETREF(self->valid_statuses, Py_NewRef(statuses));
    Py_XSETREF(self->response_class, (PyTypeObject *)Py_NewRef(response_class));
    Py_XSETREF(self->error_class, (PyTypeObject *)Py_NewRef(error_class));
    Py_XSETREF(self->catching_class, (PyTypeObject *)Py_NewRef(catching_class));
    self->is_general = is_general;
    return 0;
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
        if (!PyErr_Occurred() && !self->is_fast) {
            /* A session of another thread: requests' own code serves it. */
            self->is_general = self->is_mounted = true;
            return 0;
        }
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_RuntimeError, "a FastHttpSession belongs to the thread the users run in");
        }
        return -1;
    }
    PyObject *tls_owner = NULL, *headers = NULL;
    struct lc_session *core = NULL;
    struct retired *retired = NULL;
    if ((self->is_fast ? fast_options(self, &options, &headers) : default_options(self, &options, &tls_owner)) == 0) {
        options.tls = tls_owner == NULL ? options.tls : PyCapsule_GetPointer(tls_owner, "cload.tls");
        struct lc_error error = {0};
        core = lc_session_new(self->hub->http, &options, &error);
        if (core == NULL) {
            cload_raise(error.code, &error);
        }
    }
    Py_XDECREF(tls_owner);
    if (core == NULL) {
        return -1;
    }
    if (headers != NULL && send_pairs(core, headers) < 0) {
        lc_session_free(core);
        return -1;
    }
    if (self->flight_count > 0 && self->core != NULL && (retired = lc__alloc(sizeof(*retired))) == NULL) {
        PyErr_NoMemory();
        lc_session_free(core);
        return -1;
    }
    if (retired != NULL) {
        *retired = (struct retired){self->retired, self->core};
        self->retired = retired;
    } else {
        lc_session_free(self->core);
    }
    self->core = core;
    self->are_headers_changed = self->slots[CLOAD_SESSION_headers] != NULL;
    struct lc_url url;
    bool is_parsed = lc_url_parse(options.base_url, &url, NULL) == 0 && url.fragment.data == NULL;
    self->has_plain_base = is_parsed && url.target.len == 0;
    self->has_slash_base = is_parsed && lc_str_equal(url.target, LCORE_STR("/"));
    Py_XSETREF(self->base_url, Py_NewRef(base_url));
    return 0;
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

/* _setup(base_url, request_event, user, auth_header, options): see fast_options(). */
static PyObject *
fast_setup(PyObject *object, PyObject *args)
{
    struct session_object *self = (struct session_object *)object;
    PyObject *base_url, *request_event, *user, *auth_header, *options;
    if (!PyArg_ParseTuple(args, "UOOOO!", &base_url, &request_event, &user, &auth_header, &PyTuple_Type, &options)) {
        return NULL;
    }
    self->is_fast = true;
    Py_XSETREF(self->request_event, Py_NewRef(request_event));
    Py_XSETREF(self->user, Py_NewRef(user));
    Py_XSETREF(self->options, Py_NewRef(options));
    Py_CLEAR(self->auth_value);
    self->auth_value = is_set(auth_header) ? Py_NewRef(auth_header) : NULL;
    return session_make_core(self, base_url) < 0 ? NULL : Py_NewRef(Py_None);
}

/* _set_headers(pairs): other default headers from now on. */
static PyObject *
fast_set_headers(PyObject *object, PyObject *pairs)
{
    struct session_object *self = (struct session_object *)object;
    if (!PyList_CheckExact(pairs) || self->core == NULL) {
        PyErr_SetString(PyExc_TypeError, "a list of pairs is needed");
        return NULL;
    }
    return send_pairs(self->core, pairs) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
fast_get_auth_header(PyObject *object, void *Py_UNUSED(closure))
{
    struct session_object *self = (struct session_object *)object;
    if (self->auth_value == NULL) {
        Py_RETURN_NONE;
    }
    return PyUnicode_DecodeLatin1(PyBytes_AS_STRING(self->auth_value), PyBytes_GET_SIZE(self->auth_value), NULL);
}

static int
fast_set_auth_header(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct session_object *self = (struct session_object *)object;
    PyObject *bytes = NULL;
    if (value != NULL && PyUnicode_Check(value) && PyUnicode_GET_LENGTH(value) > 0) {
        bytes = PyUnicode_AsLatin1String(value);
        if (bytes == NULL) {
            return -1;
        }
    } else if (value != NULL && value != Py_None && !PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "auth_header must be a str or None");
        return -1;
    }
    Py_XSETREF(self->auth_value, bytes);
    return 0;
}

static PyObject *
fast_get_statuses(PyObject *object, void *Py_UNUSED(closure))
{
    struct session_object *self = (struct session_object *)object;
    return Py_NewRef(self->valid_statuses == NULL ? Py_None : self->valid_statuses);
}

static int
fast_set_statuses(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct session_object *self = (struct session_object *)object;
    if (value == NULL || !PyBytes_CheckExact(value) || PyBytes_GET_SIZE(value) != STATUS_LIMIT) {
        PyErr_SetString(PyExc_ValueError, "one byte for each status is needed");
        return -1;
    }
    Py_XSETREF(self->valid_statuses, Py_NewRef(value));
    return 0;
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
    Py_VISIT(self->catching_class);
    Py_VISIT(self->error_class);
    Py_VISIT(self->options);
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
    Py_CLEAR(self->catching_class);
    Py_CLEAR(self->error_class);
    Py_CLEAR(self->options);
    Py_CLEAR(self->valid_statuses);
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
    session_free_retired(self);
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

static PyMethodDef fast_methods[] = {
    {"get", FAST_METHOD(session_get), PyDoc_STR("get(url, **kwargs)")},
    {"options", FAST_METHOD(session_options), PyDoc_STR("options(url, **kwargs)")},
    {"head", FAST_METHOD(fast_head), PyDoc_STR("head(url, **kwargs)")},
    {"post", FAST_METHOD(session_post), PyDoc_STR("post(url, data=None, json=None, **kwargs)")},
    {"put", FAST_METHOD(session_put), PyDoc_STR("put(url, data=None, **kwargs)")},
    {"patch", FAST_METHOD(session_patch), PyDoc_STR("patch(url, data=None, **kwargs)")},
    {"delete", FAST_METHOD(fast_delete), PyDoc_STR("delete(url, **kwargs)")},
    {"request", FAST_METHOD(fast_request),
     PyDoc_STR("request(method, url, name=None, data=None, catch_response=False, stream=False, headers=None,\n"
               "        auth=None, json=None, allow_redirects=True, context={}, **kwargs)\n\n"
               "Sends a request and reports it. Keywords it does not know go into the query, or the form of a POST.")},
    {"_request_plain", FAST_METHOD(fast_request_plain), NULL},
    {"_setup", fast_setup, METH_VARARGS, NULL},
    {"_set_headers", fast_set_headers, METH_O, NULL},
    {"_close_idle", session_close, METH_NOARGS, NULL},
    {"_cookie_list", session_cookie_list, METH_NOARGS, NULL},
    {"_cookie_set", session_cookie_set, METH_VARARGS, NULL},
    {"_cookie_remove", session_cookie_remove, METH_VARARGS, NULL},
    {"_cookie_version", session_cookie_version, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef fast_getset[] = {
    {"cookiejar", session_get_slot, session_set_slot, NULL, (void *)(intptr_t)CLOAD_SESSION_cookies},
    {"auth_header", fast_get_auth_header, fast_set_auth_header, NULL, NULL},
    {"base_url", session_get_base_url, session_set_base_url, NULL, NULL},
    {"_valid_statuses", fast_get_statuses, fast_set_statuses, NULL, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef fast_members[] = {
    {"request_event", T_OBJECT, offsetof(struct session_object, request_event), 0, NULL},
    {"user", T_OBJECT, offsetof(struct session_object, user), 0, NULL},
    {"request_name", T_OBJECT, offsetof(struct session_object, request_name), 0, NULL},
    {"_options", T_OBJECT, offsetof(struct session_object, options), READONLY, NULL},
    {"_max_redirects", T_INT, offsetof(struct session_object, max_redirects), 0, NULL},
    {"_max_retries", T_INT, offsetof(struct session_object, max_retries), 0, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct session_object, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct session_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot fast_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Base of FastHttpUser's client, see locust.contrib.fasthttp.")},
    {Py_tp_new, session_new},
    {Py_tp_traverse, session_traverse},
    {Py_tp_clear, session_clear},
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_methods, fast_methods},
    {Py_tp_getset, fast_getset},
    {Py_tp_members, fast_members},
    {0, NULL},
};

static PyType_Spec fast_spec = {
    .name = "_cload.FastHttpSession",
    .basicsize = sizeof(struct session_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = fast_slots,
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
    PyObject *fast_type = PyType_FromModuleAndSpec(module, &fast_spec, NULL);
    int err = fast_type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)fast_type);
    Py_XDECREF(fast_type);
    return err < 0 ? -1 : PyModule_AddFunctions(module, module_functions);
}
