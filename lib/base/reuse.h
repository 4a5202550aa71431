/* Memory for what comes and goes with each request. malloc() has only seven free pieces of a size at hand, and none
 * above 1 KB; the rest it looks for. Here up to LCORE_REUSE_KEEP pieces of each of a few sizes are kept, and the last
 * one that was freed, which is in the caches, comes first. All zero is empty. */
#ifndef LCORE_BASE_REUSE_H
#define LCORE_BASE_REUSE_H

#include <stddef.h>

#include "base/alloc.h"

#define LCORE_REUSE_STEP 256
#define LCORE_REUSE_SIZES 8
#define LCORE_REUSE_KEEP (LCORE_ALLOC_IS_WATCHED ? 0 : 128)

struct lc_reuse {
    struct lc_reuse_piece *first[LCORE_REUSE_SIZES];
    unsigned count[LCORE_REUSE_SIZES];
};

/* For one thread. `size` > 0. What this returns may as well be given to lc__free(). NULL: out of memory. */
void *lc__reuse_alloc(struct lc_reuse *reuse, size_t size);
/* `size` is that of lc__reuse_alloc(), which may have been another one's. */
void lc__reuse_free(struct lc_reuse *reuse, void *memory, size_t size);
/* Frees what is kept. */
void lc__reuse_fini(struct lc_reuse *reuse);

#endif
