/* What is wrong in one report must not leave half of it in the table, so it is read into a table of its own first. */
#include "rpc/report.h"

#include <math.h>

/* Fields of a map are read by one of these; 0 or LCE_*. */
typedef int (*read_field_fn)(struct lc_pack_reader *reader, struct lc_str key, void *arg);

static bool
is_key(struct lc_str key, const char *name)
{
    return lc_str_equal(key, lc_str_from(name));
}

static int
read_head(struct lc_pack_reader *reader, enum lc_pack_kind kind, uint32_t *count)
{
    struct lc_pack_item item;
    int err = lc_pack_read(reader, &item);
    if (err < 0) {
        return err;
    }
    *count = item.count;
    return item.kind == kind ? 0 : LCE_FORMAT;
}

/* Gives every value with a str key to `fn`, which has to read it; others are passed over. */
static int
read_fields(struct lc_pack_reader *reader, read_field_fn fn, void *arg)
{
    uint32_t count;
    int err = read_head(reader, LCORE_PACK_MAP, &count);
    for (uint32_t i = 0; err == 0 && i < count; i++) {
        struct lc_pack_reader before = *reader;
        struct lc_pack_item key;
        err = lc_pack_read(reader, &key);
        if (err == 0 && key.kind == LCORE_PACK_STR) {
            err = fn(reader, key.bytes, arg);
        } else if (err == 0) {
            *reader = before;
            err = lc_pack_skip(reader);
            err = err < 0 ? err : lc_pack_skip(reader);
        }
    }
    return err;
}

/* A number, or `none` for nil. */
static int
read_number(struct lc_pack_reader *reader, double none, double *out, bool *is_whole)
{
    struct lc_pack_item item;
    int err = lc_pack_read(reader, &item);
    if (err < 0) {
        return err;
    }
    *is_whole = item.kind == LCORE_PACK_INT || item.kind == LCORE_PACK_UINT;
    switch (item.kind) {
    case LCORE_PACK_NIL:
        *out = none;
        return 0;
    case LCORE_PACK_INT:
        *out = (double)item.integer;
        return 0;
    case LCORE_PACK_UINT:
        *out = (double)item.big;
        return 0;
    case LCORE_PACK_FLOAT:
        *out = item.number;
        return isfinite(item.number) ? 0 : LCE_INVALID;
    default:
        return LCE_FORMAT;
    }
}

static int
read_count(struct lc_pack_reader *reader, uint64_t *out)
{
    struct lc_pack_item item;
    int err = lc_pack_read(reader, &item);
    if (err < 0) {
        return err;
    }
    *out = (uint64_t)item.integer;
    return item.kind == LCORE_PACK_INT && item.integer >= 0 ? 0 : LCE_FORMAT;
}

/* A key of a map of counts; a rounding rule of the user's own may give a float. */
static int
read_whole(struct lc_pack_reader *reader, uint32_t *out)
{
    double number;
    bool is_whole;
    int err = read_number(reader, -1, &number, &is_whole);
    if (err < 0) {
        return err;
    }
    if (!(number >= 0 && number < (double)UINT32_MAX)) {
        return LCE_INVALID;
    }
    *out = (uint32_t)number;
    return 0;
}

static int
read_unix_s(struct lc_pack_reader *reader, double *out)
{
    double unix_s;
    bool is_whole;
    int err = read_number(reader, 0, &unix_s, &is_whole);
    if (err < 0) {
        return err;
    }
    if (!(unix_s >= 0 && unix_s < (double)UINT32_MAX)) {
        return LCE_INVALID;
    }
    *out = unix_s;
    return 0;
}

/* Bytes may be negative: user code may say anything. */
static int
read_bytes(struct lc_pack_reader *reader, uint64_t *out)
{
    double number;
    bool is_whole;
    int err = read_number(reader, 0, &number, &is_whole);
    if (err < 0) {
        return err;
    }
    if (!(fabs(number) < 9e18)) {
        return LCE_INVALID;
    }
    *out = (uint64_t)(int64_t)number;
    return 0;
}

static int
read_buckets(struct lc_pack_reader *reader, struct lc_buckets *buckets)
{
    uint32_t count;
    int err = read_head(reader, LCORE_PACK_MAP, &count);
    for (uint32_t i = 0; err == 0 && i < count; i++) {
        uint32_t ms;
        uint64_t more = 0;
        err = read_whole(reader, &ms);
        err = err < 0 ? err : read_count(reader, &more);
        if (err < 0) {
            return err;
        }
        uint64_t *counter = lc__buckets_find(buckets, ms);
        if (counter == NULL) {
            return LCE_NOMEM;
        }
        *counter += more;
    }
    return err;
}

static int
read_seconds(struct lc_pack_reader *reader, struct lc_window *window, bool is_failures)
{
    uint32_t count;
    int err = read_head(reader, LCORE_PACK_MAP, &count);
    for (uint32_t i = 0; err == 0 && i < count; i++) {
        uint32_t unix_s;
        uint64_t more = 0;
        err = read_whole(reader, &unix_s);
        err = err < 0 ? err : read_count(reader, &more);
        if (err < 0) {
            return err;
        }
        struct lc_second *second = lc__window_at(window, unix_s);
        if (second == NULL) {
            return LCE_NOMEM;
        }
        lc__histogram_raise(is_failures ? &second->failures : &second->requests, more);
    }
    return err;
}

static int
read_histogram(struct lc_pack_reader *reader, struct lc_histogram *histogram)
{
    uint32_t count;
    int err = read_head(reader, LCORE_PACK_ARRAY, &count);
    if (err == 0 && count % 2 != 0) {
        return LCE_FORMAT;
    }
    for (uint32_t i = 0; err == 0 && i < count; i += 2) {
        uint64_t slot = 0, more = 0;
        err = read_count(reader, &slot);
        err = err < 0 ? err : read_count(reader, &more);
        if (err == 0 && slot >= LCORE_HISTOGRAM_SLOTS) {
            err = LCE_INVALID;
        }
        if (err < 0) {
            return err;
        }
        uint32_t *counter = lc__histogram_at(histogram, (uint32_t)slot);
        if (counter == NULL) {
            return LCE_NOMEM;
        }
        lc__histogram_raise(counter, more);
    }
    return err;
}

/* A node of another version may send fewer phases, or more. */
static int
read_phases(struct lc_pack_reader *reader, struct lc_phase_sum sums[LCORE_PHASE_COUNT])
{
    uint32_t count;
    int err = read_head(reader, LCORE_PACK_ARRAY, &count);
    if (err == 0 && count % 3 != 0) {
        return LCE_FORMAT;
    }
    for (uint32_t i = 0; err == 0 && i < count / 3; i++) {
        struct lc_phase_sum ignored;
        struct lc_phase_sum *sum = i < LCORE_PHASE_COUNT ? &sums[i] : &ignored;
        err = read_count(reader, &sum->count);
        err = err < 0 ? err : read_count(reader, &sum->total_ns);
        err = err < 0 ? err : read_count(reader, &sum->max_ns);
    }
    return err;
}

struct entry_target {
    struct lc_stats_entry *entry;
    bool has_histogram;
};

static int
read_entry_field(struct lc_pack_reader *reader, struct lc_str key, void *arg)
{
    struct entry_target *target = arg;
    struct lc_stats_entry *entry = target->entry;
    if (is_key(key, "num_requests")) {
        return read_count(reader, &entry->request_count);
    }
    if (is_key(key, "num_none_requests")) {
        return read_count(reader, &entry->none_count);
    }
    if (is_key(key, "num_failures")) {
        return read_count(reader, &entry->failure_count);
    }
    if (is_key(key, "total_response_time")) {
        return read_number(reader, 0, &entry->total_ms, &entry->is_total_whole);
    }
    if (is_key(key, "min_response_time")) {
        return read_number(reader, INFINITY, &entry->min_ms, &entry->is_min_whole);
    }
    if (is_key(key, "max_response_time")) {
        return read_number(reader, 0, &entry->max_ms, &entry->is_max_whole);
    }
    if (is_key(key, "total_content_length")) {
        return read_bytes(reader, &entry->content_bytes);
    }
    if (is_key(key, "start_time")) {
        return read_unix_s(reader, &entry->start_unix_s);
    }
    if (is_key(key, "last_request_timestamp")) {
        return read_unix_s(reader, &entry->last_request_unix_s);
    }
    if (is_key(key, "response_times")) {
        return read_buckets(reader, &entry->buckets);
    }
    if (is_key(key, "num_reqs_per_sec")) {
        return read_seconds(reader, &entry->window, false);
    }
    if (is_key(key, "num_fail_per_sec")) {
        return read_seconds(reader, &entry->window, true);
    }
    if (is_key(key, LCORE_REPORT_HISTOGRAM_KEY)) {
        target->has_histogram = true;
        return read_histogram(reader, &entry->histogram);
    }
    if (is_key(key, LCORE_REPORT_PHASES_KEY)) {
        return read_phases(reader, entry->phases);
    }
    return lc_pack_skip(reader);
}

static int
read_entry(struct lc_pack_reader *reader, struct lc_stats_entry *entry)
{
    struct entry_target target = {.entry = entry};
    int err = read_fields(reader, read_entry_field, &target);
    return err < 0 || target.has_histogram ? err : lc__stats_entry_fill_histogram(entry);
}

/* What an entry or a failure is told apart by. */
struct texts {
    struct lc_str name, method, error;
};

static int
read_text_field(struct lc_pack_reader *reader, struct lc_str key, void *arg)
{
    struct texts *texts = arg;
    struct lc_str *wanted = is_key(key, "name")     ? &texts->name
                            : is_key(key, "method") ? &texts->method
                            : is_key(key, "error")  ? &texts->error
                                                    : NULL;
    return wanted == NULL ? lc_pack_skip(reader) : lc_pack_read_str(reader, wanted);
}

/* Looks ahead. */
static int
find_texts(struct lc_pack_reader reader, struct texts *texts)
{
    *texts = (struct texts){0};
    int err = read_fields(&reader, read_text_field, texts);
    return err < 0 ? err : texts->name.data == NULL || texts->method.data == NULL ? LCE_FORMAT : 0;
}

/* The same where name and method come first, as all nodes send them: without going through the rest. */
static bool
find_first_texts(struct lc_pack_reader reader, struct texts *texts)
{
    struct lc_str keys[2], values[2];
    uint32_t count;
    if (read_head(&reader, LCORE_PACK_MAP, &count) < 0 || count < 2) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (lc_pack_read_str(&reader, &keys[i]) < 0 || lc_pack_read_str(&reader, &values[i]) < 0) {
            return false;
        }
    }
    *texts = (struct texts){.name = values[0], .method = values[1]};
    return is_key(keys[0], "name") && is_key(keys[1], "method");
}

/* An entry that the table has no row for is added to the row that stands for such. */
static int
read_further(struct lc_pack_reader *reader, const struct lc_stats *report, struct lc_stats_entry *further)
{
    struct lc_stats_entry *entry = lc__stats_entry_new(LCORE_STR(""), LCORE_STR(""), false, further->start_unix_s);
    int err = entry == NULL ? LCE_NOMEM : read_entry(reader, entry);
    err = err < 0 ? err : lc__stats_entry_extend(further, entry, report->config);
    lc__stats_entry_unref(entry);
    return err;
}

static int
read_entries(struct lc_pack_reader *reader, struct lc_stats *report)
{
    uint32_t count;
    int err = read_head(reader, LCORE_PACK_ARRAY, &count);
    for (uint32_t i = 0; err == 0 && i < count; i++) {
        struct texts texts;
        err = find_first_texts(*reader, &texts) ? 0 : find_texts(*reader, &texts);
        if (err < 0) {
            return err;
        }
        if (lc__stats_find(report, texts.name, texts.method) != NULL) {
            return LCE_INVALID;
        }
        struct lc_stats_entry *entry = lc_stats_entry(report, texts.name, texts.method);
        bool is_own = entry != NULL && lc_str_equal(entry->name, texts.name);
        err = entry == NULL ? LCE_NOMEM : is_own ? read_entry(reader, entry) : read_further(reader, report, entry);
    }
    return err;
}

static int
read_failure_field(struct lc_pack_reader *reader, struct lc_str key, void *arg)
{
    struct lc_failure *failure = arg;
    return is_key(key, "occurrences")  ? read_count(reader, &failure->occurrences)
           : is_key(key, "first_seen") ? read_unix_s(reader, &failure->first_seen_unix_s)
           : is_key(key, "last_seen")  ? read_unix_s(reader, &failure->last_seen_unix_s)
                                       : lc_pack_skip(reader);
}

struct reading {
    struct lc_stats *report;
    double now_unix_s;
    bool has_stats, has_total, has_errors;
    struct lc_pack_reader errors; /* read last, for they make rows where the report has none */
    struct lc_pack_reader users;  /* at NULL: none */
};

/* Failures by a key, which is of no interest. */
static int
read_failure(struct lc_pack_reader *reader, struct lc_str key, void *arg)
{
    struct reading *reading = arg;
    struct texts texts;
    int err = find_texts(*reader, &texts);
    if (err == 0 && texts.error.data == NULL) {
        err = LCE_FORMAT;
    }
    struct lc_failure failure = {.is_remote = true};
    err = err < 0 ? err : read_fields(reader, read_failure_field, &failure);
    if (err < 0) {
        return err;
    }
    if (failure.first_seen_unix_s == 0) {
        failure.first_seen_unix_s = reading->now_unix_s;
    }
    if (failure.last_seen_unix_s == 0) {
        failure.last_seen_unix_s = reading->now_unix_s;
    }
    struct lc_stats_entry *entry = lc_stats_entry(reading->report, texts.name, texts.method);
    return entry == NULL ? LCE_NOMEM : lc__failures_add(&reading->report->failures, entry, texts.error, &failure);
}

static int
read_report_field(struct lc_pack_reader *reader, struct lc_str key, void *arg)
{
    struct reading *reading = arg;
    if (is_key(key, "stats") && !reading->has_stats) {
        reading->has_stats = true;
        return read_entries(reader, reading->report);
    }
    if (is_key(key, "stats_total") && !reading->has_total) {
        reading->has_total = true;
        return read_entry(reader, lc_stats_total(reading->report));
    }
    if (is_key(key, "errors") && !reading->has_errors) {
        reading->has_errors = true;
        reading->errors = *reader;
    }
    if (is_key(key, "user_classes_count")) {
        reading->users = *reader;
    }
    return lc_pack_skip(reader);
}

static int
merge(struct lc_stats *target, struct lc_str data, double now_unix_s, struct lc_pack_reader *users)
{
    struct reading reading = {.report = lc__stats_new(NULL, false), .now_unix_s = now_unix_s};
    if (reading.report == NULL) {
        return LCE_NOMEM;
    }
    struct lc_pack_reader reader = lc_pack_reader_from(data);
    int err = read_fields(&reader, read_report_field, &reading);
    if (err == 0 && !(reading.has_stats && reading.has_total && reading.has_errors)) {
        err = LCE_FORMAT;
    }
    if (err == 0) {
        err = read_fields(&reading.errors, read_failure, &reading);
    }
    if (err == 0) {
        err = lc_stats_merge(target, reading.report);
    }
    lc_stats_free(reading.report);
    if (err == 0 && users != NULL) {
        *users = reading.users;
    }
    return err;
}

int
lc_report_merge(struct lc_stats *target, struct lc_str data, double now_unix_s)
{
    return merge(target, data, now_unix_s, NULL);
}

int
lc_report_merge_users(struct lc_stats *target, struct lc_str data, double now_unix_s, struct lc_pack_reader *users)
{
    return merge(target, data, now_unix_s, users);
}
