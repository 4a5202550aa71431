#include "locustcore/error.h"

#include <errno.h>
#include <string.h>

#include "../support.h"

static void
test_every_code_has_a_text(void **state)
{
    assert_string_equal(lc_error_text(0), "no error");
#define CHECK(name, number, text)                                                                                      \
    assert_int_equal(LCE_##name, -(number));                                                                           \
    assert_string_equal(lc_error_text(LCE_##name), text);
    LCORE_ERROR_LIST(CHECK)
#undef CHECK
    assert_string_equal(lc_error_text(-12345), "unknown error");
    assert_string_equal(lc_error_text(7), "unknown error");
}

static void
test_set_fills_and_returns_the_code(void **state)
{
    struct lc_error error;
    assert_int_equal(lc_error_set(&error, LCE_URL, "%s is bad", "x"), LCE_URL);
    assert_int_equal(error.code, LCE_URL);
    assert_int_equal(error.errnum, 0);
    assert_string_equal(error.text, "x is bad");
    assert_int_equal(lc_error_set(NULL, LCE_URL, "nobody asks"), LCE_URL);
    assert_int_equal(lc_error_set_errno(NULL, LCE_SYSTEM, ENOENT, "nobody asks"), LCE_SYSTEM);
}

static void
test_set_errno_says_why(void **state)
{
    struct lc_error error;
    assert_int_equal(lc_error_set_errno(&error, LCE_SYSTEM, ENOENT, "open %s", "f"), LCE_SYSTEM);
    assert_int_equal(error.errnum, ENOENT);
    assert_memory_equal(error.text, "open f: ", 8);
    assert_string_equal(error.text + 8, strerror(ENOENT));
}

static void
test_long_texts_are_cut(void **state)
{
    struct lc_error error;
    lc_error_set_errno(&error, LCE_SYSTEM, ENOENT, "%300d", 1);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_a_text),
        cmocka_unit_test(test_set_fills_and_returns_the_code),
        cmocka_unit_test(test_set_errno_says_why),
        cmocka_unit_test(test_long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
