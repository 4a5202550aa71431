#include "meter.h"

#include "locustcore/meter.h"

#include "hub.h"
#include "object.h"
#include "stats.h"

struct meter_object {
    PyObject_HEAD
    struct cload_hub *hub;
    struct lc_meter *core; /* NULL: closed */
    PyObject *held;        /* the table whose numbers wait for a second to be over, or NULL */
};

static PyObject *
meter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"delay_limit_ms", "busy_limit", "starved_limit", NULL};
    struct lc_meter_options options;
    lc_meter_options_init(&options);
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|ddd:Meter", keywords, &options.delay_limit_ms, &options.busy_limit,
                                     &options.starved_limit)) {
        return NULL;
    }
    struct cload_state *state = cload_state_find(type);
    struct cload_hub *hub = state == NULL ? NULL : cload_hub_get(state);
    if (hub == NULL) {
        if (PyErr_Occurred() == NULL) {
            PyErr_SetString(PyExc_RuntimeError, "a meter belongs into the thread of the users it is about");
        }
        return NULL;
    }
    struct meter_object *self = (struct meter_object *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    struct lc_error error = {0};
    self->hub = hub;
    self->core = lc_meter_new(hub->loop, &options, &error);
    if (self->core == NULL || cload_hub_kick(hub) < 0) {
        if (self->core == NULL) {
            cload_raise(error.code, &error);
        }
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int
meter_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct meter_object *)object)->held);
    return 0;
}

static int
meter_clear(PyObject *object)
{
    struct meter_object *self = (struct meter_object *)object;
    if (self->core != NULL) {
        /* What cannot be added for want of memory is lost with the table's owner. */
        (void)lc_meter_end(self->core);
    }
    Py_CLEAR(self->held);
    return 0;
}

static void
meter_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    meter_clear(object);
    lc_meter_free(((struct meter_object *)object)->core);
    type->tp_free(object);
    Py_DECREF(type);
}

static bool
is_open(struct meter_object *self)
{
    if (self->core == NULL) {
        PyErr_SetString(PyExc_ValueError, "the meter is closed");
    }
    return self->core != NULL;
}

static PyObject *
meter_begin(PyObject *object, PyObject *stats)
{
    struct meter_object *self = (struct meter_object *)object;
    struct lc_stats *held = NULL;
    if (!is_open(self) || (stats != Py_None && (held = cload__stats_get(stats)) == NULL)) {
        return NULL;
    }
    int err = lc_meter_begin(self->core, held);
    if (err < 0) {
        return cload_raise(err, NULL);
    }
    Py_XSETREF(self->held, held == NULL ? NULL : Py_NewRef(stats));
    Py_RETURN_NONE;
}

static PyObject *
meter_end(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct meter_object *self = (struct meter_object *)object;
    if (!is_open(self)) {
        return NULL;
    }
    int err = lc_meter_end(self->core);
    if (err < 0) {
        return cload_raise(err, NULL);
    }
    Py_CLEAR(self->held);
    Py_RETURN_NONE;
}

static PyObject *
meter_numbers(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct meter_object *self = (struct meter_object *)object;
    if (!is_open(self)) {
        return NULL;
    }
    struct lc_meter_numbers n;
    lc_meter_numbers(self->core, &n);
    return Py_BuildValue("{sKsKsKsKsKsdsdsdsdsdsd}", "seconds", (unsigned long long)n.seconds, "lagging_seconds",
                         (unsigned long long)n.lagging_seconds, "delay_seconds", (unsigned long long)n.delay_seconds,
                         "busy_seconds", (unsigned long long)n.busy_seconds, "starved_seconds",
                         (unsigned long long)n.starved_seconds, "cpu_average", n.cpu_average, "cpu_max", n.cpu_max,
                         "starved_average", n.starved_average, "starved_max", n.starved_max, "delay_average_ms",
                         n.delay_average_ms, "delay_max_ms", n.delay_max_ms);
}

/* Takes `row`. */
static PyObject *
append(PyObject *list, PyObject *row)
{
    if (row == NULL || PyList_Append(list, row) < 0) {
        Py_CLEAR(list);
    }
    Py_XDECREF(row);
    return list;
}

static PyObject *
meter_seconds(PyObject *object, PyObject *position)
{
    struct meter_object *self = (struct meter_object *)object;
    uint64_t at = PyLong_AsUnsignedLongLong(position);
    if (PyErr_Occurred() != NULL || !is_open(self)) {
        return NULL;
    }
    PyObject *list = PyList_New(0);
    struct lc_meter_second second;
    while (list != NULL && lc_meter_next_second(self->core, &at, &second)) {
        list = append(list, Py_BuildValue("(LLddddI)", (long long)second.first_unix_s, (long long)second.last_unix_s,
                                          second.cpu, second.busy, second.starved, second.delay_ms, second.lag));
    }
    return list == NULL ? NULL : Py_BuildValue("(KN)", (unsigned long long)at, list);
}

static PyObject *
meter_marks(PyObject *object, PyObject *most)
{
    struct meter_object *self = (struct meter_object *)object;
    size_t count = PyLong_AsSize_t(most);
    if (PyErr_Occurred() != NULL || !is_open(self)) {
        return NULL;
    }
    PyObject *list = PyList_New(0);
    size_t marks = lc_meter_mark_count(self->core);
    size_t position = marks > count ? marks - count : 0;
    int64_t first_s, last_s;
    while (list != NULL && lc_meter_next_mark(self->core, &position, &first_s, &last_s)) {
        list = append(list, Py_BuildValue("(LL)", (long long)first_s, (long long)last_s));
    }
    return list;
}

static PyObject *
meter_close(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct meter_object *self = (struct meter_object *)object;
    meter_clear(object);
    lc_meter_free(self->core);
    self->core = NULL;
    Py_RETURN_NONE;
}

static PyMethodDef meter_methods[] = {
    {"begin", meter_begin, METH_O,
     PyDoc_STR("begin(stats)\n\nA test begins. What is logged in stats (None: in none) only counts once its second is "
               "over and was not marked.")},
    {"end", meter_end, METH_NOARGS, PyDoc_STR("end()\n\nThe test is over, and nothing waits any more.")},
    {"numbers", meter_numbers, METH_NOARGS,
     PyDoc_STR("numbers()\n\nWhat the seconds of the test add up to. CPU is in cores, what starved is a share.")},
    {"seconds", meter_seconds, METH_O,
     PyDoc_STR("seconds(position)\n\nThe seconds that are over since a position (0 at first), and the next one: first "
               "and last Unix second, CPU of process and thread, starved, delay in ms, reasons it is marked for.")},
    {"marks", meter_marks, METH_O,
     PyDoc_STR("marks(most)\n\nThe last ranges of marked seconds of the test, so many at most: first, last.")},
    {"close", meter_close, METH_NOARGS, PyDoc_STR("close()\n\nEnds the test and the measuring. Fine twice.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot meter_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Meter(delay_limit_ms=50, busy_limit=0.9, starved_limit=0.1)\n--\n\nHow this process "
                                  "copes; see locustcore/meter.h.")},
    {Py_tp_new, meter_new},
    {Py_tp_traverse, meter_traverse},
    {Py_tp_clear, meter_clear},
    {Py_tp_dealloc, meter_dealloc},
    {Py_tp_methods, meter_methods},
    {0, NULL},
};

static PyType_Spec meter_spec = {
    .name = "_cload.Meter",
    .basicsize = sizeof(struct meter_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = meter_slots,
};

int
cload__meter_add_types(PyObject *module)
{
    return cload_type_add(module, &meter_spec, NULL) < 0 ||
                   PyModule_AddIntConstant(module, "LAG_DELAY", LCORE_LAG_DELAY) < 0 ||
                   PyModule_AddIntConstant(module, "LAG_BUSY", LCORE_LAG_BUSY) < 0 ||
                   PyModule_AddIntConstant(module, "LAG_STARVED", LCORE_LAG_STARVED) < 0
               ? -1
               : 0;
}
