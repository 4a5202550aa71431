/* What Prometheus reads, for the web application. */
#include "state.h"

#include "base/buffer.h"
#include "report/prometheus.h"
#include "stats.h"

/* A list of (id, state, users); to be freed with PyMem_Free(). NULL: an exception. */
static struct lc_prometheus_worker *
read_workers(PyObject *list)
{
    size_t count = (size_t)PyList_GET_SIZE(list);
    struct lc_prometheus_worker *workers = PyMem_New(struct lc_prometheus_worker, count + 1);
    if (workers == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        Py_ssize_t id_len, state_len;
        unsigned long long user_count;
        struct lc_prometheus_worker *worker = &workers[i];
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, (Py_ssize_t)i), "s#s#K", &worker->id.data, &id_len,
                              &worker->state.data, &state_len, &user_count)) {
            PyMem_Free(workers);
            return NULL;
        }
        worker->id.len = (size_t)id_len;
        worker->state.len = (size_t)state_len;
        worker->user_count = user_count;
    }
    return workers;
}

/* A list of (class, users); as above. */
static struct lc_prometheus_users *
read_users(PyObject *list)
{
    size_t count = (size_t)PyList_GET_SIZE(list);
    struct lc_prometheus_users *users = PyMem_New(struct lc_prometheus_users, count + 1);
    if (users == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        Py_ssize_t len;
        unsigned long long user_count;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, (Py_ssize_t)i), "s#K", &users[i].user_class.data, &len,
                              &user_count)) {
            PyMem_Free(users);
            return NULL;
        }
        users[i].user_class.len = (size_t)len;
        users[i].count = user_count;
    }
    return users;
}

static PyObject *
prometheus(PyObject *module, PyObject *args)
{
    struct lc_prometheus_options options;
    lc_prometheus_options_init(&options);
    int is_openmetrics, is_worker, is_lagging;
    Py_ssize_t name_limit, state_len;
    unsigned long long user_count, exception_count, seconds, lagging_seconds;
    PyObject *stats, *users, *workers;
    struct lc_prometheus_generator generator;
    if (!PyArg_ParseTuple(args, "Oppns#KO!OK(dddpKK):prometheus", &stats, &is_openmetrics, &is_worker, &name_limit,
                          &options.state.data, &state_len, &user_count, &PyList_Type, &users, &workers,
                          &exception_count, &generator.cpu, &generator.starved, &generator.delay_s, &is_lagging,
                          &seconds, &lagging_seconds)) {
        return NULL;
    }
    struct lc_stats *core = cload__stats_get(stats);
    if (core == NULL) {
        return NULL;
    }
    options.is_openmetrics = is_openmetrics;
    options.is_worker = is_worker;
    options.name_limit = name_limit < 0 ? 0 : (size_t)name_limit;
    options.state.len = (size_t)state_len;
    options.user_count = user_count;
    options.exception_count = exception_count;
    generator.is_lagging = is_lagging;
    generator.seconds = seconds;
    generator.lagging_seconds = lagging_seconds;
    options.generator = &generator;
    struct lc_prometheus_users *own_users = read_users(users);
    struct lc_prometheus_worker *own_workers = NULL;
    options.is_master = PyList_Check(workers);
    PyObject *result = NULL;
    if (own_users == NULL || (options.is_master && (own_workers = read_workers(workers)) == NULL)) {
        goto done;
    }
    options.users = own_users;
    options.users_count = (size_t)PyList_GET_SIZE(users);
    options.workers = own_workers;
    options.worker_count = options.is_master ? (size_t)PyList_GET_SIZE(workers) : 0;
    struct lc_buffer text = {0};
    int err = lc__prometheus(&text, core, &options);
    result = err < 0 ? cload_raise(err, NULL) : PyBytes_FromStringAndSize(text.data, (Py_ssize_t)text.len);
    lc_buffer_fini(&text);
done:
    PyMem_Free(own_users);
    PyMem_Free(own_workers);
    return result;
}

static PyMethodDef prometheus_methods[] = {
    {"prometheus", prometheus, METH_VARARGS,
     PyDoc_STR(
         "prometheus(stats, is_openmetrics, is_worker, name_limit, state, user_count, users, workers, exception_count, "
         "generator) -> bytes\n\nThe exposition (locustcore/prometheus.h).")},
    {NULL, NULL, 0, NULL},
};

int
cload__prometheus_add(PyObject *module)
{
    return PyModule_AddFunctions(module, prometheus_methods);
}
