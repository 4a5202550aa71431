#include "base/slab.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "../support.h"

static void
test_pieces_are_apart_and_aligned(void **state)
{
    static const size_t sizes[] = {1, 24, 208, 16000, 100000};
    enum { MANY = 200 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct lc_slab slab;
        lc__slab_init(&slab, sizes[i]);
        unsigned char *pieces[MANY];
        for (int n = 0; n < MANY; n++) {
            pieces[n] = lc__slab_alloc(&slab);
            assert_non_null(pieces[n]);
            assert_int_equal((uintptr_t)pieces[n] % alignof(max_align_t), 0);
            memset(pieces[n], n, sizes[i]);
        }
        for (int n = 0; n < MANY; n++) {
            assert_int_equal(pieces[n][0], n);
            assert_int_equal(pieces[n][sizes[i] - 1], n);
            lc__slab_free(&slab, pieces[n]);
        }
        lc__slab_fini(&slab);
    }
}

static void
test_what_was_freed_is_used_again(void **state)
{
    struct lc_slab slab;
    lc__slab_init(&slab, 200);
    void *pieces[3];
    for (int n = 0; n < 3; n++) {
        pieces[n] = lc__slab_alloc(&slab);
        assert_non_null(pieces[n]);
    }
    struct lc_slab_chunk *chunks = slab.chunks;
    for (int round = 0; round < 10000; round++) {
        lc__slab_free(&slab, pieces[round % 3]);
        pieces[round % 3] = lc__slab_alloc(&slab);
        assert_non_null(pieces[round % 3]);
    }
    assert_ptr_equal(slab.chunks, chunks);
    for (int n = 0; n < 3; n++) {
        lc__slab_free(&slab, pieces[n]);
    }
    lc__slab_fini(&slab);
    struct lc_slab unused = {0};
    lc__slab_fini(&unused);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_apart_and_aligned),
        cmocka_unit_test(test_what_was_freed_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
