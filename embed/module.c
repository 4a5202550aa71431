#include "state.h"

#include "entry_cache.h"
#include "hub.h"

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
set_client_helpers(PyObject *module, PyObject *helpers)
{
    Py_XSETREF(cload_state_of_module(module)->client_helpers, Py_NewRef(helpers));
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
        {"getrandbits", &state->getrandbits},
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
    {"set_client_helpers", set_client_helpers, METH_O,
     PyDoc_STR("set_client_helpers(helpers)\n\nGives the object whose methods build what the HTTP types rarely need.")},
    {"set_task_helpers", set_task_helpers, METH_O,
     PyDoc_STR(
         "set_task_helpers(helpers)\n\nGives the object with the exception types and functions of the task loop.")},
    {NULL, NULL, 0, NULL},
};

static int
module_exec(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
#define CLOAD_NAME_INTERN(name)                                                                                        \
    if ((state->str_##name = PyUnicode_InternFromString(#name)) == NULL) {                                             \
        return -1;                                                                                                     \
    }
    CLOAD_NAME_LIST(CLOAD_NAME_INTERN)
#undef CLOAD_NAME_INTERN
    if (cload__hub_add(module) < 0 || cload__stats_add_types(module) < 0 || cload__dispatch_add_types(module) < 0 ||
        cload__report_add_types(module) < 0 || cload__response_add_types(module) < 0 ||
        cload__session_add_types(module) < 0 || cload__user_add_types(module) < 0 || cload__rpc_add_types(module) < 0) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "__version__", CLOAD_VERSION);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct cload_state *state = cload_state_of_module(module);
    Py_VISIT(state->session_type);
    Py_VISIT(state->response_type);
    Py_VISIT(state->fast_response_type);
    Py_VISIT(state->timings_type);
    Py_VISIT(state->user_type);
    Py_VISIT(state->taskset_type);
    Py_VISIT(state->user_greenlet_type);
    Py_VISIT(state->sink_type);
    Py_VISIT(state->stats_type);
    Py_VISIT(state->stats_entry_type);
    Py_VISIT(state->dispatcher_type);
    Py_VISIT(state->client_helpers);
    Py_VISIT(state->rpc_helpers);
    Py_VISIT(state->task_helpers);
    Py_VISIT(state->exc_interrupt);
    Py_VISIT(state->exc_stop_user);
    Py_VISIT(state->exc_stop_test);
    Py_VISIT(state->exc_reschedule);
    Py_VISIT(state->exc_reschedule_now);
    Py_VISIT(state->default_taskset_type);
    Py_VISIT(state->getrandbits);
    return 0;
}

static int
module_clear(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    Py_CLEAR(state->session_type);
    Py_CLEAR(state->response_type);
    Py_CLEAR(state->fast_response_type);
    Py_CLEAR(state->timings_type);
    Py_CLEAR(state->user_type);
    Py_CLEAR(state->taskset_type);
    Py_CLEAR(state->user_greenlet_type);
    Py_CLEAR(state->sink_type);
    Py_CLEAR(state->stats_type);
    Py_CLEAR(state->stats_entry_type);
    Py_CLEAR(state->dispatcher_type);
    Py_CLEAR(state->client_helpers);
    Py_CLEAR(state->rpc_helpers);
    Py_CLEAR(state->task_helpers);
    Py_CLEAR(state->exc_interrupt);
    Py_CLEAR(state->exc_stop_user);
    Py_CLEAR(state->exc_stop_test);
    Py_CLEAR(state->exc_reschedule);
    Py_CLEAR(state->exc_reschedule_now);
    Py_CLEAR(state->default_taskset_type);
    Py_CLEAR(state->getrandbits);
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
