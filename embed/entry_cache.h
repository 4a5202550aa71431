/* From a name and a method, both Python strings, to the statistics entry, by identity: the strings in people's code are
 * the same objects at every call, so that no string is hashed. */
#ifndef CLOAD_ENTRY_CACHE_H
#define CLOAD_ENTRY_CACHE_H

#include "state.h"

struct cload_entry_cache;

struct cload_entry_cache *cload_entry_cache_new(void);        /* NULL: out of memory */
void cload_entry_cache_free(struct cload_entry_cache *cache); /* NULL is fine */

/* The entry for (name, method) in `stats`; NULL with an exception when memory ran out or a string has no UTF-8 form. */
struct lc_stats_entry *cload_entry_cache_get(struct cload_entry_cache *cache, struct lc_stats *stats, PyObject *name,
                                             PyObject *method);

#endif
