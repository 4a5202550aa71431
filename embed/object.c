#include "object.h"

int
cload_type_add(PyObject *module, PyType_Spec *spec, PyTypeObject **place)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    int err = type == NULL ? -1 : PyModule_AddType(module, type);
    if (err == 0 && place != NULL) {
        *place = (PyTypeObject *)Py_NewRef(type);
    }
    Py_XDECREF(type);
    return err;
}

PyObject *
cload_object_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    if (type->tp_flags & Py_TPFLAGS_IS_ABSTRACT) {
        return PyBaseObject_Type.tp_new(type, args, kwargs); /* it says which methods are missing */
    }
    return type->tp_alloc(type, 0);
}

void
cload_object_dealloc(PyObject *object, inquiry clear)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (type->tp_weaklistoffset > 0) {
        PyObject_ClearWeakRefs(object);
    }
    clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

PyObject *
cload_attribute(PyObject *object, const char *name)
{
    PyObject *interned = PyUnicode_InternFromString(name);
    PyObject *value = interned == NULL ? NULL : PyObject_GetAttr(object, interned);
    Py_XDECREF(interned);
    return value;
}

PyObject *
cload_object_dict(PyObject *object, PyTypeObject *base, const char *const *names)
{
    PyObject *dict = PyObject_GenericGetDict(object, NULL);
    for (; dict != NULL && *names != NULL; names++) {
        PyObject *name = PyUnicode_InternFromString(*names);
        PyObject *field = name == NULL ? NULL : PyDict_GetItemWithError(base->tp_dict, name);
        PyObject *value = field == NULL ? NULL : Py_TYPE(field)->tp_descr_get(field, object, (PyObject *)base);
        if (value == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
            PyErr_Clear(); /* it has no such field */
        }
        if (value != NULL ? PyDict_SetItem(dict, name, value) < 0 : PyErr_Occurred() != NULL) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(value);
        Py_XDECREF(name);
    }
    return dict;
}

PyObject *
cload_object_getstate(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    PyObject *dict = cload_attribute(object, "__dict__");
    PyObject *state = dict == NULL ? NULL : PyDict_Copy(dict);
    Py_XDECREF(dict);
    return state;
}

PyObject *
cload_object_setstate(PyObject *object, PyObject *attributes)
{
    if (!PyDict_Check(attributes)) {
        return PyErr_Format(PyExc_TypeError, "attributes come as a dict, unlike %R", attributes);
    }
    PyObject *name, *value;
    for (Py_ssize_t i = 0; PyDict_Next(attributes, &i, &name, &value);) {
        if (PyObject_SetAttr(object, name, value) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

int
cload_call_hook(PyObject *object, PyObject *name)
{
    PyObject *result = PyObject_CallMethodNoArgs(object, name);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

PyObject *
cload_exception_take(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

void
cload_exception_restore(PyObject *value)
{
    PyErr_Restore(Py_NewRef(Py_TYPE(value)), value, PyException_GetTraceback(value));
}
