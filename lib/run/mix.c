#include "run/mix.h"

#include <math.h>
#include <stdbool.h>

static bool
is_before(const struct lc_mix_item *a, const struct lc_mix_item *b)
{
    if (a->gain != b->gain) {
        return a->gain < b->gain;
    }
    if (a->counter != b->counter) {
        return a->counter < b->counter;
    }
    if (a->weight != b->weight) {
        return a->weight < b->weight;
    }
    return a->rank < b->rank;
}

static void
item_advance(struct lc_mix_item *item)
{
    item->gain = item->weight * log2(item->counter / (item->counter + 1.0));
    item->counter += 1.0;
}

void
lc_mix_add(struct lc_mix *mix, uint32_t class_index, uint32_t rank, double weight)
{
    if (!(weight > 0)) {
        return;
    }
    struct lc_mix_item item = {.counter = weight, .weight = weight, .rank = rank, .class_index = class_index};
    item_advance(&item);
    size_t place = mix->count++;
    while (place > 0 && is_before(&item, &mix->items[(place - 1) / 2])) {
        mix->items[place] = mix->items[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    mix->items[place] = item;
}

uint32_t
lc_mix_next(struct lc_mix *mix)
{
    if (mix->count == 0) {
        return UINT32_MAX;
    }
    struct lc_mix_item item = mix->items[0];
    uint32_t class_index = item.class_index;
    item_advance(&item);
    size_t place = 0;
    for (;;) {
        size_t child = place * 2 + 1;
        if (child >= mix->count) {
            break;
        }
        if (child + 1 < mix->count && is_before(&mix->items[child + 1], &mix->items[child])) {
            child++;
        }
        if (!is_before(&mix->items[child], &item)) {
            break;
        }
        mix->items[place] = mix->items[child];
        place = child;
    }
    mix->items[place] = item;
    return class_index;
}
