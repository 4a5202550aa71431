#include "stats/phases.h"

#include "../support.h"
#include "stats/table.h"

static void
log_one(struct lc_stats *stats, struct lc_stats_entry *entry, int64_t connect_ns, int64_t first_byte_ns)
{
    struct lc_phases phases;
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        phases.ns[i] = -1;
    }
    phases.ns[LCORE_PHASE_CONNECT] = connect_ns;
    phases.ns[LCORE_PHASE_FIRST_BYTE] = first_byte_ns;
    assert_int_equal(lc_stats_log_phases(stats, entry, &phases), 0);
}

static struct lc_phase_numbers
numbers_of(const struct lc_stats_entry *entry, enum lc_phase phase)
{
    struct lc_phase_numbers numbers;
    lc_stats_entry_phase(entry, phase, &numbers);
    return numbers;
}

static void
test_only_what_happened_counts(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    log_one(stats, entry, 3000000, 20000000);
    log_one(stats, entry, -1, 40000000);
    log_one(stats, lc_stats_entry(stats, LCORE_STR("/b"), LCORE_STR("GET")), 5000000, -1);
    struct lc_phase_numbers connect = numbers_of(entry, LCORE_PHASE_CONNECT);
    assert_true(connect.count == 1 && connect.total_ms == 3 && connect.average_ms == 3 && connect.max_ms == 3);
    struct lc_phase_numbers first_byte = numbers_of(entry, LCORE_PHASE_FIRST_BYTE);
    assert_true(first_byte.count == 2 && first_byte.average_ms == 30 && first_byte.max_ms == 40);
    assert_true(numbers_of(entry, LCORE_PHASE_TLS).count == 0 && numbers_of(entry, LCORE_PHASE_TLS).average_ms == 0);
    assert_true(numbers_of(lc_stats_total(stats), LCORE_PHASE_CONNECT).average_ms == 4);
    lc_stats_reset(stats, 1000);
    assert_int_equal(numbers_of(entry, LCORE_PHASE_CONNECT).count, 0);
    assert_int_equal(numbers_of(lc_stats_total(stats), LCORE_PHASE_FIRST_BYTE).count, 0);
    lc_stats_free(stats);
}

/* Whoever counts what: the sums are the same to the last bit. */
static void
test_parts_merge_to_the_whole(void **state)
{
    enum { PARTS = 5, SAMPLES = 5000 };
    struct lc_stats *whole = lc_stats_new();
    struct lc_stats *parts[PARTS];
    for (int i = 0; i < PARTS; i++) {
        parts[i] = lc_stats_new();
    }
    uint64_t random = 7;
    for (int i = 0; i < SAMPLES; i++) {
        struct lc_stats *part = parts[test_random(&random) % PARTS];
        int64_t connect_ns = (int64_t)(test_random(&random) % 4) - 1;
        int64_t first_byte_ns = (int64_t)(test_random(&random) % UINT64_C(60000000000));
        log_one(whole, lc_stats_entry(whole, LCORE_STR("/a"), LCORE_STR("GET")), connect_ns, first_byte_ns);
        log_one(part, lc_stats_entry(part, LCORE_STR("/a"), LCORE_STR("GET")), connect_ns, first_byte_ns);
    }
    struct lc_stats *merged = lc_stats_new();
    for (int i = PARTS; i > 0; i--) {
        assert_int_equal(lc_stats_merge(merged, parts[i - 1]), 0);
        lc_stats_free(parts[i - 1]);
    }
    assert_memory_equal(lc_stats_at(merged, 0)->phases, lc_stats_at(whole, 0)->phases,
                        sizeof(lc_stats_at(whole, 0)->phases));
    assert_memory_equal(lc_stats_total(merged)->phases, lc_stats_total(whole)->phases,
                        sizeof(lc_stats_total(whole)->phases));
    lc_stats_free(merged);
    lc_stats_free(whole);
}

static void
test_texts(void **state)
{
    assert_string_equal(lc_phase_text(LCORE_PHASE_DNS), "dns");
    assert_string_equal(lc_phase_text(LCORE_PHASE_FIRST_BYTE), "first_byte");
    assert_string_equal(lc_phase_text(LCORE_PHASE_COUNT), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_happened_counts),
        cmocka_unit_test(test_parts_merge_to_the_whole),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
