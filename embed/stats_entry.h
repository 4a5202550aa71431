/* `_cload.StatsEntry`, as embed/stats.c sees it. */
#ifndef CLOAD_EMBED_STATS_ENTRY_H
#define CLOAD_EMBED_STATS_ENTRY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "locustcore/str.h"
#include "stats/table.h"

/* The base of all entry types; a new reference. */
PyObject *cload__stats_entry_type(PyObject *module);
/* The one object of a row, made if there is none; `type` is its class (TypeError if that is none for entries), `stats`
 * what it says it belongs to. */
PyObject *cload__stats_entry_wrap(PyObject *type, PyObject *stats, struct lc_stats_entry *entry);
/* The row of an entry object; NULL with TypeError set for any other. */
struct lc_stats_entry *cload__stats_entry_get(PyObject *object);

/* Helpers of both types. */

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
int cload__stats_read_length(PyObject *object, uint64_t *length);
/* Whether `object` is a Stats; gives its table. */
bool cload__stats_is(PyObject *object, struct lc_stats **out);

#endif
