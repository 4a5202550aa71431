/* A report that is written and merged again is the table it was made of. */
#include "../support.h"

#include <stdio.h>
#include "rpc/report.h"

static struct lc_stats *
fill(uint64_t *seed)
{
    struct lc_stats *stats = lc_stats_new();
    lc_stats_clear(stats, 1000);
    for (int i = 0; i < 2000; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "/%d", (int)(test_random(seed) % 7));
        struct lc_stats_entry *entry = lc_stats_entry(stats, (struct lc_str){name, (size_t)len}, LCORE_STR("GET"));
        uint64_t kind = test_random(seed) % 10;
        int64_t time_ns = kind == 0 ? -1 : (int64_t)(test_random(seed) % 20000000000u);
        double unix_s = 1000.25 + i / 50;
        assert_int_equal(lc_stats_log_request(stats, entry, time_ns, test_random(seed) % 100000, unix_s), 0);
        struct lc_phases phases;
        for (int phase = 0; phase < LCORE_PHASE_COUNT; phase++) {
            phases.ns[phase] = (int64_t)(test_random(seed) % 1000000) - 1000;
        }
        assert_int_equal(lc_stats_log_phases(stats, entry, &phases), 0);
        if (kind < 3) {
            assert_int_equal(lc_stats_log_failure(stats, entry, kind == 1 ? LCORE_STR("a\"b") : LCORE_STR("x"), unix_s),
                             0);
        }
    }
    lc_stats_entry(stats, LCORE_STR("/never"), LCORE_STR("GET"));
    return stats;
}

static void
write(struct lc_stats *stats, struct lc_buffer *out)
{
    assert_int_equal(lc_pack_map(out, LCORE_REPORT_KEYS), 0);
    assert_int_equal(lc_report_write(out, stats), 0);
}

static void
a_written_report_is_the_table(void **state)
{
    uint64_t seed = 4711;
    struct lc_stats *stats = fill(&seed), *copy = lc_stats_new();
    struct lc_buffer first = {0}, second = {0};
    write(stats, &first);
    assert_int_equal(lc_report_merge(copy, (struct lc_str){first.data, first.len}, 5, NULL), 0);
    assert_int_equal(lc_stats_count(copy), lc_stats_count(stats) - 1);
    write(copy, &second);
    struct lc_stats_numbers before, after;
    lc_stats_entry_numbers(lc_stats_total(stats), &before);
    lc_stats_entry_numbers(lc_stats_total(copy), &after);
    assert_int_equal(before.request_count, 2000);
    assert_int_equal(after.request_count, before.request_count);
    assert_int_equal(after.none_count, before.none_count);
    assert_true(after.total_ms == before.total_ms && after.min_ms == before.min_ms && after.max_ms == before.max_ms);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    lc_buffer_fini(&first);
    lc_buffer_fini(&second);
    lc_stats_free(stats);
    lc_stats_free(copy);
}

static void
halves_add_up(void **state)
{
    uint64_t seed = 99;
    struct lc_stats *all = lc_stats_new(), *sum = lc_stats_new();
    for (int i = 0; i < 4; i++) {
        struct lc_stats *part = fill(&seed);
        struct lc_buffer report = {0};
        write(part, &report);
        assert_int_equal(lc_report_merge(sum, (struct lc_str){report.data, report.len}, 5, NULL), 0);
        assert_int_equal(lc_stats_merge(all, part), 0);
        lc_buffer_fini(&report);
        lc_stats_free(part);
    }
    for (double fraction = 0; fraction <= 1; fraction += 0.01) {
        assert_true(lc_stats_entry_percentile_ms(lc_stats_total(all), fraction) ==
                    lc_stats_entry_percentile_ms(lc_stats_total(sum), fraction));
    }
    struct lc_buffer one = {0}, other = {0};
    write(all, &one);
    write(sum, &other);
    assert_int_equal(one.len, other.len);
    assert_memory_equal(one.data, other.data, one.len);
    lc_buffer_fini(&one);
    lc_buffer_fini(&other);
    lc_stats_free(all);
    lc_stats_free(sum);
}

/* Whatever is wrong in a report, and wherever. */
static void
a_damaged_report_changes_nothing(void **state)
{
    uint64_t seed = 5;
    struct lc_stats *stats = fill(&seed), *table = lc_stats_new();
    struct lc_buffer report = {0}, before = {0}, after = {0};
    write(stats, &report);
    assert_int_equal(lc_report_merge(table, (struct lc_str){report.data, report.len}, 5, NULL), 0);
    write(table, &before);
    int refused_count = 0;
    for (int i = 0; i < 400; i++) {
        char *byte = &report.data[test_random(&seed) % report.len], old = *byte;
        *byte = (char)0xc1; /* is nothing in MessagePack, but a letter like others in a text */
        bool is_refused = lc_report_merge(table, (struct lc_str){report.data, report.len}, 5, NULL) < 0;
        *byte = old;
        refused_count += is_refused;
        after.len = 0;
        write(table, &after);
        bool is_same = after.len == before.len && memcmp(after.data, before.data, before.len) == 0;
        assert_int_equal(is_same, is_refused);
        before.len = 0;
        write(table, &before);
    }
    assert_true(refused_count > 100);
    assert_int_equal(lc_report_merge(table, (struct lc_str){report.data, report.len - 1}, 5, NULL), LCE_FORMAT);
    lc_buffer_fini(&report);
    lc_buffer_fini(&before);
    lc_buffer_fini(&after);
    lc_stats_free(stats);
    lc_stats_free(table);
}

/* Locust's workers leave out names without requests, and each has met them in an order of its own (DST-34). */
static void
rows_are_found_in_any_order(void **state)
{
    static const int ORDERS[][5] = {{0, 1, 2, 3, 4}, {4, 2, 0, -1}, {1, 3, -1}, {0, 4, 3, 1, 2}};
    struct lc_stats *table = lc_stats_new();
    for (int i = 0; i < 4; i++) {
        struct lc_stats *part = lc_stats_new();
        struct lc_buffer report = {0};
        for (int j = 0; j < 5 && ORDERS[i][j] >= 0; j++) {
            char name = (char)('a' + ORDERS[i][j]);
            struct lc_stats_entry *entry = lc_stats_entry(part, (struct lc_str){&name, 1}, LCORE_STR("GET"));
            assert_int_equal(lc_stats_log_request(part, entry, 1000000, 1, 1000), 0);
        }
        write(part, &report);
        assert_int_equal(lc_report_merge(table, (struct lc_str){report.data, report.len}, 5, NULL), 0);
        lc_buffer_fini(&report);
        lc_stats_free(part);
    }
    assert_int_equal(lc_stats_count(table), 5);
    for (size_t i = 0; i < 5; i++) {
        struct lc_stats_numbers numbers;
        lc_stats_entry_numbers(lc_stats_at(table, i), &numbers);
        assert_int_equal(numbers.name.data[0], 'a' + (int)i);
        assert_int_equal(numbers.request_count, 3);
    }
    lc_stats_free(table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_report_is_the_table),
        cmocka_unit_test(halves_add_up),
        cmocka_unit_test(a_damaged_report_changes_nothing),
        cmocka_unit_test(rows_are_found_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
