#include "stats/table.h"

#include "../support.h"

static void
log_both(struct lc_stats *stats, struct lc_stats_entry *entry, int64_t ms, double unix_s)
{
    struct lc_phases phases = {.ns = {-1, -1, -1, 1000, ms * 1000000, 0}};
    assert_int_equal(lc_stats_log_request(stats, entry, ms * 1000000, 10, unix_s), 0);
    assert_int_equal(lc_stats_log_phases(stats, entry, &phases), 0);
    if (ms > 100) {
        assert_int_equal(lc_stats_log_failure(stats, entry, LCORE_STR("slow"), unix_s), 0);
    }
}

static uint64_t
left_out(const struct lc_stats *stats, uint64_t *failures)
{
    uint64_t requests;
    lc_stats_left_out(stats, &requests, failures);
    return requests;
}

static void
test_a_second_counts_or_never_was(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    log_both(stats, entry, 5, 1000);
    assert_int_equal(lc_stats_hold(stats, true), 0);
    assert_int_equal(lc_stats_hold(stats, true), 0);
    log_both(stats, entry, 7, 1001);
    assert_int_equal(entry->request_count, 1);
    assert_int_equal(lc_stats_settle(stats, true), 0);
    assert_int_equal(entry->request_count, 2);
    log_both(stats, entry, 60000, 1002);
    assert_int_equal(lc_stats_settle(stats, false), 0);
    assert_int_equal(lc_stats_settle(stats, true), 0);
    assert_int_equal(lc_stats_total(stats)->request_count, 2);
    assert_true(entry->max_ms == 7 && lc_stats_entry_percentile_ms(entry, 1) == 7);
    assert_int_equal(lc_stats_failure_count(stats), 0);
    assert_int_equal(lc__window_count(&entry->window), 2);
    uint64_t failures;
    assert_int_equal(left_out(stats, &failures), 1);
    assert_int_equal(failures, 1);
    log_both(stats, entry, 200, 1003);
    log_both(stats, lc_stats_entry(stats, LCORE_STR("/b"), LCORE_STR("GET")), 9, 1003);
    assert_int_equal(lc_stats_hold(stats, false), 0);
    assert_int_equal(lc_stats_total(stats)->request_count, 4);
    struct lc_stats_failure failure;
    assert_int_equal(lc_stats_failure_count(stats), 1);
    lc_stats_failure_at(stats, 0, &failure);
    assert_true(failure.first_seen_unix_s == 1003 && !failure.is_remote);
    struct lc_phase_numbers phase;
    lc_stats_entry_phase(entry, LCORE_PHASE_FIRST_BYTE, &phase);
    assert_true(phase.count == 3 && phase.max_ms == 200);
    log_both(stats, entry, 1, 1004);
    assert_int_equal(entry->request_count, 4);
    lc_stats_free(stats);
}

/* Split into seconds and added up again, the numbers are those of one piece. */
static void
test_held_is_as_if_not_held(void **state)
{
    struct lc_stats *plain = lc_stats_new();
    struct lc_stats *held = lc_stats_new();
    assert_int_equal(lc_stats_hold(held, true), 0);
    struct lc_str names[] = {LCORE_STR("/a"), LCORE_STR("/b"), LCORE_STR("/c")};
    uint64_t random = 3;
    for (int i = 0; i < 3000; i++) {
        struct lc_str name = names[test_random(&random) % 3];
        int64_t ms = (int64_t)(test_random(&random) % 61000);
        log_both(plain, lc_stats_entry(plain, name, LCORE_STR("GET")), ms, 1000 + i / 100);
        log_both(held, lc_stats_entry(held, name, LCORE_STR("GET")), ms, 1000 + i / 100);
        if (i % 100 == 99) {
            assert_int_equal(lc_stats_settle(held, true), 0);
        }
    }
    assert_int_equal(lc_stats_count(held), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct lc_stats_entry *a = lc_stats_at(plain, i);
        const struct lc_stats_entry *b = lc_stats_at(held, i);
        assert_int_equal(a->request_count, b->request_count);
        assert_int_equal(a->failure_count, b->failure_count);
        assert_memory_equal(a->phases, b->phases, sizeof(a->phases));
        assert_memory_equal(a->buckets.near, b->buckets.near, sizeof(a->buckets.near));
        for (double fraction = 0; fraction <= 1; fraction += 0.01) {
            assert_true(lc_stats_entry_percentile_ms(a, fraction) == lc_stats_entry_percentile_ms(b, fraction));
        }
    }
    lc_stats_free(plain);
    lc_stats_free(held);
}

static void
test_clear_and_reset_forget_what_is_held(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_int_equal(lc_stats_hold(stats, true), 0);
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    log_both(stats, entry, 5, 1000);
    lc_stats_reset(stats, 1001);
    assert_int_equal(lc_stats_settle(stats, true), 0);
    assert_int_equal(entry->request_count, 0);
    log_both(stats, entry, 5, 1001);
    assert_int_equal(lc_stats_settle(stats, false), 0);
    log_both(stats, entry, 5, 1002);
    lc_stats_clear(stats, 1003);
    uint64_t failures;
    assert_int_equal(left_out(stats, &failures), 0);
    entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    log_both(stats, entry, 5, 1003);
    assert_int_equal(lc_stats_settle(stats, true), 0);
    assert_int_equal(entry->request_count, 1);
    lc_stats_free(stats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second_counts_or_never_was),
        cmocka_unit_test(test_held_is_as_if_not_held),
        cmocka_unit_test(test_clear_and_reset_forget_what_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
