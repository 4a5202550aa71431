#include "../support.h"

#include "http/response.h"

static struct lc_reuse reuse;

static void
test_everything_is_copied(void **state)
{
    char text[] = "GEThttp://h/headOKX: y\r\nbody";
    struct lc_response parts = {
        .status = 200,
        .method = {text, 3},
        .url = {text + 3, 9},
        .sent_head = {text + 12, 4},
        .reason = {text + 16, 2},
        .head = {text + 18, 6},
        .body = {text + 24, 4},
        .redirect_count = 3,
    };
    struct lc_response *response = lc_response_new(&reuse, &parts, NULL);
    assert_non_null(response);
    memset(text, 0, sizeof(text));
    assert_true(lc_str_equal(response->method, LCORE_STR("GET")));
    assert_true(lc_str_equal(response->url, LCORE_STR("http://h/")));
    assert_true(lc_str_equal(response->sent_head, LCORE_STR("head")));
    assert_true(lc_str_equal(response->reason, LCORE_STR("OK")));
    assert_true(lc_str_equal(response->body, LCORE_STR("body")));
    assert_int_equal(response->fail_text.len, 0);
    assert_int_equal(response->redirect_count, 3);
    assert_true(lc_str_equal(lc_response_header(response, LCORE_STR("x")), LCORE_STR("y")));
    assert_null(lc_response_header(response, LCORE_STR("z")).data);
    size_t position = 0;
    struct lc_str name, value;
    assert_true(lc_response_next_header(response, &position, &name, &value));
    assert_false(lc_response_next_header(response, &position, &name, &value));
    lc_response_free(response);
    lc_response_free(NULL);
}

static void
assert_phases(struct lc_timings timings, const int64_t expected[LCORE_PHASE_COUNT], int64_t time_ns)
{
    struct lc_phases phases;
    lc_timings_phases(&timings, &phases);
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        assert_int_equal(phases.ns[i], expected[i]);
    }
    assert_int_equal(lc_timings_time_ns(&timings), time_ns);
    struct lc_response redirect = {.timings = timings};
    struct lc_response response = {.timings = timings, .previous = &redirect};
    assert_int_equal(lc_response_time_ns(&response), 2 * time_ns);
}

static void
test_phases(void **state)
{
    /* Seven before the name was asked for, five from the handshake to the first byte: ours */
    assert_phases((struct lc_timings){.start_ns = 10,
                                      .hop_ns = 10,
                                      .begin_ns = 17,
                                      .dns_ns = 18,
                                      .connected_ns = 20,
                                      .tls_ns = 24,
                                      .sent_ns = 29,
                                      .first_byte_ns = 59,
                                      .end_ns = 67},
                  (const int64_t[]){1, 2, 4, 12, 30, 8}, 45);
    /* Kept alive, behind a redirect */
    assert_phases(
        (struct lc_timings){
            .start_ns = 10, .hop_ns = 100, .begin_ns = 102, .sent_ns = 102, .first_byte_ns = 110, .end_ns = 110},
        (const int64_t[]){-1, -1, -1, 2, 8, 0}, 8);
    /* Kept alive, but the connection was lost, and there had to be another one */
    assert_phases((struct lc_timings){.start_ns = 10,
                                      .hop_ns = 10,
                                      .begin_ns = 12,
                                      .dns_ns = 40,
                                      .connected_ns = 41,
                                      .sent_ns = 44,
                                      .first_byte_ns = 50,
                                      .end_ns = 50},
                  (const int64_t[]){28, 1, -1, 5, 6, 0}, 35);
    /* The name was found, the connection refused */
    assert_phases((struct lc_timings){.start_ns = 10, .hop_ns = 10, .begin_ns = 11, .dns_ns = 15, .end_ns = 20},
                  (const int64_t[]){4, -1, -1, -1, -1, -1}, 9);
    /* It came to nothing */
    assert_phases((struct lc_timings){.start_ns = 10, .hop_ns = 10, .end_ns = 20},
                  (const int64_t[]){-1, -1, -1, -1, -1, -1}, 0);
}

static void
test_body_buffers(void **state)
{
    for (size_t size = 0; size <= LCORE_RESPONSE_INLINE_BODY + 1;
         size += size == 0 ? 100 : LCORE_RESPONSE_INLINE_BODY - 99) {
        struct lc_buffer body = {0};
        assert_int_equal(lc_buffer_reserve(&body, size + 1), 0);
        memset(body.data, 'x', body.capacity);
        body.len = size;
        const char *data = body.data;
        struct lc_response parts = {.status = 200};
        struct lc_response *response = lc_response_new(&reuse, &parts, &body);
        assert_non_null(response);
        assert_int_equal(response->body.len, size);
        assert_int_equal(body.len, 0);
        bool is_moved = size > LCORE_RESPONSE_INLINE_BODY;
        assert_int_equal(response->body.data == data, is_moved);
        assert_int_equal(body.data == NULL, is_moved);
        lc_buffer_fini(&body);
        lc_response_free(response);
    }
}

static void
test_failures(void **state)
{
    struct lc_response parts = {.fail = LCORE_FAIL_REFUSED};
    struct lc_response *response = lc_response_new(&reuse, &parts, NULL);
    assert_true(lc_str_equal(response->fail_text, LCORE_STR("connection refused")));
    lc_response_free(response);
    parts.fail_text = LCORE_STR("more exactly");
    response = lc_response_new(&reuse, &parts, NULL);
    assert_true(lc_str_equal(response->fail_text, LCORE_STR("more exactly")));
    lc_response_free(response);
    assert_string_equal(lc_fail_text(LCORE_FAIL_NONE), "no failure");
    assert_string_equal(lc_fail_text((enum lc_fail)9999), "unknown failure");
}

static void
test_long_chains_are_freed(void **state)
{
    struct lc_response *response = NULL;
    for (int i = 0; i < 200000; i++) {
        struct lc_response parts = {.status = 302, .previous = response};
        response = lc_response_new(&reuse, &parts, NULL);
        assert_non_null(response);
    }
    lc_response_free(response);
}

static void
test_memory_is_used_again(void **state)
{
    struct lc_response parts = {.status = 200, .method = LCORE_STR("GET"), .body = LCORE_STR("body")};
    parts.previous = lc_response_new(&reuse, &parts, NULL);
    struct lc_response *response = lc_response_new(&reuse, &parts, NULL);
    lc__response_put_back(&reuse, response);
    struct lc_response *next = lc_response_new(&reuse, &(struct lc_response){.method = LCORE_STR("POST")}, NULL);
    assert_non_null(next);
    assert_true(lc_str_equal(next->method, LCORE_STR("POST")));
    assert_null(next->previous);
    assert_int_equal(next->body.len, 0);
    lc_response_free(next);
    lc__response_put_back(&reuse, NULL);
    lc__reuse_fini(&reuse);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_copied),  cmocka_unit_test(test_phases),
        cmocka_unit_test(test_body_buffers),          cmocka_unit_test(test_failures),
        cmocka_unit_test(test_long_chains_are_freed), cmocka_unit_test(test_memory_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
