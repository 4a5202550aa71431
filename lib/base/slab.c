#include "base/slab.h"

#include <stdalign.h>

#include "base/alloc.h"

#define CHUNK_SIZE 16000

struct lc_slab_piece {
    struct lc_slab_piece *next;
};

struct lc_slab_chunk {
    struct lc_slab_chunk *next;
    alignas(max_align_t) char pieces[];
};

void
lc__slab_init(struct lc_slab *slab, size_t size)
{
    size_t step = alignof(max_align_t);
    *slab = (struct lc_slab){.size = (size + step - 1) / step * step};
}

static int
add_chunk(struct lc_slab *slab)
{
    size_t count = slab->size < CHUNK_SIZE ? CHUNK_SIZE / slab->size : 1;
    struct lc_slab_chunk *chunk = lc__alloc(sizeof(*chunk) + count * slab->size);
    if (chunk == NULL) {
        return -1;
    }
    chunk->next = slab->chunks;
    slab->chunks = chunk;
    while (count-- > 0) {
        lc__slab_free(slab, chunk->pieces + count * slab->size);
    }
    return 0;
}

void *
lc__slab_alloc(struct lc_slab *slab)
{
    if (LCORE_ALLOC_IS_WATCHED) {
        return lc__alloc(slab->size);
    }
    if (slab->first == NULL && add_chunk(slab) < 0) {
        return NULL;
    }
    struct lc_slab_piece *piece = slab->first;
    slab->first = piece->next;
    return piece;
}

void
lc__slab_free(struct lc_slab *slab, void *piece)
{
    if (LCORE_ALLOC_IS_WATCHED) {
        lc__free(piece);
        return;
    }
    struct lc_slab_piece *freed = piece;
    freed->next = slab->first;
    slab->first = freed;
}

void
lc__slab_fini(struct lc_slab *slab)
{
    while (slab->chunks != NULL) {
        struct lc_slab_chunk *chunk = slab->chunks;
        slab->chunks = chunk->next;
        lc__free(chunk);
    }
    slab->first = NULL;
}
