/* Asks for memory before it is used, so that it comes while something else is done. Any address will do. */
#ifndef LCORE_BASE_WARM_H
#define LCORE_BASE_WARM_H

#include <stddef.h>
#include <stdint.h>

#define LCORE_CACHE_LINE 64
/* Of users: what fewer of them need is in a cache of 1 MB, and need not be asked for. */
#define LCORE_WARM_MANY 200

static inline void
lc__warm(const void *memory, size_t size)
{
    for (size_t i = 0; i < size; i += LCORE_CACHE_LINE) {
        __builtin_prefetch((const void *)((uintptr_t)memory + i));
    }
}

#endif
