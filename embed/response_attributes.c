/* The attributes of a response, built when asked for: the simple ones here, the others by Python code. */
#include "base/str.h"
#include "helpers.h"
#include "http/response.h"
#include "response.h"

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

/* An attribute that Python code builds. */
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
    /* What failed looks like a response that never came, as with requests. _core_failure() tells more. */
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

const char *const cload__response_slot_names[] = {
#define CLOAD_SLOT_NAME(name) #name,
    CLOAD_RESPONSE_SLOT_LIST(CLOAD_SLOT_NAME)
#undef CLOAD_SLOT_NAME
        NULL};

PyObject *
cload__response_get(PyObject *object, void *closure)
{
    struct cload_response *self = (struct cload_response *)object;
    intptr_t slot = (intptr_t)closure;
    if (self->slots[slot] == NULL) {
        PyObject *value = build_slot(self, (enum cload_response_slot)slot, cload__response_slot_names[slot]);
        if (value == NULL) {
            return NULL;
        }
        Py_XSETREF(self->slots[slot], value);
    }
    return Py_NewRef(self->slots[slot]);
}

/* The value if it was built or set already, else None: this does not build it. */
PyObject *
cload__response_get_known(PyObject *object, void *closure)
{
    struct cload_response *self = (struct cload_response *)object;
    PyObject *value = self->slots[(intptr_t)closure];
    return Py_NewRef(value == NULL ? Py_None : value);
}

int
cload__response_set(PyObject *object, PyObject *value, void *closure)
{
    struct cload_response *self = (struct cload_response *)object;
    Py_XSETREF(self->slots[(intptr_t)closure], Py_XNewRef(value));
    return 0;
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

PyObject *
cload__response_get_http_version(PyObject *object, void *Py_UNUSED(closure))
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
