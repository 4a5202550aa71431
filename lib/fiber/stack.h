/* Stacks from the system, each with a guard page below. */
#ifndef LCORE_FIBER_STACK_H
#define LCORE_FIBER_STACK_H

#include <stddef.h>

struct lc_stack {
    char *bottom; /* above the guard page; NULL: none */
    size_t size;
    unsigned valgrind_id;
};

/* Whole pages, at least 16 KB; SIZE_MAX when that overflows. */
size_t lc__stack_round(size_t bytes);
/* `size` from lc__stack_round(). LCE_NOMEM: the system gives no more memory or mappings. */
int lc__stack_init(struct lc_stack *stack, size_t size);
void lc__stack_fini(struct lc_stack *stack);

#endif
