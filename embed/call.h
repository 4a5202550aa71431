/* One call, from the Python arguments to the Python response:
 *
 *   call_args.c     reads the arguments once; anything it does not know how to do makes the call "general", which means
 *                   that Python code (cload/_client.py) does it with requests' own machinery
 *   call_request.c  URL, body and settings become a struct lc_request of borrowed strings
 *   call.c          starts the exchange, parks the greenlet, makes the response object and reports the request
 *
 * The sessions of FastHttpUser (`is_fast`) go the same way; they differ in what the arguments mean, in the name, and in
 * which statuses are failures. Their general calls are done by Python code that says them again in plain terms. */
#ifndef CLOAD_CALL_H
#define CLOAD_CALL_H

#include "session.h"

struct cload_call {
    PyObject *method, *url;
    PyObject *name, *context, *data, *json, *params, *headers, *cookies, *timeout, *verify, *cert, *auth, *proxies;
    PyObject *body_owner, *full_url, *auth_value, *tls_owner, *proxy; /* made on the way, owned */
    PyObject *upper_method, *cookies_owner; /* the same; a redirect reads them again, so they are nowhere on a stack */
    struct lc_header *cookie_pairs;         /* of cookies_owner; lc__free() */
    const char *content_type;
    int64_t lost_ns;         /* what tries took that were not the last */
    int64_t read_timeout_ns; /* of this call; 0: the session's */
    int max_redirects, max_retries;
    bool is_catching, is_redirecting, is_general;
    bool is_stream;  /* the body is taken piece by piece; not fast: as it is on the wire */
    bool is_json;    /* fast: the body came from json= */
    bool is_plain;   /* fast: cannot be general, Python has looked at it */
    bool is_request; /* by request(), not by the method's own verb */
};

/* A call without arguments yet: what the session says of each. `method` is borrowed. */
struct cload_call cload__call_of(const struct cload_session *self, PyObject *method, bool is_redirecting);
/* positional: url [, data [, json]] up to `most`. 0, or -1 with an exception. */
int cload__call_parse(struct cload_session *self, struct cload_call *call, PyObject *const *args, Py_ssize_t count,
                      Py_ssize_t most, PyObject *kwnames);
/* The keywords of the call, without method and url. New reference. */
PyObject *cload__call_keywords(struct cload_session *self, const struct cload_call *call, PyObject *const *args,
                               Py_ssize_t count, PyObject *kwnames);

/* Makes what the request needs and the call then owns: URL, body, settings. 0, with is_general set if only requests'
 * own code can do it; -1 with an exception. */
int cload__call_prepare(struct cload_session *self, struct cload_call *call);

#define CLOAD_FEW_HEADERS 48
#define CLOAD_ADDED_HEADERS 3 /* Authorization, Content-Type, Accept */
/* What is needed only until the exchange has started. Only the last one needs a value before. */
struct cload_call_room {
    struct lc_header headers[CLOAD_FEW_HEADERS + CLOAD_ADDED_HEADERS];
    struct lc_header *many_headers; /* instead of the above, or NULL */
};
/* `request` borrows from the call and `room`. 0; 1: the call is general; -1 with an exception. */
int cload__call_fill(struct cload_session *self, struct cload_call *call, struct cload_call_room *room,
                     struct lc_request *request);
void cload__call_room_fini(struct cload_call_room *room);

/* Does the call of which the arguments were read. New reference: the response. */
LCORE_YIELDS PyObject *cload__call_run(struct cload_session *self, struct cload_call *call, PyObject *const *args,
                                       Py_ssize_t count, PyObject *kwnames);
/* request(): reads the arguments behind the method (the URL, if there is one), and does the call. */
LCORE_YIELDS PyObject *cload__session_request(PyObject *object, PyObject *method, PyObject *const *args,
                                              Py_ssize_t count, PyObject *kwnames);
/* A verb: the same, through the class's own request(), if it has one. */
LCORE_YIELDS PyObject *cload__session_verb(PyObject *object, PyObject *method, bool is_redirecting, Py_ssize_t most,
                                           PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

#endif
