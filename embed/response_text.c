/* The body as text and as JSON, where its encoding is one of the usual two; everything else is Python's. */
#include "base/str.h"
#include "helpers.h"
#include "response.h"

enum encoding { OTHER, UTF_8, LATIN_1 };

static struct lc_str
trimmed(struct lc_str text, const char *chars)
{
    while (text.len > 0 && strchr(chars, text.data[0]) != NULL) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && strchr(chars, text.data[text.len - 1]) != NULL) {
        text.len--;
    }
    return text;
}

static bool
contains(struct lc_str text, struct lc_str part)
{
    return memmem(text.data, text.len, part.data, part.len) != NULL;
}

static enum encoding
encoding_named(struct lc_str name)
{
    if (lc_str_equal_nocase(name, LCORE_STR("utf-8"))) {
        return UTF_8;
    }
    return lc_str_equal_nocase(name, LCORE_STR("iso-8859-1")) ? LATIN_1 : OTHER;
}

/* What requests' get_encoding_from_headers() finds in a Content-Type; `*name` is as it is written there. */
static enum encoding
encoding_of_type(struct lc_str type, struct lc_str *name)
{
    *name = (struct lc_str){0};
    const char *end = memchr(type.data, ';', type.len);
    struct lc_str kind = {type.data, end == NULL ? type.len : (size_t)(end - type.data)};
    struct lc_str rest = end == NULL ? (struct lc_str){0} : (struct lc_str){end + 1, type.len - kind.len - 1};
    while (rest.len > 0) {
        end = memchr(rest.data, ';', rest.len);
        struct lc_str part = {rest.data, end == NULL ? rest.len : (size_t)(end - rest.data)};
        rest = end == NULL ? (struct lc_str){0} : (struct lc_str){end + 1, rest.len - part.len - 1};
        const char *equals = part.len == 0 ? NULL : memchr(part.data, '=', part.len);
        if (equals == NULL) {
            continue;
        }
        struct lc_str key = {part.data, (size_t)(equals - part.data)};
        if (lc_str_equal_nocase(trimmed(key, "\"' \t"), LCORE_STR("charset"))) {
            *name = trimmed((struct lc_str){equals + 1, part.len - key.len - 1}, "\"' \t");
        }
    }
    if (name->data != NULL) {
        return encoding_named(*name);
    }
    *name = contains(kind, LCORE_STR("text"))               ? LCORE_STR("ISO-8859-1")
            : contains(kind, LCORE_STR("application/json")) ? LCORE_STR("utf-8")
                                                            : (struct lc_str){0};
    return name->data == NULL ? OTHER : encoding_named(*name);
}

/* The encoding of a body that is as it came. `*name`: as the header or the attribute has it. */
static enum encoding
find_encoding(struct cload_response *self, struct lc_str *name)
{
    const struct lc_response *core = self->core;
    if (!cload__response_is_whole(self) || self->owner != NULL || self->slots[CLOAD_SLOT__content] != NULL) {
        return OTHER;
    }
    PyObject *known = self->slots[CLOAD_SLOT_encoding];
    if (known != NULL) {
        *name = (struct lc_str){0};
        return PyUnicode_CheckExact(known) && cload__text_of(known, name) ? encoding_named(*name) : OTHER;
    }
    struct lc_str type = {0}, header, value;
    size_t position = 0;
    while (lc_response_next_header(core, &position, &header, &value)) {
        if (lc_str_equal_nocase(header, LCORE_STR("content-type"))) {
            if (type.data != NULL) {
                return OTHER;
            }
            type = value;
        }
    }
    return type.len == 0 ? OTHER : encoding_of_type(type, name);
}

/* New reference; NULL without an exception where Python has to decode it. */
static PyObject *
decode(struct cload_response *self)
{
    struct lc_str name;
    enum encoding encoding = find_encoding(self, &name);
    if (encoding == OTHER) {
        return NULL;
    }
    if (self->is_fast && self->slots[CLOAD_SLOT_encoding] == NULL) {
        self->slots[CLOAD_SLOT_encoding] = PyUnicode_DecodeLatin1(name.data, (Py_ssize_t)name.len, NULL);
        if (self->slots[CLOAD_SLOT_encoding] == NULL) {
            return NULL;
        }
    }
    struct lc_str body = self->core->body;
    const char *data = body.data == NULL ? "" : body.data;
    return encoding == UTF_8 ? PyUnicode_DecodeUTF8(data, (Py_ssize_t)body.len, "replace")
                             : PyUnicode_DecodeLatin1(data, (Py_ssize_t)body.len, "replace");
}

/* By Python code: a method of the fast response, or a function of cload/_client.py with that name. */
static PyObject *
ask_python(struct cload_response *self, const char *name, PyObject *kwargs)
{
    PyObject *function = self->is_fast ? PyObject_GetAttrString((PyObject *)self, name)
                                       : cload__helper(self->state, name + 1); /* without the underscore */
    if (function == NULL) {
        return NULL;
    }
    PyObject *args = self->is_fast ? PyTuple_New(0) : PyTuple_Pack(1, (PyObject *)self);
    PyObject *result = args == NULL ? NULL : PyObject_Call(function, args, kwargs);
    Py_XDECREF(args);
    Py_DECREF(function);
    return result;
}

PyObject *
cload__response_get_text(PyObject *object, void *Py_UNUSED(closure))
{
    struct cload_response *self = (struct cload_response *)object;
    PyObject *text = decode(self);
    return text != NULL || PyErr_Occurred() ? text : ask_python(self, "_decode_text", NULL);
}

PyObject *
cload__response_json(PyObject *object, PyObject *args, PyObject *kwargs)
{
    struct cload_response *self = (struct cload_response *)object;
    if (PyTuple_GET_SIZE(args) > 0) {
        PyErr_SetString(PyExc_TypeError, "json() takes keyword arguments only");
        return NULL;
    }
    PyObject *text = kwargs == NULL || PyDict_GET_SIZE(kwargs) == 0 ? decode(self) : NULL;
    if (text == NULL) {
        return PyErr_Occurred() ? NULL : ask_python(self, "_decode_json", kwargs);
    }
    PyObject *value = cload__call_helper(self->state, "parse_json", text, NULL, NULL);
    Py_DECREF(text);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) {
        /* Again, for the exception that belongs to this kind of response. */
        PyErr_Clear();
        return ask_python(self, "_decode_json", NULL);
    }
    return value;
}
