/* The parts of a `_cload.StatsEntry` that are tables: getters and setters which cut them into Python's dictionaries and
 * lists, all of them copies. */
#ifndef CLOAD_STATS_ENTRY_TABLES_H
#define CLOAD_STATS_ENTRY_TABLES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "stats/table.h"

struct entry_object {
    PyObject_HEAD
    PyObject *stats;              /* whatever it was made for; a Stats for all entries of tables */
    struct lc_stats_entry *entry; /* referenced */
};

/* Which of a pair a getter or setter is asked for. */
enum { CLOAD_RATE_REQUESTS, CLOAD_RATE_FAILURES };

/* Locust's buckets: {ms: count}. Who sets them has the exact histogram made of them. */
PyObject *cload__entry_get_buckets(struct entry_object *self, void *unused);
int cload__entry_set_buckets(struct entry_object *self, PyObject *value, void *unused);
/* {unix second: count}, of one of the pair. */
PyObject *cload__entry_get_seconds(struct entry_object *self, void *which);
int cload__entry_set_seconds(struct entry_object *self, PyObject *value, void *which);
/* The exact histogram as [slot, count, slot, count, ...], which travels between nodes of our own. */
PyObject *cload__entry_get_histogram(struct entry_object *self, void *unused);
int cload__entry_set_histogram(struct entry_object *self, PyObject *value, void *unused);
/* The sums of the phases as [count, total_ns, max_ns, count, ...], which travel between nodes of our own. */
PyObject *cload__entry_get_phases(struct entry_object *self, void *unused);
int cload__entry_set_phases(struct entry_object *self, PyObject *value, void *unused);
/* A method: the histogram's coarse bands, a list of counts. */
PyObject *cload__entry_bands(struct entry_object *self, PyObject *unused);

#endif
