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

/* Texts as they go on the wire: HTTP's headers are Latin-1. */
enum { COOKIE_TEXTS = 5 };
struct texts {
    PyObject *owners[COOKIE_TEXTS];
    struct lc_str at[COOKIE_TEXTS];
};

static void
texts_fini(struct texts *texts)
{
    for (int i = 0; i < COOKIE_TEXTS; i++) {
        Py_CLEAR(texts->owners[i]);
    }
}

/* None has no data. 0, or -1 with an exception. */
static int
texts_init(struct texts *texts, PyObject *const *given, int count)
{
    *texts = (struct texts){0};
    for (int i = 0; i < count; i++) {
        if (given[i] == Py_None) {
            continue;
        }
        texts->owners[i] = PyBytes_Check(given[i]) ? Py_NewRef(given[i]) : PyUnicode_AsLatin1String(given[i]);
        if (texts->owners[i] == NULL) {
            texts_fini(texts);
            return -1;
        }
        texts->at[i] = (struct lc_str){PyBytes_AS_STRING(texts->owners[i]), (size_t)PyBytes_GET_SIZE(texts->owners[i])};
    }
    return 0;
}

PyObject *
cload__session_cookie_set(PyObject *object, PyObject *args)
{
    struct cload_session *self = (struct cload_session *)object;
    PyObject *given[COOKIE_TEXTS], *expires;
    int is_host_only, is_path_set, is_secure, is_http_only;
    if (!PyArg_ParseTuple(args, "OOOOOppppO", &given[0], &given[1], &given[2], &given[3], &expires, &is_host_only,
                          &is_path_set, &is_secure, &is_http_only, &given[4])) {
        return NULL;
    }
    struct lc_cookie cookie = {
        .expires_s = INT64_MIN,
        .is_host_only = is_host_only,
        .is_path_set = is_path_set,
        .is_secure = is_secure,
        .is_http_only = is_http_only,
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
    struct texts texts;
    if (texts_init(&texts, given, COOKIE_TEXTS) < 0) {
        return NULL;
    }
    cookie.name = texts.at[0];
    cookie.value = texts.at[1];
    cookie.domain = texts.at[2];
    cookie.path = texts.at[3];
    cookie.same_site = texts.at[4];
    int err = lc_session_set_cookie(self->core, &cookie);
    texts_fini(&texts);
    return err < 0 ? cload_raise(err, NULL) : Py_NewRef(Py_None);
}

PyObject *
cload__session_cookie_remove(PyObject *object, PyObject *args)
{
    struct cload_session *self = (struct cload_session *)object;
    PyObject *given[3];
    struct texts texts;
    if (!PyArg_ParseTuple(args, "OOO", &given[0], &given[1], &given[2]) || texts_init(&texts, given, 3) < 0) {
        return NULL;
    }
    const struct lc_str *part = texts.at;
    int removed = self->core == NULL ? 0 : lc_session_remove_cookies(self->core, part[0], part[1], part[2]);
    texts_fini(&texts);
    return PyLong_FromLong(removed);
}

PyObject *
cload__session_cookie_version(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_session *self = (struct cload_session *)object;
    return PyLong_FromUnsignedLongLong(self->core == NULL ? 0 : lc_session_cookie_version(self->core));
}
