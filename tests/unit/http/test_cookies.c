#include "../support.h"

#include <stdio.h>

#include "http/cookies.h"

#define NOW INT64_C(1800000000) /* 2027-01-15 08:00:00 */

static struct lc_buffer scratch, header;

static struct lc_url
url_of(const char *text)
{
    struct lc_url url;
    struct lc_error error = {0};
    if (lc_url_prepare(lc_str_from(text), &scratch, &url, &error) < 0) {
        fail_msg("%s", error.text);
    }
    return url;
}

static void
receive(struct lc_cookie_jar *jar, const char *from, const char *cookie)
{
    struct lc_buffer lines = {0};
    struct lc_url url = url_of(from);
    assert_int_equal(lc_buffer_append_format(&lines, "X: y\r\nSet-Cookie: %s\r\n", cookie), 0);
    assert_int_equal(lc_cookie_jar_receive(jar, &url, (struct lc_str){lines.data, lines.len}, NOW), 0);
    lc_buffer_fini(&lines);
}

static void
assert_sent_at(struct lc_cookie_jar *jar, const char *to, int64_t now_s, const char *want)
{
    struct lc_url url = url_of(to);
    header.len = 0;
    assert_int_equal(lc_cookie_jar_append_header(jar, &url, now_s, NULL, 0, &header), 0);
    if (!lc_str_equal((struct lc_str){header.data, header.len}, lc_str_from(want))) {
        fail_msg("%s: \"%.*s\" is not \"%s\"", to, (int)header.len, header.data, want);
    }
}

static void
assert_sent(struct lc_cookie_jar *jar, const char *to, const char *want)
{
    assert_sent_at(jar, to, NOW, want);
}

static int
set_up(void **state)
{
    static struct lc_cookie_jar jar;
    jar = (struct lc_cookie_jar){0};
    *state = &jar;
    return 0;
}

static int
tear_down(void **state)
{
    lc_cookie_jar_fini(*state);
    lc_buffer_fini(&scratch);
    lc_buffer_fini(&header);
    return 0;
}

static int
count(const struct lc_cookie_jar *jar)
{
    size_t position = 0;
    struct lc_cookie cookie;
    while (lc_cookie_jar_next(jar, &position, &cookie)) {
    }
    return (int)position;
}

static void
test_empty_jar(void **state)
{
    struct lc_cookie_jar *jar = *state;
    assert_int_equal(sizeof(*jar), sizeof(void *));
    assert_sent(jar, "http://h/", "");
    assert_int_equal(count(jar), 0);
    assert_int_equal(lc_cookie_jar_version(jar), 0);
    assert_int_equal(lc_cookie_jar_remove(jar, (struct lc_str){0}, (struct lc_str){0}, (struct lc_str){0}), 0);
    receive(jar, "http://h/", "=no name");
    receive(jar, "http://h/", "");
    receive(jar, "http://h/", "gone=1; Max-Age=0");
    assert_null(jar->store);
}

static void
test_all_fields(void **state)
{
    struct lc_cookie_jar *jar = *state;
    receive(jar, "http://www.Example.com/a/b",
            " id = v w ;Domain=.Example.COM; PATH=/a b%c3; Max-Age=10; Expires=x; "
            "secure; httponly; SameSite=Lax; Foo=bar");
    size_t position = 0;
    struct lc_cookie cookie;
    assert_true(lc_cookie_jar_next(jar, &position, &cookie));
    assert_true(lc_str_equal(cookie.name, LCORE_STR("id")));
    assert_true(lc_str_equal(cookie.value, LCORE_STR("v w")));
    assert_true(lc_str_equal(cookie.domain, LCORE_STR("example.com")));
    assert_true(lc_str_equal(cookie.path, LCORE_STR("/a%20b%C3")));
    assert_true(lc_str_equal(cookie.same_site, LCORE_STR("Lax")));
    assert_int_equal(cookie.expires_s, NOW + 10);
    assert_true(cookie.is_path_set && cookie.is_secure && cookie.is_http_only && !cookie.is_host_only);
    assert_false(lc_cookie_jar_next(jar, &position, &cookie));
    receive(jar, "http://h.org/a/b?c/d", "x");
    assert_true(lc_cookie_jar_next(jar, &position, &cookie));
    assert_null(cookie.value.data);
    assert_true(lc_str_equal(cookie.path, LCORE_STR("/a")));
    assert_int_equal(cookie.expires_s, INT64_MIN);
    assert_true(cookie.is_host_only && !cookie.is_path_set && !cookie.is_secure && !cookie.is_http_only);
}

/* Each row: who sets what, and what another request then sends. Taken from http.cookiejar of CPython 3.11. */
static void
test_domains_and_paths(void **state)
{
    static const char *const cases[][4] = {
        {"http://h/", "a=1", "http://h/x", "a=1"},
        {"http://h/", "a=1", "http://g/", ""},
        {"http://h/", "a", "http://h/", "a"},
        {"http://h/", "a=", "http://h/", "a="},
        {"http://h/", "a=b=c", "http://h/", "a=b=c"},
        {"http://h/", "a=\"q r\"", "http://h/", "a=\"q r\""},
        {"http://h/", "a=\"q\\\"r\\\"\"", "http://h/", "a=\"qr\""},
        {"http://h/", "a=\xe9", "http://h/", "a=\xe9"},
        {"http://localhost/", "a=1", "http://localhost:8080/", "a=1"},
        {"http://localhost/", "a=1; Domain=localhost", "http://localhost/", "a=1"},
        {"http://localhost/", "a=1; Domain=.local", "http://localhost/", "a=1"},
        {"http://localhost/", "a=1; Domain=localhost.local", "http://localhost/", "a=1"},
        {"http://localhost/", "a=1; Domain=ocalhost", "http://localhost/", ""},
        {"http://localhost/", "a=1; Domain=example.com", "http://example.com/", ""},
        {"http://127.0.0.1/", "a=1", "http://127.0.0.1:81/", "a=1"},
        {"http://127.0.0.1/", "a=1; Domain=127.0.0.1", "http://127.0.0.1/", "a=1"},
        {"http://127.0.0.1/", "a=1", "http://127.0.0.2/", ""},
        {"http://[::1]/", "a=1", "http://[::1]:80/", "a=1"},
        {"http://[::1]/", "a=1", "http://[::2]/", ""},
        {"http://www.e.com/", "a=1; Domain=e.com", "http://e.com/", "a=1"},
        {"http://www.e.com/", "a=1; Domain=.E.com", "http://x.E.com/", "a=1"},
        {"http://www.e.com/", "a=1; Domain=e.com", "http://fake.com/", ""},
        {"http://www.e.com/", "a=1; Domain=e.com", "http://xe.com/", ""},
        {"http://www.e.com/", "a=1; Domain=com", "http://www.e.com/", ""},
        {"http://www.e.com/", "a=1; Domain=.com", "http://www.e.com/", ""},
        {"http://www.e.com/", "a=1; Domain=other.com", "http://other.com/", ""},
        {"http://www.e.com/", "a=1; Domain=x.www.e.com", "http://x.www.e.com/", ""},
        {"http://www.e.com/", "a=1; Domain=", "http://www.e.com/", ""},
        {"http://www.e.com/", "a=1; Domain", "http://www.e.com/", ""},
        {"http://www.e.com/", "a=1; Domain=e.com; Domain=f.com", "http://e.com/", "a=1"},
        {"http://e.com/", "a=1", "http://www.e.com/", "a=1"},
        {"http://www.e.com/", "a=1", "http://e.com/", ""},
        {"http://h/a/b", "a=1", "http://h/a", "a=1"},
        {"http://h/a/b", "a=1", "http://h/a/c/d", "a=1"},
        {"http://h/a/b", "a=1", "http://h/ab", ""},
        {"http://h/a/b", "a=1", "http://h/", ""},
        {"http://h/a/b?/c/d", "a=1", "http://h/a?x", "a=1"},
        {"http://h/a", "a=1", "http://h/", "a=1"},
        {"http://h/", "a=1; Path=/x", "http://h/x", "a=1"},
        {"http://h/", "a=1; Path=/x", "http://h/x/y", "a=1"},
        {"http://h/", "a=1; Path=/x/", "http://h/x", ""},
        {"http://h/", "a=1; Path=/x/", "http://h/x/y", "a=1"},
        {"http://h/", "a=1; Path=/x", "http://h/xy", ""},
        {"http://h/a/b", "a=1; Path=", "http://h/a/c", "a=1"},
        {"http://h/", "a=1; Path=x", "http://h/x", ""},
        {"http://h/", "a=1; Path", "http://h/", ""},
        {"http://h/a/b", "a=1; Version=1", "http://h/a", ""},
        {"http://h/a/b", "a=1; Version=\"1\"", "http://h/a/", "a=1"},
        {"http://h/", "a=1; Version=2", "http://h/", ""},
        {"http://h/", "a=1; Version=x", "http://h/", ""},
        {"http://h/", "a=1; Secure", "http://h/", ""},
        {"http://h/", "a=1; Secure", "https://h/", "a=1"},
        {"http://h/", "a=1; Secure=", "http://h/", "a=1"},
        {"http://h/", "a=1; Max-Age=x", "http://h/", ""},
        {"http://h/", "a=1; Max-Age", "http://h/", ""},
        {"http://h/", "a=1; Max-Age=-5", "http://h/", ""},
        {"http://h/", "a=1; Max-Age=+5", "http://h/", "a=1"},
        {"http://h/", "a=1; Max-Age=99999999999999999999999", "http://h/", "a=1"},
        {"http://h/", "a=1; Expires=nonsense", "http://h/", "a=1"},
        {"http://h/", "a=1; Expires", "http://h/", "a=1"},
        {"http://h/", "a=1; Expires=Wed, 09 Jun 2021 10:18:14 GMT", "http://h/", ""},
        {"http://h/", "a=1; Expires=Wed, 09 Jun 2021 10:18:14 GMT; Max-Age=5", "http://h/", "a=1"},
        {"http://h/", "a=1; Max-Age=5; Expires=Wed, 09 Jun 2021 10:18:14 GMT", "http://h/", "a=1"},
        {"http://h/", "a=1; Expires=\"Wed, 09 Jun 2100 10:18:14 GMT\"", "http://h/", "a=1"},
        {"http://h/", "a=1\x01", "http://h/", ""},
        {"http://h/", ";a=1", "http://h/", ""},
        {"http://h/", "a=1;;;=x; ;", "http://h/", "a=1"},
    };
    struct lc_cookie_jar *jar = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        receive(jar, cases[i][0], cases[i][1]);
        struct lc_url url = url_of(cases[i][2]);
        header.len = 0;
        assert_int_equal(lc_cookie_jar_append_header(jar, &url, NOW, NULL, 0, &header), 0);
        if (!lc_str_equal((struct lc_str){header.data, header.len}, lc_str_from(cases[i][3]))) {
            fail_msg("%s from %s: \"%.*s\" to %s", cases[i][1], cases[i][0], (int)header.len, header.data, cases[i][2]);
        }
        lc_cookie_jar_fini(jar);
    }
}

static void
test_order(void **state)
{
    struct lc_cookie_jar *jar = *state;
    receive(jar, "http://h/", "a=1; Path=/");
    receive(jar, "http://h/", "b=2; Path=/x");
    receive(jar, "http://h/", "c=3; Path=/");
    receive(jar, "http://h/", "d=4; Path=/x/yy");
    receive(jar, "http://h/", "e=5; Path=/x");
    assert_sent(jar, "http://h/x/yy/z", "d=4; b=2; e=5; a=1; c=3");
    receive(jar, "http://h/", "a=9; Path=/");
    assert_sent(jar, "http://h/", "a=9; c=3");
    receive(jar, "http://h/", "a=; Path=/; Max-Age=0");
    receive(jar, "http://h/", "a=7; Path=/");
    assert_sent(jar, "http://h/", "c=3; a=7");
    receive(jar, "http://www.h/", "z=1; Domain=.www.h.local; Path=/");
    assert_sent(jar, "http://h/x/yy/", "d=4; b=2; e=5; c=3; a=7");
}

/* As in http.cookiejar, what a response lets expire goes before what it sets comes. */
static void
test_several_in_one_response(void **state)
{
    struct lc_cookie_jar *jar = *state;
    struct lc_url url = url_of("http://h/");
    receive(jar, "http://h/", "a=0");
    assert_int_equal(lc_cookie_jar_receive(jar, &url,
                                           LCORE_STR("Set-Cookie: a=1\r\nset-cookie: b=2\r\nX: y\r\n"
                                                     "SET-COOKIE: a=; Max-Age=0\r\nSet-Cookie: c=3\r\n"),
                                           NOW),
                     0);
    assert_sent(jar, "http://h/", "a=1; b=2; c=3");
}

static void
test_expiry(void **state)
{
    struct lc_cookie_jar *jar = *state;
    receive(jar, "http://h/", "a=1; Max-Age=10");
    receive(jar, "http://h/", "b=2; Max-Age=20");
    receive(jar, "http://h/", "c=3");
    uint64_t version = lc_cookie_jar_version(jar);
    assert_sent_at(jar, "http://h/", NOW + 9, "a=1; b=2; c=3");
    assert_int_equal(lc_cookie_jar_version(jar), version);
    assert_sent_at(jar, "http://h/", NOW + 10, "b=2; c=3");
    assert_int_equal(count(jar), 2);
    assert_int_equal(lc_cookie_jar_version(jar), version + 1);
    assert_sent_at(jar, "http://g/", NOW + 20, "");
    assert_int_equal(count(jar), 1);
}

static void
test_version_and_removal(void **state)
{
    struct lc_cookie_jar *jar = *state;
    receive(jar, "http://h/", "a=1");
    assert_int_equal(lc_cookie_jar_version(jar), 1);
    receive(jar, "http://h/", "a=1");
    assert_int_equal(lc_cookie_jar_version(jar), 1);
    receive(jar, "http://h/", "a=2");
    assert_int_equal(lc_cookie_jar_version(jar), 2);
    receive(jar, "http://h/", "b=1; Path=/x");
    receive(jar, "http://www.e.com/", "a=1; Domain=e.com");
    struct lc_str all = {0};
    assert_int_equal(lc_cookie_jar_remove(jar, LCORE_STR("no"), all, all), 0);
    assert_int_equal(lc_cookie_jar_version(jar), 4);
    assert_int_equal(lc_cookie_jar_remove(jar, LCORE_STR(".E.com"), all, all), 1);
    assert_int_equal(lc_cookie_jar_remove(jar, all, LCORE_STR("/x"), LCORE_STR("b")), 1);
    assert_int_equal(lc_cookie_jar_remove(jar, LCORE_STR(".h.local"), all, all), 0);
    assert_int_equal(lc_cookie_jar_remove(jar, LCORE_STR("h.local"), LCORE_STR("/"), LCORE_STR("a")), 1);
    assert_int_equal(count(jar), 0);
    assert_int_equal(lc_cookie_jar_version(jar), 7);
    assert_sent(jar, "http://h/", "");
}

static void
test_set(void **state)
{
    struct lc_cookie_jar *jar = *state;
    struct lc_cookie cookie = {.name = LCORE_STR("a"), .value = LCORE_STR("1"), .expires_s = INT64_MIN};
    assert_int_equal(lc_cookie_jar_set(jar, &cookie, NOW), 0);
    assert_sent(jar, "http://any.host/where", "a=1");
    cookie.domain = LCORE_STR(".E.com");
    cookie.value = LCORE_STR("2");
    assert_int_equal(lc_cookie_jar_set(jar, &cookie, NOW), 0);
    assert_sent(jar, "http://www.e.com/", "a=1; a=2");
    cookie.is_host_only = true;
    cookie.domain = LCORE_STR("e.com");
    cookie.value = (struct lc_str){0};
    assert_int_equal(lc_cookie_jar_set(jar, &cookie, NOW), 0);
    assert_sent(jar, "http://e.com/", "a=1; a=2; a");
    cookie.expires_s = NOW - 1;
    assert_int_equal(lc_cookie_jar_set(jar, &cookie, NOW), 0);
    assert_sent(jar, "http://e.com/", "a=1; a=2");
    cookie.expires_s = INT64_MIN;
    cookie.value = LCORE_STR("x\r\nInjected: y");
    assert_int_equal(lc_cookie_jar_set(jar, &cookie, NOW), LCE_FORMAT);
    cookie.value = (struct lc_str){"x\0y", 3};
    assert_int_equal(lc_cookie_jar_set(jar, &cookie, NOW), LCE_FORMAT);
    cookie.value = LCORE_STR("x");
    cookie.name.len = 0;
    assert_int_equal(lc_cookie_jar_set(jar, &cookie, NOW), LCE_FORMAT);
    static char large[LCORE_COOKIE_MAX_BYTES + 1];
    memset(large, 'x', sizeof(large));
    cookie.name = LCORE_STR("a");
    cookie.value = (struct lc_str){large, sizeof(large)};
    assert_int_equal(lc_cookie_jar_set(jar, &cookie, NOW), LCE_LIMIT);
    cookie.value.len = sizeof(large) / 2;
    assert_int_equal(lc_cookie_jar_set(jar, &cookie, NOW), 0);
    assert_int_equal(count(jar), 3);
}

/* As requests merges the cookies of a call with those of the session. */
static void
test_cookies_of_a_request(void **state)
{
    struct lc_cookie_jar *jar = *state;
    struct lc_header extra[] = {
        {LCORE_STR("x"), LCORE_STR("1")}, {LCORE_STR("a"), LCORE_STR("\"2\\\"\"")}, {LCORE_STR("none"), {0}}};
    struct lc_url url = url_of("http://h/p/q");
    header.len = 0;
    assert_int_equal(lc_cookie_jar_append_header(jar, &url, NOW, extra, 3, &header), 0);
    assert_true(lc_str_equal((struct lc_str){header.data, header.len}, LCORE_STR("x=1; a=\"2\"")));
    struct lc_cookie cookie = {.name = LCORE_STR("a"), .value = LCORE_STR("0"), .expires_s = INT64_MIN};
    assert_int_equal(lc_cookie_jar_set(jar, &cookie, NOW), 0);
    receive(jar, "http://h/", "a=1");
    receive(jar, "http://h/", "b=2; Path=/p");
    url = url_of("http://h/p/q");
    header.len = 0;
    assert_int_equal(lc_buffer_append(&header, "Cookie: ", 8), 0);
    assert_int_equal(lc_cookie_jar_append_header(jar, &url, NOW, extra, 3, &header), 0);
    assert_true(lc_str_equal((struct lc_str){header.data, header.len}, LCORE_STR("Cookie: b=2; a=\"2\"; x=1; a=1")));
    assert_sent(jar, "http://h/p", "b=2; a=0; a=1");
}

static void
test_bounds(void **state)
{
    struct lc_cookie_jar *jar = *state;
    char text[128];
    for (int i = 0; i < LCORE_COOKIE_MAX_PER_DOMAIN + 20; i++) {
        snprintf(text, sizeof(text), "c%d=1", i);
        receive(jar, "http://h/", text);
    }
    assert_int_equal(count(jar), LCORE_COOKIE_MAX_PER_DOMAIN);
    size_t position = 0;
    struct lc_cookie cookie;
    assert_true(lc_cookie_jar_next(jar, &position, &cookie));
    assert_true(lc_str_equal(cookie.name, LCORE_STR("c20")));
    for (int i = 0; i < LCORE_COOKIE_MAX + 20; i++) {
        snprintf(text, sizeof(text), "http://h%d/", i);
        receive(jar, text, "a=1");
    }
    assert_int_equal(count(jar), LCORE_COOKIE_MAX);
    static char large[LCORE_COOKIE_MAX_BYTES + 10];
    memset(large, 'x', sizeof(large) - 1);
    large[1] = '=';
    uint64_t version = lc_cookie_jar_version(jar);
    receive(jar, "http://h/", large);
    assert_int_equal(lc_cookie_jar_version(jar), version);
}

/* Taken from http.cookiejar.http2time() of CPython 3.11. */
static void
test_dates(void **state)
{
    static const struct {
        const char *text;
        int64_t unix_s; /* -1: none */
    } cases[] = {
        {"Wed, 09 Feb 1994 22:23:32 GMT", 760832612},
        {"Tuesday, 08-Feb-94 14:15:29 GMT", 760716929},
        {"Tuesday, 08-Feb-1994 14:15:29 GMT", 760716929},
        {"09 Feb 1994 22:23:32 GMT", 760832612},
        {"08-Feb-94 14:15:29 GMT", 760716929},
        {"  wed 9/feb/1994 22:23", 760832580},
        {"09 Feb 1994", 760752000},
        {"09-02-1994:22:23:32", 760832612},
        {"09 Feb 1994 22:23:32 -0800", 760861412},
        {"09 Feb 1994 22:23:32 +01", 760829012},
        {"09 Feb 1994 22:23:32 0100", 760829012},
        {"09 Feb 1994 22:23:32 Z (Zulu) ", 760832612},
        {"29 Feb 2028 00:00:00 GMT", 1835395200},
        {"31 Feb 2028 24:00:61 GMT", 1835654461},
        {"01 Jan 1970 00:00:00 GMT", 0},
        {"31 Dec 9999 23:59:59 GMT", 253402300799},
        {"01 Jan 76 00:00:00 GMT", 3345062400},
        {"01 Jan 78 00:00:00 GMT", 252460800},
        {"", -1},
        {"0", -1},
        {"Thu, 01 Jan 1969 00:00:00 GMT", -1},
        {"09 Feb 10000", -1},
        {"09 February 1994", -1},
        {"09 13 1994", -1},
        {"32 Feb 1994", -1},
        {"00 Feb 1994", -1},
        {"09 Feb 1994 25:00:00", -1},
        {"09 Feb 1994 22:60:00", -1},
        {"09 Feb 1994 22:23:32 EST", -1},
        {"09 Feb 1994 10:00 PM", -1},
        {"09 Feb 1994 22:23:32 GMT junk", -1},
        {"09 Feb 1994 22:23:32 (", -1},
        {"Wed Feb  9 22:23:32 1994", -1},
        {"1994-02-09", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t unix_s = -1;
        bool is_date = lc_cookie_parse_date(lc_str_from(cases[i].text), NOW, &unix_s);
        if (unix_s != cases[i].unix_s || is_date != (cases[i].unix_s >= 0)) {
            fail_msg("%s: %lld", cases[i].text, (long long)unix_s);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty_jar, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_domains_and_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_several_in_one_response, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expiry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_version_and_removal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cookies_of_a_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
