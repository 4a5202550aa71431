#include "stats/table.h"

#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"

const struct lc_stats_config lc__stats_default_config = {.recent_s = LCORE_STATS_RECENT_S};

#define FURTHER_METHODS 64
/* Seconds with their counters that all entries hold together, at 2 to 12 bytes each; and one entry at least. */
#define SECONDS_MAX (4u << 20)
#define SECONDS_MIN 120

static double
now_unix_s(void)
{
    return (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S;
}

struct lc_stats *
lc__stats_new(const struct lc_stats_config *config, bool is_keeping_recent)
{
    struct lc_stats *stats = lc__calloc(1, sizeof(*stats));
    if (stats == NULL) {
        return NULL;
    }
    stats->config = config == NULL ? &lc__stats_default_config : config;
    stats->total = lc__stats_entry_new(LCORE_STR("Aggregated"), LCORE_STR(""), is_keeping_recent, now_unix_s());
    if (stats->total == NULL) {
        lc__free(stats);
        return NULL;
    }
    lc__failures_init(&stats->failures);
    stats->generation = lc__stats_next_epoch();
    return stats;
}

struct lc_stats *
lc_stats_new(void)
{
    return lc__stats_new(NULL, true);
}

static void
drop_entries(struct lc_stats *stats)
{
    for (size_t i = 0; i < stats->count; i++) {
        lc__stats_entry_unref(stats->entries[i]);
    }
    stats->count = 0;
    lc_map_fini(&stats->map);
    stats->generation = lc__stats_next_epoch();
}

void
lc_stats_free(struct lc_stats *stats)
{
    if (stats == NULL) {
        return;
    }
    lc_stats_free(stats->held);
    lc__failures_fini(&stats->failures);
    drop_entries(stats);
    lc__free(stats->entries);
    lc__stats_entry_unref(stats->total);
    lc__free(stats);
}

struct lc_stats_entry *
lc__stats_find(const struct lc_stats *stats, struct lc_str name, struct lc_str method)
{
    return lc_map_get(&stats->map, name, method);
}

static void
share_seconds(struct lc_stats *stats)
{
    size_t share = SECONDS_MAX / (stats->count + 1);
    stats->seconds_kept = (uint32_t)(share < SECONDS_MIN ? SECONDS_MIN : share);
}

/* Takes the caller's reference if it succeeds. */
static int
append_entry(struct lc_stats *stats, struct lc_stats_entry *entry)
{
    if (stats->count == stats->capacity) {
        size_t capacity = stats->capacity == 0 ? 16 : stats->capacity * 2;
        struct lc_stats_entry **entries = lc__realloc(stats->entries, capacity * sizeof(*entries));
        if (entries == NULL) {
            return LCE_NOMEM;
        }
        stats->entries = entries;
        stats->capacity = capacity;
    }
    int err = lc_map_add(&stats->map, entry->name, entry->method, entry, NULL);
    if (err == 0) {
        stats->entries[stats->count++] = entry;
        share_seconds(stats);
    }
    return err;
}

struct lc_stats_entry *
lc_stats_entry(struct lc_stats *stats, struct lc_str name, struct lc_str method)
{
    struct lc_stats_entry *entry = lc__stats_find(stats, name, method);
    if (entry == NULL && stats->count >= LCORE_STATS_NAMES) {
        name = LCORE_STR(LCORE_STATS_FURTHER);
        entry = lc__stats_find(stats, name, method);
        if (entry == NULL && stats->count >= LCORE_STATS_NAMES + FURTHER_METHODS) {
            method = LCORE_STR("");
            entry = lc__stats_find(stats, name, method);
        }
    }
    if (entry == NULL) {
        entry = lc__stats_entry_new(name, method, stats->total->is_keeping_recent, now_unix_s());
        if (entry != NULL && append_entry(stats, entry) < 0) {
            lc__stats_entry_unref(entry);
            entry = NULL;
        }
    }
    return entry;
}

int
lc__stats_remove(struct lc_stats *stats, struct lc_stats_entry *entry)
{
    struct lc_map map = {0};
    size_t place = stats->count;
    for (size_t i = 0; i < stats->count; i++) {
        struct lc_stats_entry *other = stats->entries[i];
        if (other == entry) {
            place = i;
        } else if (lc_map_add(&map, other->name, other->method, other, NULL) < 0) {
            lc_map_fini(&map);
            return LCE_NOMEM;
        }
    }
    lc_map_fini(&stats->map);
    stats->map = map;
    stats->generation = lc__stats_next_epoch();
    if (place < stats->count) {
        stats->count--;
        memmove(&stats->entries[place], &stats->entries[place + 1], (stats->count - place) * sizeof(stats->entries[0]));
        lc__stats_entry_unref(entry);
    }
    return 0;
}

int
lc__stats_adopt(struct lc_stats *stats, struct lc_stats_entry *entry)
{
    struct lc_stats_entry *old = lc__stats_find(stats, entry->name, entry->method);
    if (old == entry) {
        return 0;
    }
    if (old != NULL) {
        int err = lc__stats_remove(stats, old);
        if (err < 0) {
            return err;
        }
    }
    int err = append_entry(stats, entry);
    if (err == 0) {
        lc__stats_entry_ref(entry);
    }
    return err;
}

uint64_t
lc_stats_generation(const struct lc_stats *stats)
{
    return stats->generation;
}

struct lc_stats_entry *
lc_stats_total(struct lc_stats *stats)
{
    return stats->total;
}

size_t
lc_stats_count(const struct lc_stats *stats)
{
    return stats->count;
}

struct lc_stats_entry *
lc_stats_at(struct lc_stats *stats, size_t index)
{
    return stats->entries[index];
}

static int
log_sample(struct lc_stats *stats, struct lc_stats_entry *entry, struct lc_sample *sample)
{
    int err = lc__stats_entry_prepare(entry, sample, stats->config);
    sample->seconds_kept = 0;
    if (err == 0) {
        err = lc__stats_entry_prepare(stats->total, sample, stats->config);
    }
    if (err == 0) {
        lc__stats_entry_count(entry, sample);
        lc__stats_entry_count(stats->total, sample);
    }
    return err;
}

static int
make_sample(struct lc_sample *sample, const struct lc_stats_config *config, double ms, bool is_whole_ms,
            uint64_t content_length, double unix_s)
{
    sample->is_whole_ms = is_whole_ms;
    sample->seconds_kept = 0;
    sample->content_bytes = content_length;
    int err = lc__sample_set_time(sample, unix_s);
    return err < 0 ? err : lc__sample_set_ms(sample, ms, config);
}

int
lc__stats_log_ms(struct lc_stats *stats, struct lc_stats_entry *entry, double ms, bool is_whole_ms,
                 uint64_t content_length, double unix_s)
{
    struct lc_sample sample;
    /* First of all: config->bucket_fn may be code that ends the holding. */
    int err = make_sample(&sample, stats->config, ms, is_whole_ms, content_length, unix_s);
    if (err == 0 && stats->held != NULL) {
        err = lc__stats_divert(&stats, &entry);
    }
    sample.seconds_kept = stats->seconds_kept;
    return err < 0 ? err : log_sample(stats, entry, &sample);
}

int
lc__stats_log_entry_ms(struct lc_stats_entry *entry, const struct lc_stats_config *config, double ms, bool is_whole_ms,
                       uint64_t content_length, double unix_s)
{
    struct lc_sample sample;
    config = config == NULL ? &lc__stats_default_config : config;
    int err = make_sample(&sample, config, ms, is_whole_ms, content_length, unix_s);
    if (err == 0) {
        err = lc__stats_entry_prepare(entry, &sample, config);
    }
    if (err == 0) {
        lc__stats_entry_count(entry, &sample);
    }
    return err;
}

int
lc_stats_log_request(struct lc_stats *stats, struct lc_stats_entry *entry, int64_t response_time_ns,
                     uint64_t content_length, double unix_s)
{
    double ms = response_time_ns < 0 ? NAN : (double)response_time_ns / (double)LCORE_NS_PER_MS;
    return lc__stats_log_ms(stats, entry, ms, false, content_length, unix_s);
}

int
lc_stats_log_failure(struct lc_stats *stats, struct lc_stats_entry *entry, struct lc_str error_text, double unix_s)
{
    struct lc_sample sample;
    int err = stats->held == NULL ? 0 : lc__stats_divert(&stats, &entry);
    err = err < 0 ? err : lc__sample_set_time(&sample, unix_s);
    if (err < 0) {
        return err;
    }
    /* The memory for all counters is there before one of them changes, so that they always agree. */
    if (lc__window_at(&entry->window, sample.second) == NULL ||
        lc__window_at(&stats->total->window, sample.second) == NULL) {
        return LCE_NOMEM;
    }
    const struct lc_failure once = {.occurrences = 1, .first_seen_unix_s = unix_s, .last_seen_unix_s = unix_s};
    err = lc__failures_add(&stats->failures, entry, error_text, &once);
    if (err < 0) {
        return err;
    }
    err = lc__stats_entry_count_failure(entry, sample.second);
    return err < 0 ? err : lc__stats_entry_count_failure(stats->total, sample.second);
}

int
lc_stats_log_phases(struct lc_stats *stats, struct lc_stats_entry *entry, const struct lc_phases *phases)
{
    int err = stats->held == NULL ? 0 : lc__stats_divert(&stats, &entry);
    if (err == 0) {
        lc__phases_add(entry->phases, phases);
        lc__phases_add(stats->total->phases, phases);
    }
    return err;
}

void
lc_stats_clear(struct lc_stats *stats, double unix_s)
{
    if (stats->held != NULL) {
        lc_stats_clear(stats->held, unix_s);
    }
    stats->left_out_requests = stats->left_out_failures = 0;
    lc__failures_fini(&stats->failures);
    drop_entries(stats);
    lc__stats_entry_reset(stats->total, unix_s);
}

void
lc_stats_reset(struct lc_stats *stats, double unix_s)
{
    if (stats->held != NULL) {
        lc_stats_reset(stats->held, unix_s);
    }
    stats->left_out_requests = stats->left_out_failures = 0;
    lc__failures_fini(&stats->failures);
    lc__stats_entry_reset(stats->total, unix_s);
    for (size_t i = 0; i < stats->count; i++) {
        lc__stats_entry_reset(stats->entries[i], unix_s);
    }
}

void
lc__stats_reported(struct lc_stats *stats, double unix_s)
{
    lc__failures_fini(&stats->failures);
    lc__stats_entry_reset(stats->total, unix_s);
    for (size_t i = 0; i < stats->count; i++) {
        if (lc__stats_entry_is_used(stats->entries[i])) {
            lc__stats_entry_reset(stats->entries[i], unix_s);
        }
    }
}

size_t
lc_stats_failure_count(const struct lc_stats *stats)
{
    return stats->failures.count;
}

void
lc_stats_failure_at(const struct lc_stats *stats, size_t index, struct lc_stats_failure *out)
{
    const struct lc_failure *row = &stats->failures.rows[index];
    *out = (struct lc_stats_failure){
        .name = row->entry->name,
        .method = row->entry->method,
        .text = row->text,
        .occurrences = row->occurrences,
        .first_seen_unix_s = row->first_seen_unix_s,
        .last_seen_unix_s = row->last_seen_unix_s,
        .is_remote = row->is_remote,
    };
}

int
lc_stats_merge(struct lc_stats *target, const struct lc_stats *source)
{
    int err = lc__stats_entry_extend(target->total, source->total, target->config);
    for (size_t i = 0; err == 0 && i < source->count; i++) {
        const struct lc_stats_entry *from = source->entries[i];
        struct lc_stats_entry *to = lc_stats_entry(target, from->name, from->method);
        err = to == NULL ? LCE_NOMEM : lc__stats_entry_extend(to, from, target->config);
        if (err == 0) {
            lc__window_trim(&to->window, target->seconds_kept);
        }
    }
    for (size_t i = 0; err == 0 && i < source->failures.count; i++) {
        struct lc_failure more = source->failures.rows[i];
        more.is_remote = true;
        struct lc_stats_entry *to = lc_stats_entry(target, more.entry->name, more.entry->method);
        err = to == NULL ? LCE_NOMEM : lc__failures_add(&target->failures, to, more.text, &more);
    }
    return err;
}
