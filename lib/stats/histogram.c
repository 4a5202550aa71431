#include "stats/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define PAGES (LCORE_HISTOGRAM_SLOTS / LCORE_HISTOGRAM_PAGE)

_Static_assert(PAGES <= UINT8_MAX, "a page number fits its byte");
_Static_assert(LCORE_HISTOGRAM_SLOTS <= UINT16_MAX, "a slot that waits fits its place");

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

int
lc__histogram_settle(struct lc_histogram *histogram)
{
    histogram->sorted_count = 0;
    while (histogram->waiting_count > 0) {
        uint32_t *count = lc__histogram_at(histogram, histogram->waiting[histogram->waiting_count - 1]);
        if (count == NULL) {
            return LCE_NOMEM;
        }
        lc__histogram_raise(count, 1);
        histogram->waiting_count--;
    }
    return 0;
}

static int
compare_slots(const void *one, const void *two)
{
    return (int)*(const uint16_t *)one - (int)*(const uint16_t *)two;
}

/* The number of the first one that waits at `slot` or above. */
static unsigned
find_waiting(const struct lc_histogram *histogram, uint32_t slot)
{
    if (histogram->sorted_count != histogram->waiting_count) {
        /* To whoever reads, a list in another order is the same. */
        struct lc_histogram *sorted = (struct lc_histogram *)histogram;
        qsort(sorted->waiting, sorted->waiting_count, sizeof(sorted->waiting[0]), compare_slots);
        sorted->sorted_count = sorted->waiting_count;
    }
    unsigned low = 0;
    unsigned high = histogram->waiting_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (histogram->waiting[middle] < slot) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool
lc__histogram_next(const struct lc_histogram *histogram, uint32_t *slot, uint32_t *count)
{
    uint32_t at = *slot;
    unsigned waiting = find_waiting(histogram, at);
    uint32_t end = waiting < histogram->waiting_count ? histogram->waiting[waiting] : LCORE_HISTOGRAM_SLOTS;
    uint32_t found = 0;
    while (at < end && found == 0) {
        uint8_t page = histogram->pages[at / LCORE_HISTOGRAM_PAGE];
        if (page == 0) {
            at = (at / LCORE_HISTOGRAM_PAGE + 1) * LCORE_HISTOGRAM_PAGE;
            continue;
        }
        found = histogram->counts[(page - 1u) * LCORE_HISTOGRAM_PAGE + at % LCORE_HISTOGRAM_PAGE];
        at++;
    }
    if (found == 0 && end < LCORE_HISTOGRAM_SLOTS) {
        uint8_t page = histogram->pages[end / LCORE_HISTOGRAM_PAGE];
        found = page == 0 ? 0 : histogram->counts[(page - 1u) * LCORE_HISTOGRAM_PAGE + end % LCORE_HISTOGRAM_PAGE];
        while (waiting < histogram->waiting_count && histogram->waiting[waiting] == end) {
            lc__histogram_raise(&found, 1);
            waiting++;
        }
        at = end + 1;
    }
    *slot = found > 0 ? at : LCORE_HISTOGRAM_SLOTS;
    if (found > 0) {
        *count = found;
    }
    return found > 0;
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
    for (unsigned i = 0; i < source->waiting_count; i++) {
        uint32_t *mine = lc__histogram_at(target, source->waiting[i]);
        if (mine == NULL) {
            return LCE_NOMEM;
        }
        lc__histogram_raise(mine, 1);
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
