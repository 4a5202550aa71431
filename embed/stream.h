/* The body of a response that is taken piece by piece, for Python. */
#ifndef CLOAD_STREAM_H
#define CLOAD_STREAM_H

#include "session.h"

/* Takes `core`. read_timeout_ns is the call's; 0: the session's, negative: none. New reference; NULL with an exception,
 * `core` is freed. */
PyObject *cload__stream_new(struct cload_session *session, struct lc_stream *core, int64_t read_timeout_ns);
int cload__stream_add(PyObject *module); /* 0 or -1 */

#endif
