#include "base/reuse.h"

struct lc_reuse_piece {
    struct lc_reuse_piece *next;
};

void *
lc__reuse_alloc(struct lc_reuse *reuse, size_t size)
{
    size_t place = (size - 1) / LCORE_REUSE_STEP;
    if (place >= LCORE_REUSE_SIZES) {
        return lc__alloc(size);
    }
    struct lc_reuse_piece *piece = reuse->first[place];
    if (piece == NULL) {
        return lc__alloc((place + 1) * LCORE_REUSE_STEP);
    }
    reuse->first[place] = piece->next;
    reuse->count[place]--;
    return piece;
}

void
lc__reuse_free(struct lc_reuse *reuse, void *memory, size_t size)
{
    size_t place = (size - 1) / LCORE_REUSE_STEP;
    if (place >= LCORE_REUSE_SIZES || reuse->count[place] + 1 > LCORE_REUSE_KEEP) {
        lc__free(memory);
        return;
    }
    struct lc_reuse_piece *piece = memory;
    piece->next = reuse->first[place];
    reuse->first[place] = piece;
    reuse->count[place]++;
}

void
lc__reuse_fini(struct lc_reuse *reuse)
{
    for (size_t i = 0; i < LCORE_REUSE_SIZES; i++) {
        while (reuse->first[i] != NULL) {
            struct lc_reuse_piece *piece = reuse->first[i];
            reuse->first[i] = piece->next;
            lc__free(piece);
        }
        reuse->count[i] = 0;
    }
}
