/* Phases of a request, as Python sees them. */
#include "response.h"

static PyStructSequence_Field timings_fields[] = {
    {"dns", "until the name was known"},
    {"connect", "TCP connection, proxy included"},
    {"tls", "TLS handshake"},
    {"first_byte", "from sending the request to the first byte of the answer"},
    {"transfer", "from the first byte to the last"},
    {"total", "the response time: all of these but queue, redirects included"},
    {"queue", "our own, until the request was handed to the kernel: no part of the response time"},
    {NULL, NULL},
};

static PyStructSequence_Desc timings_desc = {
    .name = "_cload.ResponseTimings",
    .doc = PyDoc_STR("Phases of the last hop of a response in milliseconds; None where a phase did not happen, as DNS, "
                     "connecting and TLS on a kept-alive connection."),
    .fields = timings_fields,
    .n_in_sequence = 7,
};

static PyObject *
phase_ms(int64_t ns)
{
    return ns < 0 ? Py_NewRef(Py_None) : PyFloat_FromDouble((double)ns / 1e6);
}

PyObject *
cload__response_get_timings(PyObject *object, void *Py_UNUSED(closure))
{
    struct cload_response *self = (struct cload_response *)object;
    const struct lc_timings *at = self->core == NULL ? self->adopted : &self->core->timings;
    if (at == NULL) {
        Py_RETURN_NONE;
    }
    struct lc_phases spans;
    lc_timings_phases(at, &spans);
    PyObject *phases[] = {
        phase_ms(spans.ns[LCORE_PHASE_DNS]),      phase_ms(spans.ns[LCORE_PHASE_CONNECT]),
        phase_ms(spans.ns[LCORE_PHASE_TLS]),      phase_ms(spans.ns[LCORE_PHASE_FIRST_BYTE]),
        phase_ms(spans.ns[LCORE_PHASE_TRANSFER]), phase_ms(self->response_time_ns),
        phase_ms(spans.ns[LCORE_PHASE_QUEUE]),
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
