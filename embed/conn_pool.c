/* Connections that sessions share, as Python objects: capsules around the core's pool of the process' hub. */
#include "base/alloc.h"
#include "hub.h"
#include "session.h"

#define NAME "cload.connections"

struct conn_pool {
    struct lc_conn_pool *core; /* NULL until a session needs it */
    struct cload_hub *hub;     /* whose it is: after a fork there is another one */
    int max_connections, max_idle;
};

struct lc_conn_pool *
cload__conn_pool_core(PyObject *capsule, struct cload_hub *hub)
{
    struct conn_pool *pool = PyCapsule_GetPointer(capsule, NAME);
    if (pool == NULL) {
        return NULL;
    }
    if (pool->hub != hub) {
        /* What the parent had is the parent's. */
        pool->core = lc_conn_pool_new(pool->max_connections, pool->max_idle);
        pool->hub = hub;
    }
    if (pool->core == NULL) {
        pool->hub = NULL;
        PyErr_NoMemory();
    }
    return pool->core;
}

static void
capsule_free(PyObject *capsule)
{
    struct conn_pool *pool = PyCapsule_GetPointer(capsule, NAME);
    if (pool->hub != NULL && !pool->hub->is_left) {
        lc_conn_pool_unref(pool->core);
    }
    lc__free(pool);
}

static PyObject *
make_conn_pool(PyObject *Py_UNUSED(module), PyObject *args)
{
    struct conn_pool given = {0};
    if (!PyArg_ParseTuple(args, "ii", &given.max_connections, &given.max_idle)) {
        return NULL;
    }
    struct conn_pool *pool = lc__alloc(sizeof(*pool));
    if (pool == NULL) {
        return PyErr_NoMemory();
    }
    *pool = given;
    PyObject *capsule = PyCapsule_New(pool, NAME, capsule_free);
    if (capsule == NULL) {
        lc__free(pool);
    }
    return capsule;
}

static PyObject *
close_conn_pool(PyObject *Py_UNUSED(module), PyObject *capsule)
{
    struct conn_pool *pool = PyCapsule_GetPointer(capsule, NAME);
    if (pool == NULL) {
        return NULL;
    }
    if (pool->hub != NULL && !pool->hub->is_left) {
        lc_conn_pool_close_idle(pool->core);
    }
    Py_RETURN_NONE;
}

static PyMethodDef module_functions[] = {
    {"make_conn_pool", make_conn_pool, METH_VARARGS,
     PyDoc_STR("make_conn_pool(max_connections, max_idle) -> capsule\n\n"
               "Connections for several sessions; max_connections are in use at a time, 0: any number.")},
    {"close_conn_pool", close_conn_pool, METH_O, PyDoc_STR("close_conn_pool(capsule)\n\nCloses what is idle.")},
    {NULL, NULL, 0, NULL},
};

int
cload__conn_pool_add(PyObject *module)
{
    return PyModule_AddFunctions(module, module_functions);
}
