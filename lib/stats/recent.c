#include "stats/recent.h"

#include <string.h>

#include "base/alloc.h"

#define REACH_S 8

void
lc__recent_fini(struct lc_recent *recent)
{
    for (size_t i = 0; i < recent->count; i++) {
        lc__free(recent->moments[i].buckets);
    }
    lc__free(recent->moments);
    *recent = (struct lc_recent){0};
}

static struct lc_recent_moment *
find_exact(const struct lc_recent *recent, int64_t unix_s)
{
    for (size_t i = recent->count; i > 0; i--) {
        if (recent->moments[i - 1].unix_s == unix_s) {
            return &recent->moments[i - 1];
        }
    }
    return NULL;
}

/* A moment to be filled, behind all others; its memory is that of the oldest one when there are enough. */
static struct lc_recent_moment *
add_moment(struct lc_recent *recent, size_t limit)
{
    struct lc_recent_moment spare = {0};
    if (recent->count >= limit) {
        size_t surplus = recent->count - limit + 1;
        spare = recent->moments[0];
        for (size_t i = 1; i < surplus; i++) {
            lc__free(recent->moments[i].buckets);
        }
        recent->count -= surplus;
        memmove(recent->moments, recent->moments + surplus, recent->count * sizeof(*recent->moments));
    } else if (recent->count == recent->capacity) {
        size_t capacity = recent->capacity == 0 ? 2 : recent->capacity * 2;
        struct lc_recent_moment *moments = lc__realloc(recent->moments, capacity * sizeof(*moments));
        if (moments == NULL) {
            return NULL;
        }
        recent->moments = moments;
        recent->capacity = capacity;
    }
    recent->moments[recent->count] = spare;
    return &recent->moments[recent->count++];
}

int
lc__recent_take(struct lc_recent *recent, size_t limit, int64_t unix_s, const struct lc_buckets *buckets,
                uint64_t timed_count)
{
    struct lc_recent_moment *moment = find_exact(recent, unix_s);
    if (moment == NULL) {
        moment = add_moment(recent, limit);
        if (moment == NULL) {
            return LCE_NOMEM;
        }
    }
    moment->unix_s = unix_s;
    moment->timed_count = timed_count;
    moment->count = 0;
    struct lc_buckets_walk walk = {0};
    struct lc_bucket bucket;
    while (lc__buckets_next(buckets, &walk, &bucket)) {
        if (moment->count == moment->capacity) {
            uint32_t capacity = moment->capacity == 0 ? 8 : moment->capacity * 2;
            struct lc_bucket *copy = lc__realloc(moment->buckets, capacity * sizeof(*copy));
            if (copy == NULL) {
                /* Half a copy would give wrong percentiles; one of no known second gives none. */
                moment->unix_s = INT64_MIN;
                return LCE_NOMEM;
            }
            moment->buckets = copy;
            moment->capacity = capacity;
        }
        moment->buckets[moment->count++] = bucket;
    }
    return 0;
}

const struct lc_recent_moment *
lc__recent_find(const struct lc_recent *recent, int64_t unix_s)
{
    const struct lc_recent_moment *found = find_exact(recent, unix_s);
    for (int64_t away = 1; found == NULL && away <= REACH_S; away++) {
        found = find_exact(recent, unix_s - away);
        if (found == NULL) {
            found = find_exact(recent, unix_s + away);
        }
    }
    return found;
}
