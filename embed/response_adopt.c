/* Responses that did not come of a call of their own: those that requests' own code made, and a FastHttpUser's that
 * show what another one received. */
#include "base/alloc.h"
#include "response.h"

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
PyObject *
cload__response_adopt(PyObject *object, PyObject *args)
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
PyObject *
cload__response_show(PyObject *object, PyObject *owner)
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
