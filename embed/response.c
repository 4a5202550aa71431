#include "response.h"

#include <structmember.h>

#include "base/alloc.h"
#include "http/http.h"
#include "http/response.h"
#include "hub.h"
#include "object.h"

PyObject *
cload_response_new(struct cload_state *state, PyTypeObject *type, struct lc_response *core, PyObject *request_type,
                   PyObject *name, PyObject *request_event, PyObject *user, PyObject *context)
{
    struct cload_response *self = (struct cload_response *)type->tp_alloc(type, 0);
    if (self == NULL) {
        lc_response_free(core);
        return NULL;
    }
    self->state = state;
    self->core = core;
    self->request_type = Py_NewRef(request_type);
    self->name = Py_NewRef(name);
    self->request_event = Py_XNewRef(request_event);
    self->user = Py_XNewRef(user);
    self->context = Py_XNewRef(context);
    self->response_time_ns = lc_response_time_ns(core);
    self->response_length = core->fail == LCORE_FAIL_NONE ? core->body.len : 0;
    return (PyObject *)self;
}

static PyObject *
response_report(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    return cload_response_report((struct cload_response *)object) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
response_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    struct cload_response *self = (struct cload_response *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->state = cload_state_find(type);
        self->request_type = PyUnicode_FromString("");
        self->name = Py_XNewRef(self->request_type);
        self->asked_url = Py_XNewRef(self->request_type);
        if (self->state == NULL || self->name == NULL) {
            Py_CLEAR(self);
        }
    }
    return (PyObject *)self;
}

static int
response_init(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return 0;
}

static int
response_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct cload_response *self = (struct cload_response *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->request_event);
    Py_VISIT(self->user);
    Py_VISIT(self->context);
    Py_VISIT(self->owner);
    Py_VISIT(self->timeout);
    Py_VISIT(self->stream);
    Py_VISIT(self->manual);
    Py_VISIT(self->dict);
    for (int i = 0; i < CLOAD_SLOT_COUNT; i++) {
        Py_VISIT(self->slots[i]);
    }
    return 0;
}

static int
response_clear(PyObject *object)
{
    struct cload_response *self = (struct cload_response *)object;
    Py_CLEAR(self->request_type);
    Py_CLEAR(self->name);
    Py_CLEAR(self->request_event);
    Py_CLEAR(self->user);
    Py_CLEAR(self->context);
    Py_CLEAR(self->manual);
    Py_CLEAR(self->body);
    Py_CLEAR(self->timeout);
    Py_CLEAR(self->stream);
    Py_CLEAR(self->asked_url);
    Py_CLEAR(self->base_url);
    if (self->owner != NULL) {
        self->core = NULL;
        Py_CLEAR(self->owner);
    }
    Py_CLEAR(self->dict);
    for (int i = 0; i < CLOAD_SLOT_COUNT; i++) {
        Py_CLEAR(self->slots[i]);
    }
    return 0;
}

/* Where nobody else uses it, the memory is for the next response. */
static void
free_core(struct cload_response *self)
{
    struct cload_hub *hub = self->core == NULL ? NULL : self->state->hub;
    if (hub != NULL && !hub->is_left && hub->thread == PyThread_get_thread_ident()) {
        lc__response_put_back(&hub->http->responses, self->core);
    } else {
        lc_response_free(self->core);
    }
}

static void
response_dealloc(PyObject *object)
{
    struct cload_response *self = (struct cload_response *)object;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    response_clear(object);
    free_core(self);
    lc__free(self->adopted);
    type->tp_free(object);
    Py_DECREF(type);
}

#define HTTP_VERSION_GETSET                                                                                            \
    {                                                                                                                  \
        "http_version", cload__response_get_http_version, NULL,                                                        \
            PyDoc_STR("What the answer came by, as \"HTTP/1.1\" or \"HTTP/2\"; None where there is none."), NULL       \
    }

static PyMethodDef response_methods[] = {
    {"json", (PyCFunction)(void (*)(void))cload__response_json, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("json($self, /, **kwargs)\n--\n\nThe parsed body; keywords are those of json.loads.")},
    {"success", cload__response_success, METH_NOARGS,
     PyDoc_STR("success($self, /)\n--\n\nReport the request as successful.")},
    {"failure", (PyCFunction)(void (*)(void))cload__response_failure, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("failure($self, /, exc)\n--\n\nReport the request as failed, with an exception or any other reason.")},
    {"__enter__", cload__response_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))cload__response_exit, METH_FASTCALL, NULL},
    {"_core_headers", cload__response_core_headers, METH_NOARGS,
     PyDoc_STR("_core_headers() -> list[tuple[str, str]]\n\nThe header lines as received.")},
    {"_core_sent_head", cload__response_core_sent_head, METH_NOARGS,
     PyDoc_STR("_core_sent_head() -> bytes | None\n\nRequest line and headers of the last hop, as sent.")},
    {"_core_failure", cload__response_core_failure, METH_NOARGS,
     PyDoc_STR("_core_failure() -> tuple[str, int, str, str, int, Any] | None\n\n"
               "Kind of the transport failure, errno, text, URL, status (0: no head came), timeout= if it was over.")},
    {"_core_method", cload__response_core_method, METH_NOARGS,
     PyDoc_STR("_core_method() -> str | None\n\nMethod of the last hop.")},
    {"_core_wire", cload__response_core_wire, METH_NOARGS,
     PyDoc_STR("_core_wire() -> tuple[int, int] | None\n\nVersion of HTTP, bytes of the body before decoding.")},
    {"_core_body", cload__response_core_body, METH_NOARGS,
     PyDoc_STR("_core_body() -> tuple[bytes, bool] | None\n\nWhat came with the head, whether in chunks.")},
    {"_core_take_history", cload__response_core_take_history, METH_NOARGS,
     PyDoc_STR("_core_take_history() -> list\n\nThe redirects on the way, oldest first; empty at the second call.")},
    {"_show", cload__response_show, METH_O, NULL},
    {"_adopt", cload__response_adopt, METH_VARARGS,
     PyDoc_STR("_adopt(...)\n\nMakes a response of requests' own code ours.")},
    {"_report_request", response_report, METH_NOARGS,
     PyDoc_STR("_report_request()\n\nReports the request to the listeners of events.request.")},
    {NULL, NULL, 0, NULL},
};

static PyObject *
response_get_dict(PyObject *object, void *Py_UNUSED(closure))
{
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    return state == NULL ? NULL : cload_object_dict(object, state->response_type, cload__response_slot_names);
}

static PyGetSetDef response_getset[] = {
#define CLOAD_SLOT_GETSET(name)                                                                                        \
    {#name, cload__response_get, cload__response_set, NULL, (void *)(intptr_t)CLOAD_SLOT_##name},
    CLOAD_RESPONSE_SLOT_LIST(CLOAD_SLOT_GETSET)
#undef CLOAD_SLOT_GETSET
        {"__dict__", response_get_dict, PyObject_GenericSetDict, NULL, NULL},
    HTTP_VERSION_GETSET,
    {"text", cload__response_get_text, NULL, PyDoc_STR("The body as a str."), NULL},
    {"timings", cload__response_get_timings, NULL,
     PyDoc_STR("Phases of the request in milliseconds, see ResponseTimings."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define FAST_GETSET(name)                                                                                              \
    {                                                                                                                  \
#name, cload__response_get, cload__response_set, NULL, (void *)(intptr_t)CLOAD_SLOT_##name                     \
    }
static PyGetSetDef fast_getset[] = {
    FAST_GETSET(status_code),
    FAST_GETSET(url),
    FAST_GETSET(_content),
    FAST_GETSET(headers),
    FAST_GETSET(history),
    FAST_GETSET(elapsed),
    FAST_GETSET(request),
    FAST_GETSET(error),
    HTTP_VERSION_GETSET,
    {"text", cload__response_get_text, NULL, PyDoc_STR("The body as a str."), NULL},
    {"timings", cload__response_get_timings, NULL,
     PyDoc_STR("Phases of the request in milliseconds, see ResponseTimings."), NULL},
    {"_meta", cload__response_get, cload__response_set, NULL, (void *)(intptr_t)CLOAD_SLOT_request_meta},
    {"encoding", cload__response_get_known, cload__response_set, NULL, (void *)(intptr_t)CLOAD_SLOT_encoding},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef response_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(struct cload_response, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct cload_response, weakrefs), READONLY, NULL},
    {"_sent_body", T_OBJECT, offsetof(struct cload_response, body), READONLY, NULL},
    {"_user", T_OBJECT, offsetof(struct cload_response, user), READONLY, NULL},
    {"_manual", T_OBJECT, offsetof(struct cload_response, manual), READONLY, NULL},
    {"_max_retries", T_INT, offsetof(struct cload_response, max_retries), READONLY, NULL},
    {"_stream", T_OBJECT, offsetof(struct cload_response, stream), READONLY, NULL},
    {"_is_stream", T_BOOL, offsetof(struct cload_response, is_stream), READONLY, NULL},
    {"_is_fast", T_BOOL, offsetof(struct cload_response, is_fast), 0, NULL},
    {"_base_url", T_OBJECT, offsetof(struct cload_response, base_url), 0, NULL},
    {"_is_catching", T_BOOL, offsetof(struct cload_response, is_catching), READONLY, NULL},
    {"_is_history", T_BOOL, offsetof(struct cload_response, is_history), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot response_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Base of the response classes; attributes are built when asked for.")},
    {Py_tp_new, response_new},
    {Py_tp_init, response_init},
    {Py_tp_traverse, response_traverse},
    {Py_tp_clear, response_clear},
    {Py_tp_dealloc, response_dealloc},
    {Py_tp_methods, response_methods},
    {Py_tp_getset, response_getset},
    {Py_tp_members, response_members},
    {0, NULL},
};

static PyType_Spec response_spec = {
    .name = "_cload.Response",
    .basicsize = sizeof(struct cload_response),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = response_slots,
};

static PyType_Slot fast_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Base of FastHttpUser's responses, see locust.contrib.fasthttp.")},
    {Py_tp_new, response_new},
    {Py_tp_init, response_init},
    {Py_tp_traverse, response_traverse},
    {Py_tp_clear, response_clear},
    {Py_tp_dealloc, response_dealloc},
    {Py_tp_methods, response_methods},
    {Py_tp_getset, fast_getset},
    {Py_tp_members, response_members},
    {0, NULL},
};

static PyType_Spec fast_spec = {
    .name = "_cload.FastResponse",
    .basicsize = sizeof(struct cload_response),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = fast_slots,
};

int
cload__response_add_types(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    state->response_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &response_spec, NULL);
    state->fast_response_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &fast_spec, NULL);
    if (cload__response_timings_add(module) < 0 || state->response_type == NULL || state->fast_response_type == NULL ||
        PyModule_AddType(module, state->response_type) < 0) {
        return -1;
    }
    return PyModule_AddType(module, state->fast_response_type);
}
