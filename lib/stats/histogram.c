#include "stats/histogram.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

#define PAGES (LCORE_HISTOGRAM_SLOTS / LCORE_HISTOGRAM_PAGE)

_Static_assert(PAGES <= UINT8_MAX, "a page number fits its byte");

void
lc__histogram_fini(struct lc_histogram *histogram)
{
    lc__free(histogram->counts);
    *histogram = (struct lc_histogram){0};
}

int
lc__histogram_add_page(struct lc_histogram *histogram, uint32_t slot)
{
    const size_t page_size = LCORE_HISTOGRAM_PAGE * sizeof(*histogram->counts);
    if (histogram->page_count == histogram->page_capacity) {
        size_t capacity = histogram->page_capacity == 0 ? 2 : histogram->page_capacity * 2u;
        if (capacity > PAGES) {
            capacity = PAGES;
        }
        uint32_t *counts = lc__realloc(histogram->counts, capacity * page_size);
        if (counts == NULL) {
            return LCE_NOMEM;
        }
        histogram->counts = counts;
        histogram->page_capacity = (uint8_t)capacity;
    }
    memset(histogram->counts + (size_t)histogram->page_count * LCORE_HISTOGRAM_PAGE, 0, page_size);
    histogram->pages[slot / LCORE_HISTOGRAM_PAGE] = ++histogram->page_count;
    return 0;
}

bool
lc__histogram_next(const struct lc_histogram *histogram, uint32_t *slot, uint32_t *count)
{
    uint32_t at = *slot;
    while (at < LCORE_HISTOGRAM_SLOTS) {
        uint8_t page = histogram->pages[at / LCORE_HISTOGRAM_PAGE];
        if (page == 0) {
            at = (at / LCORE_HISTOGRAM_PAGE + 1) * LCORE_HISTOGRAM_PAGE;
            continue;
        }
        uint32_t found = histogram->counts[(page - 1u) * LCORE_HISTOGRAM_PAGE + at % LCORE_HISTOGRAM_PAGE];
        at++;
        if (found > 0) {
            *slot = at;
            *count = found;
            return true;
        }
    }
    *slot = at;
    return false;
}

int
lc__histogram_merge(struct lc_histogram *target, const struct lc_histogram *source)
{
    for (uint32_t place = 0; place < PAGES; place++) {
        uint8_t page = source->pages[place];
        if (page == 0) {
            continue;
        }
        uint32_t *mine = lc__histogram_at(target, place * LCORE_HISTOGRAM_PAGE);
        if (mine == NULL) {
            return LCE_NOMEM;
        }
        const uint32_t *theirs = source->counts + (page - 1u) * LCORE_HISTOGRAM_PAGE;
        /* Without a branch, so that the compiler adds several at a time: a master does little else. */
        for (uint32_t i = 0; i < LCORE_HISTOGRAM_PAGE; i++) {
            uint32_t sum = mine[i] + theirs[i];
            mine[i] = sum | -(uint32_t)(sum < theirs[i]);
        }
    }
    return 0;
}

static uint32_t
band_of_slot(uint32_t slot)
{
    if (slot < 16) {
        return 0;
    }
    if (slot >= LCORE_HISTOGRAM_PARTS) {
        return 25 + (slot - LCORE_HISTOGRAM_PARTS) / (LCORE_HISTOGRAM_PARTS / 4);
    }
    unsigned octave = 31 - (unsigned)__builtin_clz(slot);
    return 1 + 4 * (octave - 4) + ((slot >> (octave - 2)) & 3);
}

size_t
lc__histogram_bands(const struct lc_histogram *histogram, uint64_t *counts)
{
    memset(counts, 0, LCORE_HISTOGRAM_BANDS * sizeof(*counts));
    size_t used = 0;
    uint32_t slot = 0;
    uint32_t count;
    while (lc__histogram_next(histogram, &slot, &count)) {
        uint32_t band = band_of_slot(slot - 1);
        counts[band] += count;
        used = band + 1;
    }
    return used;
}

static double
slot_middle_us(uint32_t slot)
{
    if (slot < 2 * LCORE_HISTOGRAM_PARTS) {
        return slot;
    }
    unsigned shift = slot / LCORE_HISTOGRAM_PARTS - 1;
    uint64_t first = (uint64_t)(slot - shift * LCORE_HISTOGRAM_PARTS) << shift;
    return (double)first + (double)((UINT64_C(1) << shift) - 1) / 2;
}

/* The smallest rank that has at least `fraction` of all at or below it. 0.07 of 100 is the 7th, although 0.07 * 100 is
 * a little more than 7 in binary. */
static double
rank_of(double fraction, uint64_t total)
{
    double exact = fraction * (double)total;
    double whole = round(exact);
    return fabs(exact - whole) <= exact * 1e-12 ? whole : ceil(exact);
}

double
lc__histogram_percentile_us(const struct lc_histogram *histogram, double fraction)
{
    uint64_t total = 0;
    uint32_t slot = 0;
    uint32_t count;
    while (lc__histogram_next(histogram, &slot, &count)) {
        total += count;
    }
    double rank = rank_of(fraction, total);
    uint64_t seen = 0;
    slot = 0;
    while (lc__histogram_next(histogram, &slot, &count)) {
        seen += count;
        if ((double)seen >= rank) {
            return slot_middle_us(slot - 1);
        }
    }
    return 0;
}
