#include "base/reuse.h"

#include <string.h>

#include "../support.h"

static void
test_every_size_can_be_written_in_full(void **state)
{
    static const size_t sizes[] = {1, 8, 255, 256, 257, 2047, 2048, 2049, 100000};
    struct lc_reuse reuse = {0};
    for (int round = 0; round < 3; round++) {
        char *pieces[sizeof(sizes) / sizeof(sizes[0])];
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            pieces[i] = lc__reuse_alloc(&reuse, sizes[i]);
            assert_non_null(pieces[i]);
            memset(pieces[i], (int)i + round, sizes[i]);
        }
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            assert_int_equal(pieces[i][0], i + (size_t)round);
            assert_int_equal(pieces[i][sizes[i] - 1], i + (size_t)round);
            lc__reuse_free(&reuse, pieces[i], sizes[i]);
        }
    }
    lc__reuse_fini(&reuse);
}

static void
test_keeps_so_many_and_no_more(void **state)
{
    enum { MANY = 300 };
    struct lc_reuse reuse = {0};
    void *pieces[MANY];
    for (size_t i = 0; i < MANY; i++) {
        pieces[i] = lc__reuse_alloc(&reuse, 1000);
        assert_non_null(pieces[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        lc__reuse_free(&reuse, pieces[i], 1000);
    }
    assert_int_equal(reuse.count[999 / LCORE_REUSE_STEP], LCORE_REUSE_KEEP);
    if (LCORE_REUSE_KEEP > 0) {
        assert_ptr_equal(lc__reuse_alloc(&reuse, 1024), pieces[LCORE_REUSE_KEEP - 1]);
        lc__reuse_free(&reuse, pieces[LCORE_REUSE_KEEP - 1], 1024);
    }
    lc__reuse_fini(&reuse);
    assert_int_equal(reuse.count[999 / LCORE_REUSE_STEP], 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_can_be_written_in_full),
        cmocka_unit_test(test_keeps_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
