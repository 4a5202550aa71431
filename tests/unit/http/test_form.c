#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "locustcore/form.h"

static void
assert_text(struct lc_str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

static void
test_pairs_are_urlencoded(void **state)
{
    struct lc_form *form = lc_form_new();
    struct lc_request request = {0};
    lc_form_fill(form, &request);
    assert_non_null(request.body.data);
    assert_text(request.body, "");
    assert_int_equal(lc_form_add(form, LCORE_STR("user name"), LCORE_STR("J\xc3\xa4rvi & Co=100%")), 0);
    assert_int_equal(lc_form_add(form, LCORE_STR("empty"), (struct lc_str){0}), 0);
    assert_int_equal(lc_form_add(form, LCORE_STR("safe"), LCORE_STR("aZ09_.-~")), 0);
    lc_form_fill(form, &request);
    assert_text(request.body, "user+name=J%C3%A4rvi+%26+Co%3D100%25&empty=&safe=aZ09_.-~");
    assert_text(request.content_type, "application/x-www-form-urlencoded");
    lc_form_free(form);
}

static void
test_a_file_makes_it_multipart(void **state)
{
    struct lc_form *form = lc_form_new();
    struct lc_request request = {0};
    assert_int_equal(lc_form_add(form, LCORE_STR("title"), LCORE_STR("two\r\nlines")), 0);
    assert_int_equal(lc_form_add_file(form, LCORE_STR("doc"), LCORE_STR("a\"b\r\n.txt"), LCORE_STR("text/plain"),
                                      LCORE_STR("with\0nul")),
                     0);
    assert_int_equal(
        lc_form_add_file(form, LCORE_STR("raw"), (struct lc_str){0}, (struct lc_str){0}, (struct lc_str){0}), 0);
    assert_int_equal(lc_form_add(form, LCORE_STR("last"), LCORE_STR("1")), 0);
    lc_form_fill(form, &request);
    static const char type[] = "multipart/form-data; boundary=";
    assert_memory_equal(request.content_type.data, type, strlen(type));
    char boundary[40];
    assert_int_equal(request.content_type.len - strlen(type), 32);
    snprintf(boundary, sizeof(boundary), "%.32s", request.content_type.data + strlen(type));
    char expected[1024];
    /* 1 stands for the NUL of the file. */
    int len = snprintf(expected, sizeof(expected),
                       "--%s\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\ntwo\r\nlines\r\n"
                       "--%s\r\nContent-Disposition: form-data; name=\"doc\"; filename=\"a%%22b%%0D%%0A.txt\"\r\n"
                       "Content-Type: text/plain\r\n\r\nwith\1nul\r\n"
                       "--%s\r\nContent-Disposition: form-data; name=\"raw\"; filename=\"\"\r\n"
                       "Content-Type: application/octet-stream\r\n\r\n\r\n"
                       "--%s\r\nContent-Disposition: form-data; name=\"last\"\r\n\r\n1\r\n--%s--\r\n",
                       boundary, boundary, boundary, boundary, boundary);
    *strchr(expected, 1) = '\0';
    assert_int_equal(request.body.len, len);
    assert_memory_equal(request.body.data, expected, (size_t)len);
    lc_form_free(form);
}

static void
test_a_type_that_breaks_the_framing_is_refused(void **state)
{
    struct lc_form *form = lc_form_new();
    struct lc_request request = {0};
    assert_int_equal(lc_form_add_file(form, LCORE_STR("f"), LCORE_STR("f"), LCORE_STR("a\r\nb: c"), LCORE_STR("x")),
                     LCE_FORMAT);
    lc_form_fill(form, &request);
    assert_text(request.body, "");
    lc_form_free(form);
    lc_form_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_are_urlencoded),
        cmocka_unit_test(test_a_file_makes_it_multipart),
        cmocka_unit_test(test_a_type_that_breaks_the_framing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
