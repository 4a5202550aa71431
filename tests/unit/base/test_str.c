#include "base/str.h"

#include <stdio.h>

#include "../support.h"
#include "base/alloc.h"

static void
test_equality(void **state)
{
    assert_true(lc_str_equal(LCORE_STR("abc"), lc_str_from("abc")));
    assert_false(lc_str_equal(LCORE_STR("abc"), LCORE_STR("abd")));
    assert_false(lc_str_equal(LCORE_STR("abc"), LCORE_STR("ab")));
    assert_true(lc_str_equal(lc_str_from(NULL), LCORE_STR("")));
    assert_true(lc_str_equal_nocase(LCORE_STR("Content-TYPE"), LCORE_STR("content-type")));
    assert_false(lc_str_equal_nocase(LCORE_STR("a"), LCORE_STR("ab")));
    assert_false(lc_str_equal_nocase(LCORE_STR("["), LCORE_STR("{")));
    assert_true(lc_str_starts_nocase(LCORE_STR("HTTP://x"), LCORE_STR("http://")));
    assert_false(lc_str_starts_nocase(LCORE_STR("http"), LCORE_STR("http://")));
}

static void
test_trim(void **state)
{
    assert_true(lc_str_equal(lc_str_trim(LCORE_STR(" \ta b\t ")), LCORE_STR("a b")));
    assert_int_equal(lc_str_trim(LCORE_STR(" \t ")).len, 0);
    assert_true(lc_str_equal(lc_str_trim(LCORE_STR("\r\na")), LCORE_STR("\r\na")));
}

static void
test_numbers(void **state)
{
    uint64_t number;
    assert_true(lc_str_to_u64(LCORE_STR("0"), &number) && number == 0);
    assert_true(lc_str_to_u64(LCORE_STR("18446744073709551615"), &number) && number == UINT64_MAX);
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(lc_str_to_u64(lc_str_from(bad[i]), &number));
    }
}

static void
test_dup_ends_in_nul(void **state)
{
    char *copy = lc_str_dup((struct lc_str){"abcdef", 3});
    assert_non_null(copy);
    assert_string_equal(copy, "abc");
    lc__free(copy);
    copy = lc_str_dup((struct lc_str){NULL, 0});
    assert_non_null(copy);
    assert_string_equal(copy, "");
    lc__free(copy);
}

static void
test_hash_spreads(void **state)
{
    enum { SLOTS = 1024 };
    int counts[SLOTS] = {0};
    char name[16];
    for (int i = 0; i < 8 * SLOTS; i++) {
        int len = snprintf(name, sizeof(name), "/item/%d", i);
        counts[lc_str_hash((struct lc_str){name, (size_t)len}) % SLOTS]++;
    }
    for (int i = 0; i < SLOTS; i++) {
        assert_true(counts[i] < 32);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality),        cmocka_unit_test(test_trim),         cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_dup_ends_in_nul), cmocka_unit_test(test_hash_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
