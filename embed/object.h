/* What the types of the module have in common. */
#ifndef CLOAD_OBJECT_H
#define CLOAD_OBJECT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Have these names, and a promise, since 3.13. */
#if PY_VERSION_HEX < 0x030D0000
#define PyObject_GetOptionalAttr _PyObject_LookupAttr
#define Py_HashPointer _Py_HashPointer
#endif

/* Makes a heap type and shows it in the module; `*place` gets a reference of its own, unless `place` is NULL. -1 with
 * an exception. */
int cload_type_add(PyObject *module, PyType_Spec *spec, PyTypeObject **place);
/* tp_new of types whose objects have a dictionary only once something is put into it; object's own makes one for each.
 */
PyObject *cload_object_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
/* The rest of tp_dealloc of a type that takes part in garbage collection: weak references, `clear`, memory, type. */
void cload_object_dealloc(PyObject *object, inquiry clear);

/* An attribute whose name is no field of the state. It is interned first: a new str at each look-up would fill the
 * interpreter's cache of attributes, which goes by the name's address. New reference; NULL with an exception. */
PyObject *cload_attribute(PyObject *object, const char *name);
/* `__dict__` of an object that keeps some of what scripts find there in fields: the dictionary, with what the fields
 * are now put into it under `names` (NULL ends them), attributes of `base`. What is changed there does not reach the
 * fields. New reference; NULL with an exception. */
PyObject *cload_object_dict(PyObject *object, PyTypeObject *base, const char *const *names);
/* Methods __getstate__ and __setstate__ of such objects, for copy.copy(): the attributes of __dict__. */
PyObject *cload_object_getstate(PyObject *object, PyObject *ignored);
PyObject *cload_object_setstate(PyObject *object, PyObject *attributes);

/* Calls a method without arguments whose result does not matter; -1 with an exception. */
int cload_call_hook(PyObject *object, PyObject *name);

/* The pending exception as an instance with its traceback, taken. */
PyObject *cload_exception_take(void);
/* Makes it pending again. Takes `value`. */
void cload_exception_restore(PyObject *value);

#endif
