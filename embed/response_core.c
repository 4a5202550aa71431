/* What the core received, for the Python code that builds attributes of it. */
#include "http/response.h"
#include "response.h"

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
PyObject *
cload__response_core_headers(PyObject *object, PyObject *Py_UNUSED(ignored))
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

PyObject *
cload__response_core_sent_head(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    if (self->core == NULL) {
        Py_RETURN_NONE;
    }
    return PyBytes_FromStringAndSize(self->core->sent_head.data, (Py_ssize_t)self->core->sent_head.len);
}

PyObject *
cload__response_core_failure(PyObject *object, PyObject *Py_UNUSED(ignored))
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
    return Py_BuildValue("(siNNiO)", names[self->core->fail], self->core->fail_errno,
                         cload__response_text(self->core->fail_text), cload__response_text(self->core->url),
                         self->core->status, self->timeout == NULL ? Py_None : self->timeout);
}

PyObject *
cload__response_core_method(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    return self->core == NULL ? Py_NewRef(Py_None) : cload__response_text(self->core->method);
}

PyObject *
cload__response_core_body(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    if (self->core == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *body = PyBytes_FromStringAndSize(self->core->body.data, (Py_ssize_t)self->core->body.len);
    return body == NULL ? NULL : Py_BuildValue("(NO)", body, self->core->is_in_chunks ? Py_True : Py_False);
}

PyObject *
cload__response_core_wire(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_response *self = (struct cload_response *)object;
    if (self->core == NULL || self->core->fail != LCORE_FAIL_NONE) {
        Py_RETURN_NONE;
    }
    int version = 10 * self->core->http_major + self->core->http_minor;
    return Py_BuildValue("(iK)", version, (unsigned long long)self->core->wire_body_bytes);
}

/* The redirects on the way, oldest first, as responses of the same class; each hop moves out of the core. */
PyObject *
cload__response_core_take_history(PyObject *object, PyObject *Py_UNUSED(ignored))
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
