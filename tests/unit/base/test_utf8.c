#include "base/utf8.h"

#include "../support.h"

static void
test_every_code_point_survives(void **state)
{
    for (uint32_t point = 0; point <= 0x110100; point++) {
        char bytes[4];
        size_t len = lc_utf8_encode(point, bytes);
        if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
            assert_int_equal(len, 0);
            continue;
        }
        uint32_t back;
        assert_int_equal(lc_utf8_decode((struct lc_str){bytes, len}, &back), len);
        assert_int_equal(back, point);
    }
}

static void
test_what_is_no_utf8_is_told(void **state)
{
    static const char *const bad[] = {"\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x80\x80",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xf8\x88\x80\x80",
                                      "\xff",         "\xe2\x82",         "\xe2(\xa1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint32_t point;
        assert_int_equal(lc_utf8_decode(lc_str_from(bad[i]), &point), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point_survives),
        cmocka_unit_test(test_what_is_no_utf8_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
