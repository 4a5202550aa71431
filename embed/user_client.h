/* `_cload.ClientUser`: a user that gets its client when it is made.
 *
 * What a client is like follows from the attributes of the user's class, and is Python code's to say
 * (`_make_client()`). It is asked for the first user of a class: the others' clients are made like a model, unless the
 * class, the one of the client or the options were changed since, or their attributes are not plain values. */
#ifndef CLOAD_USER_CLIENT_H
#define CLOAD_USER_CLIENT_H

#include "state.h"

void cload__models_clear(struct cload_state *state);
int cload__models_traverse(struct cload_state *state, visitproc visit, void *arg);
int cload__user_client_add_types(PyObject *module);

#endif
