#include "stats/buckets.h"

#include <string.h>

#include "base/alloc.h"
#include "locustcore/stats.h"

/* The near counter of a bucket, or -1. */
static int
near_index(double bucket_ms)
{
    uint32_t ms = bucket_ms <= 10000 ? (uint32_t)bucket_ms : UINT32_MAX;
    if (ms != bucket_ms) {
        return -1;
    }
    if (ms <= 100) {
        return (int)ms;
    }
    if (ms <= 1000) {
        return ms % 10 == 0 ? (int)(90 + ms / 10) : -1;
    }
    return ms <= 10000 && ms % 100 == 0 ? (int)(180 + ms / 100) : -1;
}

uint32_t
lc_stats_locust_bucket_ms(double response_time_ms)
{
    int near;
    return lc__buckets_locust_ms(response_time_ms, &near);
}

void
lc__buckets_fini(struct lc_buckets *buckets)
{
    lc__free(buckets->far);
    memset(buckets, 0, sizeof(*buckets));
}

static uint64_t *
find_far(struct lc_buckets *buckets, double ms)
{
    uint32_t low = 0;
    uint32_t high = buckets->far_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (buckets->far[middle].ms < ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < buckets->far_count && buckets->far[low].ms == ms) {
        return &buckets->far[low].count;
    }
    if (buckets->far_count == buckets->far_capacity) {
        uint32_t capacity = buckets->far_capacity == 0 ? 8 : buckets->far_capacity * 2;
        struct lc_bucket *far = lc__realloc(buckets->far, capacity * sizeof(*far));
        if (far == NULL) {
            return NULL;
        }
        buckets->far = far;
        buckets->far_capacity = capacity;
    }
    memmove(&buckets->far[low + 1], &buckets->far[low], (buckets->far_count - low) * sizeof(*buckets->far));
    buckets->far[low] = (struct lc_bucket){.ms = ms};
    buckets->far_count++;
    return &buckets->far[low].count;
}

uint64_t *
lc__buckets_find(struct lc_buckets *buckets, double bucket_ms)
{
    int near = near_index(bucket_ms);
    return near >= 0 ? lc__buckets_near(buckets, (unsigned)near) : find_far(buckets, bucket_ms);
}

/* The first near counter from `number` on that is not 0, or LCORE_BUCKETS_NEAR. */
static uint32_t
next_near(const struct lc_buckets *buckets, uint32_t number)
{
    while (number < LCORE_BUCKETS_NEAR) {
        uint64_t bits = buckets->used[number / 64] >> number % 64;
        if (bits == 0) {
            number = (number / 64 + 1) * 64;
            continue;
        }
        number += (uint32_t)__builtin_ctzll(bits);
        if (buckets->near[number] != 0) {
            return number;
        }
        number++;
    }
    return LCORE_BUCKETS_NEAR;
}

bool
lc__buckets_next(const struct lc_buckets *buckets, struct lc_buckets_walk *walk, struct lc_bucket *out)
{
    walk->near = next_near(buckets, walk->near);
    while (walk->far < buckets->far_count && buckets->far[walk->far].count == 0) {
        walk->far++;
    }
    bool has_near = walk->near < LCORE_BUCKETS_NEAR;
    bool has_far = walk->far < buckets->far_count;
    if (has_near && (!has_far || lc__buckets_near_ms(walk->near) < buckets->far[walk->far].ms)) {
        *out = (struct lc_bucket){lc__buckets_near_ms(walk->near), buckets->near[walk->near]};
        walk->near++;
        return true;
    }
    if (has_far) {
        *out = buckets->far[walk->far++];
    }
    return has_far;
}

int
lc__buckets_merge(struct lc_buckets *target, const struct lc_buckets *source)
{
    for (uint32_t i = next_near(source, 0); i < LCORE_BUCKETS_NEAR; i = next_near(source, i + 1)) {
        *lc__buckets_near(target, i) += source->near[i];
    }
    for (size_t i = 0; i < source->far_count; i++) {
        uint64_t *count = find_far(target, source->far[i].ms);
        if (count == NULL) {
            return LCE_NOMEM;
        }
        *count += source->far[i].count;
    }
    return 0;
}

/* How many more there are than in `before`, whose place is moved along. */
static int64_t
count_since(struct lc_bucket bucket, const struct lc_bucket **before, const struct lc_bucket *before_end)
{
    while (*before < before_end && (*before)->ms < bucket.ms) {
        (*before)++;
    }
    uint64_t old = *before < before_end && (*before)->ms == bucket.ms ? (*before)->count : 0;
    return (int64_t)(bucket.count - old);
}

void
lc__buckets_percentiles_ms(const struct lc_buckets *buckets, const struct lc_bucket *before, size_t before_count,
                           int64_t total, const double *fractions, size_t fraction_count, double *out)
{
    struct lc_buckets_walk walk = {0};
    struct lc_bucket bucket;
    const struct lc_bucket *before_end = before_count == 0 ? before : before + before_count;
    const struct lc_bucket *old = before;
    int64_t sum = 0;
    while (lc__buckets_next(buckets, &walk, &bucket)) {
        sum += count_since(bucket, &old, before_end);
    }
    memset(out, 0, fraction_count * sizeof(*out));
    /* The rule counts down from the largest; counting up, what lies below is what was not counted yet. */
    int64_t below = total - sum;
    walk = (struct lc_buckets_walk){0};
    old = before;
    while (lc__buckets_next(buckets, &walk, &bucket)) {
        int64_t count = count_since(bucket, &old, before_end);
        for (size_t i = 0; count != 0 && i < fraction_count; i++) {
            if (below <= (int64_t)((double)total * fractions[i])) {
                out[i] = bucket.ms;
            }
        }
        below += count;
    }
}
