#include "http/h2_head.h"

#include <nghttp2/nghttp2.h>

#include "../support.h"

/* The fields as "name: value" lines, one after the other. */
static void
expect(const char *head, bool is_https, const char *fields)
{
    struct lc_buffer out = {0}, text = {0};
    size_t count;
    assert_int_equal(lc_h2_request_fields(lc_str_from(head), is_https, &out, &count), 0);
    const nghttp2_nv *field = (const nghttp2_nv *)out.data;
    for (size_t i = 0; i < count; i++) {
        lc_buffer_append_format(&text, "%.*s: %.*s\n", (int)field[i].namelen, (const char *)field[i].name,
                                (int)field[i].valuelen, (const char *)field[i].value);
    }
    assert_int_equal(text.len, strlen(fields));
    assert_memory_equal(text.data, fields, text.len);
    lc_buffer_fini(&text);
    lc_buffer_fini(&out);
}

static void
test_requests(void **state)
{
    expect("GET /a?b HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive\r\nTE: gzip\r\nX-Own: 1\r\n", true,
           ":method: GET\n:scheme: https\n:authority: example.org\n:path: /a?b\nX-Own: 1\n");
    expect("POST / HTTP/1.1\r\nX-Own: 1\r\nHost: example.org:80\r\nTE: trailers\r\n", false,
           ":method: POST\n:scheme: http\n:authority: example.org:80\n:path: /\nX-Own: 1\nTE: trailers\n");
}

/* RFC 9113, 8.5: it has neither a scheme nor a path. */
static void
test_connect(void **state)
{
    expect("CONNECT / HTTP/1.1\r\nHost: example.org:443\r\nX-Own: 1\r\n", true,
           ":method: CONNECT\n:authority: example.org:443\nX-Own: 1\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
