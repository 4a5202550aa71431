/* Log-linear histogram of microseconds in the manner of HdrHistogram: values below 2048 are exact, above that each
 * power of two is cut into 1024 equal parts, so a value is known to 0.1 % (0.05 % at the middle of its part). Counters
 * come in pages made when first needed. What is counted waits in a short list, side by side, until that is full: the
 * counters of one value and the next are in different places of memory, and rows that are seldom asked for have none.
 * Covers 0 .. 2^34 - 1 us (4.7 h); larger values count as the largest. */
#ifndef LCORE_STATS_HISTOGRAM_H
#define LCORE_STATS_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "locustcore/error.h"

#define LCORE_HISTOGRAM_PARTS 1024 /* per power of two */
#define LCORE_HISTOGRAM_MAX_US ((UINT64_C(1) << 34) - 1)
#define LCORE_HISTOGRAM_SLOTS (25 * LCORE_HISTOGRAM_PARTS)
#define LCORE_HISTOGRAM_PAGE 128 /* slots */

#define LCORE_HISTOGRAM_WAITING 98

struct lc_histogram {
    uint8_t waiting_count;
    uint8_t sorted_count; /* so many of those that wait are in order */
    uint8_t page_count, page_capacity;
    uint16_t waiting[LCORE_HISTOGRAM_WAITING]; /* slots */
    uint32_t *counts; /* the pages, one behind the other; a count stays at UINT32_MAX once it is there */
    uint8_t pages[LCORE_HISTOGRAM_SLOTS / LCORE_HISTOGRAM_PAGE]; /* number of the page + 1; 0: none yet */
};

/* Zero-initialised is empty. */
void lc__histogram_fini(struct lc_histogram *histogram);
/* Adds an empty page; LCE_NOMEM leaves the histogram as it was. */
int lc__histogram_add_page(struct lc_histogram *histogram, uint32_t slot);
/* Counts what waits. On LCE_NOMEM some of it still waits. */
int lc__histogram_settle(struct lc_histogram *histogram);

static inline uint32_t
lc__histogram_slot(uint64_t us)
{
    if (us > LCORE_HISTOGRAM_MAX_US) {
        us = LCORE_HISTOGRAM_MAX_US;
    }
    unsigned shift = 53 - (unsigned)__builtin_clzll(us | LCORE_HISTOGRAM_PARTS); /* 0 below 2048 */
    return shift * LCORE_HISTOGRAM_PARTS + (uint32_t)(us >> shift);
}

/* Makes room for one more value to be counted; LCE_NOMEM. */
static inline int
lc__histogram_make_room(struct lc_histogram *histogram)
{
    return histogram->waiting_count < LCORE_HISTOGRAM_WAITING ? 0 : lc__histogram_settle(histogram);
}

/* Counts a value for which there is room. */
static inline void
lc__histogram_count(struct lc_histogram *histogram, uint32_t slot)
{
    histogram->waiting[histogram->waiting_count++] = (uint16_t)slot;
}

/* The counter of a slot, to raise it by more than one; what waits is not in it. NULL: out of memory. Valid until the
 * next page is added. */
static inline uint32_t *
lc__histogram_at(struct lc_histogram *histogram, uint32_t slot)
{
    if (histogram->pages[slot / LCORE_HISTOGRAM_PAGE] == 0 && lc__histogram_add_page(histogram, slot) < 0) {
        return NULL;
    }
    size_t page = histogram->pages[slot / LCORE_HISTOGRAM_PAGE] - 1u;
    return &histogram->counts[page * LCORE_HISTOGRAM_PAGE + slot % LCORE_HISTOGRAM_PAGE];
}

static inline void
lc__histogram_raise(uint32_t *count, uint64_t by)
{
    *count = by > UINT32_MAX - *count ? UINT32_MAX : *count + (uint32_t)by;
}

/* Walks the slots that are not empty, ascending: *slot starts at 0 and is the slot found plus one afterwards. */
bool lc__histogram_next(const struct lc_histogram *histogram, uint32_t *slot, uint32_t *count);
/* Adds all counts of `source`. On LCE_NOMEM part of them may be there. */
int lc__histogram_merge(struct lc_histogram *target, const struct lc_histogram *source);
/* Counts by coarse bands, for pictures: band 0 is below 16 us, above that each power of two is cut into four equal
 * parts. `counts` becomes the counts of all LCORE_HISTOGRAM_BANDS bands; how many of them are in use is returned. */
#define LCORE_HISTOGRAM_BANDS 121
size_t lc__histogram_bands(const struct lc_histogram *histogram, uint64_t *counts);
/* The middle of the slot that holds the value of rank ceil(fraction * n); 0 when empty. */
double lc__histogram_percentile_us(const struct lc_histogram *histogram, double fraction);

#endif
