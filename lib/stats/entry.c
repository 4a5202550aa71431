#include "stats/entry.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

/* Seconds before the last request that current rates leave out; how much later than others a worker has to report, and
 * can, for them to be told of the time before that. An entry keeps two minutes at least. */
#define LEFT_OUT_S 2
#define LATE_S 5
#define LATEST_S 100

_Static_assert(offsetof(struct lc_stats_entry, phases[LCORE_PHASE_QUEUE]) % LCORE_CACHE_LINE == 0,
               "what a request changes begins with a line");
_Static_assert(offsetof(struct lc_stats_entry, histogram.waiting[2]) ==
                   offsetof(struct lc_stats_entry, phases[LCORE_PHASE_QUEUE]) + (size_t)3 * LCORE_CACHE_LINE,
               "what a request changes fills three lines");

uint64_t
lc__stats_next_epoch(void)
{
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

struct lc_stats_entry *
lc__stats_entry_new(struct lc_str name, struct lc_str method, bool is_keeping_recent, double unix_s)
{
    size_t size = sizeof(struct lc_stats_entry) + name.len + method.len;
    size = (size / LCORE_CACHE_LINE + 1) * LCORE_CACHE_LINE;
    struct lc_stats_entry *entry = lc__alloc_aligned(LCORE_CACHE_LINE, size);
    if (entry == NULL) {
        return NULL;
    }
    memset(entry, 0, size);
    if (name.len > 0) {
        memcpy(entry->text, name.data, name.len);
    }
    if (method.len > 0) {
        memcpy(entry->text + name.len, method.data, method.len);
    }
    entry->name = (struct lc_str){entry->text, name.len};
    entry->method = (struct lc_str){entry->text + name.len, method.len};
    entry->refs = 1;
    entry->is_keeping_recent = is_keeping_recent;
    lc__stats_entry_reset(entry, unix_s);
    return entry;
}

struct lc_stats_entry *
lc__stats_entry_ref(struct lc_stats_entry *entry)
{
    entry->refs++;
    return entry;
}

static void
release(struct lc_stats_entry *entry)
{
    lc__window_fini(&entry->window);
    lc__recent_fini(&entry->recent);
    lc__histogram_fini(&entry->histogram);
    lc__buckets_fini(&entry->buckets);
    entry->few.count = LCORE_RECENT_MANY;
}

void
lc__stats_entry_unref(struct lc_stats_entry *entry)
{
    if (entry == NULL || --entry->refs > 0) {
        return;
    }
    assert(entry->peer == NULL);
    release(entry);
    lc__free(entry);
}

void
lc__stats_entry_reset(struct lc_stats_entry *entry, double unix_s)
{
    release(entry);
    entry->request_count = entry->failure_count = entry->none_count = entry->content_bytes = 0;
    entry->total_ms = entry->max_ms = 0;
    memset(entry->phases, 0, sizeof(entry->phases));
    entry->min_ms = INFINITY;
    entry->is_total_whole = entry->is_min_whole = entry->is_max_whole = true;
    entry->start_unix_s = unix_s;
    entry->last_request_unix_s = entry->whole_unix_s = 0;
    if (entry->is_keeping_recent) {
        /* Without this moment current percentiles only begin later: not worth failing for. */
        (void)lc__recent_take(&entry->recent, &entry->few, LCORE_STATS_RECENT_S, (int64_t)floor(unix_s), 0);
    }
}

static int
take_moment(struct lc_stats_entry *entry, int64_t unix_s, const struct lc_stats_config *config)
{
    uint32_t limit = config->recent_s > 0 && config->recent_s < 100000 ? (uint32_t)config->recent_s + 10 : 10;
    return lc__recent_take(&entry->recent, &entry->few, limit, unix_s, entry->request_count - entry->none_count);
}

int
lc__stats_entry_make_room(struct lc_stats_entry *entry, const struct lc_sample *sample,
                          const struct lc_stats_config *config)
{
    uint32_t last_s = lc__stats_entry_last_second(entry);
    if (sample->second != last_s || !lc__window_is_last(&entry->window, sample->second)) {
        if (entry->is_keeping_recent && last_s > 0 && sample->second > last_s) {
            int err = take_moment(entry, (int64_t)sample->second - 1, config);
            if (err < 0) {
                return err;
            }
        }
        if (sample->seconds_kept > 0) {
            lc__window_trim(&entry->window, sample->seconds_kept);
        }
        if (lc__window_at(&entry->window, sample->second) == NULL) {
            return LCE_NOMEM;
        }
    }
    if (isnan(sample->ms)) {
        return 0;
    }
    bool is_few = sample->near >= 0 && sample->near <= UINT8_MAX && entry->few.count < LCORE_RECENT_FEW;
    if (!is_few && lc__stats_entry_pin(entry) < 0) {
        return LCE_NOMEM;
    }
    bool has_room =
        lc__histogram_make_room(&entry->histogram) == 0 && lc__buckets_find(&entry->buckets, sample->bucket_ms) != NULL;
    return has_room ? 0 : LCE_NOMEM;
}

int
lc__stats_entry_count_failure(struct lc_stats_entry *entry, uint32_t second)
{
    struct lc_second *counters = lc__window_at(&entry->window, second);
    if (counters == NULL) {
        return LCE_NOMEM;
    }
    counters->failures++;
    entry->failure_count++;
    return 0;
}

int
lc__stats_entry_add_sums(struct lc_stats_entry *target, const struct lc_stats_sums *source,
                         const struct lc_stats_config *config)
{
    target->request_count += source->request_count;
    target->failure_count += source->failure_count;
    target->none_count += source->none_count;
    target->content_bytes += source->content_bytes;
    target->total_ms += source->total_ms;
    target->is_total_whole &= source->is_total_whole;
    if (source->min_ms < target->min_ms) {
        target->min_ms = source->min_ms;
        target->is_min_whole = source->is_min_whole;
    }
    if (source->max_ms > target->max_ms) {
        target->max_ms = source->max_ms;
        target->is_max_whole = source->is_max_whole;
    }
    lc__phases_merge(target->phases, source->phases);
    target->start_unix_s = fmin(target->start_unix_s, source->start_unix_s);
    if (source->last_request_unix_s > target->last_request_unix_s) {
        uint32_t last_s = (uint32_t)(int64_t)source->last_request_unix_s;
        bool is_new_second = last_s > lc__stats_entry_last_second(target);
        target->last_request_unix_s = source->last_request_unix_s;
        if (target->is_keeping_recent && is_new_second) {
            return take_moment(target, last_s, config);
        }
    }
    return 0;
}

int
lc__stats_entry_extend(struct lc_stats_entry *target, const struct lc_stats_entry *source,
                       const struct lc_stats_config *config)
{
    int err = lc__stats_entry_pin(target);
    err = err < 0 ? err : lc__window_merge(&target->window, &source->window);
    err = err < 0 ? err : lc__histogram_merge(&target->histogram, &source->histogram);
    err = err < 0 ? err : lc__buckets_merge(&target->buckets, &source->buckets);
    if (err < 0) {
        return err;
    }
    const struct lc_stats_sums sums = {
        .request_count = source->request_count,
        .failure_count = source->failure_count,
        .none_count = source->none_count,
        .content_bytes = source->content_bytes,
        .total_ms = source->total_ms,
        .min_ms = source->min_ms,
        .max_ms = source->max_ms,
        .start_unix_s = source->start_unix_s,
        .last_request_unix_s = source->last_request_unix_s,
        .is_total_whole = source->is_total_whole,
        .is_min_whole = source->is_min_whole,
        .is_max_whole = source->is_max_whole,
        .phases = source->phases,
    };
    return lc__stats_entry_add_sums(target, &sums, config);
}

int
lc__stats_entry_fill_histogram(struct lc_stats_entry *entry)
{
    lc__histogram_fini(&entry->histogram);
    struct lc_buckets_walk walk = {0};
    struct lc_bucket bucket;
    while (lc__buckets_next(&entry->buckets, &walk, &bucket)) {
        uint32_t *count = lc__histogram_at(&entry->histogram, lc__histogram_slot((uint64_t)(bucket.ms * 1000 + 0.5)));
        if (count == NULL) {
            return LCE_NOMEM;
        }
        lc__histogram_raise(count, bucket.count);
    }
    return 0;
}

void
lc_stats_entry_numbers(const struct lc_stats_entry *entry, struct lc_stats_numbers *out)
{
    bool is_timed = entry->min_ms != INFINITY;
    *out = (struct lc_stats_numbers){
        .name = entry->name,
        .method = entry->method,
        .request_count = entry->request_count,
        .failure_count = entry->failure_count,
        .none_count = entry->none_count,
        .total_ms = entry->total_ms,
        .min_ms = is_timed ? entry->min_ms : NAN,
        .max_ms = is_timed ? entry->max_ms : NAN,
        .content_bytes = entry->content_bytes,
        .start_unix_s = entry->start_unix_s,
        .last_request_unix_s = entry->last_request_unix_s,
    };
}

double
lc_stats_entry_fail_ratio(const struct lc_stats_entry *entry)
{
    if (entry->request_count == 0) {
        return entry->failure_count > 0 ? 1 : 0;
    }
    return (double)entry->failure_count / (double)entry->request_count;
}

double
lc_stats_entry_average_ms(const struct lc_stats_entry *entry)
{
    uint64_t timed_count = entry->request_count - entry->none_count;
    return timed_count == 0 ? 0 : entry->total_ms / (double)timed_count;
}

double
lc_stats_entry_percentile_ms(const struct lc_stats_entry *entry, double fraction)
{
    if (entry->min_ms == INFINITY) {
        return 0;
    }
    if (fraction >= 1) {
        return entry->max_ms;
    }
    double ms = lc__histogram_percentile_us(&entry->histogram, fraction) / 1000;
    return fmax(entry->min_ms, fmin(entry->max_ms, ms));
}

void
lc__stats_entry_percentiles_ms(const struct lc_stats_entry *entry, const double *fractions, size_t count, double *out)
{
    lc__buckets_percentiles_ms(&entry->buckets, NULL, 0, (int64_t)(entry->request_count - entry->none_count), fractions,
                               count, out);
}

double
lc_stats_entry_locust_percentile_ms(const struct lc_stats_entry *entry, double fraction)
{
    double ms;
    lc__stats_entry_percentiles_ms(entry, &fraction, 1, &ms);
    return ms;
}

double
lc_stats_entry_locust_median_ms(const struct lc_stats_entry *entry)
{
    double median = lc_stats_entry_locust_percentile_ms(entry, 0.5);
    if (median > entry->max_ms) {
        return entry->max_ms;
    }
    return entry->min_ms != INFINITY && median < entry->min_ms ? entry->min_ms : median;
}

bool
lc__stats_entry_is_median_whole(const struct lc_stats_entry *entry)
{
    double median = lc_stats_entry_locust_median_ms(entry);
    return median == lc_stats_entry_locust_percentile_ms(entry, 0.5)
               ? median == trunc(median)
               : (median == entry->max_ms ? entry->is_max_whole : entry->is_min_whole);
}

bool
lc_stats_entry_next_bucket(const struct lc_stats_entry *entry, size_t *position, double *bucket_ms, uint64_t *count)
{
    struct lc_buckets_walk walk = {.near = *position % (LCORE_BUCKETS_NEAR + 1),
                                   .far = (uint32_t)(*position / (LCORE_BUCKETS_NEAR + 1))};
    struct lc_bucket bucket;
    if (!lc__buckets_next(&entry->buckets, &walk, &bucket)) {
        return false;
    }
    *position = (size_t)walk.far * (LCORE_BUCKETS_NEAR + 1) + walk.near;
    *bucket_ms = bucket.ms;
    *count = bucket.count;
    return true;
}

bool
lc_stats_entry_next_second(const struct lc_stats_entry *entry, size_t *position, int64_t *unix_s, uint64_t *requests,
                           uint64_t *failures)
{
    while (*position < lc__window_count(&entry->window)) {
        struct lc_second second = lc__window_get(&entry->window, (*position)++);
        if (second.requests > 0 || second.failures > 0) {
            *unix_s = second.unix_s;
            *requests = second.requests;
            *failures = second.failures;
            return true;
        }
    }
    return false;
}

void
lc__stats_entry_rates_at(const struct lc_stats_entry *entry, double start_unix_s, double last_unix_s,
                         double *requests_per_s, double *failures_per_s)
{
    *requests_per_s = *failures_per_s = 0;
    if (!(last_unix_s > 0 && last_unix_s < (double)UINT32_MAX)) {
        return;
    }
    int64_t end_s = (int64_t)last_unix_s - LEFT_OUT_S;
    int64_t first_s = (int64_t)fmax(floor(last_unix_s) - 12, floor(fmin(start_unix_s, last_unix_s)));
    if (first_s >= end_s) {
        return;
    }
    uint64_t requests, failures;
    lc__window_sum(&entry->window, first_s, end_s, &requests, &failures);
    *requests_per_s = (double)requests / (double)(end_s - first_s);
    *failures_per_s = (double)failures / (double)(end_s - first_s);
}

/* Where Locust's window begins to be counted back. It leaves the last two seconds out, for workers report every three.
 * Where one of them reports much later than others, because its master cannot take more, the window ends where its
 * numbers do: what came later is not all there yet. What is later than that is a clock that is wrong. */
static double
rates_end(const struct lc_stats_entry *total)
{
    double late_s = total->last_request_unix_s - total->whole_unix_s;
    bool is_late = total->whole_unix_s > 0 && late_s > LATE_S && late_s < LATEST_S;
    return is_late ? total->whole_unix_s + LEFT_OUT_S : total->last_request_unix_s;
}

void
lc_stats_entry_current_rates(const struct lc_stats_entry *entry, const struct lc_stats_entry *total,
                             double *requests_per_s, double *failures_per_s)
{
    lc__stats_entry_rates_at(entry, total->start_unix_s, rates_end(total), requests_per_s, failures_per_s);
}

void
lc_stats_entry_total_rates(const struct lc_stats_entry *entry, const struct lc_stats_entry *total,
                           double *requests_per_s, double *failures_per_s)
{
    double elapsed_s = total->last_request_unix_s - total->start_unix_s;
    *requests_per_s = *failures_per_s = 0;
    if (total->last_request_unix_s != 0 && total->start_unix_s != 0 && elapsed_s != 0) {
        *requests_per_s = (double)entry->request_count / elapsed_s;
        *failures_per_s = (double)entry->failure_count / elapsed_s;
    }
}

bool
lc__stats_entry_recent_percentiles_ms(const struct lc_stats_entry *entry, int64_t now_unix_s, int64_t recent_s,
                                      const double *fractions, size_t count, double *out)
{
    int then = lc__recent_find(&entry->recent, now_unix_s - recent_s);
    struct lc_bucket *buckets;
    size_t bucket_count;
    if (then < 0 ||
        lc__recent_read(&entry->recent, (uint32_t)then, &entry->few, &entry->buckets, &buckets, &bucket_count) < 0) {
        return false;
    }
    uint64_t timed_count = lc__recent_at(&entry->recent, (uint32_t)then)->timed_count;
    int64_t since = (int64_t)(entry->request_count - entry->none_count - timed_count);
    lc__buckets_percentiles_ms(&entry->buckets, buckets, bucket_count, since, fractions, count, out);
    lc__free(buckets);
    return true;
}
