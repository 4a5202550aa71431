/* Structs of options that begin with their own size, so that a program built against another version of the headers
 * still says what it knows. */
#ifndef LCORE_BASE_OPTIONS_H
#define LCORE_BASE_OPTIONS_H

#include <stddef.h>
#include "locustcore/error.h"

/* Copies `given` over `full`, a struct of `size` bytes that holds the defaults. No more is read of `given` than its
 * size says, and what an older header does not know stays as it is. LCE_INVALID: the size was not set, or the header is
 * newer than the library. */
int lc__options_take(void *full, size_t size, const void *given, struct lc_error *error);

#endif
