/* What is wrong in one report must not leave half of it in the table. So each is gone through twice: first it is only
 * checked, then what it says is added to the table's rows, straight from the frame. A master does little else, so
 * nothing is built of a report, and only the counters that it changes are touched. */
#include "rpc/report.h"

#include <math.h>

/* How many rows of the table may be passed over at once. */
#define ROWS_AHEAD 64

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

/* A key of a map of counts; a rounding rule of the user's own may give a float. */
static int
read_key_number(struct lc_pack_reader *reader, double *out)
{
    uint64_t whole;
    const struct lc_pack_reader before = *reader;
    if (lc_pack_read_count(reader, &whole) == 0 && whole < UINT32_MAX) {
        *out = (double)whole;
        return 0;
    }
    double number;
    bool is_whole;
    *reader = before;
    int err = read_number(reader, -1, &number, &is_whole);
    if (err < 0) {
        return err;
    }
    if (!(number >= 0 && number < (double)UINT32_MAX)) {
        return LCE_INVALID;
    }
    *out = number;
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

/* One row of a report. Fields come in any order; in that of `FIELDS` they are found at once. */
struct row {
    struct lc_stats_entry *target; /* where it is added; NULL: it is only checked */
    struct lc_stats_sums sums;
    struct lc_phase_sum phases[LCORE_PHASE_COUNT];
    struct lc_pack_reader buckets; /* at NULL: it has none */
    bool has_histogram;
    unsigned next; /* the field that is expected */
};

static int
add_to_bucket(struct row *row, double ms, uint64_t more)
{
    uint64_t *counter = lc__buckets_find(&row->target->buckets, ms);
    if (counter == NULL) {
        return LCE_NOMEM;
    }
    *counter += more;
    return 0;
}

static int
add_to_slot(struct row *row, uint32_t slot, uint64_t more)
{
    uint32_t *counter = lc__histogram_at(&row->target->histogram, slot);
    if (counter == NULL) {
        return LCE_NOMEM;
    }
    lc__histogram_raise(counter, more);
    return 0;
}

/* Of a row that came with buckets only. */
static int
add_bucket_as_slot(struct row *row, double ms, uint64_t more)
{
    return add_to_slot(row, lc__histogram_slot((uint64_t)(ms * 1000 + 0.5)), more);
}

static int
add_requests(struct row *row, double unix_s, uint64_t more)
{
    struct lc_second *second = lc__window_at(&row->target->window, (uint32_t)unix_s);
    if (second == NULL) {
        return LCE_NOMEM;
    }
    lc__histogram_raise(&second->requests, more);
    return 0;
}

static int
add_failures(struct row *row, double unix_s, uint64_t more)
{
    struct lc_second *second = lc__window_at(&row->target->window, (uint32_t)unix_s);
    if (second == NULL) {
        return LCE_NOMEM;
    }
    lc__histogram_raise(&second->failures, more);
    return 0;
}

typedef int (*add_count_fn)(struct row *row, double key, uint64_t more);

/* Always inlined, so that `add` is no call. */
static inline __attribute__((always_inline)) int
read_counts(struct lc_pack_reader *reader, struct row *row, add_count_fn add)
{
    uint32_t count;
    int err = read_head(reader, LCORE_PACK_MAP, &count);
    for (uint32_t i = 0; err == 0 && i < count; i++) {
        double key;
        uint64_t more;
        err = read_key_number(reader, &key);
        err = err < 0 ? err : lc_pack_read_count(reader, &more);
        if (err == 0 && row->target != NULL) {
            err = add(row, key, more);
        }
    }
    return err;
}

static int
read_histogram(struct lc_pack_reader *reader, struct row *row)
{
    uint32_t count;
    int err = read_head(reader, LCORE_PACK_ARRAY, &count);
    if (err == 0 && count % 2 != 0) {
        return LCE_FORMAT;
    }
    for (uint32_t i = 0; err == 0 && i < count; i += 2) {
        uint64_t slot = 0, more = 0;
        err = lc_pack_read_count(reader, &slot);
        err = err < 0 ? err : lc_pack_read_count(reader, &more);
        if (err == 0 && slot >= LCORE_HISTOGRAM_SLOTS) {
            err = LCE_INVALID;
        }
        if (err == 0 && row->target != NULL) {
            err = add_to_slot(row, (uint32_t)slot, more);
        }
    }
    row->has_histogram = true;
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
        err = lc_pack_read_count(reader, &sum->count);
        err = err < 0 ? err : lc_pack_read_count(reader, &sum->total_ns);
        err = err < 0 ? err : lc_pack_read_count(reader, &sum->max_ns);
    }
    return err;
}

/* In the order in which they are sent. */
#define FIELDS(X)                                                                                                      \
    X(NAME, "name")                                                                                                    \
    X(METHOD, "method")                                                                                                \
    X(LAST, "last_request_timestamp")                                                                                  \
    X(START, "start_time")                                                                                             \
    X(REQUESTS, "num_requests")                                                                                        \
    X(NONES, "num_none_requests")                                                                                      \
    X(FAILURES, "num_failures")                                                                                        \
    X(TOTAL, "total_response_time")                                                                                    \
    X(MAX, "max_response_time")                                                                                        \
    X(MIN, "min_response_time")                                                                                        \
    X(BYTES, "total_content_length")                                                                                   \
    X(BUCKETS, "response_times")                                                                                       \
    X(REQUEST_SECONDS, "num_reqs_per_sec")                                                                             \
    X(FAILURE_SECONDS, "num_fail_per_sec")                                                                             \
    X(PHASES, LCORE_REPORT_PHASES_KEY)                                                                                 \
    X(HISTOGRAM, LCORE_REPORT_HISTOGRAM_KEY)

enum field {
#define FIELD_NUMBER(name, text) FIELD_##name,
    FIELDS(FIELD_NUMBER)
#undef FIELD_NUMBER
        FIELD_COUNT
};

static const struct lc_str FIELD_KEYS[] = {
#define FIELD_KEY(name, text) {text, sizeof(text) - 1},
    FIELDS(FIELD_KEY)
#undef FIELD_KEY
};

/* FIELD_COUNT: none of these. */
static unsigned
find_field(struct lc_str key, unsigned expected)
{
    if (expected < FIELD_COUNT && lc_str_equal(key, FIELD_KEYS[expected])) {
        return expected;
    }
    unsigned field = 0;
    while (field < FIELD_COUNT && !lc_str_equal(key, FIELD_KEYS[field])) {
        field++;
    }
    return field;
}

static int
read_row_field(struct lc_pack_reader *reader, struct lc_str key, void *arg)
{
    struct row *row = arg;
    struct lc_stats_sums *sums = &row->sums;
    unsigned field = find_field(key, row->next);
    row->next = field + 1;
    switch (field) {
    case FIELD_LAST:
        return read_unix_s(reader, &sums->last_request_unix_s);
    case FIELD_START:
        return read_unix_s(reader, &sums->start_unix_s);
    case FIELD_REQUESTS:
        return lc_pack_read_count(reader, &sums->request_count);
    case FIELD_NONES:
        return lc_pack_read_count(reader, &sums->none_count);
    case FIELD_FAILURES:
        return lc_pack_read_count(reader, &sums->failure_count);
    case FIELD_TOTAL:
        return read_number(reader, 0, &sums->total_ms, &sums->is_total_whole);
    case FIELD_MAX:
        return read_number(reader, 0, &sums->max_ms, &sums->is_max_whole);
    case FIELD_MIN:
        return read_number(reader, INFINITY, &sums->min_ms, &sums->is_min_whole);
    case FIELD_BYTES:
        return read_bytes(reader, &sums->content_bytes);
    case FIELD_BUCKETS:
        row->buckets = *reader;
        return read_counts(reader, row, add_to_bucket);
    case FIELD_REQUEST_SECONDS:
        return read_counts(reader, row, add_requests);
    case FIELD_FAILURE_SECONDS:
        return read_counts(reader, row, add_failures);
    case FIELD_PHASES:
        return read_phases(reader, row->phases);
    case FIELD_HISTOGRAM:
        return read_histogram(reader, row);
    default:
        return lc_pack_skip(reader);
    }
}

/* target NULL: the row is only checked. *last_unix_s: when its last request was; 0: never. */
static int
read_row(struct lc_pack_reader *reader, struct lc_stats_entry *target, const struct lc_stats_config *config,
         double *last_unix_s)
{
    struct row row = {.target = target};
    row.sums = (struct lc_stats_sums){.min_ms = INFINITY,
                                      .start_unix_s = INFINITY,
                                      .is_total_whole = true,
                                      .is_min_whole = true,
                                      .is_max_whole = true,
                                      .phases = row.phases};
    int err = target == NULL ? 0 : lc__stats_entry_pin(target);
    err = err < 0 ? err : read_fields(reader, read_row_field, &row);
    if (last_unix_s != NULL) {
        *last_unix_s = row.sums.last_request_unix_s;
    }
    if (err < 0 || target == NULL) {
        return err;
    }
    if (!row.has_histogram && row.buckets.at != NULL) {
        err = read_counts(&row.buckets, &row, add_bucket_as_slot);
    }
    return err < 0 ? err : lc__stats_entry_add_sums(target, &row.sums, config);
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

/* Rows come in the order in which their worker first used the names, mostly that of the table, and some are left out:
 * so the one behind the last one found is looked at first. */
static struct lc_stats_entry *
find_row(struct lc_stats *stats, const struct texts *texts, size_t *next)
{
    size_t place = *next;
    if (place < stats->count && lc_str_equal(stats->entries[place]->name, texts->name) &&
        lc_str_equal(stats->entries[place]->method, texts->method)) {
        ++*next;
        return stats->entries[place];
    }
    struct lc_stats_entry *entry = lc_stats_entry(stats, texts->name, texts->method);
    while (place < stats->count && place < *next + ROWS_AHEAD && stats->entries[place] != entry) {
        place++;
    }
    *next = place < stats->count && stats->entries[place] == entry ? place + 1 : *next;
    return entry;
}

static int
read_failure_field(struct lc_pack_reader *reader, struct lc_str key, void *arg)
{
    struct lc_failure *failure = arg;
    return is_key(key, "occurrences")  ? lc_pack_read_count(reader, &failure->occurrences)
           : is_key(key, "first_seen") ? read_unix_s(reader, &failure->first_seen_unix_s)
           : is_key(key, "last_seen")  ? read_unix_s(reader, &failure->last_seen_unix_s)
                                       : lc_pack_skip(reader);
}

struct reading {
    struct lc_stats *target; /* NULL: the report is only checked */
    double now_unix_s;
    bool has_stats, has_total, has_errors;
    struct lc_pack_reader errors; /* read last, for they make rows where the report has none */
    struct lc_pack_reader users;  /* at NULL: none */
    double until_unix_s;          /* 0: it does not say it */
    double last_unix_s;
};

static int
read_rows(struct lc_pack_reader *reader, struct lc_stats *target)
{
    uint32_t count;
    size_t next = 0;
    int err = read_head(reader, LCORE_PACK_ARRAY, &count);
    for (uint32_t i = 0; err == 0 && i < count; i++) {
        struct texts texts;
        err = find_first_texts(*reader, &texts) ? 0 : find_texts(*reader, &texts);
        if (err < 0) {
            return err;
        }
        if (target == NULL) {
            err = read_row(reader, NULL, NULL, NULL);
            continue;
        }
        struct lc_stats_entry *entry = find_row(target, &texts, &next);
        err = entry == NULL ? LCE_NOMEM : read_row(reader, entry, target->config, NULL);
        if (err == 0) {
            lc__window_trim(&entry->window, target->seconds_kept);
        }
    }
    return err;
}

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
    if (err < 0 || reading->target == NULL) {
        return err;
    }
    if (failure.first_seen_unix_s == 0) {
        failure.first_seen_unix_s = reading->now_unix_s;
    }
    if (failure.last_seen_unix_s == 0) {
        failure.last_seen_unix_s = reading->now_unix_s;
    }
    struct lc_stats_entry *entry = lc_stats_entry(reading->target, texts.name, texts.method);
    return entry == NULL ? LCE_NOMEM : lc__failures_add(&reading->target->failures, entry, texts.error, &failure);
}

static int
read_report_field(struct lc_pack_reader *reader, struct lc_str key, void *arg)
{
    struct reading *reading = arg;
    struct lc_stats *target = reading->target;
    if (is_key(key, "stats") && !reading->has_stats) {
        reading->has_stats = true;
        return read_rows(reader, target);
    }
    if (is_key(key, "stats_total") && !reading->has_total) {
        reading->has_total = true;
        return target == NULL ? read_row(reader, NULL, NULL, NULL)
                              : read_row(reader, target->total, target->config, &reading->last_unix_s);
    }
    if (is_key(key, "errors") && !reading->has_errors) {
        reading->has_errors = true;
        reading->errors = *reader;
    }
    if (is_key(key, LCORE_REPORT_UNTIL_KEY)) {
        return read_unix_s(reader, &reading->until_unix_s);
    }
    if (is_key(key, "user_classes_count")) {
        reading->users = *reader;
    }
    return lc_pack_skip(reader);
}

/* Goes through the report once. */
static int
read_report(struct reading *reading, struct lc_str data)
{
    struct lc_pack_reader reader = lc_pack_reader_from(data);
    int err = read_fields(&reader, read_report_field, reading);
    if (err == 0 && !(reading->has_stats && reading->has_total && reading->has_errors)) {
        return LCE_FORMAT;
    }
    return err < 0 ? err : read_fields(&reading->errors, read_failure, reading);
}

int
lc_report_merge(struct lc_stats *target, struct lc_str data, double now_unix_s, struct lc_report_told *told)
{
    struct reading check = {0};
    int err = read_report(&check, data);
    if (err < 0) {
        return err;
    }
    struct reading reading = {.target = target, .now_unix_s = now_unix_s};
    err = read_report(&reading, data);
    if (err == 0 && told != NULL) {
        *told = (struct lc_report_told){
            .users = reading.users,
            .until_unix_s = reading.until_unix_s > 0 ? reading.until_unix_s : reading.last_unix_s,
        };
    }
    return err;
}
