/* The base of the HTTP clients: `requests`-shaped calls that go straight to the core, everything rare to Python.
 *
 * session.c          the object: its core session, settings, attributes
 * session_cookies.c  the jar, for Python
 * session_http.c     type HttpSession
 * session_fast.c     type FastHttpSession
 * conn_pool.c        connections that sessions share
 * call*.c            one call, see call.h */
#ifndef CLOAD_SESSION_H
#define CLOAD_SESSION_H

#include "state.h"

#define CLOAD_STATUS_LIMIT 1024

/* Attributes of requests.Session that are made when first looked at; NULL means requests' default. */
#define CLOAD_SESSION_SLOT_LIST(X)                                                                                     \
    X(headers)                                                                                                         \
    X(cookies)                                                                                                         \
    X(auth)                                                                                                            \
    X(proxies)                                                                                                         \
    X(hooks)                                                                                                           \
    X(params)                                                                                                          \
    X(verify)                                                                                                          \
    X(cert)                                                                                                            \
    X(adapters)                                                                                                        \
    X(stream)                                                                                                          \
    X(trust_env)                                                                                                       \
    X(max_redirects)

enum cload_session_slot {
#define CLOAD_SLOT_ENUM(name) CLOAD_SESSION_##name,
    CLOAD_SESSION_SLOT_LIST(CLOAD_SLOT_ENUM)
#undef CLOAD_SLOT_ENUM
        CLOAD_SESSION_SLOT_COUNT
};

struct cload_retired; /* a core that was replaced while calls were in flight on it */

struct cload_session {
    PyObject_HEAD
    struct cload_state *state;
    struct cload_hub *hub;
    struct lc_session *core;
    struct cload_retired *retired; /* until no call is in flight */
    size_t flight_count;
    PyObject *base_url, *request_event, *user, *request_name, *pool_manager;
    PyObject *auth_value; /* bytes of the Authorization header, or NULL */
    PyObject *tls_owner;  /* capsule of the struct lc_tls in use, or NULL */
    PyObject *conn_pool;  /* capsule of the connections it shares, or NULL */
    PyTypeObject *response_class;
    PyTypeObject *catching_class, *error_class; /* fast: of calls with catch_response, of those without an answer */
    PyObject *options;                          /* fast: the tuple that _setup() was given */
    PyObject *valid_statuses;                   /* fast: bytes, one for each status: 1 where it is a success */
    PyObject *slots[CLOAD_SESSION_SLOT_COUNT];
    PyObject *dict, *weakrefs;
    unsigned class_version; /* of the class, when what it overrides was read; and of all that requests sends with */
    unsigned senders_version;
    int http_version;           /* 1, 2, 3: the highest that is spoken */
    int max_redirects;          /* as struct lc_request has it */
    int max_retries;            /* fast */
    bool is_request_overridden; /* the class has a request() of its own: the verbs go through it */
    bool is_class_general;      /* it or what requests sends with has methods that the core does not stand for */
    bool are_headers_changed;
    bool is_general; /* a setting that only requests' own code can follow */
    bool is_mounted, is_auth_general;
    bool is_fast;        /* a FastHttpSession */
    bool is_older_told;  /* that a server speaks an older version */
    bool has_slash_base; /* the base URL's path is a slash, so that a path behind it would begin with two */
    bool has_plain_base; /* the base URL has no path, so that a clean relative URL is its own name */
};

/* --- the object; all 0 or -1 with an exception --- */

/* A new core behind base_url, in place of the one there is. */
int cload__session_make_core(struct cload_session *self, PyObject *base_url);
/* Whether all there is to a session are its options, so that cload__session_like() makes another one of the kind. */
bool cload__session_is_plain(const struct cload_session *self);
/* A new session with the class and the options of a plain one, but no headers, cookies or attributes of its own. */
PyObject *cload__session_like(const struct cload_session *model, PyObject *request_event, PyObject *user);
/* Whether it is a session of either type. */
bool cload__is_session(struct cload_state *state, PyObject *object);
/* Whose client it is, borrowed; NULL: nobody's, or `client` is no session. */
PyObject *cload_session_user(struct cload_state *state, PyObject *client);
/* Makes a list of (name, value), bytes, the default headers. */
int cload__session_send_pairs(struct lc_session *core, PyObject *pairs);
/* Brings the attribute `headers` to the core. */
int cload__session_send_headers(struct cload_session *self);
/* Reads again what the class overrides, if it or a base of it was changed since: tools replace methods of a class. */
int cload__session_read_class(struct cload_session *self);
/* Whether requests' own code must do the calls because of what the script did to the session: 1, 0 or -1. */
int cload__session_is_general(struct cload_session *self);
/* Moves a session to the hub of the process, which is another one after a fork; cookies and settings go with it, the
 * parent's connections stay the parent's. -1 with an exception. */
int cload__session_rehome(struct cload_session *self);
/* Frees what was replaced, once no call is in flight. */
void cload__session_free_retired(struct cload_session *self);
/* The settings of a FastHttpSession; `options` borrows from self->options, `headers` is borrowed. */
int cload__fast_options(struct cload_session *self, struct lc_session_options *options, PyObject **headers);

/* lc_tls of a pair (verify, cert), one per distinct pair in the process. Returns the capsule, a new reference. */
PyObject *cload__tls_find(struct cload_state *state, PyObject *verify, PyObject *cert);

/* The pool of a capsule that make_conn_pool() made; borrowed. NULL with an exception. */
struct lc_conn_pool *cload__conn_pool_core(PyObject *capsule, struct cload_hub *hub);

/* --- slots and methods that both types have --- */

PyObject *cload__session_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
int cload__session_traverse(PyObject *object, visitproc visit, void *arg);
int cload__session_clear(PyObject *object);
void cload__session_dealloc(PyObject *object);
/* What an instance's __dict__ shows: the slots in their order, then the other attributes, then NULL. */
extern const char *const cload__session_names[];
PyObject *cload__session_get_slot(PyObject *object, void *closure);
int cload__session_set_slot(PyObject *object, PyObject *value, void *closure);
PyObject *cload__session_get_base_url(PyObject *object, void *closure);
int cload__session_set_base_url(PyObject *object, PyObject *value, void *closure);
/* False on a thread without the engine: there requests' own code keeps everything. */
PyObject *cload__session_has_core(PyObject *object, void *closure);
PyObject *cload__session_close(PyObject *object, PyObject *ignored);
PyObject *cload__session_cookie_list(PyObject *object, PyObject *ignored);
PyObject *cload__session_cookie_set(PyObject *object, PyObject *args);
PyObject *cload__session_cookie_remove(PyObject *object, PyObject *args);
PyObject *cload__session_cookie_version(PyObject *object, PyObject *ignored);

#define CLOAD_FAST_METHOD(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS
#define CLOAD_COOKIE_METHODS                                                                                           \
    {"_cookie_list", cload__session_cookie_list, METH_NOARGS, NULL},                                                   \
        {"_cookie_set", cload__session_cookie_set, METH_VARARGS, NULL},                                                \
        {"_cookie_remove", cload__session_cookie_remove, METH_VARARGS, NULL},                                          \
    {                                                                                                                  \
        "_cookie_version", cload__session_cookie_version, METH_NOARGS, NULL                                            \
    }

/* One for each type; 0 or -1 with an exception. */
int cload__session_http_add(PyObject *module);
int cload__session_fast_add(PyObject *module);
int cload__tls_options_add(PyObject *module);
int cload__conn_pool_add(PyObject *module);

#endif
