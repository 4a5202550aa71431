#include "../support.h"

#include "http/url.h"

static struct lc_buffer scratch;

static int
forget_scratch(void **state)
{
    lc_buffer_fini(&scratch);
    return 0;
}

static void
assert_str(struct lc_str got, const char *want)
{
    if (!lc_str_equal(got, lc_str_from(want))) {
        fail_msg("\"%.*s\" is not \"%s\"", (int)got.len, got.data, want);
    }
}

static void
assert_prepared(const char *text, const char *whole, const char *target)
{
    struct lc_url url;
    struct lc_error error = {0};
    if (lc_url_prepare(lc_str_from(text), &scratch, &url, &error) < 0) {
        fail_msg("%s: %s", text, error.text);
    }
    assert_str(url.text, whole);
    assert_str(url.target, target);
}

static void
test_clean_urls_are_borrowed(void **state)
{
    static const char *const clean[] = {
        "http://h/",
        "http://127.0.0.1:8080/path/to;v=1/x.html?a=1&b=%20%C3%A9#",
        "https://www.example.com:65535/~user/.well-known/x..y/z...?q=a/../b?c",
        "http://my_host/@:!$&'()*+,;=-._~",
    };
    for (size_t i = 0; i < sizeof(clean) / sizeof(clean[0]); i++) {
        struct lc_url url;
        struct lc_str text = lc_str_from(clean[i]);
        if (text.data[text.len - 1] == '#') {
            text.len--;
        }
        assert_int_equal(lc_url_prepare(text, &scratch, &url, NULL), 0);
        assert_ptr_equal(url.text.data, clean[i]);
        assert_int_equal(url.text.len, text.len);
        assert_int_equal(scratch.len, 0);
    }
}

static void
test_parts(void **state)
{
    struct lc_url url;
    assert_int_equal(lc_url_parse(LCORE_STR("HTTPS://us%20er:p:w@Ex.com:8443/a/b?c=d#frag?x"), &url, NULL), 0);
    assert_true(url.is_https && url.is_port_given && url.is_host_ascii && !url.is_ipv6);
    assert_int_equal(url.port, 8443);
    assert_str(url.user, "us%20er");
    assert_str(url.password, "p:w");
    assert_str(url.host, "Ex.com");
    assert_str(url.target, "/a/b?c=d");
    assert_str(url.fragment, "frag?x");
    assert_int_equal(lc_url_parse(LCORE_STR("http://h"), &url, NULL), 0);
    assert_true(!url.is_https && !url.is_port_given);
    assert_int_equal(url.port, 80);
    assert_int_equal(url.target.len, 0);
    assert_null(url.fragment.data);
    assert_null(url.user.data);
    assert_int_equal(lc_url_parse(LCORE_STR("https://h:?q"), &url, NULL), 0);
    assert_int_equal(url.port, 443);
    assert_str(url.target, "?q");
    assert_int_equal(lc_url_parse(LCORE_STR("http://u@[FE80::1%25eth0]:81/"), &url, NULL), 0);
    assert_true(url.is_ipv6);
    assert_str(url.host, "FE80::1%25eth0");
    assert_str(url.user, "u");
    assert_null(url.password.data);
    assert_int_equal(lc_url_parse(LCORE_STR("http://b\xc3\xbc"
                                            "cher.example/"),
                                  &url, NULL),
                     0);
    assert_false(url.is_host_ascii);
}

/* Taken from requests 2.34 and urllib3 2.8. */
static void
test_prepared_as_requests_does(void **state)
{
    static const char *const cases[][3] = {
        {"http://h", "http://h/", "/"},
        {"http://h?", "http://h/", "/"},
        {"http://h?a=b", "http://h/?a=b", "/?a=b"},
        {" \t\nhttp://h/a", "http://h/a", "/a"},
        {"http://h/a ", "http://h/a%20", "/a%20"},
        {"HTTP://Example.COM/Path", "http://example.com/Path", "/Path"},
        {"http://h:80/", "http://h:80/", "/"},
        {"http://h:0/", "http://h/", "/"},
        {"http://h:00081/", "http://h:81/", "/"},
        {"http://h:/x", "http://h/x", "/x"},
        {"http://h/a?", "http://h/a", "/a"},
        {"http://h/a?#f", "http://h/a#f", "/a"},
        {"http://h/a#", "http://h/a", "/a"},
        {"http://h/a#f g", "http://h/a#f%20g", "/a"},
        {"http://h/%7euser/%41%2f", "http://h/~user/A%2F", "/~user/A%2F"},
        {"http://h/100%", "http://h/100%25", "/100%25"},
        {"http://h/%zz%41%2f", "http://h/%25zz%2541%252F", "/%25zz%2541%252F"},
        {"http://h/a%20b?c=100%", "http://h/a%20b?c=100%25", "/a%20b?c=100%25"},
        {"http://h/[x]|\"<>", "http://h/%5Bx%5D%7C%22%3C%3E", "/%5Bx%5D%7C%22%3C%3E"},
        {"http://h/^`{}\\", "http://h/%5E%60%7B%7D%5C", "/%5E%60%7B%7D%5C"},
        {"http://h/a\nb\tc\r", "http://h/a%0Ab%09c%0D", "/a%0Ab%09c%0D"},
        {"http://h/caf\xc3\xa9?q=\xe6\x97\xa5", "http://h/caf%C3%A9?q=%E6%97%A5", "/caf%C3%A9?q=%E6%97%A5"},
        {"http://h\\p", "http://h/%5Cp", "/%5Cp"},
        {"http://h/a/../b", "http://h/b", "/b"},
        {"http://h/a/./b/.", "http://h/a/b/", "/a/b/"},
        {"http://h/..", "http://h/", "/"},
        {"http://h/../../a/..", "http://h/", "/"},
        {"http://h/..//a", "http://h/a", "/a"},
        {"http://h//a//b/..//c", "http://h//a///c", "//a///c"},
        {"http://h/%2e%2e/a", "http://h/../a", "/../a"},
        {"http://h/a?b/../c", "http://h/a?b/../c", "/a?b/../c"},
        {"http://h/a?b#c?d", "http://h/a?b#c?d", "/a?b"},
        {"http://u:p@h/", "http://u:p@h/", "/"},
        {"http://u:@h/", "http://u:@h/", "/"},
        {"http://@h/", "http://h/", "/"},
        {"http://a@b@h/", "http://a%40b@h/", "/"},
        {"http://%41.%2d/", "http://a.-/", "/"},
        {"http://[2001:DB8::1]:8080/x", "http://[2001:db8::1]:8080/x", "/x"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_prepared(cases[i][0], cases[i][1], cases[i][2]);
    }
}

static void
test_prepared_parts_lie_in_the_result(void **state)
{
    struct lc_url url;
    assert_int_equal(lc_url_prepare(LCORE_STR("http://U s"), &scratch, &url, NULL), LCE_URL);
    assert_int_equal(lc_url_prepare(LCORE_STR("https://U%41:p%2fw@H.x:444/a b?c d#e f"), &scratch, &url, NULL), 0);
    assert_str(url.text, "https://UA:p%2Fw@h.x:444/a%20b?c%20d#e%20f");
    assert_str(url.user, "UA");
    assert_str(url.password, "p%2Fw");
    assert_str(url.host, "h.x");
    assert_str(url.fragment, "e%20f");
    const struct lc_str parts[] = {url.user, url.password, url.host, url.target, url.fragment};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_true(parts[i].data >= scratch.data && parts[i].data + parts[i].len <= scratch.data + scratch.len);
    }
    /* Preparing what is prepared changes nothing. */
    struct lc_buffer copy = {0};
    struct lc_buffer other = {0};
    assert_int_equal(lc_buffer_append_str(&copy, url.text), 0);
    assert_int_equal(lc_url_prepare((struct lc_str){copy.data, copy.len}, &other, &url, NULL), 0);
    assert_str(url.text, "https://UA:p%2Fw@h.x:444/a%20b?c%20d#e%20f");
    lc_buffer_fini(&copy);
    lc_buffer_fini(&other);
}

/* API-164: the three kinds requests tells apart. */
static void
test_failures(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"", LCE_URL_SCHEME},
        {"/path", LCE_URL_SCHEME},
        {"h/path", LCE_URL_SCHEME},
        {"//h/path", LCE_URL_SCHEME},
        {"http", LCE_URL_SCHEME},
        {"httpbin.org:80/x", LCE_URL_SCHEME},
        {"localhost:8080/x", LCE_UNSUPPORTED},
        {"ftp://h/", LCE_UNSUPPORTED},
        {"mailto:a@b", LCE_UNSUPPORTED},
        {"httpx://h/", LCE_UNSUPPORTED},
        {"http:", LCE_URL_HOST},
        {"http:/h", LCE_URL_HOST},
        {"http://", LCE_URL_HOST},
        {"http:///path", LCE_URL_HOST},
        {"http://:80/", LCE_URL_HOST},
        {"http://u:p@/", LCE_URL_HOST},
        {"http://?q", LCE_URL_HOST},
        {"http://h:65536/", LCE_URL},
        {"http://h:-1/", LCE_URL},
        {"http://h:8a/", LCE_URL},
        {"http://h:1:2/", LCE_URL},
        {"http://h:99999999999999999999/", LCE_URL},
        {"http://a b/", LCE_URL},
        {"http://h\r\nX: y/", LCE_URL},
        {"http://h\x7f/", LCE_URL},
        {"http://u\n:p@h/", LCE_URL},
        {"http://h%/", LCE_URL},
        {"http://h%0a/", LCE_URL},
        {"http://.h/", LCE_URL},
        {"http://%2eh/", LCE_URL},
        {"http://*.h/", LCE_URL},
        {"http://[::1/", LCE_URL},
        {"http://[h]/", LCE_URL},
        {"http://[]/", LCE_URL},
        {"http://[::1]x/", LCE_URL},
        {"http://[::1%]/", LCE_URL},
        {"http://h]/", LCE_URL},
        {"http://[0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:1]/", LCE_URL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lc_url url;
        struct lc_error error = {0};
        int code = lc_url_prepare(lc_str_from(cases[i].text), &scratch, &url, &error);
        if (code != cases[i].code) {
            fail_msg("%s: %d (%s)", cases[i].text, code, error.text);
        }
        assert_true(error.text[0] != '\0');
    }
    struct lc_url url;
    assert_int_equal(lc_url_prepare((struct lc_str){"http://h\0x/", 11}, &scratch, &url, NULL), LCE_URL);
}

static void
test_loosely(void **state)
{
    static const char *const cases[][2] = {
        {"HTTP://H/a/../%2E/b c/.?x", "/a/.././b%20c/.?x"},
        {"http://h/clean", "/clean"},
        {" http://h/list?of[a][]={1}&\n", "/list?of[a][]=%7B1%7D&"},
        {"ht\ttp://h\r\n/a\tb#c\n", "/ab"},
        {"http://h/%2f%41%?%2", "/%2fA%?%2"},
        {"http://h/%2f%zz?%41", "/%252f%25zz?%2541"},
        {"http://h?\xc3\xa9", "/?%C3%A9"},
        {"http://h/a?", "/a"},
        {"http://h", "/"},
    };
    struct lc_url url;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(lc_url_prepare_loosely(lc_str_from(cases[i][0]), &scratch, &url, NULL), 0);
        assert_str(url.target, cases[i][1]);
    }
    assert_int_equal(lc_url_prepare_loosely(LCORE_STR("HTTP://H/a/.."), &scratch, &url, NULL), 0);
    assert_str(url.text, "http://h/a/..");
    assert_int_equal(lc_url_prepare_loosely(LCORE_STR("http://h:x/.."), &scratch, &url, NULL), LCE_URL);
}

static void
test_clean_target(void **state)
{
    static const char *const clean[] = {"/", "/a/b.c?x=1&y=%20", "/.a", "/a..", "/a.", "/?x", "//", "/a?b?", "/a?./.."};
    static const char *const unclean[] = {"",   "a",         "/a b", "/a#",   "/a?",   "/%41",   "/%2f",
                                          "/%", "/%2",       "/%zz", "/./a",  "/a/..", "/a/.",   "/..",
                                          "/[", "/\xc3\xa9", "/a\n", "/a?b#", "/a?%2", "/a?b c", "?a"};
    for (size_t i = 0; i < sizeof(clean) / sizeof(clean[0]); i++) {
        assert_true(lc_url_is_clean_target(lc_str_from(clean[i])));
    }
    for (size_t i = 0; i < sizeof(unclean) / sizeof(unclean[0]); i++) {
        assert_false(lc_url_is_clean_target(lc_str_from(unclean[i])));
    }
}

/* RFC 3986 section 5.4, and where urllib.parse.urljoin() has its own mind. */
static void
test_join(void **state)
{
    static const char *const cases[][3] = {
        {"http://a/b/c/d;p?q", "g:h", "g:h"},
        {"http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
        {"http://a/b/c/d;p?q", "./g", "http://a/b/c/g"},
        {"http://a/b/c/d;p?q", "g/", "http://a/b/c/g/"},
        {"http://a/b/c/d;p?q", "/g", "http://a/g"},
        {"http://a/b/c/d;p?q", "//g", "http://g"},
        {"http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
        {"http://a/b/c/d;p?q", "g?y#s", "http://a/b/c/g?y#s"},
        {"http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q#s"},
        {"http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q"},
        {"http://a/b/c/d;p?q", ".", "http://a/b/c/"},
        {"http://a/b/c/d;p?q", "..", "http://a/b/"},
        {"http://a/b/c/d;p?q", "../..", "http://a/"},
        {"http://a/b/c/d;p?q", "../../../../g", "http://a/g"},
        {"http://a/b/c/d;p?q", "/./g/../h", "http://a/h"},
        {"http://a/b/c/d;p?q", "http:g", "http://a/b/c/g"},
        {"http://a/b/c/d;p?q", "HTTP://B/x", "http://B/x"},
        {"http://a/b/c/d;p?q", "https:g", "https:g"},
        {"http://a", "g", "http://a/g"},
        {"http://a?q", "?r", "http://a?r"},
        {"http://a//b//c", "d//e/f", "http://a/b/d/e/f"},
        {"http://a/b#f", "c", "http://a/c"},
        {"http://u:p@a:81/b", "c", "http://u:p@a:81/c"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scratch.len = 0;
        assert_int_equal(lc_url_join(lc_str_from(cases[i][0]), lc_str_from(cases[i][1]), &scratch), 0);
        assert_str((struct lc_str){scratch.data, scratch.len}, cases[i][2]);
    }
}

static void
test_requote(void **state)
{
    static const char *const cases[][2] = {
        {"http://h/a b", "http://h/a%20b"},
        {"%41%2f%2F%20", "A%2f%2F%20"},
        {"%41%zz", "%2541%25zz"},
        {"%4", "%4"},
        {"%-1%41", "%-1A"},
        {"[x]#\xc3\xa9", "[x]#%C3%A9"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scratch.len = 0;
        assert_int_equal(lc_url_requote(lc_str_from(cases[i][0]), &scratch), 0);
        assert_str((struct lc_str){scratch.data, scratch.len}, cases[i][1]);
    }
}

static void
test_settle(void **state)
{
    static const char *const cases[][2] = {
        {"http://h", "/"},
        {"http://h?", "/"},
        {"http://h?a", "/?a"},
        {"http://h/a?", "/a"},
        {"http://h/[%2f#x", "/%5B%2F"},
        {"http://h/a/../b", "/a/../b"},
        {"http://h:0/%41", "/%41"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lc_url url;
        scratch.len = 0;
        assert_int_equal(lc_buffer_append_str(&scratch, lc_str_from(cases[i][0])), 0);
        assert_int_equal(lc_url_settle(&scratch, &url, NULL), 0);
        assert_str(url.text, cases[i][0]);
        assert_str(url.target, cases[i][1]);
        assert_int_equal(url.port, 80);
    }
}

static void
test_host_header(void **state)
{
    static const char *const cases[][2] = {
        {"http://Example.com/", "example.com"},
        {"http://h:80/", "h"},
        {"https://h:443/", "h"},
        {"https://h:80/", "h:80"},
        {"http://h:8080/", "h:8080"},
        {"http://[::1]:8080/", "[::1]:8080"},
        {"http://[fe80::1%25eth0]/", "[fe80::1]"},
        {"http://u:p@h/", "h"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lc_url url;
        scratch.len = 0;
        assert_int_equal(lc_url_parse(lc_str_from(cases[i][0]), &url, NULL), 0);
        assert_int_equal(lc_url_append_host(&url, &scratch), 0);
        assert_str((struct lc_str){scratch.data, scratch.len}, cases[i][1]);
    }
}

static void
test_unquote(void **state)
{
    scratch.len = 0;
    assert_int_equal(lc_url_unquote(LCORE_STR("a%20b%zz%4%41%"), &scratch), 0);
    assert_str((struct lc_str){scratch.data, scratch.len}, "a b%zz%4A%");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_clean_urls_are_borrowed, forget_scratch),
        cmocka_unit_test_teardown(test_parts, forget_scratch),
        cmocka_unit_test_teardown(test_prepared_as_requests_does, forget_scratch),
        cmocka_unit_test_teardown(test_prepared_parts_lie_in_the_result, forget_scratch),
        cmocka_unit_test_teardown(test_failures, forget_scratch),
        cmocka_unit_test_teardown(test_loosely, forget_scratch),
        cmocka_unit_test_teardown(test_clean_target, forget_scratch),
        cmocka_unit_test_teardown(test_join, forget_scratch),
        cmocka_unit_test_teardown(test_requote, forget_scratch),
        cmocka_unit_test_teardown(test_settle, forget_scratch),
        cmocka_unit_test_teardown(test_host_header, forget_scratch),
        cmocka_unit_test_teardown(test_unquote, forget_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
