/* The state of module `_cload`: everything that would otherwise be a global. */
#ifndef CLOAD_STATE_H
#define CLOAD_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "locustcore.h"

/* Interned names, one field each: state->str_get and so on. */
#define CLOAD_NAME_LIST(X)                                                                                             \
    X(DELETE)                                                                                                          \
    X(GET)                                                                                                             \
    X(HEAD)                                                                                                            \
    X(OPTIONS)                                                                                                         \
    X(PATCH)                                                                                                           \
    X(POST)                                                                                                            \
    X(PUT)                                                                                                             \
    X(add)                                                                                                             \
    X(allow_redirects)                                                                                                 \
    X(args)                                                                                                            \
    X(auth)                                                                                                            \
    X(base_url)                                                                                                        \
    X(_build_attribute)                                                                                                \
    X(catch_exceptions)                                                                                                \
    X(catch_response)                                                                                                  \
    X(cert)                                                                                                            \
    X(client)                                                                                                          \
    X(context)                                                                                                         \
    X(cookies)                                                                                                         \
    X(__ObjectId__)                                                                                                    \
    X(__datetime__)                                                                                                    \
    X(data)                                                                                                            \
    X(environment)                                                                                                     \
    X(events)                                                                                                          \
    X(exception)                                                                                                       \
    X(execute_next_task)                                                                                               \
    X(execute_task)                                                                                                    \
    X(files)                                                                                                           \
    X(http2)                                                                                                           \
    X(http3)                                                                                                           \
    X(_make_client)                                                                                                    \
    X(max_wait)                                                                                                        \
    X(min_wait)                                                                                                        \
    X(parsed_options)                                                                                                  \
    X(__init__)                                                                                                        \
    X(fire)                                                                                                            \
    X(get_next_task)                                                                                                   \
    X(_entry_type)                                                                                                     \
    X(_handlers)                                                                                                       \
    X(headers)                                                                                                         \
    X(hooks)                                                                                                           \
    X(_keep_exception)                                                                                                 \
    X(json)                                                                                                            \
    X(log_error)                                                                                                       \
    X(log_request)                                                                                                     \
    X(max_redirects)                                                                                                   \
    X(max_retries)                                                                                                     \
    X(method)                                                                                                          \
    X(name)                                                                                                            \
    X(on_start)                                                                                                        \
    X(on_stop)                                                                                                         \
    X(params)                                                                                                          \
    X(pool_manager)                                                                                                    \
    X(proxies)                                                                                                         \
    X(request)                                                                                                         \
    X(request_event)                                                                                                   \
    X(request_length)                                                                                                  \
    X(request_type)                                                                                                    \
    X(reschedule)                                                                                                      \
    X(response)                                                                                                        \
    X(response_length)                                                                                                 \
    X(response_time)                                                                                                   \
    X(run)                                                                                                             \
    X(running)                                                                                                         \
    X(schedule_task)                                                                                                   \
    X(send)                                                                                                            \
    X(start_time)                                                                                                      \
    X(stats)                                                                                                           \
    X(stop)                                                                                                            \
    X(stopping)                                                                                                        \
    X(stream)                                                                                                          \
    X(_task_queue)                                                                                                     \
    X(_taskset_instance)                                                                                               \
    X(tasks)                                                                                                           \
    X(tb)                                                                                                              \
    X(timeout)                                                                                                         \
    X(close)                                                                                                           \
    X(ref)                                                                                                             \
    X(run_callback)                                                                                                    \
    X(run_callback_threadsafe)                                                                                         \
    X(start)                                                                                                           \
    X(timer)                                                                                                           \
    X(url)                                                                                                             \
    X(user)                                                                                                            \
    X(_user)                                                                                                           \
    X(user_error)                                                                                                      \
    X(user_instance)                                                                                                   \
    X(verify)                                                                                                          \
    X(wait_function)                                                                                                   \
    X(wait)                                                                                                            \
    X(waiting)                                                                                                         \
    X(wait_time)

/* The module's types, and what Python code registered: client_helpers builds what is rarely asked for, see
 * cload/_client.py; rpc_helpers makes messages of rare values, see locust/rpc/protocol.py; the last ones are what the
 * task loop needs, see locust/user/task.py. senders is a class that shows whether somebody changed what requests sends
 * with, see cload/_session.py. Each is NULL until it is needed. */
#define CLOAD_TYPE_LIST(X)                                                                                             \
    X(fast_session_type)                                                                                               \
    X(session_type)                                                                                                    \
    X(response_type)                                                                                                   \
    X(fast_response_type)                                                                                              \
    X(timings_type)                                                                                                    \
    X(sink_type)                                                                                                       \
    X(user_type)                                                                                                       \
    X(taskset_type)                                                                                                    \
    X(user_greenlet_type)                                                                                              \
    X(carrier_type)                                                                                                    \
    X(wire_type)                                                                                                       \
    X(stream_type)

#define CLOAD_OBJECT_LIST(X)                                                                                           \
    X(client_helpers)                                                                                                  \
    X(senders)                                                                                                         \
    X(default_tls)                                                                                                     \
    X(session_response_class)                                                                                          \
    X(rpc_helpers)                                                                                                     \
    X(task_helpers)                                                                                                    \
    X(exc_interrupt)                                                                                                   \
    X(exc_stop_user)                                                                                                   \
    X(exc_stop_test)                                                                                                   \
    X(exc_reschedule)                                                                                                  \
    X(exc_reschedule_now)                                                                                              \
    X(default_taskset_type)                                                                                            \
    X(own_wait_time)                                                                                                   \
    X(getrandbits)                                                                                                     \
    X(constant_code)                                                                                                   \
    X(zero)

#define CLOAD_KNOWN_HELPERS 64

struct cload_hub;
struct cload_entry_cache;
struct cload_source;

/* Where objects of a class have an attribute that the class names in __slots__. */
struct cload_place {
    unsigned class_version; /* 0: not known */
    Py_ssize_t offset;
};

#define CLOAD_CLASS_OVERRIDES 32

/* What a class of task sets overrides, see taskset.c. */
struct cload_class_overrides {
    unsigned version; /* of the class, 0: none */
    unsigned overrides;
};

#define CLOAD_MODELS 16

/* What the client of the last user of a class was like, see user_client.h. */
struct cload_model {
    unsigned user_version; /* of the classes: of the user, 0: none; of the client; of further settings */
    unsigned client_version, settings_version;
    int http_versions; /* what the options said */
    struct cload_source *source;
    PyObject *session; /* a client that nobody has */
};

struct cload_state {
    struct cload_hub *hub; /* NULL until the first use; belongs to the thread that made it */
    bool is_watching_forks;

#define CLOAD_TYPE_FIELD(name) PyTypeObject *name;
    CLOAD_TYPE_LIST(CLOAD_TYPE_FIELD)
#undef CLOAD_TYPE_FIELD

#define CLOAD_OBJECT_FIELD(name) PyObject *name;
    CLOAD_OBJECT_LIST(CLOAD_OBJECT_FIELD)
#undef CLOAD_OBJECT_FIELD

    struct cload_entry_cache *entry_cache;
    unsigned session_class_version; /* of the class of sessions that session_response_class was found for; 0: none */
    struct cload_place handlers_place, stats_place; /* of EventHook, of Environment */
    unsigned counting_version,
        counting_entry_version;        /* of classes of statistics and entries that count by themselves */
    PyTypeObject *counting_entry_type; /* borrowed from the former; NULL: none is known */
    struct cload_class_overrides class_overrides[CLOAD_CLASS_OVERRIDES];
    struct cload_model models[CLOAD_MODELS];
    struct cload_source *sources;
    unsigned
        plain_init_version; /* of the class of users whose bases beside ours have no __init__, seen last; 0: none */

    /* Functions of client_helpers that were looked up, by where the name is, which is a literal; see helpers.c. */
    struct cload_known_helper {
        const char *name;
        PyObject *function;
    } known_helpers[CLOAD_KNOWN_HELPERS];

#define CLOAD_NAME_FIELD(name) PyObject *str_##name;
    CLOAD_NAME_LIST(CLOAD_NAME_FIELD)
#undef CLOAD_NAME_FIELD
};

/* The state of the module an object's type belongs to; `type` is one of the module's own heap types. */
static inline struct cload_state *
cload_state_of_type(PyTypeObject *type)
{
    return (struct cload_state *)PyType_GetModuleState(type);
}

static inline struct cload_state *
cload_state_of_module(PyObject *module)
{
    return (struct cload_state *)PyModule_GetState(module);
}

/* The state of `_cload`, for objects whose type may be a subclass; NULL with an exception if it is not ours. */
struct cload_state *cload_state_find(PyTypeObject *type);

/* Sets the Python exception for a negative code of the core; returns NULL for convenience. */
PyObject *cload_raise(int code, const struct lc_error *error);

/* Every file that adds to the module has one of these; 0 or -1 with an exception. */
int cload__hub_add(PyObject *module);
int cload__report_add_types(PyObject *module);
int cload__rpc_add_types(PyObject *module);
int cload__prometheus_add(PyObject *module);
int cload__session_add_types(PyObject *module);
int cload__response_add_types(PyObject *module);
int cload__user_add_types(PyObject *module);
int cload__taskset_add_types(PyObject *module);
int cload__user_greenlet_add_types(PyObject *module);
int cload__carrier_add_functions(PyObject *module);
int cload__users_add(PyObject *module);
int cload__stats_add_types(PyObject *module);
int cload__dispatch_add_types(PyObject *module);

PyMODINIT_FUNC PyInit__cload(void);

#endif
