#include "stats/recent.h"

#include "../support.h"
#include "base/alloc.h"

/* What a row's statistics do with theirs. */
struct row {
    struct lc_buckets buckets;
    struct lc_recent recent;
    struct lc_recent_few few;
};

static void
count(struct row *row, uint8_t ms)
{
    if (row->few.count == LCORE_RECENT_FEW) {
        assert_int_equal(lc__recent_pin(&row->recent, &row->few, &row->buckets), 0);
    }
    ++*lc__buckets_find(&row->buckets, ms);
    if (row->few.count < LCORE_RECENT_FEW) {
        row->few.near[row->few.count++] = ms;
    }
}

static void
take(struct row *row, int64_t unix_s, uint64_t timed_count)
{
    assert_int_equal(lc__recent_take(&row->recent, &row->few, 20, unix_s, timed_count), 0);
}

static void
row_fini(struct row *row)
{
    lc__recent_fini(&row->recent);
    lc__buckets_fini(&row->buckets);
}

static int64_t
found_s(const struct row *row, int64_t unix_s)
{
    int number = lc__recent_find(&row->recent, unix_s);
    return number < 0 ? -1 : lc__recent_at(&row->recent, (uint32_t)number)->unix_s;
}

/* REP-18 */
static void
test_nearest_moment_is_found_earlier_before_later(void **state)
{
    struct row row = {.few.count = LCORE_RECENT_MANY};
    assert_int_equal(found_s(&row, 100), -1);
    take(&row, 103, 3);
    assert_int_equal(found_s(&row, 100), 103);
    take(&row, 97, 1);
    assert_int_equal(found_s(&row, 100), 97);
    take(&row, 102, 2);
    assert_int_equal(found_s(&row, 100), 102);
    assert_int_equal(found_s(&row, 111), 103);
    assert_int_equal(found_s(&row, 112), -1);
    assert_int_equal(found_s(&row, 88), -1);
    row_fini(&row);
}

static void
test_only_the_newest_stay(void **state)
{
    struct row row = {.few.count = LCORE_RECENT_MANY};
    for (int64_t s = 0; s < 100; s++) {
        count(&row, (uint8_t)s);
        take(&row, s, (uint64_t)s + 1);
    }
    assert_int_equal(row.recent.count, 20);
    assert_int_equal(lc__recent_at(&row.recent, 0)->unix_s, 80);
    assert_int_equal(lc__recent_at(&row.recent, 19)->timed_count, 100);
    struct lc_bucket *buckets;
    size_t bucket_count;
    assert_int_equal(lc__recent_read(&row.recent, 19, &row.few, &row.buckets, &buckets, &bucket_count), 0);
    assert_int_equal(bucket_count, 100);
    lc__free(buckets);
    assert_int_equal(lc__recent_take(&row.recent, &row.few, 3, 100, 0), 0);
    assert_int_equal(row.recent.count, 3);
    assert_int_equal(lc__recent_at(&row.recent, 2)->unix_s, 100);
    row_fini(&row);
}

static void
test_same_second_is_replaced(void **state)
{
    struct row row = {.few.count = LCORE_RECENT_MANY};
    take(&row, 5, 1);
    take(&row, 5, 2);
    assert_int_equal(row.recent.count, 1);
    assert_int_equal(lc__recent_at(&row.recent, 0)->timed_count, 2);
    take(&row, 6, 3);
    count(&row, 1);
    take(&row, 5, 4);
    assert_int_equal(lc__recent_at(&row.recent, (uint32_t)lc__recent_find(&row.recent, 5))->timed_count, 4);
    row_fini(&row);
}

/* Moments are told by what came since, or were written out: both give what a copy of each second would have given. */
static void
test_moments_are_those_of_copies(void **state)
{
    enum { SECONDS = 400 };
    static struct lc_buckets copies[SECONDS];
    struct row row = {.few.count = LCORE_RECENT_MANY};
    uint32_t seed = 1;
    for (int64_t s = 0; s < SECONDS; s++) {
        seed = seed * 1664525 + 1013904223;
        uint32_t many = seed >> 30 == 0 ? seed >> 8 & 63 : seed >> 8 & 3;
        for (uint32_t i = 0; i < many; i++) {
            seed = seed * 1664525 + 1013904223;
            count(&row, (uint8_t)(seed >> 24) % 100);
        }
        if (s % 37 == 0) {
            /* As a worker's report does. */
            assert_int_equal(lc__recent_pin(&row.recent, &row.few, &row.buckets), 0);
            *lc__buckets_find(&row.buckets, 64000) += 7;
        }
        take(&row, s, 0);
        copies[s] = row.buckets;
        copies[s].far = NULL;
        copies[s].far_count = copies[s].far_capacity = 0;
        for (uint32_t i = 0; i < row.recent.count; i++) {
            const struct lc_buckets *copy = &copies[lc__recent_at(&row.recent, i)->unix_s];
            struct lc_bucket *buckets;
            size_t bucket_count;
            assert_int_equal(lc__recent_read(&row.recent, i, &row.few, &row.buckets, &buckets, &bucket_count), 0);
            struct lc_buckets_walk walk = {0};
            struct lc_bucket expected;
            size_t place = 0;
            while (lc__buckets_next(copy, &walk, &expected)) {
                assert_true(place < bucket_count);
                assert_int_equal(buckets[place].ms, expected.ms);
                assert_int_equal(buckets[place].count, expected.count);
                place++;
            }
            uint64_t reports = (uint64_t)lc__recent_at(&row.recent, i)->unix_s / 37 + 1;
            assert_int_equal(place + 1, bucket_count);
            assert_int_equal(buckets[place].ms, 64000);
            assert_int_equal(buckets[place].count, 7 * reports);
            lc__free(buckets);
        }
    }
    row_fini(&row);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest_moment_is_found_earlier_before_later),
        cmocka_unit_test(test_only_the_newest_stay),
        cmocka_unit_test(test_same_second_is_replaced),
        cmocka_unit_test(test_moments_are_those_of_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
