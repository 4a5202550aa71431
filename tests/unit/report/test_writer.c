#include "report/writer.h"

#include <math.h>

#include "support.h"

static void
assert_double(double number, const char *expected)
{
    struct lc_buffer buffer = {0};
    struct lc_writer writer = {&buffer, 0};
    lc__write_double(&writer, number);
    assert_int_equal(writer.err, 0);
    assert_text(&buffer, expected);
}

/* REP-31: as Python writes floats */
static void
test_doubles_are_the_shortest_that_read_back(void **state)
{
    assert_double(0, "0.0");
    assert_double(1, "1.0");
    assert_double(-2.5, "-2.5");
    assert_double(0.1, "0.1");
    assert_double(0.1 + 0.2, "0.30000000000000004");
    assert_double(2.825017799989382, "2.825017799989382");
    assert_double(1795234282.76805, "1795234282.76805");
    assert_double(1e15, "1000000000000000.0");
    assert_double(1e16, "1e+16");
    assert_double(12345678901234568.0, "1.2345678901234568e+16");
    assert_double(1e-4, "0.0001");
    assert_double(1e-5, "1e-05");
    assert_double(5e-324, "5e-324");
    assert_double(INFINITY, "inf");
}

static void
assert_failure(const char *text, bool is_remote, const char *expected)
{
    struct lc_buffer buffer = {0};
    struct lc_writer writer = {&buffer, 0};
    lc__write_failure(&writer, lc_str_from(text), is_remote);
    assert_int_equal(writer.err, 0);
    assert_text(&buffer, expected);
}

/* CLI-104 */
static void
test_texts_of_failures(void **state)
{
    assert_failure("HTTPError('404')", false, "HTTPError('404')");
    assert_failure("CatchResponseError('abc')", true, "'abc'");
    assert_failure("CatchResponseError('abc')", false, "abc");
    assert_failure("CatchResponseError(\"it's\")", false, "it's");
    assert_failure("CatchResponseError('\\'\\\"\\\\\\n\\t\\x41\\u20ac\\U0001f600')", false,
                   "'\"\\\n\tA\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_failure("CatchResponseError('\\q\\x4\\ud800\\U00110000')", false, "\\q\\x4\\ud800\\U00110000");
    assert_failure("CatchResponseError('\\')", false, "\\");
    assert_failure("CatchResponseError(42)", false, "42");
    assert_failure("CatchResponseError()", false, "");
    assert_failure("CatchResponseError(", false, "CatchResponseError(");
    assert_failure("", false, "");
}

static void
test_json_strings(void **state)
{
    struct lc_buffer buffer = {0};
    struct lc_writer writer = {&buffer, 0};
    lc__write_json_string(&writer, LCORE_STR("a\"\\/\n\t\x01\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xff"));
    lc__write_json_string(&writer, (struct lc_str){"\0", 1});
    assert_int_equal(writer.err, 0);
    assert_text(&buffer, "\"a\\\"\\\\/\\n\\t\\u0001\\u007f\\u00e9\\u20ac\\ud83d\\ude00\\ufffd\"\"\\u0000\"");
}

/* REP-27 */
static void
test_percents_and_times(void **state)
{
    struct lc_buffer buffer = {0};
    struct lc_writer writer = {&buffer, 0};
    static const double fractions[] = {0, 0.5, 0.999, 0.9999, 0.95555, 1, 0.07, 0.29};
    for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
        lc__write_percent(&writer, fractions[i]);
        lc__write(&writer, LCORE_STR(" "));
    }
    lc__write_time(&writer, 1795234276.9);
    assert_int_equal(writer.err, 0);
    assert_text(&buffer, "0% 50% 99.9% 99.99% 95.555% 100% 7.0% 29.0% 2026-11-21T04:11:16Z");
}

static void
test_padding_counts_characters(void **state)
{
    struct lc_buffer buffer = {0};
    struct lc_writer writer = {&buffer, 0};
    lc__write_padded(&writer, LCORE_STR("\xc3\xa9\xe2\x82\xac"), 4);
    lc__write_padded(&writer, LCORE_STR("longer"), 4);
    lc__write_padded(&writer, LCORE_STR("x"), -3);
    lc__write_repeat(&writer, '-', 3);
    assert_int_equal(writer.err, 0);
    assert_text(&buffer, "\xc3\xa9\xe2\x82\xac  longerx---");
}

static void
test_the_first_error_stays(void **state)
{
    struct lc_buffer buffer = {0};
    struct lc_writer writer = {&buffer, 0};
    lc__write_format(&writer, "%300d", 1);
    lc__write(&writer, LCORE_STR("x"));
    assert_int_equal(writer.err, LCE_LIMIT);
    assert_int_equal(buffer.len, 0);
    lc_buffer_fini(&buffer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_are_the_shortest_that_read_back),
        cmocka_unit_test(test_texts_of_failures),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_percents_and_times),
        cmocka_unit_test(test_padding_counts_characters),
        cmocka_unit_test(test_the_first_error_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
