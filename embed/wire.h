/* A connection of a session on which Python code speaks HTTP/1.1: requests' own, for whatever the core does not do. */
#ifndef CLOAD_WIRE_H
#define CLOAD_WIRE_H

#include "session.h"

/* _open_wire(url, tls, proxy, connect_timeout): method of both session types. Parks the greenlet. Returns a Wire; a
 * tuple (kind, errno, text) where it could not be opened; None on a thread that is not the hub's. */
LCORE_YIELDS PyObject *cload__session_open_wire(PyObject *object, PyObject *args);
int cload__wire_add(PyObject *module); /* 0 or -1 */

#endif
