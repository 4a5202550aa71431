/* Whom the greenlet of a user tells that it is over: the methods of gevent's greenlets. */
#include "user_greenlet.h"

PyObject *
cload__user_rawlink(PyObject *object, PyObject *callback)
{
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)object;
    if (!PyCallable_Check(callback)) {
        PyErr_SetString(PyExc_TypeError, "a link must be callable");
        return NULL;
    }
    if (self->links == NULL) {
        self->links = Py_NewRef(callback); /* most have the one of their group */
    } else if (PyList_CheckExact(self->links)) {
        if (PyList_Append(self->links, callback) < 0) {
            return NULL;
        }
    } else {
        PyObject *list = Py_BuildValue("[OO]", self->links, callback);
        if (list == NULL) {
            return NULL;
        }
        Py_SETREF(self->links, list);
    }
    if (self->is_dead && !lc_list_is_linked(&self->ready.link)) {
        /* As with any greenlet: a link to one that is over is told soon. */
        if (cload_hub_retain(self->loop.hub) < 0) {
            return NULL;
        }
        Py_INCREF(self);
        cload_hub_put(self->loop.hub, &self->ready);
    }
    Py_RETURN_NONE;
}

PyObject *
cload__user_unlink(PyObject *object, PyObject *callback)
{
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)object;
    PyObject *links = Py_XNewRef(self->links); /* held, because a callback's own comparison may drop the list */
    int err = 0;
    if (links != NULL && PyList_CheckExact(links)) {
        Py_ssize_t place = PySequence_Index(links, callback);
        if (place >= 0) {
            err = PySequence_DelItem(links, place);
        } else if (PyErr_ExceptionMatches(PyExc_ValueError)) {
            PyErr_Clear();
        } else {
            err = -1;
        }
    } else if (links != NULL) {
        int is_same = PyObject_RichCompareBool(links, callback, Py_EQ);
        if (is_same > 0 && self->links == links) {
            Py_CLEAR(self->links);
        }
        err = is_same < 0 ? -1 : 0;
    }
    Py_XDECREF(links);
    return err < 0 ? NULL : Py_NewRef(Py_None);
}

/* As gevent's: the callback may wait, so it has a greenlet of its own. */
static PyObject *
link_by(PyObject *object, const char *kind, PyObject *callback)
{
    PyObject *module = PyImport_ImportModule("gevent.greenlet");
    PyObject *link = module == NULL ? NULL : PyObject_CallMethod(module, kind, "O", callback);
    PyObject *result = link == NULL ? NULL : cload__user_rawlink(object, link);
    Py_XDECREF(link);
    Py_XDECREF(module);
    return result;
}

PyObject *
cload__user_link(PyObject *object, PyObject *callback)
{
    return link_by(object, "SpawnedLink", callback);
}

PyObject *
cload__user_link_value(PyObject *object, PyObject *callback)
{
    return link_by(object, "SuccessSpawnedLink", callback);
}

PyObject *
cload__user_link_exception(PyObject *object, PyObject *callback)
{
    return link_by(object, "FailureSpawnedLink", callback);
}

PyObject *
cload__user_has_links(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    PyObject *links = ((struct cload_user_greenlet *)object)->links;
    return PyBool_FromLong(links != NULL && !(PyList_CheckExact(links) && PyList_GET_SIZE(links) == 0));
}

PyObject *
cload__user_unlink_all(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    Py_CLEAR(((struct cload_user_greenlet *)object)->links);
    Py_RETURN_NONE;
}
