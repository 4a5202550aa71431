/* `_cload.Stats` and `_cload.StatsEntry`: the core's statistics as Python types. */
#ifndef CLOAD_STATS_H
#define CLOAD_STATS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

struct cload_state;
struct lc_stats;

/* Adds the types to the module; -1 with an exception set. */
int cload__stats_add_types(PyObject *module);

/* The table of a Stats object (or of a subclass's), which lives as long as the object; NULL with TypeError set for any
 * other. Logging into it may call back into Python if the user set a rounding rule of his own: a negative code then
 * comes with an exception set. */
struct lc_stats *cload__stats_get(PyObject *stats);

/* Whether the core may count without asking: 0 if a script has put methods of its own into the place of log_request(),
 * log_error() or those of the entries that count (compat API-219). -1 with an exception. */
int cload__stats_counts_itself(struct cload_state *state, PyObject *stats);

#endif
