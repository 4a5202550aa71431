/* What is logged while statistics are held goes into a table of its own, so that it can be forgotten as if it had never
 * been: histograms, extremes and failures cannot be subtracted from. */
#include "stats/table.h"

#include "base/clock.h"

int
lc__stats_divert(struct lc_stats **stats, struct lc_stats_entry **entry)
{
    struct lc_stats *held = (*stats)->held;
    struct lc_stats_entry *asked = *entry;
    if (asked->held == NULL || asked->held_generation != held->generation) {
        asked->held = lc_stats_entry(held, asked->name, asked->method);
        asked->held_generation = held->generation;
        if (asked->held == NULL) {
            return LCE_NOMEM;
        }
    }
    *entry = asked->held;
    *stats = held;
    return 0;
}

static int
keep(struct lc_stats *stats, const struct lc_stats *held)
{
    int err = held->total->request_count + held->total->failure_count == 0
                  ? 0
                  : lc__stats_entry_extend(stats->total, held->total, stats->config);
    for (size_t i = 0; err == 0 && i < held->count; i++) {
        const struct lc_stats_entry *from = held->entries[i];
        if (from->request_count + from->failure_count > 0) {
            struct lc_stats_entry *to = lc_stats_entry(stats, from->name, from->method);
            err = to == NULL ? LCE_NOMEM : lc__stats_entry_extend(to, from, stats->config);
            if (err == 0) {
                lc__window_trim(&to->window, stats->seconds_kept);
            }
        }
    }
    for (size_t i = 0; err == 0 && i < held->failures.count; i++) {
        const struct lc_failure *row = &held->failures.rows[i];
        struct lc_stats_entry *to = lc_stats_entry(stats, row->entry->name, row->entry->method);
        err = to == NULL ? LCE_NOMEM : lc__failures_add(&stats->failures, to, row->text, row);
    }
    return err;
}

int
lc_stats_settle(struct lc_stats *stats, bool is_kept)
{
    struct lc_stats *held = stats->held;
    if (held == NULL) {
        return 0;
    }
    int err = 0;
    if (is_kept) {
        err = keep(stats, held);
    } else {
        stats->left_out_requests += held->total->request_count;
        stats->left_out_failures += held->total->failure_count;
    }
    lc_stats_reset(held, (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S);
    return err;
}

int
lc_stats_hold(struct lc_stats *stats, bool is_held)
{
    if (is_held == (stats->held != NULL)) {
        return 0;
    }
    if (is_held) {
        stats->held = lc__stats_new(stats->config, false);
        return stats->held == NULL ? LCE_NOMEM : 0;
    }
    int err = lc_stats_settle(stats, true);
    lc_stats_free(stats->held);
    stats->held = NULL;
    return err;
}

void
lc_stats_left_out(const struct lc_stats *stats, uint64_t *requests, uint64_t *failures)
{
    *requests = stats->left_out_requests;
    *failures = stats->left_out_failures;
}
