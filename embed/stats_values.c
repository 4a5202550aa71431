#include "stats_values.h"

#include <math.h>

#include "base/clock.h"
#include "locustcore/error.h"

double
cload__stats_now(void)
{
    return (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S;
}

PyObject *
cload__stats_raise(int err)
{
    if (PyErr_Occurred() == NULL) {
        if (err == LCE_NOMEM) {
            PyErr_NoMemory();
        } else {
            PyErr_SetString(PyExc_ValueError, lc_error_text(err));
        }
    }
    return NULL;
}

int
cload__stats_text(PyObject *object, struct lc_str *out, PyObject **owner)
{
    *owner = object == Py_None ? PyUnicode_FromStringAndSize("", 0) : PyObject_Str(object);
    if (*owner == NULL) {
        return -1;
    }
    Py_ssize_t len;
    out->data = PyUnicode_AsUTF8AndSize(*owner, &len);
    if (out->data == NULL && PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
        /* Lone surrogates, as undecodable bytes of a response may leave behind. */
        PyErr_Clear();
        PyObject *bytes = PyUnicode_AsEncodedString(*owner, "utf-8", "backslashreplace");
        if (bytes != NULL) {
            Py_SETREF(*owner, bytes);
            out->data = PyBytes_AS_STRING(bytes);
            len = PyBytes_GET_SIZE(bytes);
        }
    }
    if (out->data == NULL) {
        Py_CLEAR(*owner);
        return -1;
    }
    out->len = (size_t)len;
    return 0;
}

int
cload__stats_name(PyObject *object, struct lc_str *out, PyObject **owner)
{
    if (object == Py_None) {
        *out = LCORE_STR("None");
        *owner = Py_NewRef(object);
        return 0;
    }
    return cload__stats_text(object, out, owner);
}

PyObject *
cload__stats_str(struct lc_str text)
{
    return PyUnicode_DecodeUTF8(text.data == NULL ? "" : text.data, (Py_ssize_t)text.len, "replace");
}

int
cload__stats_read_ms(PyObject *object, double *ms, bool *is_whole)
{
    *is_whole = PyLong_Check(object);
    if (object == Py_None) {
        *ms = NAN;
        *is_whole = true;
        return 0;
    }
    *ms = PyFloat_AsDouble(object);
    if (*ms == -1 && PyErr_Occurred() != NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Format(PyExc_TypeError, "a response time must be a number of milliseconds, not %R", object);
        }
        return -1;
    }
    if (!isfinite(*ms)) {
        PyErr_Format(PyExc_ValueError, "a response time must be a finite number of milliseconds, not %R", object);
        return -1;
    }
    return 0;
}

PyObject *
cload__stats_bucket(double ms)
{
    uint32_t whole = (uint32_t)ms;
    return whole == ms ? PyLong_FromUnsignedLong(whole) : PyFloat_FromDouble(ms);
}

int
cload__stats_read_length(PyObject *object, uint64_t *length)
{
    PyObject *whole = PyFloat_Check(object) ? PyNumber_Long(object) : Py_NewRef(object);
    if (whole != NULL) {
        *length = (uint64_t)PyLong_AsLongLong(whole);
        Py_DECREF(whole);
        if (*length != UINT64_MAX || PyErr_Occurred() == NULL) {
            return 0;
        }
    }
    PyObject *type = PyErr_Occurred();
    if (type == PyExc_TypeError || type == PyExc_ValueError || type == PyExc_OverflowError) {
        PyErr_Format(type, "a response length must be a number of bytes, not %R", object);
    }
    return -1;
}
