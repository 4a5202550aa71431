#include "report/prometheus.h"

#include <math.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "stats/entry.h"

int
lc__prometheus_append_label(struct lc_buffer *out, struct lc_str text)
{
    int err = 0;
    while (text.len > 0 && err == 0) {
        unsigned char c = (unsigned char)text.data[0];
        uint32_t point;
        size_t len = c < 0x80 ? 1 : lc_utf8_decode(text, &point);
        if (len == 0) {
            /* One byte that is no UTF-8 would cost the whole scrape. */
            err = lc_buffer_append_str(out, LCORE_STR("\xef\xbf\xbd"));
            len = 1;
        } else if (c == '\n') {
            err = lc_buffer_append_str(out, LCORE_STR("\\n"));
        } else {
            if (c == '"' || c == '\\') {
                err = lc_buffer_append_str(out, LCORE_STR("\\"));
            }
            err = err < 0 ? err : lc_buffer_append(out, text.data, len);
        }
        text = (struct lc_str){text.data + len, text.len - len};
    }
    return err;
}

static int
set_labels(struct lc__prometheus_rows *rows, struct lc__prometheus_row *row, struct lc_str method, struct lc_str name)
{
    struct lc_buffer *out = &rows->labels;
    row->labels = out->len;
    int err = lc_buffer_append_str(out, LCORE_STR("method=\""));
    err = err < 0 ? err : lc__prometheus_append_label(out, method);
    err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\",name=\""));
    err = err < 0 ? err : lc__prometheus_append_label(out, name);
    err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\""));
    row->labels_len = out->len - row->labels;
    return err;
}

/* For each bound the first slot that is above it. The bound's own slot is not: whole milliseconds, as scripts report
 * them, often are on a bound. */
static void
find_limits(uint32_t limits[LC__PROMETHEUS_BOUNDS])
{
#define BOUND(bound) bound,
    static const double bounds_s[] = {LCORE_PROMETHEUS_BOUND_LIST(BOUND)};
#undef BOUND
    for (size_t i = 0; i < LC__PROMETHEUS_BOUNDS; i++) {
        limits[i] = lc__histogram_slot((uint64_t)round(bounds_s[i] * 1e6)) + 1;
    }
}

static void
fill(struct lc__prometheus_row *row, const struct lc_stats_entry *entry, const struct lc_stats_entry *total,
     const uint32_t limits[LC__PROMETHEUS_BOUNDS])
{
    row->request_count = entry->request_count;
    row->failure_count = entry->failure_count;
    row->content_bytes = (int64_t)entry->content_bytes < 0 ? 0 : entry->content_bytes;
    row->total_ms = fmax(entry->total_ms, 0);
    row->average_ms = lc_stats_entry_average_ms(entry);
    row->min_ms = entry->min_ms == INFINITY ? 0 : entry->min_ms;
    row->max_ms = entry->max_ms;
    row->median_ms = lc_stats_entry_locust_median_ms(entry);
    row->average_bytes =
        entry->request_count == 0 ? 0 : (double)(int64_t)entry->content_bytes / (double)entry->request_count;
    lc_stats_entry_current_rates(entry, total, &row->current_rps, &row->current_failures_per_s);
    memcpy(row->phases, entry->phases, sizeof(row->phases));
    uint32_t slot = 0, count;
    size_t bound = 0;
    while (lc__histogram_next(&entry->histogram, &slot, &count)) {
        while (bound < LC__PROMETHEUS_BOUNDS && slot - 1 >= limits[bound]) {
            bound++;
        }
        row->timed_count += count;
        if (bound < LC__PROMETHEUS_BOUNDS) {
            row->buckets[bound] += count;
        }
    }
}

static void
add(struct lc__prometheus_row *sum, const struct lc__prometheus_row *row)
{
    sum->request_count += row->request_count;
    sum->failure_count += row->failure_count;
    sum->content_bytes += row->content_bytes;
    if (row->timed_count > 0) {
        sum->min_ms = sum->timed_count == 0 ? row->min_ms : fmin(sum->min_ms, row->min_ms);
        sum->max_ms = fmax(sum->max_ms, row->max_ms);
    }
    sum->timed_count += row->timed_count;
    sum->total_ms += row->total_ms;
    sum->current_rps += row->current_rps;
    sum->current_failures_per_s += row->current_failures_per_s;
    for (size_t i = 0; i < LC__PROMETHEUS_BOUNDS; i++) {
        sum->buckets[i] += row->buckets[i];
    }
    lc__phases_merge(sum->phases, row->phases);
    sum->average_ms = sum->timed_count == 0 ? 0 : sum->total_ms / (double)sum->timed_count;
    sum->median_ms = NAN;
    sum->average_bytes = sum->request_count == 0 ? 0 : (double)sum->content_bytes / (double)sum->request_count;
}

int
lc__prometheus_rows_init(struct lc__prometheus_rows *rows, struct lc_stats *stats, size_t name_limit)
{
    *rows = (struct lc__prometheus_rows){0};
    size_t entry_count = lc_stats_count(stats);
    size_t own_count = entry_count < name_limit ? entry_count : name_limit;
    size_t row_count = own_count + (entry_count > own_count);
    rows->rows = lc__calloc(row_count + 1, sizeof(*rows->rows));
    if (rows->rows == NULL) {
        return LCE_NOMEM;
    }
    uint32_t limits[LC__PROMETHEUS_BOUNDS];
    find_limits(limits);
    const struct lc_stats_entry *total = lc_stats_total(stats);
    fill(&rows->total, total, total, limits);
    int err = set_labels(rows, &rows->total, total->method, total->name);
    for (size_t i = 0; i < entry_count && err == 0; i++) {
        const struct lc_stats_entry *entry = lc_stats_at(stats, i);
        if (i < own_count) {
            fill(&rows->rows[i], entry, total, limits);
            err = set_labels(rows, &rows->rows[i], entry->method, entry->name);
        } else {
            struct lc__prometheus_row further = {0};
            fill(&further, entry, total, limits);
            add(&rows->rows[own_count], &further);
        }
    }
    if (row_count > own_count && err == 0) {
        err = set_labels(rows, &rows->rows[own_count], LCORE_STR(""), LCORE_STR(LCORE_STATS_FURTHER));
    }
    rows->count = row_count;
    return err;
}

void
lc__prometheus_rows_fini(struct lc__prometheus_rows *rows)
{
    lc__free(rows->rows);
    lc_buffer_fini(&rows->labels);
}
