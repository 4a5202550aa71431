/* The base of the response classes: a struct lc_response whose Python attributes are built when asked for. */
#ifndef CLOAD_RESPONSE_H
#define CLOAD_RESPONSE_H

#include "report.h"

/* Attributes that are built on demand and may be assigned to, as on requests.Response. */
#define CLOAD_RESPONSE_SLOT_LIST(X)                                                                                    \
    X(status_code)                                                                                                     \
    X(url)                                                                                                             \
    X(reason)                                                                                                          \
    X(_content)                                                                                                        \
    X(_content_consumed)                                                                                               \
    X(headers)                                                                                                         \
    X(encoding)                                                                                                        \
    X(history)                                                                                                         \
    X(cookies)                                                                                                         \
    X(elapsed)                                                                                                         \
    X(request)                                                                                                         \
    X(raw)                                                                                                             \
    X(connection)                                                                                                      \
    X(_next)                                                                                                           \
    X(error)                                                                                                           \
    X(request_meta)

enum cload_response_slot {
#define CLOAD_SLOT_ENUM(name) CLOAD_SLOT_##name,
    CLOAD_RESPONSE_SLOT_LIST(CLOAD_SLOT_ENUM)
#undef CLOAD_SLOT_ENUM
        CLOAD_SLOT_COUNT
};

struct cload_response {
    PyObject_HEAD
    struct cload_state *state;
    struct lc_response *core;      /* owned; NULL: made by requests' own code, every slot is set */
    struct lc_timings *adopted;    /* owned; of a response without `core`, or NULL */
    PyObject *request_type, *name; /* str; what the statistics call it */
    PyObject *request_event, *user;
    PyObject *context;   /* the call's own, or NULL */
    PyObject *manual;    /* NULL: the status decides; Py_True: success(); else what failure() was given */
    PyObject *body;      /* bytes that were sent, or NULL */
    PyObject *asked_url; /* where requests' own code made it, or history was taken; fast: the url argument */
    PyObject *base_url;  /* fast: what is put before asked_url unless that is absolute */
    PyObject *timeout;   /* timeout= of a call that ran into it, or NULL */
    PyObject *stream;    /* the rest of a body that is taken piece by piece, or NULL */
    PyObject *owner;     /* fast: the response whose `core` this one shows, or NULL */
    PyObject *slots[CLOAD_SLOT_COUNT];
    PyObject *dict, *weakrefs;
    int64_t response_time_ns;
    uint64_t response_length;
    double start_unix_s; /* 0: not known yet */
    bool is_catching;    /* catch_response=True: the with-block reports */
    bool is_entered;
    bool is_reported;
    bool is_phased;     /* its phases were counted */
    bool is_history;    /* a redirect on the way: never reported */
    bool is_fast;       /* of a FastHttpSession */
    bool is_stream;     /* made with stream=True */
    bool is_bad_status; /* fast: the status is a failure */
    int max_retries;    /* fast: how often a call that ran into a timeout was tried again */
};

/* Makes the response of a finished call. Takes `core`. request_type and name are referenced. */
PyObject *cload_response_new(struct cload_state *state, PyTypeObject *type, struct lc_response *core,
                             PyObject *request_type, PyObject *name, PyObject *request_event, PyObject *user,
                             PyObject *context);
/* What gives the phases of a response that came over the engine's connections; nothing for any other object, and from
 * the second time on. Borrowed. */
struct cload_timed cload_response_take_timed(struct cload_state *state, PyObject *object);
/* Reports the request to whoever listens; -1 with an exception (a listener may raise StopUser and its like). */
LCORE_YIELDS int cload_response_report(struct cload_response *self);

/* --- between the files of the response; new references, NULL with an exception --- */

extern const char *const cload__response_slot_names[];             /* NULL ends them */
PyObject *cload__response_get(PyObject *object, void *slot);       /* the attribute, built if nobody asked before */
PyObject *cload__response_get_known(PyObject *object, void *slot); /* without building it: else None */
int cload__response_set(PyObject *object, PyObject *value, void *slot);
PyObject *cload__response_get_http_version(PyObject *object, void *closure);
PyObject *cload__response_url(struct cload_response *self); /* fast: the URL that was asked for, absolute */
PyObject *cload__response_text(struct lc_str text);         /* as UTF-8 if it is, else as Latin-1 */
/* The URL that was asked for: that of the first hop, or of the hop that failed. */
struct lc_str cload__response_first_url(const struct cload_response *self);
/* Whether the core's body is all of it, decoded, and nobody takes it piece by piece. */
bool cload__response_is_whole(const struct cload_response *self);
/* Methods that tell what the core received; response.c says what. None where no core response is. */
PyObject *cload__response_core_headers(PyObject *object, PyObject *ignored);
PyObject *cload__response_core_sent_head(PyObject *object, PyObject *ignored);
PyObject *cload__response_core_failure(PyObject *object, PyObject *ignored);
PyObject *cload__response_core_method(PyObject *object, PyObject *ignored);
PyObject *cload__response_core_body(PyObject *object, PyObject *ignored);
PyObject *cload__response_core_wire(PyObject *object, PyObject *ignored);
PyObject *cload__response_core_take_history(PyObject *object, PyObject *ignored);
/* Methods: takes what a call of requests' own code found out; shows what another response received. */
PyObject *cload__response_adopt(PyObject *object, PyObject *args);
PyObject *cload__response_show(PyObject *object, PyObject *owner);
/* The keywords for events.request. */
PyObject *cload__response_build_meta(struct cload_response *self);
PyObject *cload__response_success(PyObject *object, PyObject *ignored);
PyObject *cload__response_failure(PyObject *object, PyObject *args, PyObject *kwargs);
PyObject *cload__response_enter(PyObject *object, PyObject *ignored);
PyObject *cload__response_exit(PyObject *object, PyObject *const *args, Py_ssize_t count);
PyObject *cload__response_get_text(PyObject *object, void *closure);
PyObject *cload__response_json(PyObject *object, PyObject *args, PyObject *kwargs);
PyObject *cload__response_get_timings(PyObject *object, void *closure);
int cload__response_timings_add(PyObject *module); /* 0 or -1 */

#endif
