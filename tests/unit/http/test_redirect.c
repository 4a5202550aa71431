#include "../support.h"

#include "http/redirect.h"

static void
test_when(void **state)
{
    static const int due[] = {301, 302, 303, 307, 308}, other[] = {200, 201, 300, 304, 305, 306, 309, 400};
    for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++) {
        assert_true(lc_redirect_is_due(due[i], LCORE_STR("/x")));
        assert_false(lc_redirect_is_due(due[i], (struct lc_str){0}));
        assert_false(lc_redirect_is_due(due[i], LCORE_STR("")));
        assert_int_equal(lc_redirect_keeps_body(due[i]), due[i] >= 307);
    }
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        assert_false(lc_redirect_is_due(other[i], LCORE_STR("/x")));
    }
}

static void
test_method(void **state)
{
    static const struct {
        int status;
        const char *before, *after;
    } cases[] = {
        {301, "POST", "GET"}, {301, "PUT", "PUT"},   {301, "HEAD", "HEAD"},   {302, "POST", "GET"},
        {302, "PUT", "GET"},  {302, "HEAD", "HEAD"}, {303, "DELETE", "GET"},  {303, "HEAD", "HEAD"},
        {303, "GET", "GET"},  {307, "POST", "POST"}, {308, "PATCH", "PATCH"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lc_str method = lc_redirect_method(cases[i].status, lc_str_from(cases[i].before));
        assert_true(lc_str_equal(method, lc_str_from(cases[i].after)));
    }
}

static void
test_body_headers(void **state)
{
    assert_true(lc_redirect_is_body_header(LCORE_STR("content-LENGTH")));
    assert_true(lc_redirect_is_body_header(LCORE_STR("Content-Type")));
    assert_true(lc_redirect_is_body_header(LCORE_STR("Transfer-Encoding")));
    assert_false(lc_redirect_is_body_header(LCORE_STR("Content-Encoding")));
}

static void
test_authorization(void **state)
{
    static const struct {
        const char *from, *to;
        bool is_stripped;
    } cases[] = {
        {"http://h/", "http://h/x", false},
        {"http://h/", "http://H:80/", false},
        {"http://h/", "http://g/", true},
        {"http://h/", "http://h.h/", true},
        {"http://h/", "https://h/", false},
        {"http://h:80/", "https://h:443/", false},
        {"http://h:8080/", "https://h/", true},
        {"http://h/", "https://h:8443/", true},
        {"https://h/", "http://h/", true},
        {"https://h/", "https://h:443/", false},
        {"http://h:8080/", "http://h:8080/", false},
        {"http://h:8080/", "http://h:8081/", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lc_url from, to;
        assert_int_equal(lc_url_parse(lc_str_from(cases[i].from), &from, NULL), 0);
        assert_int_equal(lc_url_parse(lc_str_from(cases[i].to), &to, NULL), 0);
        if (lc_redirect_strips_auth(&from, &to) != cases[i].is_stripped) {
            fail_msg("%s to %s", cases[i].from, cases[i].to);
        }
    }
}

/* API-158: the url of a hop, and its request target. Taken from requests 2.34. */
static void
test_url(void **state)
{
    static const char *const cases[][4] = {
        {"http://h/a/b?q", "c", "http://h/a/c", "/a/c"},
        {"http://h/a/b?q", "/c?d", "http://h/c?d", "/c?d"},
        {"http://h/a/b?q", "?d", "http://h/a/b?d", "/a/b?d"},
        {"http://h/a/b", "../../x", "http://h/x", "/x"},
        {"http://h/a", "//g/x", "http://g/x", "/x"},
        {"https://h/a", "//g", "https://g", "/"},
        {"http://h/a", "///x", "http://h/x", "/x"},
        {"http://h/a/b", "//", "http://h/a/b", "/a/b"},
        {"http://h/a/b", "http:x", "http://h/x", "/x"},
        {"http://h/a/b", "http:/x", "http://h/x", "/x"},
        {"http://h/a", "HTTPS://G/x", "https://G/x", "/x"},
        {"http://h/a", "http://g?", "http://g", "/"},
        {"http://h/a", "http://g/x/../y", "http://g/x/../y", "/x/../y"},
        {"http://h/a", "/b c/\xc3\xa9", "http://h/b%20c/%C3%A9", "/b%20c/%C3%A9"},
        {"http://h/a", "/%41%2f[x]", "http://h/A%2f[x]", "/A%2F%5Bx%5D"},
        {"http://h/a", "/100%", "http://h/100%", "/100%25"},
        {"http://h/a#f", "/b", "http://h/b#f", "/b"},
        {"http://h/a#f", "/b#g", "http://h/b#g", "/b"},
        {"http://h/a#f", "http://g/b#", "http://g/b#f", "/b"},
        {"http://u:p@h:81/a", "b", "http://u:p@h:81/b", "/b"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lc_url from, to;
        struct lc_buffer scratch = {0};
        struct lc_error error = {0};
        assert_int_equal(lc_url_parse(lc_str_from(cases[i][0]), &from, NULL), 0);
        if (lc_redirect_url(&from, lc_str_from(cases[i][1]), &scratch, &to, &error) < 0) {
            fail_msg("%s: %s", cases[i][1], error.text);
        }
        if (!lc_str_equal(to.text, lc_str_from(cases[i][2])) || !lc_str_equal(to.target, lc_str_from(cases[i][3]))) {
            fail_msg("%s: %.*s, %.*s", cases[i][1], (int)to.text.len, to.text.data, (int)to.target.len, to.target.data);
        }
        lc_buffer_fini(&scratch);
    }
}

static void
test_urls_that_lead_nowhere(void **state)
{
    static const struct {
        const char *location;
        int code;
    } cases[] = {
        {"ftp://h/", LCE_UNSUPPORTED}, {"mailto:x", LCE_UNSUPPORTED}, {"http://", 0},
        {"https:/x", LCE_URL_HOST},    {"http://h:99999/", LCE_URL},  {"http://a b/", 0},
    };
    struct lc_url from, to;
    assert_int_equal(lc_url_parse(LCORE_STR("http://h/a"), &from, NULL), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lc_buffer scratch = {0};
        int code = lc_redirect_url(&from, lc_str_from(cases[i].location), &scratch, &to, NULL);
        if (code != cases[i].code) {
            fail_msg("%s: %d", cases[i].location, code);
        }
        lc_buffer_fini(&scratch);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when),         cmocka_unit_test(test_method),
        cmocka_unit_test(test_body_headers), cmocka_unit_test(test_authorization),
        cmocka_unit_test(test_url),          cmocka_unit_test(test_urls_that_lead_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
