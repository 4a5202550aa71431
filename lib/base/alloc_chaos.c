/* The allocator of chaos builds (LCORE_CHAOS_ALLOC): fails when it is told to. */
#include "base/alloc.h"

#ifdef LCORE_CHAOS_ALLOC

#include <stdbool.h>
#include <stdlib.h>

static _Thread_local long countdown;
static _Thread_local bool is_failing;

void
lc__alloc_fail_at(long nth)
{
    countdown = nth;
    is_failing = false;
}

static bool
is_next_failing(void)
{
    if (countdown > 0 && --countdown == 0) {
        is_failing = true;
    }
    return is_failing;
}

void *
lc__alloc(size_t size)
{
    return is_next_failing() ? NULL : malloc(size);
}

void *
lc__calloc(size_t count, size_t size)
{
    return is_next_failing() ? NULL : calloc(count, size);
}

void *
lc__realloc(void *memory, size_t size)
{
    return is_next_failing() ? NULL : realloc(memory, size);
}

void *
lc__alloc_aligned(size_t alignment, size_t size)
{
    return is_next_failing() ? NULL : aligned_alloc(alignment, size);
}

void
lc__free(void *memory)
{
    free(memory);
}

#endif
