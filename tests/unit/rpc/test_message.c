#include "../support.h"

#include "rpc/message.h"

/* The examples of compat DST-6. */
static const char ack[] = "\x93\xa3"
                          "ack\x81\xa5index\x07\xd9\x23vm_89abcdef0123456789abcdef01234567";
static const char ready[] = "\x93\xac"
                            "client_ready\xa6"
                            "2.47.0\xa4vm_1";

static void
reads_the_captured_frames(void **state)
{
    struct lc_message message;
    assert_int_equal(lc_message_read((struct lc_str){ack, sizeof(ack) - 1}, &message), 0);
    assert_true(lc_str_equal(message.type, LCORE_STR("ack")));
    assert_int_equal(message.node_id.len, 35);
    assert_true(lc_str_equal(message.data, LCORE_STR("\x81\xa5index\x07")));
    assert_int_equal(lc_message_read((struct lc_str){ready, sizeof(ready) - 1}, &message), 0);
    assert_true(lc_str_equal(message.data, LCORE_STR("\xa6"
                                                     "2.47.0")));
}

/* DST-6: byte for byte what Locust sends. */
static void
writes_the_captured_frames(void **state)
{
    struct lc_message message;
    struct lc_buffer out = {0};
    assert_int_equal(lc_message_read((struct lc_str){ack, sizeof(ack) - 1}, &message), 0);
    assert_int_equal(lc_message_write(&out, &message), 0);
    assert_int_equal(out.len, sizeof(ack) - 1);
    assert_memory_equal(out.data, ack, out.len);
    lc_buffer_fini(&out);
}

/* DST-11 */
static void
refuses_everything_else(void **state)
{
    const struct lc_str frames[] = {
        LCORE_STR(""),
        LCORE_STR("\x92\xa1t\xc0"),
        LCORE_STR("\x94\xa1t\xc0\xa1n\xc0"),
        LCORE_STR("\x93\x01\xc0\xa1n"),
        LCORE_STR("\x93\xa1t\xc0\x01"),
        LCORE_STR("\x93\xa1t\xc0\xa1n\xc0"),
        LCORE_STR("\x93\xa1\xff\xc0\xa1n"),
        LCORE_STR("\x93\xa1t\xc0\xa1\xff"),
        LCORE_STR("\x93\xa1t\xdc\xff"),
        LCORE_STR("\xc0"),
        LCORE_STR("GET / HTTP/1.1\r\n"),
    };
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        struct lc_message message;
        assert_int_equal(lc_message_read(frames[i], &message), LCE_FORMAT);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_captured_frames),
        cmocka_unit_test(writes_the_captured_frames),
        cmocka_unit_test(refuses_everything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
