/* A `_cload.Stats` as text: tables for the console, rows of CSV files, JSON for the browser. */
#include "base/buffer.h"
#include "report/console.h"
#include "report/csv.h"
#include "report/own.h"
#include "report/rows.h"
#include "report/writer.h"
#include "stats_entry.h"
#include "stats_parts.h"
#include "stats_values.h"

/* The options of a report; `percentiles` is a sequence of fractions. To be ended with free_options(). */
static int
read_percentiles(PyObject *percentiles, struct lc_report_options *options)
{
    lc_report_options_init(options);
    PyObject *list = PySequence_Tuple(percentiles); /* a list might change while its items are read */
    if (list == NULL) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(list);
    double *fractions = PyMem_New(double, (size_t)count + 1);
    if (fractions == NULL) {
        PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; fractions != NULL && i < count; i++) {
        double fraction = PyFloat_AsDouble(PyTuple_GET_ITEM(list, i));
        if (PyErr_Occurred() != NULL) {
            PyMem_Free(fractions);
            fractions = NULL;
        } else {
            fractions[i] = fraction > 0 ? fraction < 1 ? fraction : 1 : 0;
        }
    }
    Py_DECREF(list);
    options->percentiles = fractions;
    options->percentile_count = (size_t)count;
    return fractions == NULL ? -1 : 0;
}

static void
free_options(struct lc_report_options *options)
{
    PyMem_Free((void *)options->percentiles);
}

static PyObject *
take_text(struct lc_buffer *text, int err)
{
    PyObject *result = err < 0 ? cload__stats_raise(err) : cload__stats_str((struct lc_str){text->data, text->len});
    lc_buffer_fini(text);
    return result;
}

PyObject *
cload__stats_console_requests(struct cload_stats *self, PyObject *args)
{
    struct lc_report_options options;
    lc_report_options_init(&options);
    int is_current;
    if (!PyArg_ParseTuple(args, "iip:_console_requests", &options.name_width, &options.type_width, &is_current)) {
        return NULL;
    }
    options.is_whole_run = !is_current;
    struct lc_buffer text = {0};
    int err = lc__console_requests(&text, self->core, &options);
    return take_text(&text, err);
}

typedef int report_fn(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options);

/* A table of a row per entry with a column per percentile. */
static PyObject *
console_percentiles(struct cload_stats *self, PyObject *args, const char *format, report_fn *write)
{
    int name_width, type_width;
    PyObject *percentiles;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, format, &name_width, &type_width, &percentiles) ||
        read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    options.name_width = name_width;
    options.type_width = type_width;
    struct lc_buffer text = {0};
    int err = write(&text, self->core, &options);
    free_options(&options);
    return take_text(&text, err);
}

PyObject *
cload__stats_console_percentiles(struct cload_stats *self, PyObject *args)
{
    return console_percentiles(self, args, "iiO:_console_percentiles", lc__console_percentiles);
}

PyObject *
cload__stats_console_exact(struct cload_stats *self, PyObject *args)
{
    return console_percentiles(self, args, "iiO:_console_exact", lc__console_exact);
}

PyObject *
cload__stats_console_phases(struct cload_stats *self, PyObject *args)
{
    struct lc_report_options options;
    lc_report_options_init(&options);
    if (!PyArg_ParseTuple(args, "ii:_console_phases", &options.name_width, &options.type_width)) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = lc__console_phases(&text, self->core, &options);
    return take_text(&text, err);
}

PyObject *
cload__stats_console_percentile_row(PyObject *unused, PyObject *args)
{
    int name_width, type_width;
    PyObject *object, *percentiles;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, "OiiO:_console_percentile_row", &object, &name_width, &type_width, &percentiles)) {
        return NULL;
    }
    struct lc_stats_entry *entry = cload__stats_entry_get(object);
    if (entry == NULL || read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    options.name_width = name_width;
    options.type_width = type_width;
    struct lc_buffer text = {0};
    int err = lc__console_percentile_row(&text, entry, &options);
    free_options(&options);
    return take_text(&text, err);
}

PyObject *
cload__stats_console_failures(struct cload_stats *self, PyObject *args)
{
    struct lc_report_options options;
    lc_report_options_init(&options);
    if (!PyArg_ParseTuple(args, "i:_console_failures", &options.name_width)) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = lc__console_failures(&text, self->core, &options);
    return take_text(&text, err);
}

PyObject *
cload__stats_csv_header(PyObject *unused, PyObject *args)
{
    const char *file;
    PyObject *percentiles;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, "sO:_csv_header", &file, &percentiles) || read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = strcmp(file, "requests") == 0   ? lc__csv_requests_header(&text, &options)
              : strcmp(file, "history") == 0  ? lc__csv_history_header(&text, &options)
              : strcmp(file, "failures") == 0 ? lc__csv_failures_header(&text)
              : strcmp(file, "phases") == 0   ? lc__csv_phases_header(&text)
              : strcmp(file, "exact") == 0    ? lc__csv_exact_header(&text, &options)
                                              : lc__csv_exceptions_header(&text);
    free_options(&options);
    return take_text(&text, err);
}

PyObject *
cload__stats_json_rows(struct cload_stats *self, PyObject *args)
{
    Py_ssize_t first, end;
    PyObject *percentiles;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, "nnO:_json_rows", &first, &end, &percentiles) ||
        read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = lc__json_rows(&text, self->core, first < 0 ? 0 : (size_t)first, end < 0 ? 0 : (size_t)end, &options);
    free_options(&options);
    return take_text(&text, err);
}

/* Rows with a column per percentile. */
static PyObject *
csv_percentiles(struct cload_stats *self, PyObject *percentiles, report_fn *write)
{
    struct lc_report_options options;
    if (read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = write(&text, self->core, &options);
    free_options(&options);
    return take_text(&text, err);
}

PyObject *
cload__stats_csv_requests(struct cload_stats *self, PyObject *percentiles)
{
    return csv_percentiles(self, percentiles, lc__csv_requests);
}

PyObject *
cload__stats_csv_exact(struct cload_stats *self, PyObject *percentiles)
{
    return csv_percentiles(self, percentiles, lc__csv_exact);
}

PyObject *
cload__stats_csv_history(struct cload_stats *self, PyObject *args)
{
    PyObject *percentiles;
    int is_every_row;
    long long recent_s;
    unsigned long long user_count;
    double unix_s;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, "OpLKd:_csv_history", &percentiles, &is_every_row, &recent_s, &user_count, &unix_s) ||
        read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    options.is_every_row = is_every_row;
    options.recent_s = recent_s;
    struct lc_buffer text = {0};
    int err = lc__csv_history(&text, self->core, &options, user_count, unix_s);
    free_options(&options);
    return take_text(&text, err);
}

PyObject *
cload__stats_csv_failures(struct cload_stats *self, PyObject *unused)
{
    struct lc_buffer text = {0};
    int err = lc__csv_failures(&text, self->core);
    return take_text(&text, err);
}

PyObject *
cload__stats_csv_phases(struct cload_stats *self, PyObject *unused)
{
    struct lc_buffer text = {0};
    int err = lc__csv_phases(&text, self->core);
    return take_text(&text, err);
}

PyObject *
cload__stats_failure_text(PyObject *unused, PyObject *args)
{
    PyObject *object, *owner;
    int is_remote;
    struct lc_str failure;
    if (!PyArg_ParseTuple(args, "Op:_failure_text", &object, &is_remote) ||
        cload__stats_text(object, &failure, &owner) < 0) {
        return NULL;
    }
    struct lc_buffer text = {0};
    struct lc_writer writer = {&text, 0};
    lc__write_failure(&writer, failure, is_remote);
    Py_DECREF(owner);
    return take_text(&text, writer.err);
}
