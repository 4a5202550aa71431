#include "../support.h"

#include <stdio.h>

#include "http/seen_head.h"

#define HEAD "HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nLocation: /there\r\n\r\n"

static struct lc_seen_heads seen;

static ptrdiff_t
parse(const char *target, const char *data, struct lc_h1_head *head)
{
    *head = (struct lc_h1_head){0};
    return lc__seen_head_parse(&seen, lc_str_from(target), data, strlen(data), head);
}

static int
forget(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    return 0;
}

/* Its strings lie in what was received this time. */
static void
test_second_time(void **state)
{
    (void)state;
    char first[] = HEAD "abc", second[] = HEAD "xyz";
    struct lc_h1_head head;
    assert_int_equal(parse("/page", first, &head), sizeof(HEAD) - 1);
    memset(first, '#', sizeof(first));
    assert_int_equal(parse("/page", second, &head), sizeof(HEAD) - 1);
    assert_int_equal(head.status, 200);
    assert_int_equal(head.content_length, 3);
    assert_int_equal(head.header_count, 2);
    assert_true(head.is_keep_alive);
    assert_ptr_equal(head.reason.data, second + 13);
    assert_ptr_equal(head.lines.data, strstr(second, "Content"));
    assert_ptr_equal(head.location.data, strstr(second, "/there"));
    assert_int_equal(head.location.len, 6);
}

static void
test_another_head(void **state)
{
    (void)state;
    struct lc_h1_head head;
    assert_true(parse("/page", HEAD, &head) > 0);
    assert_true(parse("/page", "HTTP/1.0 404 Gone\r\nContent-Length: 3\r\n\r\n", &head) > 0);
    assert_int_equal(head.status, 404);
    assert_false(head.is_keep_alive);
    assert_null(head.location.data);
    assert_true(parse("/page", HEAD, &head) > 0);
    assert_int_equal(head.status, 200);
    assert_non_null(head.location.data);
}

/* One that goes on where the other ended is another one. */
static void
test_longer_and_shorter(void **state)
{
    (void)state;
    struct lc_h1_head head;
    assert_true(parse("/page", HEAD, &head) > 0);
    for (size_t len = 0; len < sizeof(HEAD) - 1; len++) {
        head = (struct lc_h1_head){0};
        assert_int_equal(lc__seen_head_parse(&seen, LCORE_STR("/page"), HEAD, len, &head), 0);
    }
    assert_true(
        parse("/page", "HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nLocation: /there\r\nServer: x\r\n\r\n", &head) > 0);
    assert_int_equal(head.header_count, 3);
}

static void
test_not_kept(void **state)
{
    (void)state;
    struct lc_h1_head head;
    char large[2 * LCORE_SEEN_HEAD_MAX];
    int len = snprintf(large, sizeof(large), "HTTP/1.1 200 OK\r\nX: %0*d\r\n\r\n", LCORE_SEEN_HEAD_MAX, 7);
    assert_int_equal(parse("/page", large, &head), len);
    assert_int_equal(parse("/page", large, &head), len);
    assert_int_equal(parse("", "no head\r\n\r\n", &head), -LCORE_FAIL_BAD_STATUS_LINE);
    assert_int_equal(parse("", "no head\r\n\r\n", &head), -LCORE_FAIL_BAD_STATUS_LINE);
    for (size_t i = 0; i < LCORE_SEEN_HEADS; i++) {
        assert_int_equal(seen.slots[i].len, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_second_time, forget),
        cmocka_unit_test_setup(test_another_head, forget),
        cmocka_unit_test_setup(test_longer_and_shorter, forget),
        cmocka_unit_test_setup(test_not_kept, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
