#include "report/json.h"

#include <math.h>

#include "report/writer.h"
#include "stats/entry.h"

static void
write_key(struct lc_writer *writer, const char *key)
{
    lc__write(writer, LCORE_STR(",\n        \""));
    lc__write(writer, lc_str_from(key));
    lc__write(writer, LCORE_STR("\": "));
}

static void
write_count(struct lc_writer *writer, const char *key, uint64_t count)
{
    write_key(writer, key);
    lc__write_format(writer, "%llu", (unsigned long long)count);
}

/* One pair of a map that is written over several lines. */
static void
write_pair(struct lc_writer *writer, bool *is_first, long long key, uint64_t count)
{
    lc__write_format(writer, "%s            \"%lld\": %llu", *is_first ? "{\n" : ",\n", key, (unsigned long long)count);
    *is_first = false;
}

static void
end_map(struct lc_writer *writer, bool is_empty)
{
    lc__write(writer, is_empty ? LCORE_STR("{}") : LCORE_STR("\n        }"));
}

static void
write_seconds(struct lc_writer *writer, const struct lc_stats_entry *entry, bool is_failures)
{
    bool is_first = true;
    size_t position = 0;
    int64_t second;
    uint64_t requests, failures;
    while (lc_stats_entry_next_second(entry, &position, &second, &requests, &failures)) {
        uint64_t count = is_failures ? failures : requests;
        if (count > 0) {
            write_pair(writer, &is_first, second, count);
        }
    }
    end_map(writer, is_first);
}

static void
write_entry(struct lc_writer *writer, const struct lc_stats_entry *entry)
{
    lc__write(writer, LCORE_STR("    {\n        \"name\": "));
    lc__write_json_string(writer, entry->name);
    write_key(writer, "method");
    lc__write_json_string(writer, entry->method);
    write_key(writer, "last_request_timestamp");
    if (entry->last_request_unix_s == 0) {
        lc__write(writer, LCORE_STR("null"));
    } else {
        lc__write_double(writer, entry->last_request_unix_s);
    }
    write_key(writer, "start_time");
    lc__write_double(writer, entry->start_unix_s);
    write_count(writer, "num_requests", entry->request_count);
    write_count(writer, "num_none_requests", entry->none_count);
    write_count(writer, "num_failures", entry->failure_count);
    write_key(writer, "total_response_time");
    lc__write_ms(writer, entry->total_ms, entry->is_total_whole);
    write_key(writer, "max_response_time");
    lc__write_ms(writer, entry->max_ms, entry->is_max_whole);
    write_key(writer, "min_response_time");
    if (entry->min_ms == INFINITY) {
        lc__write(writer, LCORE_STR("null"));
    } else {
        lc__write_ms(writer, entry->min_ms, entry->is_min_whole);
    }
    write_key(writer, "total_content_length");
    lc__write_format(writer, "%lld", (long long)entry->content_bytes);
    write_key(writer, "response_times");
    bool is_first = true;
    struct lc_buckets_walk walk = {0};
    struct lc_bucket bucket;
    while (lc__buckets_next(&entry->buckets, &walk, &bucket)) {
        write_pair(writer, &is_first, bucket.ms, bucket.count);
    }
    end_map(writer, is_first);
    write_key(writer, "num_reqs_per_sec");
    write_seconds(writer, entry, false);
    write_key(writer, "num_fail_per_sec");
    write_seconds(writer, entry, true);
    lc__write(writer, LCORE_STR("\n    }"));
}

int
lc__json_entries(struct lc_buffer *out, struct lc_stats *stats)
{
    struct lc_writer writer = {out, 0};
    bool is_first = true;
    for (size_t i = 0; i < lc_stats_count(stats); i++) {
        const struct lc_stats_entry *entry = lc_stats_at(stats, i);
        if (entry->request_count > 0 || entry->failure_count > 0) {
            lc__write(&writer, is_first ? LCORE_STR("[\n") : LCORE_STR(",\n"));
            write_entry(&writer, entry);
            is_first = false;
        }
    }
    lc__write(&writer, is_first ? LCORE_STR("[]") : LCORE_STR("\n]"));
    return writer.err;
}
