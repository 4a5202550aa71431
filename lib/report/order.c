#include "report/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "stats/entry.h"
#include "stats/failure_key.h"

static int
compare_text(struct lc_str a, struct lc_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int
compare_entries(const void *left, const void *right)
{
    const struct lc_stats_entry *a = *(struct lc_stats_entry *const *)left;
    const struct lc_stats_entry *b = *(struct lc_stats_entry *const *)right;
    int order = compare_text(a->name, b->name);
    return order != 0 ? order : compare_text(a->method, b->method);
}

struct lc_stats_entry **
lc__order_entries(struct lc_stats *stats, bool has_total, size_t *count)
{
    size_t n = lc_stats_count(stats);
    struct lc_stats_entry **entries = lc__alloc((n + 1) * sizeof(struct lc_stats_entry *));
    if (entries == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        entries[i] = lc_stats_at(stats, i);
    }
    qsort(entries, n, sizeof(struct lc_stats_entry *), compare_entries);
    entries[n] = lc_stats_total(stats);
    *count = n + has_total;
    return entries;
}

struct keyed {
    char key[LCORE_FAILURE_KEY_SIZE];
    size_t index;
};

static int
compare_keys(const void *left, const void *right)
{
    return memcmp(((const struct keyed *)left)->key, ((const struct keyed *)right)->key, LCORE_FAILURE_KEY_SIZE);
}

size_t *
lc__order_failures(struct lc_stats *stats)
{
    size_t n = lc_stats_failure_count(stats);
    struct keyed *keys = lc__alloc((n + 1) * sizeof(*keys));
    size_t *order = lc__alloc((n + 1) * sizeof(*order));
    if (keys == NULL || order == NULL) {
        goto fail;
    }
    for (size_t i = 0; i < n; i++) {
        struct lc_stats_failure failure;
        lc_stats_failure_at(stats, i, &failure);
        keys[i].index = i;
        if (lc__failure_key(failure.method, failure.name, failure.text, keys[i].key) < 0) {
            goto fail;
        }
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < n; i++) {
        order[i] = keys[i].index;
    }
    lc__free(keys);
    return order;
fail:
    lc__free(keys);
    lc__free(order);
    return NULL;
}
