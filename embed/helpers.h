/* What several files of the binding need: functions of Python code by name, and reading plain values. */
#ifndef CLOAD_HELPERS_H
#define CLOAD_HELPERS_H

#include "state.h"

/* A function of cload/_client.py; `name` is a literal. New reference; NULL with an exception. */
PyObject *cload__helper(struct cload_state *state, const char *name);
/* What was looked up is looked up anew. */
void cload__helpers_forget(struct cload_state *state);
/* Calls one with up to three arguments, NULL ends them. New reference; NULL with an exception. */
PyObject *cload__call_helper(struct cload_state *state, const char *name, PyObject *first, PyObject *second,
                             PyObject *third);

/* Neither missing nor None. */
static inline bool
cload__is_set(PyObject *value)
{
    return value != NULL && value != Py_None;
}

/* Set, and not an empty container. */
bool cload__is_filled(PyObject *container);
/* The bytes of a str or bytes, borrowed from it; false for anything else, with an exception if a str has no UTF-8. */
bool cload__text_of(PyObject *object, struct lc_str *out);

#endif
