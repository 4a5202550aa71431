/* `_cload.Stats`, for the files that make it up: stats.c has the type and its table of rows, stats_failures.c the
 * failures, stats_export.c what is printed and written to files. */
#ifndef CLOAD_STATS_PARTS_H
#define CLOAD_STATS_PARTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "stats/table.h"

struct cload_stats {
    PyObject_HEAD
    struct lc_stats *core;
    struct lc_stats_config config;
    PyObject *rounding; /* the user's rule; NULL: Locust's */
    bool is_assigned;   /* methods that count were assigned to the object itself */
};

/* The row of (name, method), made if missing unless `is_made` is false. *out is NULL where there is none. 0, or -1 with
 * an exception. */
int cload__stats_find_entry(struct cload_stats *self, PyObject *name, PyObject *method, bool is_made,
                            struct lc_stats_entry **out);

/* Methods; stats.c tells what they do. */
PyObject *cload__stats_log_failure(struct cload_stats *self, PyObject *args);
PyObject *cload__stats_failure(struct cload_stats *self, PyObject *index);
PyObject *cload__stats_failure_counts(struct cload_stats *self, PyObject *unused);
PyObject *cload__stats_failure_state(struct cload_stats *self, PyObject *unused);
PyObject *cload__stats_add_failure(struct cload_stats *self, PyObject *args);
PyObject *cload__stats_set_failure(struct cload_stats *self, PyObject *args);
PyObject *cload__stats_remove_failure(struct cload_stats *self, PyObject *index);
PyObject *cload__stats_clear_failures(struct cload_stats *self, PyObject *unused);
PyObject *cload__stats_console_requests(struct cload_stats *self, PyObject *args);
PyObject *cload__stats_console_percentiles(struct cload_stats *self, PyObject *args);
PyObject *cload__stats_console_phases(struct cload_stats *self, PyObject *args);
PyObject *cload__stats_console_exact(struct cload_stats *self, PyObject *args);
PyObject *cload__stats_console_percentile_row(PyObject *unused, PyObject *args);
PyObject *cload__stats_console_failures(struct cload_stats *self, PyObject *args);
PyObject *cload__stats_csv_header(PyObject *unused, PyObject *args);
PyObject *cload__stats_json_rows(struct cload_stats *self, PyObject *args);
PyObject *cload__stats_csv_requests(struct cload_stats *self, PyObject *percentiles);
PyObject *cload__stats_csv_history(struct cload_stats *self, PyObject *args);
PyObject *cload__stats_csv_failures(struct cload_stats *self, PyObject *unused);
PyObject *cload__stats_csv_phases(struct cload_stats *self, PyObject *unused);
PyObject *cload__stats_csv_exact(struct cload_stats *self, PyObject *percentiles);
PyObject *cload__stats_failure_text(PyObject *unused, PyObject *args);

#endif
