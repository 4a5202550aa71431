/* A 4-ary min-heap of deadlines. Nodes are the caller's struct lc_timer; index 0 in the node means: not in the heap. */
#ifndef LCORE_BASE_HEAP_H
#define LCORE_BASE_HEAP_H

#include <stddef.h>
#include "locustcore/error.h"
#include "locustcore/timer.h"

struct lc_heap {
    struct lc_timer **nodes;
    size_t count;
    size_t capacity;
};

void lc_heap_fini(struct lc_heap *heap);
/* LCE_NOMEM leaves the heap as it was. A node that is in the heap is moved to its (changed) deadline. */
int lc_heap_put(struct lc_heap *heap, struct lc_timer *timer, int64_t deadline_ns);
/* Fine on a node that is not in the heap. */
void lc_heap_remove(struct lc_heap *heap, struct lc_timer *timer);
/* Earliest; NULL when empty. */
static inline struct lc_timer *
lc_heap_first(const struct lc_heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}

#endif
