#include "pack.h"

/* What msgpack's Python package takes. */
#define MAX_DEPTH 511

static int pack(struct cload_state *state, struct lc_buffer *out, PyObject *value, int depth);

static int
check(int err)
{
    if (err < 0 && PyErr_Occurred() == NULL) {
        cload_raise(err, NULL);
    }
    return err < 0 ? -1 : 0;
}

static int
pack_int(struct lc_buffer *out, PyObject *value)
{
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow == 0) {
        return number == -1 && PyErr_Occurred() != NULL ? -1 : check(lc_pack_int(out, number));
    }
    unsigned long long big = overflow < 0 ? 0 : PyLong_AsUnsignedLongLong(value);
    if (overflow < 0 || PyErr_Occurred() != NULL) {
        PyErr_SetString(PyExc_OverflowError, "a number in a message has to fit 64 bits");
        return -1;
    }
    return check(lc_pack_uint(out, big));
}

static int
pack_text(struct lc_buffer *out, PyObject *value)
{
    Py_ssize_t len;
    const char *data = PyUnicode_AsUTF8AndSize(value, &len);
    if (data != NULL) {
        return check(lc_pack_str(out, (struct lc_str){data, (size_t)len}));
    }
    /* Half a surrogate pair is in no UTF-8; a message with one in it is still worth sending. */
    PyErr_Clear();
    PyObject *bytes = PyUnicode_AsEncodedString(value, "utf-8", "backslashreplace");
    if (bytes == NULL) {
        return -1;
    }
    int err = check(lc_pack_str(out, (struct lc_str){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)}));
    Py_DECREF(bytes);
    return err;
}

static int
pack_buffer(struct lc_buffer *out, PyObject *value)
{
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    int err = check(lc_pack_bin(out, (struct lc_str){view.buf, (size_t)view.len}));
    PyBuffer_Release(&view);
    return err;
}

static int
pack_sequence(struct cload_state *state, struct lc_buffer *out, PyObject *value, int depth)
{
    /* A list may change while default() runs for one of its items. */
    PyObject *items = PySequence_Tuple(value);
    if (items == NULL) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(items);
    int err = check(lc_pack_array(out, (size_t)count));
    for (Py_ssize_t i = 0; err == 0 && i < count; i++) {
        err = pack(state, out, PyTuple_GET_ITEM(items, i), depth + 1);
    }
    Py_DECREF(items);
    return err;
}

static int
pack_map(struct cload_state *state, struct lc_buffer *out, PyObject *value, int depth)
{
    Py_ssize_t count = PyDict_GET_SIZE(value), packed = 0;
    int err = check(lc_pack_map(out, (size_t)count));
    Py_ssize_t position = 0;
    PyObject *key, *item;
    while (err == 0 && PyDict_Next(value, &position, &key, &item)) {
        Py_INCREF(key);
        Py_INCREF(item);
        err = pack(state, out, key, depth + 1);
        if (err == 0) {
            err = pack(state, out, item, depth + 1);
        }
        Py_DECREF(key);
        Py_DECREF(item);
        packed++;
        if (packed > count || PyDict_GET_SIZE(value) != count) {
            break;
        }
    }
    /* default() may have changed it, and other keys may have taken the place of some. */
    if (err == 0 && (packed != count || PyDict_GET_SIZE(value) != count)) {
        PyErr_SetString(PyExc_RuntimeError, "the dictionary changed while it was packed");
        err = -1;
    }
    return err;
}

/* msgpack.ExtType is a tuple with names. */
static int
pack_ext(struct lc_buffer *out, PyObject *value)
{
    long long type;
    PyObject *bytes;
    if (!PyArg_ParseTuple(value, "LS;an ExtType holds a code and bytes", &type, &bytes)) {
        return -1;
    }
    if (type < INT8_MIN || type > INT8_MAX) {
        PyErr_SetString(PyExc_ValueError, "the code of an ExtType is 0 to 127");
        return -1;
    }
    return check(
        lc_pack_ext(out, (int8_t)type, (struct lc_str){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)}));
}

static int
pack_other(struct cload_state *state, struct lc_buffer *out, PyObject *value, int depth)
{
    if (state->rpc_helpers == NULL) {
        PyErr_Format(PyExc_TypeError, "a message cannot hold a %s", Py_TYPE(value)->tp_name);
        return -1;
    }
    PyObject *replacement = PyObject_CallMethod(state->rpc_helpers, "replace", "O", value);
    if (replacement == NULL) {
        return -1;
    }
    int err = pack(state, out, replacement, depth + 1);
    Py_DECREF(replacement);
    return err;
}

static int
pack(struct cload_state *state, struct lc_buffer *out, PyObject *value, int depth)
{
    if (depth > MAX_DEPTH) {
        PyErr_Format(PyExc_ValueError, "a message cannot be nested deeper than %d", MAX_DEPTH);
        return -1;
    }
    if (value == Py_None) {
        return check(lc_pack_nil(out));
    }
    if (PyBool_Check(value)) {
        return check(lc_pack_bool(out, value == Py_True));
    }
    if (PyLong_Check(value)) {
        return pack_int(out, value);
    }
    if (PyUnicode_Check(value)) {
        return pack_text(out, value);
    }
    if (PyFloat_Check(value)) {
        return check(lc_pack_float(out, PyFloat_AS_DOUBLE(value)));
    }
    if (PyDict_Check(value)) {
        return pack_map(state, out, value, depth);
    }
    if (PyTuple_Check(value) && !PyTuple_CheckExact(value) && strcmp(Py_TYPE(value)->tp_name, "ExtType") == 0) {
        return pack_ext(out, value);
    }
    if (PyList_Check(value) || PyTuple_Check(value)) {
        return pack_sequence(state, out, value, depth);
    }
    if (PyObject_CheckBuffer(value)) {
        return pack_buffer(out, value);
    }
    return pack_other(state, out, value, depth);
}

int
cload_pack(struct cload_state *state, struct lc_buffer *out, PyObject *value)
{
    return pack(state, out, value, 0);
}

static PyObject *unpack(struct cload_state *state, struct lc_pack_reader *reader, int depth);

static PyObject *
unpack_array(struct cload_state *state, struct lc_pack_reader *reader, uint32_t count, int depth)
{
    PyObject *list = PyList_New(0);
    /* Not made to measure: what a stranger claims is only paid for item by item. */
    for (uint32_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = unpack(state, reader, depth + 1);
        if (item == NULL || PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *
unpack_map(struct cload_state *state, struct lc_pack_reader *reader, uint32_t count, int depth)
{
    PyObject *dict = PyDict_New();
    for (uint32_t i = 0; dict != NULL && i < count; i++) {
        PyObject *key = unpack(state, reader, depth + 1);
        PyObject *item = key == NULL ? NULL : unpack(state, reader, depth + 1);
        if (item == NULL || PyDict_SetItem(dict, key, item) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(key);
        Py_XDECREF(item);
    }
    if (dict == NULL || state->rpc_helpers == NULL) {
        return dict;
    }
    PyObject *const tags[] = {state->str___datetime__, state->str___ObjectId__};
    for (size_t i = 0; i < 2; i++) {
        int is_tagged = PyDict_Contains(dict, tags[i]);
        if (is_tagged != 0) {
            PyObject *value =
                is_tagged < 0 ? NULL : PyObject_CallMethod(state->rpc_helpers, "restore", "OO", tags[i], dict);
            Py_DECREF(dict);
            return value;
        }
    }
    return dict;
}

static PyObject *
unpack(struct cload_state *state, struct lc_pack_reader *reader, int depth)
{
    if (depth > MAX_DEPTH) {
        PyErr_Format(PyExc_ValueError, "a message is nested deeper than %d", MAX_DEPTH);
        return NULL;
    }
    struct lc_pack_item item;
    int err = lc_pack_read(reader, &item);
    if (err < 0) {
        return cload_raise(err, NULL);
    }
    switch (item.kind) {
    case LCORE_PACK_NIL:
        Py_RETURN_NONE;
    case LCORE_PACK_BOOL:
        return PyBool_FromLong(item.is_true);
    case LCORE_PACK_INT:
        return PyLong_FromLongLong(item.integer);
    case LCORE_PACK_UINT:
        return PyLong_FromUnsignedLongLong(item.big);
    case LCORE_PACK_FLOAT:
        return PyFloat_FromDouble(item.number);
    case LCORE_PACK_STR:
        return PyUnicode_DecodeUTF8(item.bytes.data, (Py_ssize_t)item.bytes.len, NULL);
    case LCORE_PACK_BIN:
        return PyBytes_FromStringAndSize(item.bytes.data, (Py_ssize_t)item.bytes.len);
    case LCORE_PACK_ARRAY:
        return unpack_array(state, reader, item.count, depth);
    case LCORE_PACK_MAP:
        return unpack_map(state, reader, item.count, depth);
    default:
        if (state->rpc_helpers == NULL) {
            return cload_raise(LCE_UNSUPPORTED, NULL);
        }
        return PyObject_CallMethod(state->rpc_helpers, "extension", "iy#", (int)item.ext_type, item.bytes.data,
                                   (Py_ssize_t)item.bytes.len);
    }
}

PyObject *
cload_unpack(struct cload_state *state, struct lc_pack_reader *reader)
{
    return unpack(state, reader, 0);
}
