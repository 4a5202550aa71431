/* Percentiles against a list of the same times, sorted: what a server of known delays from 0.2 ms to 60 s would give.
 */
#include <math.h>
#include <stdlib.h>

#include "../support.h"
#include "stats/table.h"

enum { SAMPLES = 200000 };

static const double fractions[] = {0,   0.001, 0.01, 0.07, 0.14, 0.25,  0.29,  0.5,    0.57,   0.66,    0.75,
                                   0.8, 0.9,   0.95, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999, 1};
enum { FRACTIONS = sizeof(fractions) / sizeof(fractions[0]) };

/* Spread evenly over the orders of magnitude, with a plateau such as caches make. */
static int64_t
random_ns(uint64_t *random)
{
    uint64_t draw = test_random(random);
    if (draw % 4 == 0) {
        return 20000000 + (int64_t)(draw >> 40) % 1000;
    }
    double exponent = (double)(draw >> 11) / (double)(UINT64_C(1) << 53);
    return (int64_t)(200000 * pow(60e9 / 200e3, exponent));
}

static int
compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* By nearest rank. The fractions are decimal, so a thousandth of a rank is nobody's. */
static double
true_ms(const int64_t *sorted_ns, size_t count, double fraction)
{
    double rank = ceil(fraction * (double)count - 0.001);
    return (double)sorted_ns[rank < 1 ? 0 : (size_t)rank - 1] / 1e6;
}

static void
check_against_sorted(int64_t *times_ns, size_t count)
{
    struct lc_stats *stats = lc_stats_new();
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(lc_stats_log_request(stats, entry, times_ns[i], 0, 1000), 0);
    }
    qsort(times_ns, count, sizeof(*times_ns), compare);
    for (size_t i = 0; i < FRACTIONS; i++) {
        double expected = true_ms(times_ns, count, fractions[i]);
        double told = lc_stats_entry_percentile_ms(entry, fractions[i]);
        assert_true(fabs(told - expected) <= fmax(0.001 * expected, 0.01));
    }
    assert_true(lc_stats_entry_percentile_ms(entry, 1) == (double)times_ns[count - 1] / 1e6);
    assert_true(lc_stats_entry_percentile_ms(entry, 0) >= (double)times_ns[0] / 1e6);
    lc_stats_free(stats);
}

static void
test_true_to_a_thousandth_or_ten_microseconds(void **state)
{
    int64_t *times_ns = malloc(SAMPLES * sizeof(*times_ns));
    assert_non_null(times_ns);
    uint64_t random = 5;
    for (size_t count = 1; count <= SAMPLES; count = count < 200 ? count + 1 : count * 3) {
        for (size_t i = 0; i < count; i++) {
            times_ns[i] = random_ns(&random);
        }
        check_against_sorted(times_ns, count);
    }
    free(times_ns);
}

/* One delay only, as of a server that always takes as long: told as it is. */
static void
test_every_constant_delay(void **state)
{
    for (double ms = 0.2; ms <= 60000; ms *= 1.03) {
        int64_t times_ns[3];
        times_ns[0] = times_ns[1] = times_ns[2] = (int64_t)(ms * 1e6);
        check_against_sorted(times_ns, 3);
    }
}

/* Whoever counts which request, and in what order reports come: the same bits. */
static void
test_parts_merge_to_the_whole(void **state)
{
    uint64_t random = 11;
    for (int round = 0; round < 20; round++) {
        size_t part_count = 1 + test_random(&random) % 9;
        struct lc_stats *parts[9];
        struct lc_stats *whole = lc_stats_new();
        struct lc_stats *merged = lc_stats_new();
        for (size_t i = 0; i < part_count; i++) {
            parts[i] = lc_stats_new();
        }
        for (size_t i = 0; i < 5000; i++) {
            struct lc_stats *part = parts[test_random(&random) % part_count];
            int64_t ns = random_ns(&random);
            double unix_s = 1000 + (double)i / 1000;
            struct lc_str name = test_random(&random) % 3 == 0 ? LCORE_STR("/a") : LCORE_STR("/b");
            lc_stats_log_request(whole, lc_stats_entry(whole, name, LCORE_STR("GET")), ns, 7, unix_s);
            lc_stats_log_request(part, lc_stats_entry(part, name, LCORE_STR("GET")), ns, 7, unix_s);
            /* A worker reports now and then. */
            if (test_random(&random) % 500 == 0) {
                assert_int_equal(lc_stats_merge(merged, part), 0);
                lc_stats_reset(part, unix_s);
            }
        }
        for (size_t i = part_count; i > 0; i--) {
            assert_int_equal(lc_stats_merge(merged, parts[i - 1]), 0);
            lc_stats_free(parts[i - 1]);
        }
        const struct lc_stats_entry *pairs[][2] = {
            {lc_stats_total(whole), lc_stats_total(merged)},
            {lc_stats_entry(whole, LCORE_STR("/a"), LCORE_STR("GET")),
             lc_stats_entry(merged, LCORE_STR("/a"), LCORE_STR("GET"))},
            {lc_stats_entry(whole, LCORE_STR("/b"), LCORE_STR("GET")),
             lc_stats_entry(merged, LCORE_STR("/b"), LCORE_STR("GET"))},
        };
        for (size_t i = 0; i < 3; i++) {
            for (size_t j = 0; j < FRACTIONS; j++) {
                double one = lc_stats_entry_percentile_ms(pairs[i][0], fractions[j]);
                double other = lc_stats_entry_percentile_ms(pairs[i][1], fractions[j]);
                assert_memory_equal(&one, &other, sizeof(one));
                assert_true(lc_stats_entry_locust_percentile_ms(pairs[i][0], fractions[j]) ==
                            lc_stats_entry_locust_percentile_ms(pairs[i][1], fractions[j]));
            }
            assert_true(pairs[i][0]->min_ms == pairs[i][1]->min_ms && pairs[i][0]->max_ms == pairs[i][1]->max_ms);
        }
        lc_stats_free(whole);
        lc_stats_free(merged);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_true_to_a_thousandth_or_ten_microseconds),
        cmocka_unit_test(test_every_constant_delay),
        cmocka_unit_test(test_parts_merge_to_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
