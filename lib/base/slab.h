/* Memory for what there are thousands of and what stays for long: pieces of one size, side by side. Among what comes
 * and goes they would keep whole pages of the heap from going back to the system. Pieces that were freed are used
 * again, the last one first; the memory is given back at the end. */
#ifndef LCORE_BASE_SLAB_H
#define LCORE_BASE_SLAB_H

#include <stddef.h>

struct lc_slab {
    size_t size;
    struct lc_slab_piece *first;
    struct lc_slab_chunk *chunks;
};

/* `size` > 0 of a piece, which is aligned as by malloc(). Allocates nothing. */
void lc__slab_init(struct lc_slab *slab, size_t size);
/* For one thread. NULL: out of memory. */
void *lc__slab_alloc(struct lc_slab *slab);
void lc__slab_free(struct lc_slab *slab, void *piece);
/* No piece may be in use any more. All zero is fine. */
void lc__slab_fini(struct lc_slab *slab);

#endif
