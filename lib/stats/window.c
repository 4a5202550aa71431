#include "stats/window.h"

#include <string.h>

#include "base/alloc.h"

void
lc__window_fini(struct lc_window *window)
{
    lc__free(window->seconds);
    *window = (struct lc_window){0};
}

struct lc_second *
lc__window_find(struct lc_window *window, uint32_t unix_s)
{
    /* Nearly always a new last second; an earlier one where a clock was set back or workers' reports are merged. */
    size_t place = window->count;
    while (place > 0 && window->seconds[place - 1].unix_s > unix_s) {
        place--;
    }
    if (place > 0 && window->seconds[place - 1].unix_s == unix_s) {
        return &window->seconds[place - 1];
    }
    if (window->count == window->capacity) {
        size_t capacity = window->capacity == 0 ? 8 : window->capacity + window->capacity / 2;
        struct lc_second *seconds = lc__realloc(window->seconds, capacity * sizeof(*seconds));
        if (seconds == NULL) {
            return NULL;
        }
        window->seconds = seconds;
        window->capacity = capacity;
    }
    memmove(&window->seconds[place + 1], &window->seconds[place], (window->count - place) * sizeof(*window->seconds));
    window->seconds[place] = (struct lc_second){.unix_s = unix_s};
    window->count++;
    return &window->seconds[place];
}

void
lc__window_trim(struct lc_window *window, size_t kept)
{
    if (window->count > kept + kept / 2) {
        memmove(window->seconds, window->seconds + window->count - kept, kept * sizeof(*window->seconds));
        window->count = kept;
    }
}

int
lc__window_merge(struct lc_window *target, const struct lc_window *source)
{
    for (size_t i = 0; i < source->count; i++) {
        struct lc_second *second = lc__window_at(target, source->seconds[i].unix_s);
        if (second == NULL) {
            return LCE_NOMEM;
        }
        second->requests += source->seconds[i].requests;
        second->failures += source->seconds[i].failures;
    }
    return 0;
}

void
lc__window_sum(const struct lc_window *window, int64_t first_s, int64_t end_s, uint64_t *requests, uint64_t *failures)
{
    *requests = *failures = 0;
    for (size_t i = window->count; i > 0 && window->seconds[i - 1].unix_s >= first_s; i--) {
        if (window->seconds[i - 1].unix_s < end_s) {
            *requests += window->seconds[i - 1].requests;
            *failures += window->seconds[i - 1].failures;
        }
    }
}
