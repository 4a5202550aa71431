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
