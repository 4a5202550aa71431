#include "stats/failures.h"

#include <math.h>

#include "base/alloc.h"
#include "base/str.h"

#define REST_TEXT LCORE_STR("(further errors, each with a text of its own)")

void
lc__failures_init(struct lc_failures *failures)
{
    *failures = (struct lc_failures){.epoch = lc__stats_next_epoch()};
}

void
lc__failures_fini(struct lc_failures *failures)
{
    for (size_t i = 0; i < failures->count; i++) {
        lc__stats_entry_unref(failures->rows[i].entry);
        lc__free((char *)failures->rows[i].text.data);
    }
    lc__free(failures->rows);
    lc__free(failures->index);
    lc__failures_init(failures);
}

static uint64_t
row_hash(const struct lc_stats_entry *entry, struct lc_str text)
{
    return lc_str_hash(text) * 31 + lc_str_hash(entry->name) * 7 + lc_str_hash(entry->method);
}

static bool
is_of(const struct lc_failure *row, const struct lc_stats_entry *entry, struct lc_str text)
{
    return lc_str_equal(row->text, text) && (row->entry == entry || (lc_str_equal(row->entry->name, entry->name) &&
                                                                     lc_str_equal(row->entry->method, entry->method)));
}

static void
index_put(struct lc_failures *failures, size_t row)
{
    size_t place = failures->rows[row].hash & (failures->index_size - 1);
    while (failures->index[place] != 0) {
        place = (place + 1) & (failures->index_size - 1);
    }
    failures->index[place] = (uint32_t)row + 1;
}

static void
index_rebuild(struct lc_failures *failures)
{
    memset(failures->index, 0, failures->index_size * sizeof(*failures->index));
    for (size_t row = 0; row < failures->count; row++) {
        index_put(failures, row);
    }
}

/* Row + 1; 0: there is none. */
static size_t
find_row(const struct lc_failures *failures, const struct lc_stats_entry *entry, struct lc_str text, uint64_t hash)
{
    if (failures->count == 0) {
        return 0;
    }
    size_t place = hash & (failures->index_size - 1);
    while (failures->index[place] != 0) {
        const struct lc_failure *row = &failures->rows[failures->index[place] - 1];
        if (row->hash == hash && is_of(row, entry, text)) {
            return failures->index[place];
        }
        place = (place + 1) & (failures->index_size - 1);
    }
    return 0;
}

static int
reserve_row(struct lc_failures *failures)
{
    if (failures->count == failures->capacity) {
        size_t capacity = failures->capacity == 0 ? 16 : failures->capacity * 2;
        struct lc_failure *rows =
            capacity > UINT32_MAX / 2 ? NULL : lc__realloc(failures->rows, capacity * sizeof(*rows));
        if (rows == NULL) {
            return LCE_NOMEM;
        }
        failures->rows = rows;
        failures->capacity = capacity;
    }
    if (failures->index_size < failures->capacity * 2) {
        size_t size = failures->capacity * 2;
        uint32_t *index = lc__alloc(size * sizeof(*index));
        if (index == NULL) {
            return LCE_NOMEM;
        }
        lc__free(failures->index);
        failures->index = index;
        failures->index_size = size;
        index_rebuild(failures);
    }
    return 0;
}

/* Row + 1; 0: out of memory. */
static size_t
add_row(struct lc_failures *failures, struct lc_stats_entry *entry, struct lc_str text, uint64_t hash)
{
    if (reserve_row(failures) < 0) {
        return 0;
    }
    char *copy = lc_str_dup(text);
    if (copy == NULL) {
        return 0;
    }
    failures->text_bytes += text.len;
    failures->rows[failures->count] = (struct lc_failure){
        .entry = lc__stats_entry_ref(entry),
        .text = {copy, text.len},
        .hash = hash,
        .first_seen_unix_s = INFINITY,
        .last_seen_unix_s = -INFINITY,
    };
    index_put(failures, failures->count);
    return ++failures->count;
}

/* Row + 1; 0: out of memory. */
static size_t
find_or_add(struct lc_failures *failures, struct lc_stats_entry *entry, struct lc_str text)
{
    uint64_t hash = row_hash(entry, text);
    size_t found = find_row(failures, entry, text, hash);
    if (found > 0) {
        return found;
    }
    if (failures->count < LCORE_FAILURES_ROWS && failures->text_bytes + text.len <= LCORE_FAILURES_BYTES) {
        return add_row(failures, entry, text, hash);
    }
    if (entry->failure_rest_row == 0) {
        hash = row_hash(entry, REST_TEXT);
        found = find_row(failures, entry, REST_TEXT, hash);
        entry->failure_rest_row = found > 0 ? found : add_row(failures, entry, REST_TEXT, hash);
    }
    return entry->failure_rest_row;
}

int
lc__failures_add(struct lc_failures *failures, struct lc_stats_entry *entry, struct lc_str text,
                 const struct lc_failure *more)
{
    if (entry->failure_epoch != failures->epoch) {
        entry->failure_epoch = failures->epoch;
        entry->failure_row = entry->failure_rest_row = 0;
    }
    if (entry->failure_row == 0 || !lc_str_equal(failures->rows[entry->failure_row - 1].text, text)) {
        size_t found = find_or_add(failures, entry, text);
        if (found == 0) {
            return LCE_NOMEM;
        }
        entry->failure_row = found;
    }
    struct lc_failure *row = &failures->rows[entry->failure_row - 1];
    row->is_remote |= more->is_remote;
    row->occurrences += more->occurrences;
    row->first_seen_unix_s = fmin(row->first_seen_unix_s, more->first_seen_unix_s);
    row->last_seen_unix_s = fmax(row->last_seen_unix_s, more->last_seen_unix_s);
    return 0;
}

void
lc__failures_remove(struct lc_failures *failures, size_t row)
{
    lc__stats_entry_unref(failures->rows[row].entry);
    failures->text_bytes -= failures->rows[row].text.len;
    lc__free((char *)failures->rows[row].text.data);
    failures->count--;
    memmove(&failures->rows[row], &failures->rows[row + 1], (failures->count - row) * sizeof(*failures->rows));
    failures->epoch = lc__stats_next_epoch();
    index_rebuild(failures);
}
