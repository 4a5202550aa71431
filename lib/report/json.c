#include "report/json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "base/format.h"
#include "base/utf8.h"
#include "stats/entry.h"

/* What is no UTF-8, which JSON cannot hold, becomes U+FFFD. */
static json_t *
make_text(struct lc_str text)
{
    json_t *value = json_stringn(text.len > 0 ? text.data : "", text.len);
    if (value != NULL) {
        return value;
    }
    struct lc_buffer cleaned = {0};
    int err = 0;
    while (err == 0 && text.len > 0) {
        uint32_t point;
        size_t len = lc_utf8_decode(text, &point);
        err = len == 0 ? lc_buffer_append_str(&cleaned, LCORE_STR("\xef\xbf\xbd"))
                       : lc_buffer_append(&cleaned, text.data, len);
        len += len == 0;
        text = (struct lc_str){text.data + len, text.len - len};
    }
    value = err == 0 ? json_stringn(cleaned.data, cleaned.len) : NULL;
    lc_buffer_fini(&cleaned);
    return value;
}

/* Sums of whole numbers are whole, as Locust's. */
static json_t *
make_ms(double ms, bool is_whole)
{
    return ms == 0 || (is_whole && fabs(ms) < 1e15) ? json_integer((json_int_t)ms) : json_real(ms);
}

/* Takes the count under the key's digits. */
static int
put_count(json_t *map, double key, uint64_t count)
{
    char digits[32];
    lc__format(digits, sizeof(digits), "%.15g", key);
    return json_object_set_new_nocheck(map, digits, json_integer((json_int_t)count));
}

/* The map, or NULL where something of it is missing. */
static json_t *
complete(json_t *map, int err)
{
    if (err < 0) {
        json_decref(map);
        return NULL;
    }
    return map;
}

static json_t *
make_response_times(const struct lc_stats_entry *entry)
{
    json_t *map = json_object();
    int err = 0;
    struct lc_buckets_walk walk = {0};
    struct lc_bucket bucket;
    while (err == 0 && lc__buckets_next(&entry->buckets, &walk, &bucket)) {
        err = put_count(map, bucket.ms, bucket.count);
    }
    return complete(map, err);
}

static json_t *
make_seconds(const struct lc_stats_entry *entry, bool is_failures)
{
    json_t *map = json_object();
    int err = 0;
    size_t position = 0;
    int64_t second;
    uint64_t requests, failures;
    while (err == 0 && lc_stats_entry_next_second(entry, &position, &second, &requests, &failures)) {
        uint64_t count = is_failures ? failures : requests;
        if (count > 0) {
            err = put_count(map, (double)second, count);
        }
    }
    return complete(map, err);
}

/* NULL: out of memory. */
static json_t *
make_entry(const struct lc_stats_entry *entry)
{
    const struct {
        const char *key;
        json_t *value;
    } fields[] = {
        {"name", make_text(entry->name)},
        {"method", make_text(entry->method)},
        {"last_request_timestamp",
         entry->last_request_unix_s == 0 ? json_null() : json_real(entry->last_request_unix_s)},
        {"start_time", json_real(entry->start_unix_s)},
        {"num_requests", json_integer((json_int_t)entry->request_count)},
        {"num_none_requests", json_integer((json_int_t)entry->none_count)},
        {"num_failures", json_integer((json_int_t)entry->failure_count)},
        {"total_response_time", make_ms(entry->total_ms, entry->is_total_whole)},
        {"max_response_time", make_ms(entry->max_ms, entry->is_max_whole)},
        {"min_response_time", entry->min_ms == INFINITY ? json_null() : make_ms(entry->min_ms, entry->is_min_whole)},
        {"total_content_length", json_integer((json_int_t)entry->content_bytes)},
        {"response_times", make_response_times(entry)},
        {"num_reqs_per_sec", make_seconds(entry, false)},
        {"num_fail_per_sec", make_seconds(entry, true)},
    };
    json_t *object = json_object();
    int err = 0;
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        /* Takes the value over, also where it fails. */
        err |= json_object_set_new_nocheck(object, fields[i].key, fields[i].value);
    }
    return complete(object, err);
}

static int
append(const char *bytes, size_t size, void *out)
{
    return lc_buffer_append(out, bytes, size) < 0 ? -1 : 0;
}

int
lc__json_entries(struct lc_buffer *out, struct lc_stats *stats)
{
    json_t *list = json_array();
    int err = list == NULL ? -1 : 0;
    for (size_t i = 0; err == 0 && i < lc_stats_count(stats); i++) {
        const struct lc_stats_entry *entry = lc_stats_at(stats, i);
        if (entry->request_count > 0 || entry->failure_count > 0) {
            err = json_array_append_new(list, make_entry(entry));
        }
    }
    if (err == 0) {
        err = json_dump_callback(list, append, out, JSON_INDENT(4) | JSON_ENSURE_ASCII);
    }
    json_decref(list);
    return err < 0 ? LCE_NOMEM : 0;
}
