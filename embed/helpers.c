#include "helpers.h"

#include "object.h"

PyObject *
cload__helper(struct cload_state *state, const char *name)
{
    if (state->client_helpers == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "locust.clients has not been imported");
        return NULL;
    }
    struct cload_known_helper *known = &state->known_helpers[((uintptr_t)name >> 2) % CLOAD_KNOWN_HELPERS];
    if (known->name != name) {
        PyObject *function = cload_attribute(state->client_helpers, name);
        if (function == NULL) {
            return NULL;
        }
        Py_XSETREF(known->function, function);
        known->name = name;
    }
    return Py_NewRef(known->function);
}

void
cload__helpers_forget(struct cload_state *state)
{
    for (size_t i = 0; i < CLOAD_KNOWN_HELPERS; i++) {
        state->known_helpers[i].name = NULL;
        Py_CLEAR(state->known_helpers[i].function);
    }
}

PyObject *
cload__call_helper(struct cload_state *state, const char *name, PyObject *first, PyObject *second, PyObject *third)
{
    PyObject *function = cload__helper(state, name);
    if (function == NULL) {
        return NULL;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(function, first, second, third, NULL);
    Py_DECREF(function);
    return result;
}

bool
cload__is_filled(PyObject *container)
{
    if (!cload__is_set(container)) {
        return false;
    }
    Py_ssize_t count = PyObject_Size(container);
    if (count < 0) {
        PyErr_Clear();
    }
    return count != 0;
}

bool
cload__text_of(PyObject *object, struct lc_str *out)
{
    if (PyUnicode_CheckExact(object)) {
        if (PyUnicode_IS_COMPACT_ASCII(object)) {
            *out = (struct lc_str){PyUnicode_DATA(object), (size_t)PyUnicode_GET_LENGTH(object)};
            return true;
        }
        Py_ssize_t len;
        const char *data = PyUnicode_AsUTF8AndSize(object, &len);
        *out = (struct lc_str){data, (size_t)len};
        return data != NULL;
    }
    if (PyBytes_CheckExact(object)) {
        *out = (struct lc_str){PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
        return true;
    }
    return false;
}
