#include "base/buffer.h"

#include "../support.h"

static void
test_appends_grow_and_keep_what_is_there(void **state)
{
    struct lc_buffer buffer = {0};
    for (int i = 0; i < 10000; i++) {
        char c = (char)('a' + i % 26);
        assert_int_equal(lc_buffer_append(&buffer, &c, 1), 0);
    }
    assert_int_equal(buffer.len, 10000);
    assert_true(buffer.capacity < 32768);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(buffer.data[i], 'a' + i % 26);
    }
    lc_buffer_fini(&buffer);
    assert_null(buffer.data);
}

static void
test_nothing_is_appended_to_nothing(void **state)
{
    struct lc_buffer buffer = {0};
    assert_int_equal(lc_buffer_append(&buffer, NULL, 0), 0);
    assert_int_equal(lc_buffer_append_str(&buffer, (struct lc_str){NULL, 0}), 0);
    assert_null(buffer.data);
    lc_buffer_fini(&buffer);
}

static void
test_consume_drops_the_front(void **state)
{
    struct lc_buffer buffer = {0};
    assert_int_equal(lc_buffer_append_str(&buffer, LCORE_STR("abcdef")), 0);
    lc_buffer_consume(&buffer, 4);
    assert_int_equal(buffer.len, 2);
    assert_memory_equal(buffer.data, "ef", 2);
    lc_buffer_consume(&buffer, 2);
    assert_int_equal(buffer.len, 0);
    lc_buffer_fini(&buffer);
}

static void
test_formats_and_numbers(void **state)
{
    struct lc_buffer buffer = {0};
    assert_int_equal(lc_buffer_append_format(&buffer, "%s=%d ", "x", -5), 0);
    assert_int_equal(lc_buffer_append_u64(&buffer, 0), 0);
    assert_int_equal(lc_buffer_append_u64(&buffer, UINT64_MAX), 0);
    assert_int_equal(lc_buffer_append_format(&buffer, "%300d", 1), 0);
    assert_int_equal(buffer.len, 5 + 1 + 20 + 300);
    assert_memory_equal(buffer.data, "x=-5 018446744073709551615   ", 29);
    lc_buffer_fini(&buffer);
}

static void
test_an_impossible_size_is_refused(void **state)
{
    struct lc_buffer buffer = {0};
    assert_int_equal(lc_buffer_append_str(&buffer, LCORE_STR("abc")), 0);
    assert_int_equal(lc_buffer_reserve(&buffer, SIZE_MAX - 1), LCE_NOMEM);
    assert_int_equal(buffer.len, 3);
    lc_buffer_fini(&buffer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends_grow_and_keep_what_is_there),
        cmocka_unit_test(test_nothing_is_appended_to_nothing),
        cmocka_unit_test(test_consume_drops_the_front),
        cmocka_unit_test(test_formats_and_numbers),
        cmocka_unit_test(test_an_impossible_size_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
