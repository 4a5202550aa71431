/* `_cload.StatsEntry`, as embed/stats.c sees it. */
#ifndef CLOAD_STATS_ENTRY_H
#define CLOAD_STATS_ENTRY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "stats/table.h"

/* The base of all entry types; a new reference. */
PyObject *cload__stats_entry_type(PyObject *module);
/* The one object of a row, made if there is none; `type` is its class (TypeError if that is none for entries), `stats`
 * what it says it belongs to. */
PyObject *cload__stats_entry_wrap(PyObject *type, PyObject *stats, struct lc_stats_entry *entry);
/* The row of an entry object; NULL with TypeError set for any other. */
struct lc_stats_entry *cload__stats_entry_get(PyObject *object);

/* Whether `object` is a Stats; gives its table. */
bool cload__stats_is(PyObject *object, struct lc_stats **out);

#endif
