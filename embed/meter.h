/* `_cload.Meter`: how the generator copes (locustcore/meter.h), for one test of a runner. */
#ifndef CLOAD_METER_H
#define CLOAD_METER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* -1 with an exception. */
int cload__meter_add_types(PyObject *module);

#endif
