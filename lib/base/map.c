#include "base/map.h"

#include "base/alloc.h"
#include "locustcore/error.h"

static uint64_t
pair_hash(struct lc_str first, struct lc_str second)
{
    return lc_str_hash(first) * 31 + lc_str_hash(second);
}

/* The slot of the key, or the free one where it would go. */
static struct lc_map_slot *
find_slot(const struct lc_map *map, uint64_t hash, struct lc_str first, struct lc_str second)
{
    size_t mask = map->capacity - 1;
    size_t place = hash & mask;
    for (;;) {
        struct lc_map_slot *slot = &map->slots[place];
        if (slot->key == NULL) {
            return slot;
        }
        if (slot->hash == hash && lc_str_equal((struct lc_str){slot->key, slot->first_len}, first) &&
            lc_str_equal((struct lc_str){slot->key + slot->first_len, slot->second_len}, second)) {
            return slot;
        }
        place = (place + 1) & mask;
    }
}

static int
grow(struct lc_map *map)
{
    size_t capacity = map->capacity == 0 ? 16 : map->capacity * 2;
    struct lc_map_slot *slots = lc__calloc(capacity, sizeof(*slots));
    if (slots == NULL) {
        return LCE_NOMEM;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].key != NULL) {
            size_t place = map->slots[i].hash & (capacity - 1);
            while (slots[place].key != NULL) {
                place = (place + 1) & (capacity - 1);
            }
            slots[place] = map->slots[i];
        }
    }
    lc__free(map->slots);
    map->slots = slots;
    map->capacity = capacity;
    return 0;
}

void
lc_map_fini(struct lc_map *map)
{
    for (size_t i = 0; i < map->capacity; i++) {
        lc__free(map->slots[i].key);
    }
    lc__free(map->slots);
    *map = (struct lc_map){0};
}

void *
lc_map_get(const struct lc_map *map, struct lc_str first, struct lc_str second)
{
    return map->count == 0 ? NULL : find_slot(map, pair_hash(first, second), first, second)->value;
}

int
lc_map_add(struct lc_map *map, struct lc_str first, struct lc_str second, void *value, const char **key_copy)
{
    if ((map->count + 1) * 3 > map->capacity * 2) {
        int err = grow(map);
        if (err < 0) {
            return err;
        }
    }
    char *key = lc__alloc(first.len + second.len + 1);
    if (key == NULL) {
        return LCE_NOMEM;
    }
    if (first.len > 0) {
        memcpy(key, first.data, first.len);
    }
    if (second.len > 0) {
        memcpy(key + first.len, second.data, second.len);
    }
    key[first.len + second.len] = '\0';
    uint64_t hash = pair_hash(first, second);
    struct lc_map_slot *slot = find_slot(map, hash, first, second);
    *slot = (struct lc_map_slot){hash, key, first.len, second.len, value};
    map->count++;
    if (key_copy != NULL) {
        *key_copy = key;
    }
    return 0;
}
