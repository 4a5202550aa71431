#include "call.h"

static int
read_bool(PyObject *value, bool *out)
{
    int truth = PyObject_IsTrue(value);
    *out = truth > 0;
    return truth < 0 ? -1 : 0;
}

static const char *
type_name(const struct cload_session *self)
{
    return self->is_fast ? "FastHttpSession" : "HttpSession";
}

/* What was called, as it is named in Python. New reference. */
static PyObject *
verb_name(const struct cload_call *call)
{
    return call->is_request ? PyUnicode_FromString("request") : PyObject_CallMethod(call->method, "lower", NULL);
}

/* A keyword, unless a positional argument was the same. */
static int
set_once(const struct cload_session *self, const struct cload_call *call, PyObject **place, PyObject *name,
         PyObject *value)
{
    if (*place == NULL) {
        *place = value;
        return 0;
    }
    PyObject *verb = verb_name(call);
    if (verb != NULL) {
        PyErr_Format(PyExc_TypeError, "%s.%U() got multiple values for argument '%U'", type_name(self), verb, name);
    }
    Py_XDECREF(verb);
    return -1;
}

static int
read_limit(PyObject *value, int *out)
{
    long limit = PyLong_AsLong(value);
    *out = limit < 0 ? 0 : limit > INT_MAX ? INT_MAX : (int)limit;
    return limit == -1 && PyErr_Occurred() ? -1 : 0;
}

/* What a session does not know is Python's work; for a FastHttpSession it is a part of the query or the form. */
static int
call_keyword(struct cload_session *self, struct cload_call *call, PyObject *key, PyObject *value)
{
    struct cload_state *state = self->state;
    struct {
        PyObject *name;
        PyObject **place;
    } const places[] = {
        {state->str_name, &call->name},       {state->str_json, &call->json},
        {state->str_data, &call->data},       {state->str_headers, &call->headers},
        {state->str_params, &call->params},   {state->str_context, &call->context},
        {state->str_auth, &call->auth},       {state->str_url, &call->url},
#define BOTH_COUNT 8 /* the others are of HttpSession only */
        {state->str_timeout, &call->timeout}, {state->str_verify, &call->verify},
        {state->str_cookies, &call->cookies}, {state->str_cert, &call->cert},
        {state->str_proxies, &call->proxies},
    };
    if (key == state->str_method) {
        /* The verbs call request(), which has it from them. */
        PyErr_Format(PyExc_TypeError, "%s.request() got multiple values for argument 'method'", type_name(self));
        return -1;
    }
    if (key == state->str_catch_response) {
        return read_bool(value, &call->is_catching);
    }
    if (key == state->str_allow_redirects) {
        return read_bool(value, &call->is_redirecting);
    }
    size_t place_count = self->is_fast ? BOTH_COUNT : sizeof(places) / sizeof(places[0]);
    for (size_t i = 0; i < place_count; i++) {
        if (key == places[i].name) {
            return set_once(self, call, places[i].place, key, value);
        }
    }
    if (key == state->str_stream) {
        return read_bool(value, &call->is_stream);
    }
    if (call->is_plain && key == state->str_max_redirects) {
        return read_limit(value, &call->max_redirects);
    }
    if (call->is_plain && key == state->str_max_retries) {
        return read_limit(value, &call->max_retries);
    }
    bool is_nothing = !self->is_fast && value == Py_None && (key == state->str_files || key == state->str_hooks);
    call->is_general |= !is_nothing;
    return 0;
}

/* As Python itself says it, with the verb's name. */
static void
complain_of_count(struct cload_session *self, const struct cload_call *call, Py_ssize_t most, Py_ssize_t count)
{
    const char *type = type_name(self);
    PyObject *verb = verb_name(call);
    if (verb != NULL && most > 1) {
        PyErr_Format(PyExc_TypeError, "%s.%U() takes from 2 to %zd positional arguments but %zd were given", type, verb,
                     most + 1, count + 1);
    } else if (verb != NULL) {
        PyErr_Format(PyExc_TypeError, "%s.%U() takes 2 positional arguments but %zd were given", type, verb, count + 1);
    }
    Py_XDECREF(verb);
}

static void
complain_of_url(struct cload_session *self, const struct cload_call *call)
{
    PyObject *verb = verb_name(call);
    if (verb != NULL) {
        PyErr_Format(PyExc_TypeError, "%s.%U() missing 1 required positional argument: 'url'", type_name(self), verb);
    }
    Py_XDECREF(verb);
}

/* positional: url [, data [, json]] up to `most`. The strings of keywords in code are interned, as ours are; one that
 * is not is interned first. */
int
cload__call_parse(struct cload_session *self, struct cload_call *call, PyObject *const *args, Py_ssize_t count,
                  Py_ssize_t most, PyObject *kwnames)
{
    if (count > most) {
        complain_of_count(self, call, most, count);
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
        complain_of_url(self, call);
        return -1;
    }
    return 0;
}

/* The keywords of the call, without method and url. New reference. */
PyObject *
cload__call_keywords(struct cload_session *self, const struct cload_call *call, PyObject *const *args, Py_ssize_t count,
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
