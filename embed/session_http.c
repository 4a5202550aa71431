/* Type HttpSession: the arguments, attributes and rules of requests.Session. */
#include "call.h"

#include <structmember.h>

#include "helpers.h"
#include "object.h"
#include "wire.h"

#define SESSION_VERB(verb, METHOD, is_redirecting, most)                                                               \
    static PyObject *session_##verb(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)        \
    {                                                                                                                  \
        return cload__session_verb(self, ((struct cload_session *)self)->state->str_##METHOD, is_redirecting, most,    \
                                   args, count, kwnames);                                                              \
    }
SESSION_VERB(get, GET, true, 1)
SESSION_VERB(options, OPTIONS, true, 1)
SESSION_VERB(head, HEAD, false, 1)
SESSION_VERB(post, POST, true, 3)
SESSION_VERB(put, PUT, true, 2)
SESSION_VERB(patch, PATCH, true, 2)
SESSION_VERB(delete, DELETE, true, 1)

/* request(method, url, name=None, catch_response=False, context={}, *, data=None, json=None, **kwargs) */
static PyObject *
session_request(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    struct cload_session *self = (struct cload_session *)object;
    Py_ssize_t keyword_count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    PyObject *method = count > 0 ? args[0] : NULL;
    for (Py_ssize_t i = 0; method == NULL && i < keyword_count; i++) {
        if (PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, i), self->state->str_method) == 0) {
            method = args[count + i];
        }
    }
    if (count > 5) {
        return PyErr_Format(PyExc_TypeError,
                            "HttpSession.request() takes from 3 to 6 positional arguments but %zd were given",
                            count + 1);
    }
    if (count <= 2 && count > 0 && PyUnicode_CheckExact(method)) {
        return cload__session_request(object, method, args + 1, count - 1, kwnames);
    }
    PyObject *result = NULL, *kwargs = PyDict_New();
    PyObject *const positional[] = {self->state->str_method, self->state->str_url, self->state->str_name,
                                    self->state->str_catch_response, self->state->str_context};
    int err = kwargs == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; err == 0 && i < count; i++) {
        err = PyDict_SetItem(kwargs, positional[i], args[i]);
    }
    for (Py_ssize_t i = 0; err == 0 && i < keyword_count; i++) {
        PyObject *key = PyTuple_GET_ITEM(kwnames, i);
        if (PyDict_Contains(kwargs, key) == 1) {
            PyErr_Format(PyExc_TypeError, "HttpSession.request() got multiple values for argument '%U'", key);
            err = -1;
        } else {
            err = PyDict_SetItem(kwargs, key, args[count + i]);
        }
    }
    if (err == 0 && (method == NULL || PyDict_Contains(kwargs, self->state->str_url) == 0)) {
        bool has_url = PyDict_Contains(kwargs, self->state->str_url) == 1;
        PyErr_Format(PyExc_TypeError, "HttpSession.request() missing %s",
                     has_url          ? "1 required positional argument: 'method'"
                     : method != NULL ? "1 required positional argument: 'url'"
                                      : "2 required positional arguments: 'method' and 'url'");
        err = -1;
    }
    if (err == 0) {
        PyObject *function = cload__helper(self->state, "request_by_keywords");
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
    ((struct cload_session *)object)->are_headers_changed = true;
    Py_RETURN_NONE;
}

static PyObject *
session_be_general(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_session *self = (struct cload_session *)object;
    self->is_mounted = self->is_general = true;
    Py_RETURN_NONE;
}

/* HttpSession(base_url, request_event, user, *args, pool_manager=None, http_version=1) */
static int
session_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    struct cload_session *self = (struct cload_session *)object;
    static char *names[] = {"base_url", "request_event", "user", "pool_manager", "http_version", NULL};
    PyObject *base_url, *request_event = Py_None, *user = Py_None, *pool_manager = Py_None;
    self->http_version = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO$Oi", names, &base_url, &request_event, &user, &pool_manager,
                                     &self->http_version)) {
        return -1;
    }
    Py_XSETREF(self->request_event, Py_NewRef(request_event));
    Py_XSETREF(self->user, Py_NewRef(user));
    Py_XSETREF(self->pool_manager, Py_NewRef(pool_manager));
    struct cload_state *state = self->state;
    PyTypeObject *type = Py_TYPE(self);
    /* What Python code found for this class the last time, unless there is more to the URL than a place. */
    if (type->tp_version_tag != 0 && type->tp_version_tag == state->session_class_version && pool_manager == Py_None &&
        PyUnicode_CheckExact(base_url) &&
        PyUnicode_FindChar(base_url, '@', 0, PyUnicode_GET_LENGTH(base_url), 1) == -1) {
        Py_XSETREF(self->conn_pool, NULL);
        if (cload__session_make_core(self, base_url) < 0) {
            return -1;
        }
        Py_XSETREF(self->response_class, (PyTypeObject *)Py_NewRef(state->session_response_class));
        return 0;
    }
    PyObject *setup = cload__call_helper(state, "session_setup", object, base_url, NULL);
    if (setup == NULL) {
        return -1;
    }
    /* (base_url without credentials, auth or None, response class, shared connections or None) */
    PyObject *plain_url, *auth, *response_class, *conn_pool;
    int err = -1;
    if (PyArg_ParseTuple(setup, "UOO!O", &plain_url, &auth, &PyType_Type, &response_class, &conn_pool)) {
        Py_XSETREF(self->conn_pool, conn_pool == Py_None ? NULL : Py_NewRef(conn_pool));
        err = cload__session_make_core(self, plain_url);
    }
    if (err == 0) {
        Py_XSETREF(self->response_class, (PyTypeObject *)Py_NewRef(response_class));
        Py_XSETREF(state->session_response_class, Py_NewRef(response_class));
        state->session_class_version = type->tp_version_tag;
        err = auth == Py_None ? 0 : cload__session_set_slot(object, auth, (void *)(intptr_t)CLOAD_SESSION_auth);
    }
    Py_DECREF(setup);
    return err;
}

static PyMethodDef session_methods[] = {
    {"get", CLOAD_FAST_METHOD(session_get), PyDoc_STR("get($self, /, url, *, data=None, json=None, **kwargs)\n--\n\n")},
    {"options", CLOAD_FAST_METHOD(session_options),
     PyDoc_STR("options($self, /, url, *, data=None, json=None, **kwargs)\n--\n\n")},
    {"head", CLOAD_FAST_METHOD(session_head),
     PyDoc_STR("head($self, /, url, *, data=None, json=None, **kwargs)\n--\n\n")},
    {"post", CLOAD_FAST_METHOD(session_post), PyDoc_STR("post($self, /, url, data=None, json=None, **kwargs)\n--\n\n")},
    {"put", CLOAD_FAST_METHOD(session_put), PyDoc_STR("put($self, /, url, data=None, *, json=None, **kwargs)\n--\n\n")},
    {"patch", CLOAD_FAST_METHOD(session_patch),
     PyDoc_STR("patch($self, /, url, data=None, *, json=None, **kwargs)\n--\n\n")},
    {"delete", CLOAD_FAST_METHOD(session_delete),
     PyDoc_STR("delete($self, /, url, *, data=None, json=None, **kwargs)\n--\n\n")},
    {"request", CLOAD_FAST_METHOD(session_request),
     PyDoc_STR("request($self, /, method, url, name=None, catch_response=False, context={}, *, data=None, json=None, "
               "**kwargs)\n--\n\n"
               "Sends a request and reports it; times in milliseconds, sizes in bytes after decoding.")},
    {"close", cload__session_close, METH_NOARGS, PyDoc_STR("close($self, /)\n--\n\nCloses idle connections.")},
    {"_headers_changed", session_headers_changed, METH_NOARGS, NULL},
    {"_be_general", session_be_general, METH_NOARGS, NULL},
    {"_open_wire", cload__session_open_wire, METH_VARARGS, NULL},
    CLOAD_COOKIE_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyObject *
session_get_dict(PyObject *object, void *Py_UNUSED(closure))
{
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    return state == NULL ? NULL : cload_object_dict(object, state->session_type, cload__session_names);
}

static PyGetSetDef session_getset[] = {
#define CLOAD_SLOT_GETSET(name)                                                                                        \
    {#name, cload__session_get_slot, cload__session_set_slot, NULL, (void *)(intptr_t)CLOAD_SESSION_##name},
    CLOAD_SESSION_SLOT_LIST(CLOAD_SLOT_GETSET)
#undef CLOAD_SLOT_GETSET
        {"base_url", cload__session_get_base_url, cload__session_set_base_url, NULL, NULL},
    {"_has_core", cload__session_has_core, NULL, NULL, NULL},
    {"__dict__", session_get_dict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef session_members[] = {
    {"request_event", T_OBJECT, offsetof(struct cload_session, request_event), 0, NULL},
    {"user", T_OBJECT, offsetof(struct cload_session, user), 0, NULL},
    {"request_name", T_OBJECT, offsetof(struct cload_session, request_name), 0, NULL},
    {"pool_manager", T_OBJECT, offsetof(struct cload_session, pool_manager), 0, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct cload_session, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct cload_session, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot session_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Base of the HTTP clients: common calls go straight to the C core.")},
    {Py_tp_new, cload__session_new},
    {Py_tp_init, session_init},
    {Py_tp_traverse, cload__session_traverse},
    {Py_tp_clear, cload__session_clear},
    {Py_tp_dealloc, cload__session_dealloc},
    {Py_tp_methods, session_methods},
    {Py_tp_getset, session_getset},
    {Py_tp_members, session_members},
    {0, NULL},
};

static PyType_Spec session_spec = {
    .name = "_cload.HttpSession",
    .basicsize = sizeof(struct cload_session),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = session_slots,
};

int
cload__session_http_add(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    state->session_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &session_spec, NULL);
    return state->session_type == NULL ? -1 : PyModule_AddType(module, state->session_type);
}
