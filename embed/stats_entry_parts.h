/* `_cload.StatsEntry`, for the files that make it up: stats_entry.c has the type, stats_entry_attributes.c its numbers,
 * stats_entry_percentiles.c what is asked of its times, and stats_entry_tables.c cuts its tables into Python's
 * dictionaries and lists, all of them copies. Getters and setters, and methods, as Python calls them. */
#ifndef CLOAD_STATS_ENTRY_PARTS_H
#define CLOAD_STATS_ENTRY_PARTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "stats/table.h"

struct cload_stats_entry {
    PyObject_HEAD
    PyObject *stats;              /* whatever it was made for; a Stats for all entries of tables */
    struct lc_stats_entry *entry; /* referenced */
};

extern PyGetSetDef cload__entry_getset[];

/* The clock of the rates: start and last request of the statistics the entry belongs to. 0, or -1 with an exception. */
int cload__entry_read_clock(struct cload_stats_entry *self, double *start_unix_s, double *last_unix_s);

/* Which of a pair a getter or setter is asked for. */
enum { CLOAD_RATE_REQUESTS, CLOAD_RATE_FAILURES };

/* dict[key] = count. 0, or -1 with an exception. */
int cload__entry_put_count(PyObject *dict, double key, uint64_t count);

/* Locust's buckets: {ms: count}. Who sets them has the exact histogram made of them. */
PyObject *cload__entry_get_buckets(struct cload_stats_entry *self, void *unused);
int cload__entry_set_buckets(struct cload_stats_entry *self, PyObject *value, void *unused);
/* {unix second: count}, of one of the pair. */
PyObject *cload__entry_get_seconds(struct cload_stats_entry *self, void *which);
int cload__entry_set_seconds(struct cload_stats_entry *self, PyObject *value, void *which);
/* The exact histogram as [slot, count, slot, count, ...], which travels between nodes of our own. */
PyObject *cload__entry_get_histogram(struct cload_stats_entry *self, void *unused);
int cload__entry_set_histogram(struct cload_stats_entry *self, PyObject *value, void *unused);
/* The sums of the phases as [count, total_ns, max_ns, count, ...], which travel between nodes of our own. */
PyObject *cload__entry_get_phases(struct cload_stats_entry *self, void *unused);
int cload__entry_set_phases(struct cload_stats_entry *self, PyObject *value, void *unused);
/* A method: the histogram's coarse bands, a list of counts. */
PyObject *cload__entry_bands(struct cload_stats_entry *self, PyObject *unused);

PyObject *cload__entry_percentile(struct cload_stats_entry *self, PyObject *args, PyObject *kwargs);
PyObject *cload__entry_exact_percentile(struct cload_stats_entry *self, PyObject *args, PyObject *kwargs);
PyObject *cload__entry_recent_percentile(struct cload_stats_entry *self, PyObject *const *args, Py_ssize_t count);
/* What recent percentiles compare with: [(unix second, {ms: count}, requests with a time), ...]. */
PyObject *cload__entry_moments(struct cload_stats_entry *self, PyObject *unused);

#endif
