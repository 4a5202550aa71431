#include "stats/histogram.h"

#include <math.h>
#include <stdlib.h>

#include "../support.h"

static void
record(struct lc_histogram *histogram, uint64_t us)
{
    assert_int_equal(lc__histogram_make_room(histogram), 0);
    lc__histogram_count(histogram, lc__histogram_slot(us));
}

static int
compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void
test_every_value_is_told_to_a_thousandth(void **state)
{
    for (uint64_t us = 0; us < LCORE_HISTOGRAM_MAX_US; us += 1 + us / 777) {
        struct lc_histogram histogram = {0};
        record(&histogram, us);
        double told = lc__histogram_percentile_us(&histogram, 0.5);
        assert_true(fabs(told - (double)us) <= (double)us * 0.0005);
        lc__histogram_fini(&histogram);
    }
}

static void
test_percentiles_of_random_values(void **state)
{
    enum { N = 20000 };
    static const double fractions[] = {0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
    uint64_t seed = 42;
    uint64_t *values = malloc(N * sizeof(*values));
    assert_non_null(values);
    for (int round = 0; round < 5; round++) {
        struct lc_histogram histogram = {0};
        for (int i = 0; i < N; i++) {
            /* 0.2 ms to 60 s, evenly over the magnitudes */
            values[i] = (uint64_t)(200 * exp((double)(test_random(&seed) % 1000000) / 1e6 * log(300000)));
            record(&histogram, values[i]);
        }
        qsort(values, N, sizeof(*values), compare);
        for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
            int rank = (int)ceil(fractions[i] * N);
            double truth = (double)values[rank == 0 ? 0 : rank - 1];
            assert_true(fabs(lc__histogram_percentile_us(&histogram, fractions[i]) - truth) <= truth * 0.001);
        }
        lc__histogram_fini(&histogram);
    }
    free(values);
}

static void
test_slots_ascend_without_gaps(void **state)
{
    uint32_t last = 0;
    for (uint64_t us = 1; us <= LCORE_HISTOGRAM_MAX_US; us += 1 + us / 2048) {
        uint32_t slot = lc__histogram_slot(us);
        assert_true(slot == last || slot == last + 1);
        last = slot;
    }
    assert_int_equal(lc__histogram_slot(LCORE_HISTOGRAM_MAX_US), LCORE_HISTOGRAM_SLOTS - 1);
    assert_int_equal(lc__histogram_slot(UINT64_MAX), LCORE_HISTOGRAM_SLOTS - 1);
}

static void
test_few_values_cost_few_pages(void **state)
{
    struct lc_histogram histogram = {0};
    assert_int_equal(lc__histogram_percentile_us(&histogram, 0.5), 0);
    for (int i = 0; i < 1000; i++) {
        record(&histogram, 1500 + (uint64_t)i % 20);
    }
    assert_int_equal(histogram.page_count, 1);
    lc__histogram_fini(&histogram);
}

static void
test_counts_stay_at_their_limit(void **state)
{
    struct lc_histogram histogram = {0};
    uint32_t *count = lc__histogram_at(&histogram, 5);
    assert_non_null(count);
    lc__histogram_raise(count, UINT64_MAX);
    lc__histogram_raise(count, 1);
    assert_int_equal(*count, UINT32_MAX);
    lc__histogram_fini(&histogram);
}

static void
test_merge_is_as_if_recorded_in_one(void **state)
{
    struct lc_histogram one = {0};
    struct lc_histogram two = {0};
    struct lc_histogram both = {0};
    uint64_t seed = 7;
    for (int i = 0; i < 5000; i++) {
        uint64_t us = test_random(&seed) % 5000000;
        record(i % 3 == 0 ? &one : &two, us);
        record(&both, us);
    }
    assert_int_equal(lc__histogram_merge(&one, &two), 0);
    uint32_t slot = 0;
    uint32_t other_slot = 0;
    uint32_t count;
    uint32_t other;
    while (lc__histogram_next(&both, &slot, &count)) {
        assert_true(lc__histogram_next(&one, &other_slot, &other));
        assert_int_equal(slot, other_slot);
        assert_int_equal(count, other);
    }
    assert_false(lc__histogram_next(&one, &other_slot, &other));
    lc__histogram_fini(&one);
    lc__histogram_fini(&two);
    lc__histogram_fini(&both);
}

/* At every moment, with what waits sorted or not, and with counters beside what waits for the same slot. */
static void
test_what_waits_is_told_as_if_it_were_counted(void **state)
{
    struct lc_histogram histogram = {0};
    static uint32_t counts[LCORE_HISTOGRAM_SLOTS];
    uint64_t seed = 3;
    for (int i = 0; i < 2000; i++) {
        uint64_t us = i % 2 == 0 ? test_random(&seed) % 300 : test_random(&seed) % 30000000;
        record(&histogram, us);
        counts[lc__histogram_slot(us)]++;
        if (i % 50 == 7) {
            uint32_t *count = lc__histogram_at(&histogram, lc__histogram_slot(us));
            assert_non_null(count);
            lc__histogram_raise(count, 2);
            counts[lc__histogram_slot(us)] += 2;
        }
        if (i % 9 != 0) {
            continue;
        }
        uint32_t next = 0;
        uint32_t slot = 0;
        uint32_t count;
        while (lc__histogram_next(&histogram, &slot, &count)) {
            while (counts[next] == 0) {
                next++;
            }
            assert_int_equal(slot, next + 1);
            assert_int_equal(count, counts[next]);
            next++;
        }
        while (next < LCORE_HISTOGRAM_SLOTS) {
            assert_int_equal(counts[next++], 0);
        }
    }
    lc__histogram_fini(&histogram);
}

static void
test_bands_cut_octaves_in_four(void **state)
{
    uint64_t counts[LCORE_HISTOGRAM_BANDS];
    struct lc_histogram histogram = {0};
    assert_int_equal(lc__histogram_bands(&histogram, counts), 0);
    for (uint32_t band = 1; band < LCORE_HISTOGRAM_BANDS; band++) {
        uint64_t first_us = (UINT64_C(4) + (band - 1) % 4) << (2 + (band - 1) / 4);
        for (uint64_t us = first_us - 1; us <= first_us; us++) {
            histogram = (struct lc_histogram){0};
            record(&histogram, us);
            size_t used = lc__histogram_bands(&histogram, counts);
            assert_int_equal(used - 1, us < first_us ? band - 1 : band);
            assert_int_equal(counts[used - 1], 1);
            lc__histogram_fini(&histogram);
        }
    }
    histogram = (struct lc_histogram){0};
    record(&histogram, UINT64_MAX);
    assert_int_equal(lc__histogram_bands(&histogram, counts), LCORE_HISTOGRAM_BANDS);
    lc__histogram_fini(&histogram);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_value_is_told_to_a_thousandth),
        cmocka_unit_test(test_percentiles_of_random_values),
        cmocka_unit_test(test_slots_ascend_without_gaps),
        cmocka_unit_test(test_few_values_cost_few_pages),
        cmocka_unit_test(test_counts_stay_at_their_limit),
        cmocka_unit_test(test_merge_is_as_if_recorded_in_one),
        cmocka_unit_test(test_what_waits_is_told_as_if_it_were_counted),
        cmocka_unit_test(test_bands_cut_octaves_in_four),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
