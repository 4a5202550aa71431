#include "base/heap.h"

#include <assert.h>

#include "base/alloc.h"

#define ARITY 4

static void
place_node(struct lc_heap *heap, struct lc_timer *timer, size_t place)
{
    heap->nodes[place] = timer;
    timer->index = (uint32_t)place + 1;
}

static void
sift_up(struct lc_heap *heap, struct lc_timer *timer, size_t place)
{
    while (place > 0) {
        size_t parent = (place - 1) / ARITY;
        if (heap->nodes[parent]->deadline_ns <= timer->deadline_ns) {
            break;
        }
        place_node(heap, heap->nodes[parent], place);
        place = parent;
    }
    place_node(heap, timer, place);
}

static void
sift_down(struct lc_heap *heap, struct lc_timer *timer, size_t place)
{
    for (;;) {
        size_t first = place * ARITY + 1;
        size_t end = first + ARITY < heap->count ? first + ARITY : heap->count;
        size_t least = place;
        int64_t least_ns = timer->deadline_ns;
        for (size_t child = first; child < end; child++) {
            if (heap->nodes[child]->deadline_ns < least_ns) {
                least = child;
                least_ns = heap->nodes[child]->deadline_ns;
            }
        }
        if (least == place) {
            break;
        }
        place_node(heap, heap->nodes[least], place);
        place = least;
    }
    place_node(heap, timer, place);
}

static void
settle(struct lc_heap *heap, struct lc_timer *timer, size_t place)
{
    if (place > 0 && heap->nodes[(place - 1) / ARITY]->deadline_ns > timer->deadline_ns) {
        sift_up(heap, timer, place);
    } else {
        sift_down(heap, timer, place);
    }
}

void
lc_heap_fini(struct lc_heap *heap)
{
    assert(heap->count == 0);
    lc__free(heap->nodes);
    *heap = (struct lc_heap){0};
}

int
lc_heap_put(struct lc_heap *heap, struct lc_timer *timer, int64_t deadline_ns)
{
    if (timer->index != 0) {
        timer->deadline_ns = deadline_ns;
        settle(heap, timer, timer->index - 1);
        return 0;
    }
    if (heap->count == heap->capacity) {
        size_t capacity = heap->capacity == 0 ? 64 : heap->capacity * 2;
        struct lc_timer **nodes =
            capacity > UINT32_MAX - 1 ? NULL : lc__realloc(heap->nodes, capacity * sizeof(struct lc_timer *));
        if (nodes == NULL) {
            return LCE_NOMEM;
        }
        heap->nodes = nodes;
        heap->capacity = capacity;
    }
    timer->deadline_ns = deadline_ns;
    sift_up(heap, timer, heap->count++);
    return 0;
}

void
lc_heap_remove(struct lc_heap *heap, struct lc_timer *timer)
{
    if (timer->index == 0) {
        return;
    }
    size_t place = timer->index - 1;
    timer->index = 0;
    struct lc_timer *last = heap->nodes[--heap->count];
    if (last != timer) {
        settle(heap, last, place);
    }
}
