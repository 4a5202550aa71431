/* Hash map from a pair of strings to a pointer; keys are copied into the map. Open addressing, no removal of single
 * keys. */
#ifndef LCORE_BASE_MAP_H
#define LCORE_BASE_MAP_H

#include "base/str.h"

struct lc_map_slot {
    uint64_t hash;
    char *key; /* both strings, one after the other; NULL: free slot */
    size_t first_len, second_len;
    void *value;
};

struct lc_map {
    struct lc_map_slot *slots;
    size_t count;
    size_t capacity; /* power of two */
};

/* Zero-initialised is empty. */
void lc_map_fini(struct lc_map *map);
/* NULL if absent. */
void *lc_map_get(const struct lc_map *map, struct lc_str first, struct lc_str second);
/* The key must be absent. *key_copy, if wanted, is where the map keeps its copy of `first`, `second` behind it. */
int lc_map_add(struct lc_map *map, struct lc_str first, struct lc_str second, void *value, const char **key_copy);

#endif
