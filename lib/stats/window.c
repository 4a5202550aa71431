#include "stats/window.h"

#include <string.h>

#include "base/alloc.h"

/* LCORE_WINDOW_PACK seconds as three columns: seconds since the first one, requests, failures. The numbers of a column
 * have as many bytes as its largest one needs; none if all are 0, or if the seconds follow each other. */
struct lc_packed_seconds {
    uint32_t first_s;
    uint8_t widths[3];
    uint8_t data[];
};

static uint8_t
width_of(uint32_t largest)
{
    return largest == 0 ? 0 : largest <= UINT8_MAX ? 1 : largest <= UINT16_MAX ? 2 : 4;
}

static void
put(uint8_t *column, uint8_t width, size_t index, uint32_t number)
{
    for (uint8_t i = 0; i < width; i++) {
        column[index * width + i] = (uint8_t)(number >> (8 * i));
    }
}

static uint32_t
take(const uint8_t *column, uint8_t width, size_t index)
{
    uint32_t number = 0;
    for (uint8_t i = 0; i < width; i++) {
        number |= (uint32_t)column[index * width + i] << (8 * i);
    }
    return number;
}

/* NULL: out of memory. */
static struct lc_packed_seconds *
pack(const struct lc_second *seconds)
{
    uint32_t first_s = seconds[0].unix_s;
    uint32_t span = seconds[LCORE_WINDOW_PACK - 1].unix_s - first_s;
    uint32_t requests = 0;
    uint32_t failures = 0;
    for (size_t i = 0; i < LCORE_WINDOW_PACK; i++) {
        requests = seconds[i].requests > requests ? seconds[i].requests : requests;
        failures = seconds[i].failures > failures ? seconds[i].failures : failures;
    }
    uint8_t widths[3] = {span == LCORE_WINDOW_PACK - 1 ? 0 : width_of(span), width_of(requests), width_of(failures)};
    size_t width = (size_t)widths[0] + widths[1] + widths[2];
    struct lc_packed_seconds *packed = lc__alloc(sizeof(*packed) + LCORE_WINDOW_PACK * width);
    if (packed == NULL) {
        return NULL;
    }
    packed->first_s = first_s;
    memcpy(packed->widths, widths, sizeof(widths));
    uint8_t *request_column = packed->data + (size_t)LCORE_WINDOW_PACK * widths[0];
    uint8_t *failure_column = request_column + (size_t)LCORE_WINDOW_PACK * widths[1];
    for (size_t i = 0; i < LCORE_WINDOW_PACK; i++) {
        put(packed->data, widths[0], i, seconds[i].unix_s - first_s);
        put(request_column, widths[1], i, seconds[i].requests);
        put(failure_column, widths[2], i, seconds[i].failures);
    }
    return packed;
}

static struct lc_second
unpacked(const struct lc_packed_seconds *packed, size_t index)
{
    const uint8_t *widths = packed->widths;
    const uint8_t *request_column = packed->data + (size_t)LCORE_WINDOW_PACK * widths[0];
    const uint8_t *failure_column = request_column + (size_t)LCORE_WINDOW_PACK * widths[1];
    return (struct lc_second){
        .unix_s = packed->first_s + (widths[0] == 0 ? (uint32_t)index : take(packed->data, widths[0], index)),
        .requests = take(request_column, widths[1], index),
        .failures = take(failure_column, widths[2], index),
    };
}

void
lc__window_fini(struct lc_window *window)
{
    for (size_t i = 0; i < window->pack_count; i++) {
        lc__free(window->packs[i]);
    }
    lc__free(window->packs);
    lc__free(window->seconds);
    *window = (struct lc_window){0};
}

struct lc_second
lc__window_get(const struct lc_window *window, size_t index)
{
    size_t number = index / LCORE_WINDOW_PACK;
    if (index + 1 == lc__window_count(window)) {
        return window->last;
    }
    return number < window->pack_count ? unpacked(window->packs[number], index % LCORE_WINDOW_PACK)
                                       : window->seconds[index - (size_t)window->pack_count * LCORE_WINDOW_PACK];
}

static int
make_room(struct lc_window *window, uint32_t more)
{
    if (window->count + more <= window->capacity) {
        return 0;
    }
    uint32_t capacity = window->capacity == 0 ? 8 : window->capacity + window->capacity / 2;
    capacity = capacity < window->count + more ? window->count + more : capacity;
    struct lc_second *seconds = lc__realloc(window->seconds, capacity * sizeof(*seconds));
    if (seconds == NULL) {
        return LCE_NOMEM;
    }
    window->seconds = seconds;
    window->capacity = capacity;
    return 0;
}

/* Packs the oldest seconds while enough are left. What there is no memory for stays as it is. */
static void
pack_old(struct lc_window *window)
{
    if (window->count < 2 * LCORE_WINDOW_PACK) {
        return;
    }
    uint32_t place = 0;
    while (window->count - place >= 2 * LCORE_WINDOW_PACK) {
        if (window->pack_count == window->pack_capacity) {
            uint32_t capacity = window->pack_capacity == 0 ? 4 : window->pack_capacity + window->pack_capacity / 2;
            struct lc_packed_seconds **packs =
                lc__realloc(window->packs, capacity * sizeof(struct lc_packed_seconds *));
            if (packs == NULL) {
                break;
            }
            window->packs = packs;
            window->pack_capacity = capacity;
        }
        struct lc_packed_seconds *packed = pack(window->seconds + place);
        if (packed == NULL) {
            break;
        }
        window->packs[window->pack_count++] = packed;
        place += LCORE_WINDOW_PACK;
    }
    window->count -= place;
    memmove(window->seconds, window->seconds + place, window->count * sizeof(*window->seconds));
    if (place > LCORE_WINDOW_PACK) {
        /* Many were unpacked, for a late one; the room for them is given back. */
        struct lc_second *seconds = lc__realloc(window->seconds, 2 * LCORE_WINDOW_PACK * sizeof(*seconds));
        window->seconds = seconds == NULL ? window->seconds : seconds;
        window->capacity = seconds == NULL ? window->capacity : 2 * LCORE_WINDOW_PACK;
    }
}

/* So that a second that is not later than those packed last has its place among those that are not. */
static int
unpack_from(struct lc_window *window, uint32_t unix_s)
{
    uint32_t first = window->pack_count;
    while (first > 0 && unpacked(window->packs[first - 1], LCORE_WINDOW_PACK - 1).unix_s >= unix_s) {
        first--;
    }
    uint32_t more = (window->pack_count - first) * LCORE_WINDOW_PACK;
    if (more == 0) {
        return 0;
    }
    int err = make_room(window, more);
    if (err < 0) {
        return err;
    }
    memmove(window->seconds + more, window->seconds, window->count * sizeof(*window->seconds));
    for (uint32_t i = 0; i < more; i++) {
        window->seconds[i] = unpacked(window->packs[first + i / LCORE_WINDOW_PACK], i % LCORE_WINDOW_PACK);
    }
    for (uint32_t i = first; i < window->pack_count; i++) {
        lc__free(window->packs[i]);
    }
    window->pack_count = first;
    window->count += more;
    return 0;
}

struct lc_second *
lc__window_find(struct lc_window *window, uint32_t unix_s)
{
    /* Nearly always a new last second; an earlier one where a clock was set back or workers' reports are merged. */
    if (!window->has_last || window->last.unix_s < unix_s) {
        pack_old(window);
        if (make_room(window, window->has_last) < 0) {
            return NULL;
        }
        if (window->has_last) {
            window->seconds[window->count++] = window->last;
        }
        window->last = (struct lc_second){.unix_s = unix_s};
        window->has_last = true;
        return &window->last;
    }
    if (unpack_from(window, unix_s) < 0) {
        return NULL;
    }
    uint32_t place = window->count;
    if (place > 0 && window->seconds[place - 1].unix_s >= unix_s) {
        uint32_t low = 0;
        while (low < place) {
            uint32_t middle = low + (place - low) / 2;
            if (window->seconds[middle].unix_s < unix_s) {
                low = middle + 1;
            } else {
                place = middle;
            }
        }
        if (window->seconds[place].unix_s == unix_s) {
            return &window->seconds[place];
        }
    }
    if (make_room(window, 1) < 0) {
        return NULL;
    }
    memmove(&window->seconds[place + 1], &window->seconds[place], (window->count - place) * sizeof(*window->seconds));
    window->seconds[place] = (struct lc_second){.unix_s = unix_s};
    window->count++;
    return &window->seconds[place];
}

void
lc__window_trim(struct lc_window *window, size_t kept)
{
    size_t count = lc__window_count(window);
    if (count <= kept + kept / 2) {
        return;
    }
    uint32_t packs = 0;
    while (packs < window->pack_count && count - LCORE_WINDOW_PACK >= kept) {
        lc__free(window->packs[packs++]);
        count -= LCORE_WINDOW_PACK;
    }
    window->pack_count -= packs;
    if (packs > 0) {
        memmove(window->packs, window->packs + packs, window->pack_count * sizeof(struct lc_packed_seconds *));
    }
    if (window->pack_count == 0 && window->count >= kept && kept > 0) {
        size_t rest = kept - 1;
        memmove(window->seconds, window->seconds + window->count - rest, rest * sizeof(*window->seconds));
        window->count = (uint32_t)rest;
    }
}

int
lc__window_merge(struct lc_window *target, const struct lc_window *source)
{
    for (size_t i = 0; i < lc__window_count(source); i++) {
        struct lc_second more = lc__window_get(source, i);
        struct lc_second *second = lc__window_at(target, more.unix_s);
        if (second == NULL) {
            return LCE_NOMEM;
        }
        second->requests += more.requests;
        second->failures += more.failures;
    }
    return 0;
}

void
lc__window_sum(const struct lc_window *window, int64_t first_s, int64_t end_s, uint64_t *requests, uint64_t *failures)
{
    *requests = *failures = 0;
    for (size_t i = lc__window_count(window); i > 0; i--) {
        struct lc_second second = lc__window_get(window, i - 1);
        if (second.unix_s < first_s) {
            break;
        }
        if (second.unix_s < end_s) {
            *requests += second.requests;
            *failures += second.failures;
        }
    }
}
