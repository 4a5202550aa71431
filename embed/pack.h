/* Python values in MessagePack, by the rules of Python's msgpack package with Locust's additions: maps with any
 * hashable key, datetime and bson's ObjectId as tagged maps (DST-7, DST-8). */
#ifndef CLOAD_PACK_H
#define CLOAD_PACK_H

#include "state.h"

#include "rpc/pack.h"

/* Appends a value; -1 with an exception for one that has no form in MessagePack. */
int cload_pack(struct cload_state *state, struct lc_buffer *out, PyObject *value);
/* Reads one item with all it contains; NULL with an exception (ValueError for malformed input). */
PyObject *cload_unpack(struct cload_state *state, struct lc_pack_reader *reader);

#endif
