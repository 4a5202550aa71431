/* Phases of a request, as Python sees them. */
#include "response.h"

static PyStructSequence_Field timings_fields[] = {
    {"dns", "until the name was known"},
    {"connect", "TCP connection, proxy included"},
    {"tls", "TLS handshake"},
    {"first_byte", "from sending the request to the first byte of the answer"},
    {"transfer", "from the first byte to the last"},
    {"total", "all of it, from the call to the last byte, redirects included"},
    {NULL, NULL},
};

static PyStructSequence_Desc timings_desc = {
    .name = "_cload.ResponseTimings",
    .doc = PyDoc_STR("Phases of the last hop of a response in milliseconds; None where a phase did not happen, as DNS, "
                     "connecting and TLS on a kept-alive connection."),
    .fields = timings_fields,
    .n_in_sequence = 6,
};

static PyObject *
phase_ms(int64_t from_ns, int64_t to_ns)
{
    return from_ns == 0 || to_ns < from_ns ? Py_NewRef(Py_None) : PyFloat_FromDouble((double)(to_ns - from_ns) / 1e6);
}

PyObject *
cload__response_get_timings(PyObject *object, void *Py_UNUSED(closure))
{
    struct cload_response *self = (struct cload_response *)object;
    if (self->core == NULL) {
        Py_RETURN_NONE;
    }
    const struct lc_timings *at = &self->core->timings;
    int64_t resolved_ns = at->dns_ns != 0 ? at->dns_ns : at->start_ns;
    PyObject *phases[] = {
        phase_ms(at->dns_ns == 0 ? 0 : at->start_ns, at->dns_ns),
        phase_ms(at->connected_ns == 0 ? 0 : resolved_ns, at->connected_ns),
        phase_ms(at->connected_ns, at->tls_ns),
        phase_ms(at->sent_ns, at->first_byte_ns),
        phase_ms(at->first_byte_ns, at->end_ns),
        phase_ms(at->start_ns, at->end_ns),
    };
    PyObject *timings = PyStructSequence_New(self->state->timings_type);
    for (Py_ssize_t i = 0; i < (Py_ssize_t)(sizeof(phases) / sizeof(phases[0])); i++) {
        if (phases[i] == NULL) {
            Py_CLEAR(timings);
        }
        if (timings == NULL) {
            Py_XDECREF(phases[i]);
        } else {
            PyStructSequence_SET_ITEM(timings, i, phases[i]);
        }
    }
    return timings;
}

int
cload__response_timings_add(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    state->timings_type = PyStructSequence_NewType(&timings_desc);
    return state->timings_type == NULL ? -1 : PyModule_AddType(module, state->timings_type);
}
