/* Type FastHttpSession: the arguments, attributes and rules of Locust's geventhttpclient session. */
#include "call.h"

#include <structmember.h>

#include "helpers.h"
#include "object.h"
#include "wire.h"

/* The verbs of a FastHttpSession: HEAD follows redirects, DELETE takes its body by keyword. */
#define FAST_VERB(verb, METHOD, most)                                                                                  \
    static PyObject *fast_##verb(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)           \
    {                                                                                                                  \
        return cload__session_verb(self, ((struct cload_session *)self)->state->str_##METHOD, true, most, args, count, \
                                   kwnames);                                                                           \
    }
FAST_VERB(get, GET, 1)
FAST_VERB(options, OPTIONS, 1)
FAST_VERB(head, HEAD, 1)
FAST_VERB(post, POST, 3)
FAST_VERB(put, PUT, 2)
FAST_VERB(patch, PATCH, 2)
FAST_VERB(delete, DELETE, 1)

/* _request_plain(method, url, **kwargs): request() with nothing in it that is Python's work. */
static PyObject *
fast_request_plain(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    struct cload_session *self = (struct cload_session *)object;
    if (count != 2 || !PyUnicode_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "_request_plain() takes method and url");
        return NULL;
    }
    struct cload_call call = cload__call_of(self, args[0], true);
    call.is_plain = true;
    call.is_request = true;
    if (cload__call_parse(self, &call, args + 1, 1, 1, kwnames) < 0) {
        return NULL;
    }
    return cload__call_run(self, &call, args + 1, 1, kwnames);
}

/* request(method, url, name=None, data=None, ...): two arguments are the usual way, more are Python's work. */
static PyObject *
fast_request(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    if (count == 2 && PyUnicode_CheckExact(args[0])) {
        return cload__session_request(object, args[0], args + 1, 1, kwnames);
    }
    PyObject *function = PyObject_GetAttrString(object, "_request_by_keywords");
    PyObject *result = function == NULL ? NULL : PyObject_Vectorcall(function, args, (size_t)count, kwnames);
    Py_XDECREF(function);
    return result;
}

/* Timeouts in seconds; none where it is 0. */
static int64_t
timeout_ns(double seconds)
{
    return seconds > 0 && seconds < 9e9 ? (int64_t)(seconds * 1e9) : -1;
}

/* What the tuple of _setup() says; `options` borrows from it. */
int
cload__fast_options(struct cload_session *self, struct lc_session_options *options, PyObject **headers)
{
    PyObject *tls, *statuses, *response_class, *error_class, *catching_class;
    double connect_timeout, read_timeout;
    int is_general;
    if (!PyArg_ParseTuple(self->options, "OddziO!iiSO!O!O!pi", &tls, &connect_timeout, &read_timeout, &options->proxy,
                          &self->http_version, &PyList_Type, headers, &self->max_redirects, &self->max_retries,
                          &statuses, &PyType_Type, &response_class, &PyType_Type, &error_class, &PyType_Type,
                          &catching_class, &is_general, &options->max_connections)) {
        return -1;
    }
    options->tls = PyCapsule_GetPointer(tls, "cload.tls");
    if (options->tls == NULL) {
        return -1;
    }
    if (PyBytes_GET_SIZE(statuses) != CLOAD_STATUS_LIMIT) {
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

/* _setup(base_url, request_event, user, auth_header, options, conn_pool): see cload__fast_options(). */
static PyObject *
fast_setup(PyObject *object, PyObject *args)
{
    struct cload_session *self = (struct cload_session *)object;
    PyObject *base_url, *request_event, *user, *auth_header, *options, *conn_pool;
    if (!PyArg_ParseTuple(args, "UOOOO!O", &base_url, &request_event, &user, &auth_header, &PyTuple_Type, &options,
                          &conn_pool)) {
        return NULL;
    }
    if (cload__is_set(auth_header) && !PyBytes_Check(auth_header)) {
        PyErr_SetString(PyExc_TypeError, "auth_header must be bytes or None");
        return NULL;
    }
    self->is_fast = true;
    Py_XSETREF(self->request_event, Py_NewRef(request_event));
    Py_XSETREF(self->user, Py_NewRef(user));
    Py_XSETREF(self->options, Py_NewRef(options));
    Py_XSETREF(self->conn_pool, conn_pool == Py_None ? NULL : Py_NewRef(conn_pool));
    Py_CLEAR(self->auth_value);
    self->auth_value = cload__is_set(auth_header) ? Py_NewRef(auth_header) : NULL;
    return cload__session_make_core(self, base_url) < 0 ? NULL : Py_NewRef(Py_None);
}

/* _set_headers(pairs): other default headers from now on. */
static PyObject *
fast_set_headers(PyObject *object, PyObject *pairs)
{
    struct cload_session *self = (struct cload_session *)object;
    if (!PyList_CheckExact(pairs) || self->core == NULL) {
        PyErr_SetString(PyExc_TypeError, "a list of pairs is needed");
        return NULL;
    }
    return cload__session_send_pairs(self->core, pairs) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
fast_get_auth_header(PyObject *object, void *Py_UNUSED(closure))
{
    struct cload_session *self = (struct cload_session *)object;
    if (self->auth_value == NULL) {
        Py_RETURN_NONE;
    }
    return PyUnicode_DecodeLatin1(PyBytes_AS_STRING(self->auth_value), PyBytes_GET_SIZE(self->auth_value), NULL);
}

static int
fast_set_auth_header(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct cload_session *self = (struct cload_session *)object;
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
    struct cload_session *self = (struct cload_session *)object;
    return Py_NewRef(self->valid_statuses == NULL ? Py_None : self->valid_statuses);
}

static int
fast_set_statuses(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct cload_session *self = (struct cload_session *)object;
    if (value == NULL || !PyBytes_CheckExact(value) || PyBytes_GET_SIZE(value) != CLOAD_STATUS_LIMIT) {
        PyErr_SetString(PyExc_ValueError, "one byte for each status is needed");
        return -1;
    }
    Py_XSETREF(self->valid_statuses, Py_NewRef(value));
    return 0;
}

static PyMethodDef fast_methods[] = {
    {"get", CLOAD_FAST_METHOD(fast_get), PyDoc_STR("get($self, /, url, **kwargs)\n--\n\n")},
    {"options", CLOAD_FAST_METHOD(fast_options), PyDoc_STR("options($self, /, url, **kwargs)\n--\n\n")},
    {"head", CLOAD_FAST_METHOD(fast_head), PyDoc_STR("head($self, /, url, **kwargs)\n--\n\n")},
    {"post", CLOAD_FAST_METHOD(fast_post), PyDoc_STR("post($self, /, url, data=None, json=None, **kwargs)\n--\n\n")},
    {"put", CLOAD_FAST_METHOD(fast_put), PyDoc_STR("put($self, /, url, data=None, **kwargs)\n--\n\n")},
    {"patch", CLOAD_FAST_METHOD(fast_patch), PyDoc_STR("patch($self, /, url, data=None, **kwargs)\n--\n\n")},
    {"delete", CLOAD_FAST_METHOD(fast_delete), PyDoc_STR("delete($self, /, url, **kwargs)\n--\n\n")},
    {"request", CLOAD_FAST_METHOD(fast_request),
     PyDoc_STR("request($self, /, method, url, name=None, data=None, catch_response=False, stream=False, headers=None, "
               "auth=None, json=None, allow_redirects=True, context={}, **kwargs)\n--\n\n"
               "Sends a request and reports it. Keywords it does not know go into the query, or the form of a POST.")},
    {"_request_plain", CLOAD_FAST_METHOD(fast_request_plain), NULL},
    {"_setup", fast_setup, METH_VARARGS, NULL},
    {"_set_headers", fast_set_headers, METH_O, NULL},
    {"_close_idle", cload__session_close, METH_NOARGS, NULL},
    {"_open_wire", cload__session_open_wire, METH_VARARGS, NULL},
    CLOAD_COOKIE_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef fast_getset[] = {
    {"cookiejar", cload__session_get_slot, cload__session_set_slot, NULL, (void *)(intptr_t)CLOAD_SESSION_cookies},
    {"auth_header", fast_get_auth_header, fast_set_auth_header, NULL, NULL},
    {"base_url", cload__session_get_base_url, cload__session_set_base_url, NULL, NULL},
    {"_has_core", cload__session_has_core, NULL, NULL, NULL},
    {"_valid_statuses", fast_get_statuses, fast_set_statuses, NULL, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef fast_members[] = {
    {"request_event", T_OBJECT, offsetof(struct cload_session, request_event), 0, NULL},
    {"user", T_OBJECT, offsetof(struct cload_session, user), 0, NULL},
    {"request_name", T_OBJECT, offsetof(struct cload_session, request_name), 0, NULL},
    {"_options", T_OBJECT, offsetof(struct cload_session, options), READONLY, NULL},
    {"_max_redirects", T_INT, offsetof(struct cload_session, max_redirects), 0, NULL},
    {"_max_retries", T_INT, offsetof(struct cload_session, max_retries), 0, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct cload_session, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct cload_session, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot fast_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Base of FastHttpUser's client, see locust.contrib.fasthttp.")},
    {Py_tp_new, cload__session_new},
    {Py_tp_traverse, cload__session_traverse},
    {Py_tp_clear, cload__session_clear},
    {Py_tp_dealloc, cload__session_dealloc},
    {Py_tp_methods, fast_methods},
    {Py_tp_getset, fast_getset},
    {Py_tp_members, fast_members},
    {0, NULL},
};

static PyType_Spec fast_spec = {
    .name = "_cload.FastHttpSession",
    .basicsize = sizeof(struct cload_session),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = fast_slots,
};

int
cload__session_fast_add(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    return cload_type_add(module, &fast_spec, &state->fast_session_type);
}
