#include "state.h"

#include <malloc.h>

#include "entry_cache.h"
#include "helpers.h"
#include "hub.h"
#include "meter.h"
#include "user_client.h"

PyObject *
cload_raise(int code, const struct lc_error *error)
{
    const char *text = error != NULL && error->text[0] != '\0' ? error->text : lc_error_text(code);
    if (code == LCE_NOMEM) {
        return PyErr_NoMemory();
    }
    if (code == LCE_SYSTEM && error != NULL && error->errnum != 0) {
        errno = error->errnum;
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, NULL);
    }
    PyErr_SetString(code == LCE_SYSTEM || code == LCE_TLS ? PyExc_OSError : PyExc_ValueError, text);
    return NULL;
}

static PyObject *
check_http_version(PyObject *module, PyObject *version)
{
    long number = PyLong_AsLong(version);
    if (number == -1 && PyErr_Occurred()) {
        return NULL;
    }
    struct lc_error error = {0};
    int err = lc_http_check_version((enum lc_http_version)(number < 1 || number > INT_MAX ? -1 : number - 1), &error);
    if (err < 0) {
        PyErr_SetString(err == LCE_UNSUPPORTED ? PyExc_NotImplementedError : PyExc_ValueError, error.text);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
set_client_helpers(PyObject *module, PyObject *helpers)
{
    struct cload_state *state = cload_state_of_module(module);
    cload__helpers_forget(state);
    /* What the former ones found is none of theirs. */
    Py_CLEAR(state->default_tls);
    state->session_class_version = 0;
    Py_XSETREF(state->client_helpers, Py_NewRef(helpers));
    Py_RETURN_NONE;
}

static PyObject *
set_task_helpers(PyObject *module, PyObject *helpers)
{
    struct cload_state *state = cload_state_of_module(module);
    const struct {
        const char *name;
        PyObject **place;
    } wanted[] = {
        {"InterruptTaskSet", &state->exc_interrupt},
        {"StopUser", &state->exc_stop_user},
        {"StopTest", &state->exc_stop_test},
        {"RescheduleTask", &state->exc_reschedule},
        {"RescheduleTaskImmediately", &state->exc_reschedule_now},
        {"DefaultTaskSet", &state->default_taskset_type},
        {"wait_time", &state->own_wait_time},
        {"getrandbits", &state->getrandbits},
        {"constant_code", &state->constant_code},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        PyObject *value = PyObject_GetAttrString(helpers, wanted[i].name);
        if (value == NULL) {
            return NULL;
        }
        Py_XSETREF(*wanted[i].place, value);
    }
    Py_XSETREF(state->task_helpers, Py_NewRef(helpers));
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"check_http_version", check_http_version, METH_O,
     PyDoc_STR(
         "check_http_version(version)\n\nRaises NotImplementedError, with a remedy, where this version of HTTP (1, 2, "
         "3) cannot be spoken here.")},
    {"set_client_helpers", set_client_helpers, METH_O,
     PyDoc_STR("set_client_helpers(helpers)\n\nGives the object whose methods build what the HTTP types rarely need.")},
    {"set_task_helpers", set_task_helpers, METH_O,
     PyDoc_STR(
         "set_task_helpers(helpers)\n\nGives the object with the exception types and functions of the task loop.")},
    {NULL, NULL, 0, NULL},
};

/* An answer's body is memory that comes and goes with each request. glibc would give the larger ones back to the kernel
 * each time and have them cleared anew: 380 us of CPU for a body of 1 MB instead of 750, and 4.6 ms for 10 MB instead
 * of 28. What a pool of greenlets leaves behind goes back by malloc_trim(). */
static void
keep_freed_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the most that it takes */
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

static int
module_exec(PyObject *module)
{
    keep_freed_memory();
    struct cload_state *state = cload_state_of_module(module);
#define CLOAD_NAME_INTERN(name)                                                                                        \
    if ((state->str_##name = PyUnicode_InternFromString(#name)) == NULL) {                                             \
        return -1;                                                                                                     \
    }
    CLOAD_NAME_LIST(CLOAD_NAME_INTERN)
#undef CLOAD_NAME_INTERN
    state->zero = PyFloat_FromDouble(0);
    if (state->zero == NULL) {
        return -1;
    }
    int (*const adders[])(PyObject * module) = {
        cload__hub_add,
        cload__stats_add_types,
        cload__dispatch_add_types,
        cload__report_add_types,
        cload__response_add_types,
        cload__session_add_types,
        cload__user_add_types,
        cload__taskset_add_types,
        cload__user_greenlet_add_types,
        cload__carrier_add_functions,
        cload__rpc_add_types,
        cload__meter_add_types,
        cload__prometheus_add,
        cload__user_client_add_types,
        cload__users_add,
    };
    for (size_t i = 0; i < sizeof(adders) / sizeof(adders[0]); i++) {
        if (adders[i](module) < 0) {
            return -1;
        }
    }
    return PyModule_AddStringConstant(module, "__version__", CLOAD_VERSION);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct cload_state *state = cload_state_of_module(module);
#define CLOAD_VISIT(name) Py_VISIT(state->name);
    CLOAD_TYPE_LIST(CLOAD_VISIT)
    CLOAD_OBJECT_LIST(CLOAD_VISIT)
#undef CLOAD_VISIT
    for (size_t i = 0; i < CLOAD_KNOWN_HELPERS; i++) {
        Py_VISIT(state->known_helpers[i].function);
    }
    return cload__models_traverse(state, visit, arg);
}

static int
module_clear(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
#define CLOAD_CLEAR(name) Py_CLEAR(state->name);
    CLOAD_TYPE_LIST(CLOAD_CLEAR)
    CLOAD_OBJECT_LIST(CLOAD_CLEAR)
#undef CLOAD_CLEAR
    cload__helpers_forget(state);
    cload__models_clear(state);
    cload_entry_cache_free(state->entry_cache);
    state->entry_cache = NULL;
#define CLOAD_NAME_CLEAR(name) Py_CLEAR(state->str_##name);
    CLOAD_NAME_LIST(CLOAD_NAME_CLEAR)
#undef CLOAD_NAME_CLEAR
    return 0;
}

static void
module_free(void *module)
{
    module_clear((PyObject *)module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_cload",
    .m_doc = PyDoc_STR("The C engine: HTTP sessions, task loop, statistics, dispatcher."),
    .m_size = sizeof(struct cload_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

struct cload_state *
cload_state_find(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &module_def);
    return module == NULL ? NULL : cload_state_of_module(module);
}

PyMODINIT_FUNC
PyInit__cload(void)
{
    return PyModuleDef_Init(&module_def);
}
