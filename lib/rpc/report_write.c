#include "rpc/report.h"

#include <math.h>

#include "rpc/taken.h"
#include "stats/failure_key.h"

static int
write_key(struct lc_buffer *out, const char *key)
{
    return lc_pack_str(out, lc_str_from(key));
}

/* Locust's sums of whole numbers are whole. */
static int
write_ms(struct lc_buffer *out, const char *key, double ms, bool is_whole)
{
    int err = write_key(out, key);
    if (err < 0) {
        return err;
    }
    return is_whole && fabs(ms) < 9e15 ? lc_pack_int(out, (int64_t)ms) : lc_pack_float(out, ms);
}

static int
write_count(struct lc_buffer *out, const char *key, uint64_t count)
{
    int err = write_key(out, key);
    return err < 0 ? err : lc_pack_uint(out, count);
}

static int
write_time(struct lc_buffer *out, const char *key, double unix_s)
{
    int err = write_key(out, key);
    return err < 0 ? err : unix_s == 0 ? lc_pack_nil(out) : lc_pack_float(out, unix_s);
}

static int
write_buckets(struct lc_buffer *out, const struct lc_buckets *buckets)
{
    struct lc_bucket bucket;
    size_t count = 0;
    for (struct lc_buckets_walk walk = {0}; lc__buckets_next(buckets, &walk, &bucket);) {
        count++;
    }
    int err = write_key(out, "response_times");
    err = err < 0 ? err : lc_pack_map(out, count);
    for (struct lc_buckets_walk walk = {0}; err == 0 && lc__buckets_next(buckets, &walk, &bucket);) {
        uint32_t whole = (uint32_t)bucket.ms;
        err = whole == bucket.ms ? lc_pack_uint(out, whole) : lc_pack_float(out, bucket.ms);
        err = err < 0 ? err : lc_pack_uint(out, bucket.count);
    }
    return err;
}

static int
write_seconds(struct lc_buffer *out, const char *key, const struct lc_window *window, bool is_failures)
{
    size_t count = 0;
    for (size_t i = 0; i < lc__window_count(window); i++) {
        struct lc_second second = lc__window_get(window, i);
        count += (is_failures ? second.failures : second.requests) > 0;
    }
    int err = write_key(out, key);
    err = err < 0 ? err : lc_pack_map(out, count);
    for (size_t i = 0; err == 0 && i < lc__window_count(window); i++) {
        struct lc_second second = lc__window_get(window, i);
        uint32_t number = is_failures ? second.failures : second.requests;
        if (number > 0) {
            err = lc_pack_uint(out, second.unix_s);
            err = err < 0 ? err : lc_pack_uint(out, number);
        }
    }
    return err;
}

static int
write_histogram(struct lc_buffer *out, const struct lc_histogram *histogram)
{
    uint32_t number;
    size_t count = 0;
    for (uint32_t slot = 0; lc__histogram_next(histogram, &slot, &number);) {
        count++;
    }
    int err = write_key(out, LCORE_REPORT_HISTOGRAM_KEY);
    err = err < 0 ? err : lc_pack_array(out, 2 * count);
    for (uint32_t slot = 0; err == 0 && lc__histogram_next(histogram, &slot, &number);) {
        err = lc_pack_uint(out, slot - 1);
        err = err < 0 ? err : lc_pack_uint(out, number);
    }
    return err;
}

static int
write_phases(struct lc_buffer *out, const struct lc_phase_sum sums[LCORE_PHASE_COUNT])
{
    int err = write_key(out, LCORE_REPORT_PHASES_KEY);
    err = err < 0 ? err : lc_pack_array(out, (size_t)3 * LCORE_PHASE_COUNT);
    for (int i = 0; err == 0 && i < LCORE_PHASE_COUNT; i++) {
        err = lc_pack_uint(out, sums[i].count);
        err = err < 0 ? err : lc_pack_uint(out, sums[i].total_ns);
        err = err < 0 ? err : lc_pack_uint(out, sums[i].max_ns);
    }
    return err;
}

static int
write_texts(struct lc_buffer *out, struct lc_str name, struct lc_str method)
{
    int err = write_key(out, "name");
    err = err < 0 ? err : lc_pack_str(out, name);
    err = err < 0 ? err : write_key(out, "method");
    return err < 0 ? err : lc_pack_str(out, method);
}

static int
write_entry(struct lc_buffer *out, const struct lc_stats_entry *entry)
{
    int err = lc_pack_map(out, 16);
    err = err < 0 ? err : write_texts(out, entry->name, entry->method);
    err = err < 0 ? err : write_time(out, "last_request_timestamp", entry->last_request_unix_s);
    err = err < 0 ? err : write_time(out, "start_time", entry->start_unix_s);
    err = err < 0 ? err : write_count(out, "num_requests", entry->request_count);
    err = err < 0 ? err : write_count(out, "num_none_requests", entry->none_count);
    err = err < 0 ? err : write_count(out, "num_failures", entry->failure_count);
    err = err < 0 ? err : write_ms(out, "total_response_time", entry->total_ms, entry->is_total_whole);
    err = err < 0 ? err : write_ms(out, "max_response_time", entry->max_ms, entry->is_max_whole);
    if (err == 0 && isinf(entry->min_ms)) {
        err = write_key(out, "min_response_time");
        err = err < 0 ? err : lc_pack_nil(out);
    } else if (err == 0) {
        err = write_ms(out, "min_response_time", entry->min_ms, entry->is_min_whole);
    }
    err = err < 0 ? err : write_key(out, "total_content_length");
    err = err < 0 ? err : lc_pack_int(out, (int64_t)entry->content_bytes);
    err = err < 0 ? err : write_buckets(out, &entry->buckets);
    err = err < 0 ? err : write_seconds(out, "num_reqs_per_sec", &entry->window, false);
    err = err < 0 ? err : write_seconds(out, "num_fail_per_sec", &entry->window, true);
    err = err < 0 ? err : write_phases(out, entry->phases);
    return err < 0 ? err : write_histogram(out, &entry->histogram);
}

static int
write_failure(struct lc_buffer *out, const struct lc_stats_failure *failure)
{
    char key[LCORE_FAILURE_KEY_SIZE];
    int err = lc__failure_key(failure->method, failure->name, failure->text, key);
    err = err < 0 ? err : write_key(out, key);
    err = err < 0 ? err : lc_pack_map(out, 6);
    err = err < 0 ? err : write_texts(out, failure->name, failure->method);
    err = err < 0 ? err : write_key(out, "error");
    err = err < 0 ? err : lc_pack_str(out, failure->text);
    err = err < 0 ? err : write_count(out, "occurrences", failure->occurrences);
    err = err < 0 ? err : write_time(out, "first_seen", failure->first_seen_unix_s);
    return err < 0 ? err : write_time(out, "last_seen", failure->last_seen_unix_s);
}

int
lc_report_write(struct lc_buffer *out, struct lc_stats *stats)
{
    size_t used = 0, count = lc_stats_count(stats), failures = lc_stats_failure_count(stats);
    for (size_t i = 0; i < count; i++) {
        used += lc__stats_entry_is_used(lc_stats_at(stats, i));
    }
    int err = write_key(out, "stats");
    err = err < 0 ? err : lc_pack_array(out, used);
    for (size_t i = 0; err == 0 && i < count; i++) {
        const struct lc_stats_entry *entry = lc_stats_at(stats, i);
        if (lc__stats_entry_is_used(entry)) {
            err = write_entry(out, entry);
        }
    }
    err = err < 0 ? err : write_key(out, "stats_total");
    err = err < 0 ? err : write_entry(out, lc_stats_total(stats));
    err = err < 0 ? err : write_key(out, "errors");
    err = err < 0 ? err : lc_pack_map(out, failures);
    for (size_t i = 0; err == 0 && i < failures; i++) {
        struct lc_stats_failure failure;
        lc_stats_failure_at(stats, i, &failure);
        err = write_failure(out, &failure);
    }
    return err;
}

int
lc_report_write_own(struct lc_buffer *out, uint64_t number, double until_unix_s)
{
    int err = write_count(out, LCORE_REPORT_NUMBER_KEY, number);
    return err < 0 ? err : write_time(out, LCORE_REPORT_UNTIL_KEY, until_unix_s);
}
