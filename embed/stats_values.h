/* Values of Python code on their way into the statistics and back. */
#ifndef CLOAD_STATS_VALUES_H
#define CLOAD_STATS_VALUES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "locustcore/str.h"

/* Now, as time.time(). */
double cload__stats_now(void);
/* Raises what a code of the core means, unless an exception is set already. Returns NULL. */
PyObject *cload__stats_raise(int err);
/* The text of a str, of None ("") or of anything's str(). *owner keeps it alive and is to be released. */
int cload__stats_text(PyObject *object, struct lc_str *out, PyObject **owner);
/* The same of a name, which as None is shown as "None". */
int cload__stats_name(PyObject *object, struct lc_str *out, PyObject **owner);
PyObject *cload__stats_str(struct lc_str text);
/* A response time: None is NaN. */
int cload__stats_read_ms(PyObject *object, double *ms, bool *is_whole);
/* A bucket of response times (0 to below 2^32): an int, or a float where it is not whole. */
PyObject *cload__stats_bucket(double ms);
int cload__stats_read_length(PyObject *object, uint64_t *length);

#endif
