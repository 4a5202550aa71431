#include "../support.h"

#include "http/headers.h"

static void
assert_str(struct lc_str got, const char *want)
{
    if (!lc_str_equal(got, lc_str_from(want))) {
        fail_msg("\"%.*s\" is not \"%s\"", (int)got.len, got.data, want);
    }
}

static void
test_names(void **state)
{
    static const char *const good[] = {"Host", "x", "X-Y_z.1", "!#$%&'*+-.^_`|~09AZaz"};
    static const char *const bad[] = {"",   "a b", "a:", " a", "a\t", "a\r",  "a\n",     "(",
                                      "\"", "/",   "@",  "[",  "{",   "\x7f", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(lc_header_is_name(lc_str_from(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(lc_header_is_name(lc_str_from(bad[i])));
    }
    assert_false(lc_header_is_name((struct lc_str){"a\0b", 3}));
}

static void
test_values(void **state)
{
    static const char *const good[] = {"", "a", "a b ", "\x01\x7f", "caf\xc3\xa9", "a\tb"};
    static const char *const bad[] = {" a", "\ta", "\va", "a\r", "a\n", "a\r\nX: y", "\n", "a\r\n b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(lc_header_is_value(lc_str_from(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(lc_header_is_value(lc_str_from(bad[i])));
    }
    assert_false(lc_header_is_value((struct lc_str){"a\0b", 3}));
    assert_true(lc_header_is_value((struct lc_str){NULL, 0}));
}

static void
test_walk(void **state)
{
    struct lc_str lines =
        LCORE_STR("A: 1\r\nb:2  \n folded: x\r\nno colon\r\n: no name\r\nC :3\r\nD:\t4\r\n\tfive\r\nE:\r\nF: a:b");
    static const char *const want[][2] = {
        {"A", "1"}, {"b", "2  \n folded: x"}, {"C ", "3"}, {"D", "4\r\n\tfive"}, {"E", ""}, {"F", "a:b"},
    };
    size_t position = 0;
    struct lc_str name, value;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_true(lc_header_next(lines, &position, &name, &value));
        assert_str(name, want[i][0]);
        assert_str(value, want[i][1]);
    }
    assert_false(lc_header_next(lines, &position, &name, &value));
    position = 0;
    assert_false(lc_header_next((struct lc_str){NULL, 0}, &position, &name, &value));
    position = 0;
    assert_false(lc_header_next(LCORE_STR(" begins folded: x\r\n\r\n"), &position, &name, &value));
}

static void
test_find(void **state)
{
    struct lc_str lines = LCORE_STR("Set-Cookie: a\r\nset-cookie: b\r\nX: y\r\n\r\n");
    assert_str(lc_header_find(lines, LCORE_STR("SET-COOKIE")), "a");
    assert_str(lc_header_find(lines, LCORE_STR("x")), "y");
    assert_null(lc_header_find(lines, LCORE_STR("Set")).data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
