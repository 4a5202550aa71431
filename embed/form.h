/* Queries and forms: what urllib.parse.urlencode() makes of plain values, without Python code. */
#ifndef CLOAD_FORM_H
#define CLOAD_FORM_H

#include "state.h"

/* The pairs of a dict, encoded. is_list_many: a list or tuple is a pair for each of its items, and None is none, as
 * requests has it; else every value is one pair, None the word. `first`: a character to begin with, unless there are no
 * pairs; or 0. New reference: a str. NULL with an exception; NULL without one where something else than str, bytes,
 * numbers, None, lists and tuples is in it, which Python has to look at. */
PyObject *cload__form_encode(PyObject *dict, bool is_list_many, char first);

#endif
