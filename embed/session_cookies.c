#include "session.h"

static PyObject *
text_or_none(struct lc_str text)
{
    return text.data == NULL ? Py_NewRef(Py_None) : PyUnicode_DecodeLatin1(text.data, (Py_ssize_t)text.len, NULL);
}

PyObject *
cload__session_cookie_list(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_session *self = (struct cload_session *)object;
    PyObject *list = PyList_New(0);
    size_t position = 0;
    struct lc_cookie cookie;
    while (list != NULL && self->core != NULL && lc_session_next_cookie(self->core, &position, &cookie)) {
        PyObject *expires =
            cookie.expires_s == INT64_MIN ? Py_NewRef(Py_None) : PyLong_FromLongLong((long long)cookie.expires_s);
        PyObject *item =
            Py_BuildValue("(NNNNNiiiiN)", text_or_none(cookie.name), text_or_none(cookie.value),
                          text_or_none(cookie.domain), text_or_none(cookie.path), expires, cookie.is_host_only,
                          cookie.is_path_set, cookie.is_secure, cookie.is_http_only, text_or_none(cookie.same_site));
        if (item == NULL || PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
    }
    return list;
}

PyObject *
cload__session_cookie_set(PyObject *object, PyObject *args)
{
    struct cload_session *self = (struct cload_session *)object;
    const char *text[5];
    Py_ssize_t len[5];
    PyObject *expires;
    int is_host_only, is_path_set, is_secure, is_http_only;
    if (!PyArg_ParseTuple(args, "s#s#s#s#Oppppz#", &text[0], &len[0], &text[1], &len[1], &text[2], &len[2], &text[3],
                          &len[3], &expires, &is_host_only, &is_path_set, &is_secure, &is_http_only, &text[4],
                          &len[4])) {
        return NULL;
    }
    struct lc_cookie cookie = {
        .name = {text[0], (size_t)len[0]},
        .value = {text[1], (size_t)len[1]},
        .domain = {text[2], (size_t)len[2]},
        .path = {text[3], (size_t)len[3]},
        .expires_s = INT64_MIN,
        .is_host_only = is_host_only,
        .is_path_set = is_path_set,
        .is_secure = is_secure,
        .is_http_only = is_http_only,
        .same_site = {text[4], text[4] == NULL ? 0 : (size_t)len[4]},
    };
    if (expires != Py_None) {
        cookie.expires_s = PyLong_AsLongLong(expires);
        if (cookie.expires_s == -1 && PyErr_Occurred()) {
            return NULL;
        }
    }
    if (self->core == NULL) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this session has no cookies: it was not initialised, or is another thread's");
        return NULL;
    }
    int err = lc_session_set_cookie(self->core, &cookie);
    return err < 0 ? cload_raise(err, NULL) : Py_NewRef(Py_None);
}

PyObject *
cload__session_cookie_remove(PyObject *object, PyObject *args)
{
    struct cload_session *self = (struct cload_session *)object;
    const char *text[3];
    Py_ssize_t len[3];
    if (!PyArg_ParseTuple(args, "z#z#z#", &text[0], &len[0], &text[1], &len[1], &text[2], &len[2])) {
        return NULL;
    }
    struct lc_str part[3];
    for (int i = 0; i < 3; i++) {
        part[i] = (struct lc_str){text[i], text[i] == NULL ? 0 : (size_t)len[i]};
    }
    return PyLong_FromLong(self->core == NULL ? 0 : lc_session_remove_cookies(self->core, part[0], part[1], part[2]));
}

PyObject *
cload__session_cookie_version(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_session *self = (struct cload_session *)object;
    return PyLong_FromUnsignedLongLong(self->core == NULL ? 0 : lc_session_cookie_version(self->core));
}
