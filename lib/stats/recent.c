#include "stats/recent.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

#define REACH_S 8
#define NOBODYS INT64_MIN

struct lc_recent_list {
    size_t count;
    struct lc_bucket buckets[];
};

void
lc__recent_fini(struct lc_recent *recent)
{
    for (uint32_t i = 0; i < recent->count; i++) {
        lc__free(lc__recent_at(recent, i)->written);
    }
    lc__free(recent->moments);
    *recent = (struct lc_recent){0};
}

/* NULL: out of memory. */
static struct lc_recent_list *
write_out(const struct lc_buckets *buckets)
{
    size_t count = 0;
    struct lc_buckets_walk walk = {0};
    struct lc_bucket bucket;
    while (lc__buckets_next(buckets, &walk, &bucket)) {
        count++;
    }
    struct lc_recent_list *list = lc__alloc(sizeof(*list) + count * sizeof(list->buckets[0]));
    if (list == NULL) {
        return NULL;
    }
    list->count = 0;
    walk = (struct lc_buckets_walk){0};
    while (list->count < count && lc__buckets_next(buckets, &walk, &list->buckets[list->count])) {
        list->count++;
    }
    return list;
}

static void
take_away(struct lc_bucket *buckets, size_t count, const struct lc_recent_few *few)
{
    assert(few->count <= LCORE_RECENT_FEW);
    for (uint8_t i = 0; i < few->count; i++) {
        uint32_t ms = lc__buckets_near_ms(few->near[i]);
        for (size_t j = 0; j < count; j++) {
            if (buckets[j].ms == ms) {
                buckets[j].count--;
                break;
            }
        }
    }
}

static size_t
drop_empty(struct lc_bucket *buckets, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (buckets[i].count > 0) {
            buckets[kept++] = buckets[i];
        }
    }
    return kept;
}

int
lc__recent_pin(struct lc_recent *recent, struct lc_recent_few *few, const struct lc_buckets *buckets)
{
    if (few->count == LCORE_RECENT_MANY) {
        return 0;
    }
    struct lc_recent_list *list = write_out(buckets);
    if (list == NULL) {
        return LCE_NOMEM;
    }
    take_away(list->buckets, list->count, few);
    list->count = drop_empty(list->buckets, list->count);
    lc__recent_at(recent, recent->count - 1)->written = list;
    few->count = LCORE_RECENT_MANY;
    return 0;
}

static int
find_exact(const struct lc_recent *recent, int64_t unix_s)
{
    for (uint32_t i = recent->count; i > 0; i--) {
        if (lc__recent_at(recent, i - 1)->unix_s == unix_s) {
            return (int)i - 1;
        }
    }
    return -1;
}

/* The one of that second counts no more. What came before it still does, unless nothing was before it. */
static void
replace(struct lc_recent *recent, struct lc_recent_few *few, int64_t unix_s)
{
    int old = find_exact(recent, unix_s);
    if (old == 0 && recent->count == 1) {
        lc__free(lc__recent_at(recent, 0)->written);
        recent->count = 0;
        few->count = LCORE_RECENT_MANY;
    } else if (old >= 0) {
        lc__recent_at(recent, (uint32_t)old)->unix_s = NOBODYS;
    }
}

/* Room for one more. */
static int
reserve(struct lc_recent *recent, uint32_t limit)
{
    while (recent->count >= limit) {
        lc__free(lc__recent_at(recent, 0)->written);
        recent->first = recent->first + 1 == recent->capacity ? 0 : recent->first + 1;
        recent->count--;
    }
    if (recent->count < recent->capacity) {
        return 0;
    }
    uint32_t capacity = recent->capacity == 0 ? 2 : recent->capacity * 2;
    struct lc_recent_moment *moments = lc__alloc((capacity < limit ? capacity : limit) * sizeof(*moments));
    if (moments == NULL) {
        return LCE_NOMEM;
    }
    for (uint32_t i = 0; i < recent->count; i++) {
        moments[i] = *lc__recent_at(recent, i);
    }
    lc__free(recent->moments);
    recent->moments = moments;
    recent->first = 0;
    recent->capacity = capacity < limit ? capacity : limit;
    return 0;
}

int
lc__recent_take(struct lc_recent *recent, struct lc_recent_few *few, uint32_t limit, int64_t unix_s,
                uint64_t timed_count)
{
    bool is_ascending = recent->count == 0 || lc__recent_at(recent, recent->count - 1)->unix_s < unix_s;
    if (!is_ascending || recent->is_disordered) {
        replace(recent, few, unix_s);
        recent->is_disordered |= recent->count > 0;
    }
    if (reserve(recent, limit) < 0) {
        return LCE_NOMEM;
    }
    recent->count++;
    *lc__recent_at(recent, recent->count - 1) = (struct lc_recent_moment){
        .unix_s = unix_s,
        .timed_count = timed_count,
        .few = *few,
    };
    few->count = 0;
    return 0;
}

int
lc__recent_find(const struct lc_recent *recent, int64_t unix_s)
{
    int found = find_exact(recent, unix_s);
    for (int64_t away = 1; found < 0 && away <= REACH_S; away++) {
        found = find_exact(recent, unix_s - away);
        if (found < 0) {
            found = find_exact(recent, unix_s + away);
        }
    }
    return found;
}

int
lc__recent_read(const struct lc_recent *recent, uint32_t number, const struct lc_recent_few *few,
                const struct lc_buckets *buckets, struct lc_bucket **out, size_t *count)
{
    /* The first one from here on that is written out; of what came between, few is told for each. */
    uint32_t known = number;
    while (known < recent->count && lc__recent_at(recent, known)->written == NULL) {
        known++;
    }
    bool is_known = known < recent->count;
    struct lc_recent_list *list = is_known ? lc__recent_at(recent, known)->written : write_out(buckets);
    if (list == NULL) {
        return LCE_NOMEM;
    }
    *count = list->count;
    *out = lc__alloc(*count * sizeof(**out) + 1);
    if (*out != NULL) {
        memcpy(*out, list->buckets, *count * sizeof(**out));
    }
    if (!is_known) {
        lc__free(list);
    }
    if (*out == NULL) {
        return LCE_NOMEM;
    }
    if (!is_known) {
        take_away(*out, *count, few);
    }
    for (uint32_t i = number + 1; i <= known && i < recent->count; i++) {
        take_away(*out, *count, &lc__recent_at(recent, i)->few);
    }
    *count = drop_empty(*out, *count);
    return 0;
}
