/* `_cload.Dispatcher`: the core's dispatcher as a Python type. */
#ifndef CLOAD_DISPATCH_H
#define CLOAD_DISPATCH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Adds the type to the module; -1 with an exception set. */
int cload__dispatch_add_types(PyObject *module);

#endif
