/* `_cload.Stats` and `_cload.StatsEntry`: the core's statistics as Python types. */
#ifndef CLOAD_STATS_H
#define CLOAD_STATS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

struct lc_stats;

/* Adds the types to the module; -1 with an exception set. */
int cload__stats_add_types(PyObject *module);

/* The table of a Stats object (or of a subclass's), which lives as long as the object; NULL with TypeError set for any
 * other. Logging into it may call back into Python if the user set a rounding rule of his own: a negative code then
 * comes with an exception set. */
struct lc_stats *cload__stats_get(PyObject *stats);

#endif
