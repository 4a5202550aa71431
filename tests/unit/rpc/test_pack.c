#include "../support.h"

#include <math.h>
#include <msgpack.h>
#include "rpc/pack.h"

static struct lc_pack_item
read_whole(const char *bytes, size_t len)
{
    struct lc_pack_reader reader = lc_pack_reader_from((struct lc_str){bytes, len});
    struct lc_pack_item item;
    assert_int_equal(lc_pack_read(&reader, &item), 0);
    assert_ptr_equal(reader.at, reader.end);
    return item;
}

#define READ(literal) read_whole(literal, sizeof(literal) - 1)

static void
reads_every_kind(void **state)
{
    assert_int_equal(READ("\xc0").kind, LCORE_PACK_NIL);
    assert_true(READ("\xc3").is_true);
    assert_false(READ("\xc2").is_true);
    assert_int_equal(READ("\x7f").integer, 127);
    assert_int_equal(READ("\xe0").integer, -32);
    assert_int_equal(READ("\xff").integer, -1);
    assert_int_equal(READ("\xcc\xff").integer, 255);
    assert_int_equal(READ("\xcd\x01\x00").integer, 256);
    assert_int_equal(READ("\xce\xff\xff\xff\xff").integer, UINT32_MAX);
    assert_int_equal(READ("\xcf\xff\xff\xff\xff\xff\xff\xff\xff").kind, LCORE_PACK_UINT);
    assert_int_equal(READ("\xd0\x80").integer, -128);
    assert_int_equal(READ("\xd1\x80\x00").integer, INT16_MIN);
    assert_int_equal(READ("\xd2\x80\x00\x00\x00").integer, INT32_MIN);
    assert_true(READ("\xd3\x80\x00\x00\x00\x00\x00\x00\x00").integer == INT64_MIN);
    assert_true(READ("\xca\x3f\x80\x00\x00").number == 1.0);
    assert_true(READ("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00").number == 1.5);
    assert_memory_equal(READ("\xa2hi").bytes.data, "hi", 2);
    assert_int_equal(READ("\xd9\x02hi").kind, LCORE_PACK_STR);
    assert_int_equal(READ("\xda\x00\x02hi").bytes.len, 2);
    assert_int_equal(READ("\xdb\x00\x00\x00\x02hi").bytes.len, 2);
    assert_int_equal(READ("\xc4\x02hi").kind, LCORE_PACK_BIN);
    assert_int_equal(READ("\xc5\x00\x02hi").bytes.len, 2);
    assert_int_equal(READ("\xc6\x00\x00\x00\x02hi").bytes.len, 2);
    struct lc_pack_item ext = READ("\xd5\xffhi");
    assert_int_equal(ext.kind, LCORE_PACK_EXT);
    assert_int_equal(ext.ext_type, -1);
    assert_int_equal(READ("\xc7\x02\x05hi").ext_type, 5);
    assert_int_equal(READ("\x90").count, 0);
    assert_int_equal(READ("\x80").kind, LCORE_PACK_MAP);
}

static void
refuses_what_is_cut_off_or_lies(void **state)
{
    const struct lc_str frames[] = {
        LCORE_STR(""),
        LCORE_STR("\xc1"),
        LCORE_STR("\xcd\x01"),
        LCORE_STR("\xa2h"),
        LCORE_STR("\xdb\xff\xff\xff\xffhi"),
        LCORE_STR("\xdd\xff\xff\xff\xff"),
        LCORE_STR("\xdf\xff\xff\xff\xff\x01"),
        LCORE_STR("\x92\x01"),
        LCORE_STR("\x81\x01"),
        LCORE_STR("\xd8\x01"),
        LCORE_STR("\xcb\x00"),
    };
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        struct lc_pack_reader reader = lc_pack_reader_from(frames[i]);
        assert_int_equal(lc_pack_skip(&reader), LCE_FORMAT);
    }
}

/* Skipping counts and does not recurse: depth costs nothing. */
static void
skips_deep_nesting(void **state)
{
    size_t depth = 1000000;
    char *frame = test_malloc(depth + 1);
    memset(frame, 0x91, depth);
    frame[depth] = 1;
    struct lc_pack_reader reader = lc_pack_reader_from((struct lc_str){frame, depth + 1});
    assert_int_equal(lc_pack_skip(&reader), 0);
    assert_ptr_equal(reader.at, reader.end);
    test_free(frame);
}

/* What is written comes back, in our reader and in msgpack-c's. */
static void
writes_what_it_reads(void **state)
{
    struct lc_buffer out = {0};
    const int64_t integers[] = {0, -1, 127, 128, -32, -33, 255, 65536, INT64_MIN, INT64_MAX};
    size_t count = sizeof(integers) / sizeof(integers[0]);
    assert_int_equal(lc_pack_array(&out, count + 9), 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(lc_pack_int(&out, integers[i]), 0);
    }
    lc_pack_uint(&out, UINT64_MAX);
    lc_pack_nil(&out);
    lc_pack_bool(&out, true);
    lc_pack_float(&out, NAN);
    lc_pack_str(&out, LCORE_STR("t\xc3\xa4xt"));
    lc_pack_bin(&out, LCORE_STR("\0\1"));
    lc_pack_ext(&out, -1, LCORE_STR("1234"));
    lc_pack_map(&out, 1);
    lc_pack_int(&out, 1795234975);
    lc_pack_int(&out, 2);
    lc_pack_array(&out, 0);

    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t at = 0;
    assert_int_equal(msgpack_unpack_next(&unpacked, out.data, out.len, &at), MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(at, out.len);
    msgpack_unpacked_destroy(&unpacked);

    struct lc_pack_reader reader = lc_pack_reader_from((struct lc_str){out.data, out.len});
    struct lc_pack_item item;
    assert_int_equal(lc_pack_read(&reader, &item), 0);
    assert_int_equal(item.count, count + 9);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(lc_pack_read(&reader, &item), 0);
        assert_int_equal(item.kind, LCORE_PACK_INT);
        assert_true(item.integer == integers[i]);
    }
    assert_int_equal(lc_pack_read(&reader, &item), 0);
    assert_true(item.kind == LCORE_PACK_UINT && item.big == UINT64_MAX);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(lc_pack_skip(&reader), 0);
    }
    assert_ptr_equal(reader.at, reader.end);
    lc_buffer_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_kind),
        cmocka_unit_test(refuses_what_is_cut_off_or_lies),
        cmocka_unit_test(skips_deep_nesting),
        cmocka_unit_test(writes_what_it_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
