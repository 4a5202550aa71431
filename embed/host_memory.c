/* A greenlet that is parked has its part of the C stack copied, 2 KB and a little for a user in a request. malloc() has
 * no pieces at hand above 1 KB, and looks for one each time; here those that were freed last are. All of them are
 * malloc()'s, so that it does not matter who frees what. */
#include "host_memory.h"

#include <Python.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "greenlet.h"

#if defined(__GLIBC__) && !LCORE_ALLOC_IS_WATCHED

#define STEP 64
#define FIRST_SIZE (1024 / STEP) /* what is smaller, malloc() has at hand */
#define SIZES (4096 / STEP)
#define KEEP 32 /* of a size */

struct piece {
    struct piece *next;
};

static struct kept {
    struct piece *first;
    unsigned count;
} kept[SIZES];

/* Only the thread that runs the greenlets keeps any. */
static _Thread_local bool is_keeper;

static void *
memory_malloc(void *unused, size_t size)
{
    size_t place = (size + STEP - 1) / STEP;
    if (place < FIRST_SIZE || place >= SIZES || !is_keeper) {
        return malloc(size > 0 ? size : 1);
    }
    struct piece *piece = kept[place].first;
    if (piece == NULL) {
        piece = malloc(place * STEP);
    } else {
        kept[place].first = piece->next;
        kept[place].count--;
    }
    if (cload_stack_place != NULL) {
        *cload_stack_place = (struct cload_stack){piece, size};
        cload_stack_place = NULL;
    }
    return piece;
}

static void *
memory_calloc(void *unused, size_t count, size_t size)
{
    return count > 0 && size > 0 ? calloc(count, size) : calloc(1, 1);
}

static void *
memory_realloc(void *unused, void *memory, size_t size)
{
    return memory == NULL ? memory_malloc(unused, size) : realloc(memory, size > 0 ? size : 1);
}

static void
memory_free(void *unused, void *memory)
{
    size_t place = memory == NULL ? 0 : malloc_usable_size(memory) / STEP;
    if (place < FIRST_SIZE || place >= SIZES || !is_keeper || kept[place].count >= KEEP) {
        free(memory);
        return;
    }
    struct piece *piece = memory;
    piece->next = kept[place].first;
    kept[place].first = piece;
    kept[place].count++;
}

void
cload_host_memory_init(void)
{
    PyMemAllocatorEx memory = {NULL, memory_malloc, memory_calloc, memory_realloc, memory_free};
    is_keeper = true;
    PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &memory);
}

#else

void
cload_host_memory_init(void)
{
}

#endif
