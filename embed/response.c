#include "response.h"

#include <structmember.h>

#include "base/alloc.h"
#include "base/str.h"
#include "helpers.h"
#include "http/http.h"
#include "http/response.h"
#include "hub.h"

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

PyObject *
cload__response_text(struct lc_str text)
{
    PyObject *decoded = PyUnicode_DecodeUTF8(text.data == NULL ? "" : text.data, (Py_ssize_t)text.len, NULL);
    if (decoded == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        decoded = PyUnicode_DecodeLatin1(text.data, (Py_ssize_t)text.len, NULL);
    }
    return decoded;
}

PyObject *
cload__response_url(struct cload_response *self)
{
    if (self->asked_url == NULL || self->base_url == NULL) {
        Py_RETURN_NONE;
    }
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(self->asked_url, &len);
    if (text == NULL) {
        return NULL;
    }
    struct lc_str asked = {text, (size_t)len};
    if (lc_str_starts_nocase(asked, LCORE_STR("http://")) || lc_str_starts_nocase(asked, LCORE_STR("https://"))) {
        return Py_NewRef(self->asked_url);
    }
    return PyUnicode_Concat(self->base_url, self->asked_url);
}

bool
cload__response_is_whole(const struct cload_response *self)
{
    if (self->stream != NULL || self->core == NULL || self->core->fail != LCORE_FAIL_NONE) {
        return false;
    }
    return !self->is_stream || self->is_fast ||
           (self->slots[CLOAD_SLOT_raw] == NULL && !self->core->is_in_chunks &&
            lc_response_header(self->core, LCORE_STR("content-encoding")).len == 0);
}

/* What is built in Python. */
static PyObject *
build_by_name(struct cload_response *self, const char *name)
{
    PyObject *text = PyUnicode_InternFromString(name);
    if (text == NULL) {
        return NULL;
    }
    PyObject *value = self->is_fast
                          ? PyObject_CallMethodOneArg((PyObject *)self, self->state->str__build_attribute, text)
                          : cload__call_helper(self->state, "build_attribute", (PyObject *)self, text, NULL);
    Py_DECREF(text);
    return value;
}

static PyObject *
build_slot(struct cload_response *self, enum cload_response_slot slot, const char *name)
{
    const struct lc_response *core = self->core;
    /* What failed looks like a response that never came, as with requests; core_failure() tells more. */
    bool has_head = core != NULL && core->fail == LCORE_FAIL_NONE;
    if (self->owner != NULL && slot != CLOAD_SLOT_request_meta) {
        return PyObject_GetAttrString(self->owner, name);
    }
    switch (slot) {
    case CLOAD_SLOT_status_code:
        return PyLong_FromLong(has_head ? core->status : 0);
    case CLOAD_SLOT_url:
        if (self->is_fast && !self->is_history && (core == NULL || !has_head || core->redirect_count == 0)) {
            return cload__response_url(self);
        }
        return has_head ? cload__response_text(core->url) : Py_NewRef(Py_None);
    case CLOAD_SLOT_reason:
        return has_head ? cload__response_text(core->reason) : Py_NewRef(Py_None);
    case CLOAD_SLOT__content:
        if (!has_head || (self->stream != NULL && self->is_fast)) {
            Py_RETURN_NONE;
        }
        if (!cload__response_is_whole(self)) {
            Py_RETURN_FALSE; /* requests: to be read from `raw` */
        }
        return PyBytes_FromStringAndSize(core->body.data, (Py_ssize_t)core->body.len);
    case CLOAD_SLOT__content_consumed:
        return PyBool_FromLong(!self->is_stream);
    case CLOAD_SLOT_connection:
        if (!has_head) {
            Py_RETURN_NONE;
        }
        break;
    case CLOAD_SLOT_error:
        if (core == NULL || (core->fail == LCORE_FAIL_NONE && !self->is_bad_status)) {
            Py_RETURN_NONE;
        }
        break;
    case CLOAD_SLOT_request_meta:
        return cload__response_build_meta(self);
    default:
        break;
    }
    return build_by_name(self, name);
}

static const char *const slot_names[] = {
#define CLOAD_SLOT_NAME(name) #name,
    CLOAD_RESPONSE_SLOT_LIST(CLOAD_SLOT_NAME)
#undef CLOAD_SLOT_NAME
};

PyObject *
cload__response_get(PyObject *object, void *closure)
{
    struct cload_response *self = (struct cload_response *)object;
    intptr_t slot = (intptr_t)closure;
    if (self->slots[slot] == NULL) {
        PyObject *value = build_slot(self, (enum cload_response_slot)slot, slot_names[slot]);
        if (value == NULL) {
            return NULL;
        }
        Py_XSETREF(self->slots[slot], value);
    }
    return Py_NewRef(self->slots[slot]);
}

/* Without building it. */
static PyObject *
response_get_known(PyObject *object, void *closure)
{
    struct cload_response *self = (struct cload_response *)object;
    PyObject *value = self->slots[(intptr_t)closure];
    return Py_NewRef(value == NULL ? Py_None : value);
}

static int
response_set(PyObject *object, PyObject *value, void *closure)
{
    struct cload_response *self = (struct cload_response *)object;
    Py_XSETREF(self->slots[(intptr_t)closure], Py_XNewRef(value));
    return 0;
}

/* A value that goes on in further lines (obs-fold) is one line here, as http.client has it. */
static PyObject *
header_value(struct lc_str value)
{
    PyObject *text = PyUnicode_DecodeLatin1(value.data, (Py_ssize_t)value.len, NULL);
    if (text != NULL && value.len > 0 && memchr(value.data, '\n', value.len) != NULL) {
        Py_SETREF(text, PyObject_CallMethod(text, "replace", "ss", "\r\n", ""));
        if (text != NULL) {
            Py_SETREF(text, PyObject_CallMethod(text, "replace", "ss", "\n", ""));
        }
    }
    return text;
}

/* list of (name, value) as received, latin-1 */
static PyObject *
core_headers(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    PyObject *list = PyList_New(0);
    if (list == NULL || self->core == NULL) {
        return list;
    }
    size_t position = 0;
    struct lc_str name, value;
    while (lc_response_next_header(self->core, &position, &name, &value)) {
        PyObject *pair =
            Py_BuildValue("(NN)", PyUnicode_DecodeLatin1(name.data, (Py_ssize_t)name.len, NULL), header_value(value));
        if (pair == NULL || PyList_Append(list, pair) < 0) {
            Py_XDECREF(pair);
            Py_DECREF(list);
            return NULL;
        }
        Py_DECREF(pair);
    }
    return list;
}

static PyObject *
core_sent_head(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    if (self->core == NULL) {
        Py_RETURN_NONE;
    }
    return PyBytes_FromStringAndSize(self->core->sent_head.data, (Py_ssize_t)self->core->sent_head.len);
}

static PyObject *
core_failure(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    static const char *const names[] = {
#define CLOAD_FAIL_NAME(name, text) #name,
        LCORE_FAIL_LIST(CLOAD_FAIL_NAME)
#undef CLOAD_FAIL_NAME
    };
    if (self->core == NULL || self->core->fail == LCORE_FAIL_NONE) {
        Py_RETURN_NONE;
    }
    return Py_BuildValue("(siNNi)", names[self->core->fail], self->core->fail_errno,
                         cload__response_text(self->core->fail_text), cload__response_text(self->core->url),
                         self->core->status);
}

static PyObject *
core_method(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    return self->core == NULL ? Py_NewRef(Py_None) : cload__response_text(self->core->method);
}

static PyObject *
core_body(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    if (self->core == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *body = PyBytes_FromStringAndSize(self->core->body.data, (Py_ssize_t)self->core->body.len);
    return body == NULL ? NULL : Py_BuildValue("(NO)", body, self->core->is_in_chunks ? Py_True : Py_False);
}

static PyObject *
core_wire(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    if (self->core == NULL || self->core->fail != LCORE_FAIL_NONE) {
        Py_RETURN_NONE;
    }
    int version = 10 * self->core->http_major + self->core->http_minor;
    return Py_BuildValue("(iK)", version, (unsigned long long)self->core->wire_body_bytes);
}

/* The redirects on the way, oldest first, as responses of the same class; each hop moves out of the core. */
static PyObject *
core_take_history(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    PyObject *list = PyList_New(0);
    if (list == NULL || self->core == NULL) {
        return list;
    }
    if (self->core->previous != NULL && self->asked_url == NULL) {
        self->asked_url = cload__response_text(cload__response_first_url(self));
        if (self->asked_url == NULL) {
            Py_DECREF(list);
            return NULL;
        }
    }
    while (self->core->previous != NULL) {
        struct lc_response *hop = self->core->previous;
        self->core->previous = hop->previous;
        hop->previous = NULL;
        PyTypeObject *type = self->is_fast && self->is_catching ? Py_TYPE(self)->tp_base : Py_TYPE(self);
        PyObject *response = cload_response_new(self->state, type, hop, self->request_type, self->name,
                                                self->request_event, self->user, self->context);
        if (response == NULL || PyList_Append(list, response) < 0) {
            Py_XDECREF(response);
            Py_DECREF(list);
            return NULL;
        }
        ((struct cload_response *)response)->is_history = true;
        ((struct cload_response *)response)->body = Py_XNewRef(self->body);
        ((struct cload_response *)response)->is_fast = self->is_fast;
        ((struct cload_response *)response)->is_stream = self->is_stream && !self->is_fast;
        Py_DECREF(response);
    }
    if (PyList_Reverse(list) < 0) {
        Py_CLEAR(list);
    }
    return list;
}

/* As Wire.timings has it. 0, or -1 with an exception. */
static int
adopt_timings(struct cload_response *self, PyObject *timings)
{
    long long hop, begin, dns, connected, tls, sent, first_byte, end, time;
    if (!PyArg_ParseTuple(timings, "LLLLLLLLL", &hop, &begin, &dns, &connected, &tls, &sent, &first_byte, &end,
                          &time)) {
        return -1;
    }
    if (self->adopted == NULL && (self->adopted = lc__alloc(sizeof(*self->adopted))) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *self->adopted = (struct lc_timings){
        .start_ns = hop,
        .hop_ns = hop,
        .begin_ns = begin,
        .dns_ns = dns,
        .connected_ns = connected,
        .tls_ns = tls,
        .sent_ns = sent,
        .first_byte_ns = first_byte,
        .end_ns = end,
    };
    return 0;
}

/* adopt(request_type, name, event, user, context, url, time_ms, length, start, is_catching, timings): for responses
 * that requests' own code made. */
static PyObject *
response_adopt(PyObject *object, PyObject *args)
{
    struct cload_response *self = (struct cload_response *)object;
    PyObject *request_type, *name, *event, *user, *context, *asked_url;
    double time_ms, start;
    unsigned long long length;
    int is_catching;
    PyObject *timings;
    if (!PyArg_ParseTuple(args, "UUOOOOdKdpO", &request_type, &name, &event, &user, &context, &asked_url, &time_ms,
                          &length, &start, &is_catching, &timings)) {
        return NULL;
    }
    if (timings != Py_None && adopt_timings(self, timings) < 0) {
        return NULL;
    }
    Py_XSETREF(self->request_type, Py_NewRef(request_type));
    Py_XSETREF(self->name, Py_NewRef(name));
    Py_XSETREF(self->request_event, Py_NewRef(event));
    Py_XSETREF(self->user, Py_NewRef(user));
    Py_XSETREF(self->context, Py_NewRef(context));
    Py_XSETREF(self->asked_url, Py_NewRef(asked_url));
    self->response_time_ns = (int64_t)(time_ms * 1e6);
    self->response_length = length;
    self->start_unix_s = start;
    self->is_catching = is_catching;
    Py_RETURN_NONE;
}

/* _show(owner): of a FastHttpSession; shows what the other response received. */
static PyObject *
response_show(PyObject *object, PyObject *owner)
{
    struct cload_response *self = (struct cload_response *)object;
    if (self->core != NULL || self->owner != NULL || !PyObject_TypeCheck(owner, self->state->fast_response_type)) {
        PyErr_SetString(PyExc_TypeError, "_show() takes the response to show");
        return NULL;
    }
    struct cload_response *shown = (struct cload_response *)owner;
    self->owner = Py_NewRef(owner);
    self->core = shown->core;
    self->is_fast = shown->is_fast;
    self->is_bad_status = shown->is_bad_status;
    self->is_stream = shown->is_stream;
    self->stream = Py_XNewRef(shown->stream);
    self->request_type = Py_XNewRef(shown->request_type);
    self->name = Py_XNewRef(shown->name);
    self->asked_url = Py_XNewRef(shown->asked_url);
    self->base_url = Py_XNewRef(shown->base_url);
    self->body = Py_XNewRef(shown->body);
    self->user = Py_XNewRef(shown->user);
    Py_RETURN_NONE;
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

/* Of a response that requests' own code made: urllib3 knows. */
static PyObject *
version_of_raw(PyObject *object)
{
    PyObject *raw = PyObject_GetAttrString(object, "raw");
    PyObject *version = raw == NULL ? NULL : PyObject_GetAttrString(raw, "version_string");
    Py_XDECREF(raw);
    if (version == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    return version;
}

static PyObject *
response_get_http_version(PyObject *object, void *Py_UNUSED(closure))
{
    const struct lc_response *core = ((struct cload_response *)object)->core;
    if (core == NULL) {
        return version_of_raw(object);
    }
    if (core->status == 0) {
        Py_RETURN_NONE;
    }
    return core->http_major == 1 ? PyUnicode_FromFormat("HTTP/1.%d", core->http_minor)
                                 : PyUnicode_FromFormat("HTTP/%d", core->http_major);
}
#define HTTP_VERSION_GETSET                                                                                            \
    {                                                                                                                  \
        "http_version", response_get_http_version, NULL,                                                               \
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
    {"_core_headers", core_headers, METH_NOARGS,
     PyDoc_STR("_core_headers() -> list[tuple[str, str]]\n\nThe header lines as received.")},
    {"_core_sent_head", core_sent_head, METH_NOARGS,
     PyDoc_STR("_core_sent_head() -> bytes | None\n\nRequest line and headers of the last hop, as sent.")},
    {"_core_failure", core_failure, METH_NOARGS,
     PyDoc_STR("_core_failure() -> tuple[str, int, str, str, int] | None\n\n"
               "Kind of the transport failure, errno, text, URL, status (0: no head came).")},
    {"_core_method", core_method, METH_NOARGS, PyDoc_STR("_core_method() -> str | None\n\nMethod of the last hop.")},
    {"_core_wire", core_wire, METH_NOARGS,
     PyDoc_STR("_core_wire() -> tuple[int, int] | None\n\nVersion of HTTP, bytes of the body before decoding.")},
    {"_core_body", core_body, METH_NOARGS,
     PyDoc_STR("_core_body() -> tuple[bytes, bool] | None\n\nWhat came with the head, whether in chunks.")},
    {"_core_take_history", core_take_history, METH_NOARGS,
     PyDoc_STR("_core_take_history() -> list\n\nThe redirects on the way, oldest first; empty at the second call.")},
    {"_show", response_show, METH_O, NULL},
    {"_adopt", response_adopt, METH_VARARGS, PyDoc_STR("_adopt(...)\n\nMakes a response of requests' own code ours.")},
    {"_report_request", response_report, METH_NOARGS,
     PyDoc_STR("_report_request()\n\nReports the request to the listeners of events.request.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef response_getset[] = {
#define CLOAD_SLOT_GETSET(name) {#name, cload__response_get, response_set, NULL, (void *)(intptr_t)CLOAD_SLOT_##name},
    CLOAD_RESPONSE_SLOT_LIST(CLOAD_SLOT_GETSET)
#undef CLOAD_SLOT_GETSET
        {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    HTTP_VERSION_GETSET,
    {"text", cload__response_get_text, NULL, PyDoc_STR("The body as a str."), NULL},
    {"timings", cload__response_get_timings, NULL,
     PyDoc_STR("Phases of the request in milliseconds, see ResponseTimings."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define FAST_GETSET(name)                                                                                              \
    {                                                                                                                  \
#name, cload__response_get, response_set, NULL, (void *)(intptr_t)CLOAD_SLOT_##name                            \
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
    {"_meta", cload__response_get, response_set, NULL, (void *)(intptr_t)CLOAD_SLOT_request_meta},
    {"encoding", response_get_known, response_set, NULL, (void *)(intptr_t)CLOAD_SLOT_encoding},
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
