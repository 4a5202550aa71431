/* Percentiles of a `_cload.StatsEntry`: of the whole run, rounded or exact, and of the last seconds. */

#include "base/alloc.h"
#include "stats_entry_parts.h"
#include "stats_values.h"

/* Within what the core expects; beyond it nothing changes. */
static int
read_fraction(PyObject *object, double *fraction)
{
    *fraction = PyFloat_AsDouble(object);
    if (*fraction == -1 && PyErr_Occurred() != NULL) {
        return -1;
    }
    *fraction = *fraction > 0 ? fmin(*fraction, 1) : 0;
    return 0;
}

static int
read_percent(PyObject *args, PyObject *kwargs, double *fraction)
{
    static char *keywords[] = {"percent", NULL};
    PyObject *percent;
    return PyArg_ParseTupleAndKeywords(args, kwargs, "O", keywords, &percent) ? read_fraction(percent, fraction) : -1;
}

PyObject *
cload__entry_percentile(struct cload_stats_entry *self, PyObject *args, PyObject *kwargs)
{
    double fraction;
    double ms;
    if (read_percent(args, kwargs, &fraction) < 0) {
        return NULL;
    }
    lc__stats_entry_percentiles_ms(self->entry, &fraction, 1, &ms);
    return cload__stats_bucket(ms);
}

PyObject *
cload__entry_exact_percentile(struct cload_stats_entry *self, PyObject *args, PyObject *kwargs)
{
    double fraction;
    if (read_percent(args, kwargs, &fraction) < 0) {
        return NULL;
    }
    return PyFloat_FromDouble(lc_stats_entry_percentile_ms(self->entry, fraction));
}

PyObject *
cload__entry_recent_percentile(struct cload_stats_entry *self, PyObject *const *args, Py_ssize_t count)
{
    double fraction;
    double ms;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "_recent_percentile() takes a fraction and a number of seconds");
        return NULL;
    }
    long long recent_s = PyLong_AsLongLong(args[1]);
    if ((recent_s == -1 && PyErr_Occurred() != NULL) || read_fraction(args[0], &fraction) < 0) {
        return NULL;
    }
    if (!lc__stats_entry_recent_percentiles_ms(self->entry, (int64_t)cload__stats_now(), recent_s, &fraction, 1, &ms)) {
        Py_RETURN_NONE;
    }
    return cload__stats_bucket(ms);
}

/* A dict of milliseconds to counts. */
static PyObject *
moment_buckets(const struct lc_stats_entry *entry, uint32_t number)
{
    struct lc_bucket *buckets;
    size_t count;
    if (lc__recent_read(&entry->recent, number, &entry->few, &entry->buckets, &buckets, &count) < 0) {
        return PyErr_NoMemory();
    }
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < count; i++) {
        if (cload__entry_put_count(dict, buckets[i].ms, buckets[i].count) < 0) {
            Py_CLEAR(dict);
        }
    }
    lc__free(buckets);
    return dict;
}

PyObject *
cload__entry_moments(struct cload_stats_entry *self, PyObject *unused)
{
    PyObject *list = PyList_New(0);
    const struct lc_stats_entry *entry = self->entry;
    for (uint32_t i = 0; list != NULL && i < entry->recent.count; i++) {
        /* A copy: garbage that is collected for a new object may log or reset. */
        const struct lc_recent_moment moment = *lc__recent_at(&entry->recent, i);
        if (moment.unix_s == INT64_MIN) {
            continue;
        }
        PyObject *buckets = moment_buckets(entry, i);
        PyObject *row = buckets == NULL ? NULL
                                        : Py_BuildValue("(LNK)", (long long)moment.unix_s, buckets,
                                                        (unsigned long long)moment.timed_count);
        if (row == NULL || PyList_Append(list, row) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(row);
    }
    return list;
}
