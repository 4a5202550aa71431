/* A small table that the tests of reports share. */
#ifndef TESTS_UNIT_REPORT_SUPPORT_H
#define TESTS_UNIT_REPORT_SUPPORT_H

#include "../support.h"
#include "base/buffer.h"
#include "locustcore/report.h"
#include "stats/table.h"

/* /b: 3.5 and 20.25 ms, one failure; /a: nothing; at 1000 s, started at 990 s. */
static inline struct lc_stats *
make_stats(void)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    lc_stats_clear(stats, 990);
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/b"), LCORE_STR("GET"));
    assert_non_null(entry);
    assert_non_null(lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("POST")));
    entry->start_unix_s = 990;
    assert_int_equal(lc_stats_log_request(stats, entry, 3500000, 10, 1000), 0);
    assert_int_equal(lc_stats_log_request(stats, entry, 20250000, 5, 1000), 0);
    assert_int_equal(lc_stats_log_failure(stats, entry, LCORE_STR("CatchResponseError('it\\'s, \"x\"')"), 1000), 0);
    return stats;
}

static inline void
assert_text(struct lc_buffer *buffer, const char *expected)
{
    assert_int_equal(lc_buffer_append(buffer, "", 1), 0);
    assert_string_equal(buffer->data, expected);
    lc_buffer_fini(buffer);
}

#endif
