#include "base/heap.h"

#include <stdlib.h>

#include "../support.h"

static void
test_empty(void **state)
{
    struct lc_heap heap = {0};
    struct lc_timer timer = {0};
    assert_null(lc_heap_first(&heap));
    lc_heap_remove(&heap, &timer);
    lc_heap_fini(&heap);
}

static void
test_put_of_a_node_that_is_there_moves_it(void **state)
{
    struct lc_heap heap = {0};
    struct lc_timer timers[2] = {0};
    assert_int_equal(lc_heap_put(&heap, &timers[0], 10), 0);
    assert_int_equal(lc_heap_put(&heap, &timers[1], 20), 0);
    assert_ptr_equal(lc_heap_first(&heap), &timers[0]);
    assert_int_equal(lc_heap_put(&heap, &timers[0], 30), 0);
    assert_int_equal(heap.count, 2);
    assert_ptr_equal(lc_heap_first(&heap), &timers[1]);
    lc_heap_remove(&heap, &timers[1]);
    assert_int_equal(timers[1].index, 0);
    lc_heap_remove(&heap, &timers[0]);
    lc_heap_fini(&heap);
}

/* The least deadline of those that are in, by looking at all. */
static int64_t
least(const struct lc_timer *timers, size_t count)
{
    int64_t found = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (timers[i].index != 0 && timers[i].deadline_ns < found) {
            found = timers[i].deadline_ns;
        }
    }
    return found;
}

static void
test_random_puts_moves_and_removals(void **state)
{
    enum { N = 500 };
    static struct lc_timer timers[N];
    struct lc_heap heap = {0};
    uint64_t seed = 99;
    for (int step = 0; step < 50000; step++) {
        struct lc_timer *timer = &timers[test_random(&seed) % N];
        if (test_random(&seed) % 3 == 0) {
            lc_heap_remove(&heap, timer);
        } else {
            assert_int_equal(lc_heap_put(&heap, timer, (int64_t)(test_random(&seed) % 1000)), 0);
        }
        struct lc_timer *first = lc_heap_first(&heap);
        assert_true(first == NULL ? heap.count == 0 : first->deadline_ns == least(timers, N));
    }
    int64_t last = INT64_MIN;
    while (heap.count > 0) {
        struct lc_timer *first = lc_heap_first(&heap);
        assert_true(first->deadline_ns >= last);
        last = first->deadline_ns;
        lc_heap_remove(&heap, first);
    }
    lc_heap_fini(&heap);
}

static int
compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void
test_drains_in_sorted_order(void **state)
{
    enum { N = 3000 };
    static struct lc_timer timers[N];
    static int64_t sorted[N];
    struct lc_heap heap = {0};
    uint64_t seed = 5;
    for (size_t i = 0; i < N; i++) {
        sorted[i] = (int64_t)(test_random(&seed) % 100000) - 50000;
        assert_int_equal(lc_heap_put(&heap, &timers[i], sorted[i]), 0);
    }
    qsort(sorted, N, sizeof(sorted[0]), compare);
    for (size_t i = 0; i < N; i++) {
        struct lc_timer *first = lc_heap_first(&heap);
        assert_true(first->deadline_ns == sorted[i]);
        lc_heap_remove(&heap, first);
    }
    lc_heap_fini(&heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_put_of_a_node_that_is_there_moves_it),
        cmocka_unit_test(test_random_puts_moves_and_removals),
        cmocka_unit_test(test_drains_in_sorted_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
