/* Locust's buckets: response times rounded half to even to 1 ms below 100, 10 below 1000, 100 below 10000, else 1000
 * (compat REP-5). The buckets up to 10 s are counters in a row; the others, and whatever a rounding rule of the user's
 * own makes, are kept sorted. */
#ifndef LCORE_STATS_BUCKETS_H
#define LCORE_STATS_BUCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "locustcore/error.h"

#define LCORE_BUCKETS_NEAR 281 /* 0..100 by 1, ..1000 by 10, ..10000 by 100 */

struct lc_bucket {
    double ms; /* whole, but for a rule of the user's own */
    uint64_t count;
};

struct lc_buckets {
    uint64_t used[(LCORE_BUCKETS_NEAR + 63) / 64]; /* a bit for each near counter that may be more than 0 */
    uint64_t near[LCORE_BUCKETS_NEAR];
    struct lc_bucket *far; /* ascending */
    uint32_t far_count, far_capacity;
};

/* The steps from the one below to `ms`, whose whole part is `whole`, half to even. Twice the distance is compared,
 * which is exact: dividing the double could move a value across the half. */
static inline uint32_t
lc__buckets_round(double ms, uint32_t whole, uint32_t step)
{
    uint32_t quotient = whole / step;
    double twice = 2 * ((double)(whole - quotient * step) + (ms - whole));
    /* Without a branch, for which way it goes is anyone's guess. */
    return quotient + ((uint32_t)(twice > step) | ((uint32_t)(twice == step) & quotient & 1));
}

/* Locust's bucket. *near becomes the number of its near counter, or -1. */
static inline uint32_t
lc__buckets_locust_ms(double ms, int *near)
{
    const double limit_ms = 4294967000.0; /* the largest whole second that fits */
    if (!(ms > 0)) {
        *near = 0;
        return 0;
    }
    uint32_t whole = ms < limit_ms ? (uint32_t)ms : (uint32_t)limit_ms;
    if (whole < 100) {
        *near = (int)lc__buckets_round(ms, whole, 1);
        return (uint32_t)*near;
    }
    if (whole < 1000) {
        uint32_t tens = lc__buckets_round(ms, whole, 10);
        *near = (int)(90 + tens);
        return tens * 10;
    }
    if (whole < 10000) {
        uint32_t hundreds = lc__buckets_round(ms, whole, 100);
        *near = (int)(180 + hundreds);
        return hundreds * 100;
    }
    *near = -1;
    return ms < limit_ms ? lc__buckets_round(ms, whole, 1000) * 1000 : whole;
}

/* The counter of a near bucket by its number. Who looks for it will count. */
static inline uint64_t *
lc__buckets_near(struct lc_buckets *buckets, unsigned number)
{
    if (buckets->near[number] == 0) {
        buckets->used[number / 64] |= UINT64_C(1) << number % 64;
    }
    return &buckets->near[number];
}

/* Milliseconds of a near bucket. */
static inline uint32_t
lc__buckets_near_ms(unsigned number)
{
    return number <= 100 ? number : number <= 190 ? (number - 90) * 10 : (number - 180) * 100;
}

/* Zero-initialised is empty. */
void lc__buckets_fini(struct lc_buckets *buckets);
/* Where a bucket is counted; NULL: out of memory. Valid until the next call. */
uint64_t *lc__buckets_find(struct lc_buckets *buckets, double bucket_ms);

/* A place for a number of buckets that are walked: zero-initialise. */
struct lc_buckets_walk {
    uint32_t near, far;
};
/* Buckets that are not empty, ascending. */
bool lc__buckets_next(const struct lc_buckets *buckets, struct lc_buckets_walk *walk, struct lc_bucket *out);
/* Adds all counts of `source`. On LCE_NOMEM part of them may be there. */
int lc__buckets_merge(struct lc_buckets *target, const struct lc_buckets *source);

/* Locust's percentile rule (compat REP-9) for each of `fractions`: of buckets whose counts, less those of `before`
 * (ascending; NULL if before_count is 0), add up to `total`, the largest one that has no more than
 * int(total * fraction) values below it; 0 if there is none. */
void lc__buckets_percentiles_ms(const struct lc_buckets *buckets, const struct lc_bucket *before, size_t before_count,
                                int64_t total, const double *fractions, size_t fraction_count, double *out);

#endif
