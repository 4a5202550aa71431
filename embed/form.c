#include "form.h"

#include "base/buffer.h"
#include "helpers.h"
#include "http/form.h"

enum outcome { DONE, UNKNOWN, FAILED };

static enum outcome
append_quoted(struct lc_buffer *out, struct lc_str text)
{
    if (lc__form_quote(out, text) < 0) {
        PyErr_NoMemory();
        return FAILED;
    }
    return DONE;
}

static enum outcome
append_value(struct lc_buffer *out, PyObject *value)
{
    struct lc_str text;
    if (cload__text_of(value, &text)) {
        return append_quoted(out, text);
    }
    if (PyErr_Occurred()) {
        return FAILED;
    }
    if (!PyLong_CheckExact(value) && !PyFloat_CheckExact(value) && !PyBool_Check(value) && value != Py_None) {
        return UNKNOWN;
    }
    PyObject *shown = PyObject_Str(value);
    enum outcome outcome = shown == NULL || !cload__text_of(shown, &text) ? FAILED : append_quoted(out, text);
    Py_XDECREF(shown);
    return outcome;
}

static enum outcome
append_pair(struct lc_buffer *out, char first, PyObject *key, PyObject *value)
{
    char separator = out->len > 0 ? '&' : first;
    if (separator != 0 && lc_buffer_append(out, &separator, 1) < 0) {
        PyErr_NoMemory();
        return FAILED;
    }
    enum outcome outcome = append_value(out, key);
    if (outcome == DONE && lc_buffer_append(out, "=", 1) < 0) {
        PyErr_NoMemory();
        return FAILED;
    }
    return outcome == DONE ? append_value(out, value) : outcome;
}

static enum outcome
append_pairs(struct lc_buffer *out, char first, PyObject *key, PyObject *value, bool is_list_many)
{
    bool is_list = PyList_CheckExact(value) || PyTuple_CheckExact(value);
    if (!is_list_many || (!is_list && value != Py_None)) {
        return append_pair(out, first, key, value);
    }
    enum outcome outcome = DONE;
    for (Py_ssize_t i = 0; is_list && outcome == DONE && i < PySequence_Fast_GET_SIZE(value); i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(value, i);
        if (item != Py_None) {
            outcome = append_pair(out, first, key, item);
        }
    }
    return outcome;
}

PyObject *
cload__form_encode(PyObject *dict, bool is_list_many, char first)
{
    struct lc_buffer out = {0};
    enum outcome outcome = DONE;
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (outcome == DONE && PyDict_Next(dict, &position, &key, &value)) {
        outcome = append_pairs(&out, first, key, value, is_list_many);
    }
    PyObject *result = outcome == DONE ? PyUnicode_DecodeASCII(out.data, (Py_ssize_t)out.len, NULL) : NULL;
    lc_buffer_fini(&out);
    return result;
}
