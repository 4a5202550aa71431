/* Allocation: one place, so that tests can make the Nth one fail. Sizes in bytes; all return NULL when out of memory.
 */
#ifndef LCORE_BASE_ALLOC_H
#define LCORE_BASE_ALLOC_H

#include <stddef.h>
#ifdef __linux__
#include <features.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Gives pages of the heap that nobody uses back to the system, where the C library knows how; it looks at every free
 * piece, so this is for the end of something large. */
static inline void
lc__alloc_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

/* Builds that look for mistakes shall see each piece of memory come and go: there nothing is kept for later. */
#if defined(LCORE_CHAOS_ALLOC) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LCORE_ALLOC_IS_WATCHED 1
#else
#define LCORE_ALLOC_IS_WATCHED 0
#endif

#ifdef LCORE_CHAOS_ALLOC
void *lc__alloc(size_t size);
void *lc__calloc(size_t count, size_t size);
void *lc__realloc(void *memory, size_t size);
void *lc__alloc_aligned(size_t alignment, size_t size);
void lc__free(void *memory);
/* Tests only: the allocation number `nth` from now (1 = next) fails, as do all after it until set to 0. */
void lc__alloc_fail_at(long nth);
#else
#include <stdlib.h>
#define lc__alloc malloc
#define lc__calloc calloc
#define lc__realloc realloc
#define lc__alloc_aligned aligned_alloc /* the size is a multiple of the alignment, a power of two */
#define lc__free free
#endif

#endif
