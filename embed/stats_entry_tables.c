#include "stats_entry_parts.h"

#include "stats_values.h"

int
cload__entry_put_count(PyObject *dict, double key, uint64_t count)
{
    PyObject *key_object = cload__stats_bucket(key);
    PyObject *count_object = PyLong_FromUnsignedLongLong(count);
    int err = key_object == NULL || count_object == NULL ? -1 : PyDict_SetItem(dict, key_object, count_object);
    Py_XDECREF(key_object);
    Py_XDECREF(count_object);
    return err;
}

/* A count of what is not in it is 0. */
static PyObject *
new_counts(void)
{
    PyObject *module = PyImport_ImportModule("collections");
    PyObject *counts =
        module == NULL ? NULL : PyObject_CallMethod(module, "defaultdict", "O", (PyObject *)&PyLong_Type);
    Py_XDECREF(module);
    return counts;
}

PyObject *
cload__entry_get_buckets(struct cload_stats_entry *self, void *unused)
{
    PyObject *dict = new_counts();
    struct lc_buckets_walk walk = {0};
    struct lc_bucket bucket;
    while (dict != NULL && lc__buckets_next(&self->entry->buckets, &walk, &bucket)) {
        if (cload__entry_put_count(dict, bucket.ms, bucket.count) < 0) {
            Py_CLEAR(dict);
        }
    }
    return dict;
}

PyObject *
cload__entry_get_seconds(struct cload_stats_entry *self, void *which)
{
    PyObject *dict = new_counts();
    for (size_t i = 0; dict != NULL && i < lc__window_count(&self->entry->window); i++) {
        struct lc_second second = lc__window_get(&self->entry->window, i);
        uint32_t count = (intptr_t)which == CLOAD_RATE_REQUESTS ? second.requests : second.failures;
        if (count > 0 && cload__entry_put_count(dict, second.unix_s, count) < 0) {
            Py_CLEAR(dict);
        }
    }
    return dict;
}

/* The next pair of a dict of counts: 1, 0 at its end, -1 with an exception set. */
static int
next_pair(PyObject *dict, Py_ssize_t *place, double *key, uint64_t *count)
{
    PyObject *key_object, *count_object;
    if (!PyDict_Next(dict, place, &key_object, &count_object)) {
        return 0;
    }
    Py_INCREF(key_object); /* __float__() may change the dictionary */
    Py_INCREF(count_object);
    double rounded = PyFloat_AsDouble(key_object);
    if (PyErr_Occurred() == NULL && !(rounded >= 0 && rounded < UINT32_MAX)) {
        PyErr_Format(PyExc_ValueError, "key out of range: %R", key_object);
    }
    *count = PyErr_Occurred() != NULL ? 0 : PyLong_AsUnsignedLongLong(count_object);
    Py_DECREF(key_object);
    Py_DECREF(count_object);
    if (PyErr_Occurred() != NULL) {
        return -1;
    }
    *key = rounded;
    return 1;
}

static int
check_dict(PyObject *value)
{
    if (value == NULL || !PyDict_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a dictionary of counts is needed");
        return -1;
    }
    return 0;
}

int
cload__entry_set_buckets(struct cload_stats_entry *self, PyObject *value, void *unused)
{
    if (check_dict(value) < 0) {
        return -1;
    }
    struct lc_buckets buckets = {0};
    Py_ssize_t place = 0;
    double key;
    uint64_t count;
    int more;
    while ((more = next_pair(value, &place, &key, &count)) > 0) {
        uint64_t *counter = lc__buckets_find(&buckets, key);
        if (counter == NULL) {
            PyErr_NoMemory();
            more = -1;
            break;
        }
        *counter = count;
    }
    if (more < 0) {
        lc__buckets_fini(&buckets);
        return -1;
    }
    if (lc__stats_entry_pin(self->entry) < 0) {
        lc__buckets_fini(&buckets);
        PyErr_NoMemory();
        return -1;
    }
    lc__buckets_fini(&self->entry->buckets);
    self->entry->buckets = buckets;
    int err = lc__stats_entry_fill_histogram(self->entry);
    if (err < 0) {
        cload__stats_raise(err);
    }
    return err;
}

int
cload__entry_set_seconds(struct cload_stats_entry *self, PyObject *value, void *which)
{
    if (check_dict(value) < 0) {
        return -1;
    }
    const bool is_requests = (intptr_t)which == CLOAD_RATE_REQUESTS;
    struct lc_window window = {0};
    int err = lc__window_merge(&window, &self->entry->window);
    for (size_t i = 0; err == 0 && i < lc__window_count(&window); i++) {
        struct lc_second *second = lc__window_at(&window, lc__window_get(&window, i).unix_s);
        if (second != NULL) {
            *(is_requests ? &second->requests : &second->failures) = 0;
        }
        err = second == NULL ? LCE_NOMEM : 0;
    }
    Py_ssize_t place = 0;
    double key;
    uint64_t count;
    int more = 0;
    while (err == 0 && (more = next_pair(value, &place, &key, &count)) > 0) {
        struct lc_second *second = lc__window_at(&window, (uint32_t)key);
        if (second != NULL) {
            *(is_requests ? &second->requests : &second->failures) = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
        }
        err = second == NULL ? LCE_NOMEM : 0;
    }
    if (err < 0 || more < 0) {
        lc__window_fini(&window);
        if (err < 0) {
            cload__stats_raise(err);
        }
        return -1;
    }
    lc__window_fini(&self->entry->window);
    self->entry->window = window;
    return 0;
}

PyObject *
cload__entry_get_histogram(struct cload_stats_entry *self, void *unused)
{
    PyObject *list = PyList_New(0);
    uint32_t slot = 0;
    uint32_t count;
    while (list != NULL && lc__histogram_next(&self->entry->histogram, &slot, &count)) {
        const uint32_t pair[] = {slot - 1, count};
        for (size_t i = 0; list != NULL && i < 2; i++) {
            PyObject *number = PyLong_FromUnsignedLong(pair[i]);
            if (number == NULL || PyList_Append(list, number) < 0) {
                Py_CLEAR(list);
            }
            Py_XDECREF(number);
        }
    }
    return list;
}

PyObject *
cload__entry_bands(struct cload_stats_entry *self, PyObject *unused)
{
    uint64_t counts[LCORE_HISTOGRAM_BANDS];
    size_t used = lc__histogram_bands(&self->entry->histogram, counts);
    PyObject *list = PyList_New((Py_ssize_t)used);
    for (size_t i = 0; list != NULL && i < used; i++) {
        PyObject *count = PyLong_FromUnsignedLongLong(counts[i]);
        if (count == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, count);
        }
    }
    return list;
}

static int
read_histogram(PyObject *list, struct lc_histogram *histogram)
{
    Py_ssize_t length = PyList_GET_SIZE(list);
    for (Py_ssize_t i = 0; i + 1 < length; i += 2) {
        unsigned long slot = PyLong_AsUnsignedLong(PyList_GET_ITEM(list, i));
        unsigned long long count =
            PyErr_Occurred() != NULL ? 0 : PyLong_AsUnsignedLongLong(PyList_GET_ITEM(list, i + 1));
        if (PyErr_Occurred() != NULL) {
            return -1;
        }
        if (slot >= LCORE_HISTOGRAM_SLOTS) {
            PyErr_Format(PyExc_ValueError, "a histogram has no slot %lu", slot);
            return -1;
        }
        uint32_t *counter = lc__histogram_at(histogram, (uint32_t)slot);
        if (counter == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        lc__histogram_raise(counter, count);
    }
    return 0;
}

int
cload__entry_set_histogram(struct cload_stats_entry *self, PyObject *value, void *unused)
{
    if (value == NULL || !PyList_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a list of slots and counts is needed");
        return -1;
    }
    struct lc_histogram histogram = {0};
    if (read_histogram(value, &histogram) < 0) {
        lc__histogram_fini(&histogram);
        return -1;
    }
    lc__histogram_fini(&self->entry->histogram);
    self->entry->histogram = histogram;
    return 0;
}

PyObject *
cload__entry_get_phases(struct cload_stats_entry *self, void *unused)
{
    PyObject *list = PyList_New(3 * LCORE_PHASE_COUNT);
    for (int i = 0; list != NULL && i < LCORE_PHASE_COUNT; i++) {
        const struct lc_phase_sum *sum = &self->entry->phases[i];
        const uint64_t numbers[] = {sum->count, sum->total_ns, sum->max_ns};
        for (int j = 0; list != NULL && j < 3; j++) {
            PyObject *number = PyLong_FromUnsignedLongLong(numbers[j]);
            if (number == NULL) {
                Py_CLEAR(list);
            } else {
                PyList_SET_ITEM(list, 3 * i + j, number);
            }
        }
    }
    return list;
}

int
cload__entry_set_phases(struct cload_stats_entry *self, PyObject *value, void *unused)
{
    if (value == NULL || !PyList_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a list of counts and nanoseconds is needed");
        return -1;
    }
    uint64_t numbers[3 * LCORE_PHASE_COUNT] = {0};
    Py_ssize_t length = PyList_GET_SIZE(value);
    for (Py_ssize_t i = 0; i < length && i < 3 * LCORE_PHASE_COUNT; i++) {
        numbers[i] = PyLong_AsUnsignedLongLong(PyList_GET_ITEM(value, i));
        if (PyErr_Occurred() != NULL) {
            return -1;
        }
    }
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        self->entry->phases[i] = (struct lc_phase_sum){
            .count = numbers[3 * i], .total_ns = numbers[3 * i + 1], .max_ns = numbers[3 * i + 2]};
    }
    return 0;
}
