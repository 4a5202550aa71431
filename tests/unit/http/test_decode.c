#include "../support.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "http/decode.h"

static const char text[] = "hello hello hello hello";
#define TEXT LCORE_STR("hello hello hello hello")

/* The same text in br. */
static const char br[] = "\x1b\x16\x00\xf8\x8d\x94\x6e\xde\x44\x55\x86\x96\x6c\x20\x6f\x21\x4f\x1c\xe0\x38";

static struct lc_buffer
deflate_text(const void *data, size_t len, int window_bits)
{
    struct lc_buffer out = {0};
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(lc_buffer_reserve(&out, deflateBound(&z, len) + 32), 0);
    z.next_in = (z_const Bytef *)data;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)out.data;
    z.avail_out = (uInt)out.capacity;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = z.total_out;
    deflateEnd(&z);
    return out;
}

static struct lc_buffer
zstd_text(const void *data, size_t len)
{
    struct lc_buffer out = {0};
    assert_int_equal(lc_buffer_reserve(&out, ZSTD_compressBound(len)), 0);
    out.len = ZSTD_compress(out.data, out.capacity, data, len, 3);
    assert_false(ZSTD_isError(out.len));
    return out;
}

static bool
start(struct lc_decoder *decoder, const char *encoding, uint64_t max_bytes)
{
    struct lc_buffer lines = {0};
    assert_int_equal(lc_buffer_append_format(&lines, "X: y\r\nContent-Encoding: %s\r\n\r\n", encoding), 0);
    bool is_started = lc_decoder_start(decoder, (struct lc_str){lines.data, lines.len}, max_bytes);
    lc_buffer_fini(&lines);
    return is_started;
}

/* Feeds in two pieces of exactly their own memory. */
static enum lc_fail
decode(struct lc_decoder *decoder, const char *encoding, const void *data, size_t len, size_t cut, uint64_t max_bytes,
       struct lc_buffer *out)
{
    assert_true(start(decoder, encoding, max_bytes));
    out->len = 0;
    enum lc_fail fail = LCORE_FAIL_NONE;
    for (int i = 0; i < 2 && fail == LCORE_FAIL_NONE; i++) {
        size_t piece = i == 0 ? cut : len - cut;
        char *copy = malloc(piece + 1);
        assert_non_null(copy);
        memcpy(copy, (const char *)data + (i == 0 ? 0 : cut), piece);
        fail = lc_decoder_feed(decoder, (struct lc_str){copy, piece}, out);
        free(copy);
    }
    return fail == LCORE_FAIL_NONE ? lc_decoder_finish(decoder, false) : fail;
}

static void
assert_decoded(const char *encoding, struct lc_buffer data, struct lc_str want)
{
    struct lc_decoder *decoder = lc_decoder_new();
    struct lc_buffer out = {0};
    for (size_t cut = 0; cut <= data.len; cut++) {
        assert_int_equal(decode(decoder, encoding, data.data, data.len, cut, 0, &out), LCORE_FAIL_NONE);
        if (!lc_str_equal((struct lc_str){out.data, out.len}, want)) {
            fail_msg("%s cut at %zu: %zu bytes", encoding, cut, out.len);
        }
        if (want.len > 0) {
            assert_int_equal(decode(decoder, encoding, data.data, data.len, cut, want.len, &out), LCORE_FAIL_NONE);
            assert_int_equal(decode(decoder, encoding, data.data, data.len, cut, want.len - 1, &out),
                             LCORE_FAIL_TOO_LARGE);
        }
    }
    lc_buffer_fini(&out);
    lc_decoder_free(decoder);
}

static void
test_single_codings(void **state)
{
    struct lc_buffer gzip = deflate_text(text, sizeof(text) - 1, MAX_WBITS + 16);
    struct lc_buffer zlib = deflate_text(text, sizeof(text) - 1, MAX_WBITS);
    struct lc_buffer raw = deflate_text(text, sizeof(text) - 1, -MAX_WBITS);
    struct lc_buffer zstd = zstd_text(text, sizeof(text) - 1);
    assert_decoded("gzip", gzip, TEXT);
    assert_decoded("X-GZIP", gzip, TEXT);
    assert_decoded("deflate", zlib, TEXT);
    assert_decoded("deflate", raw, TEXT);
    assert_decoded("zstd", zstd, TEXT);
    assert_decoded("br", (struct lc_buffer){.data = (char *)br, .len = sizeof(br) - 1}, TEXT);
    assert_decoded("identity, gzip,", gzip, TEXT);
    lc_buffer_fini(&gzip);
    lc_buffer_fini(&zlib);
    lc_buffer_fini(&raw);
    lc_buffer_fini(&zstd);
}

static void
test_chains(void **state)
{
    struct lc_buffer gzip = deflate_text(text, sizeof(text) - 1, MAX_WBITS + 16);
    struct lc_buffer twice = deflate_text(gzip.data, gzip.len, -MAX_WBITS);
    struct lc_buffer thrice = zstd_text(twice.data, twice.len);
    assert_decoded("gzip, deflate", twice, TEXT);
    assert_decoded("gzip,deflate , ZSTD", thrice, TEXT);
    struct lc_decoder *decoder = lc_decoder_new();
    struct lc_buffer out = {0};
    assert_true(lc_decoder_start(decoder, LCORE_STR("Content-Encoding: gzip\r\nContent-encoding: deflate\r\n"), 0));
    assert_int_equal(lc_decoder_feed(decoder, (struct lc_str){twice.data, twice.len}, &out), LCORE_FAIL_NONE);
    assert_true(lc_str_equal((struct lc_str){out.data, out.len}, TEXT));
    assert_int_equal(decode(decoder, "gzip,gzip,gzip,gzip,gzip,gzip", "x", 1, 0, 0, &out), LCORE_FAIL_DECODE);
    lc_buffer_fini(&out);
    lc_decoder_free(decoder);
    lc_buffer_fini(&gzip);
    lc_buffer_fini(&twice);
    lc_buffer_fini(&thrice);
}

static void
test_nothing_to_decode(void **state)
{
    struct lc_decoder *decoder = lc_decoder_new();
    assert_false(start(decoder, "", 0));
    assert_false(start(decoder, "identity", 0));
    assert_false(start(decoder, "compress", 0));
    assert_false(start(decoder, "gzip, compress", 0));
    assert_false(start(decoder, "gzip;q=1", 0));
    assert_false(lc_decoder_start(decoder, LCORE_STR("X: y\r\n"), 0));
    static const char *const all[] = {"gzip", "deflate", "br", "zstd", "gzip, br"};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_true(start(decoder, all[i], 0));
        assert_int_equal(lc_decoder_finish(decoder, false), LCORE_FAIL_NONE);
    }
    lc_decoder_free(decoder);
    lc_decoder_free(NULL);
}

static void
test_several_members(void **state)
{
    struct lc_buffer twice = deflate_text(text, sizeof(text) - 1, MAX_WBITS + 16);
    size_t one = twice.len;
    assert_int_equal(lc_buffer_reserve(&twice, one + 7), 0);
    assert_int_equal(lc_buffer_append(&twice, twice.data, one), 0);
    assert_decoded("gzip", twice, LCORE_STR("hello hello hello hellohello hello hello hello"));
    /* What is no member behind the first is ignored. */
    assert_int_equal(lc_buffer_append(&twice, "garbage", 7), 0);
    assert_decoded("gzip", twice, LCORE_STR("hello hello hello hellohello hello hello hello"));
    lc_buffer_fini(&twice);
    struct lc_buffer frames = zstd_text(text, sizeof(text) - 1);
    one = frames.len;
    assert_int_equal(lc_buffer_reserve(&frames, one), 0);
    assert_int_equal(lc_buffer_append(&frames, frames.data, one), 0);
    assert_decoded("zstd", frames, LCORE_STR("hello hello hello hellohello hello hello hello"));
    lc_buffer_fini(&frames);
    struct lc_buffer zlib = deflate_text(text, sizeof(text) - 1, MAX_WBITS);
    assert_int_equal(lc_buffer_append(&zlib, "garbage", 7), 0);
    assert_decoded("deflate", zlib, TEXT);
    lc_buffer_fini(&zlib);
}

/* As in urllib3: what came counts, but for zstd. */
static void
test_cut_short(void **state)
{
    struct lc_decoder *decoder = lc_decoder_new();
    struct lc_buffer out = {0};
    struct lc_buffer data[] = {
        deflate_text(text, sizeof(text) - 1, MAX_WBITS + 16),
        deflate_text(text, sizeof(text) - 1, MAX_WBITS),
        deflate_text(text, sizeof(text) - 1, -MAX_WBITS),
        zstd_text(text, sizeof(text) - 1),
    };
    static const char *const names[] = {"gzip", "deflate", "deflate", "zstd"};
    for (int i = 0; i < 4; i++) {
        for (size_t len = 1; len < data[i].len; len++) {
            enum lc_fail want = i == 3 ? LCORE_FAIL_DECODE : LCORE_FAIL_NONE;
            assert_int_equal(decode(decoder, names[i], data[i].data, len, len / 2, 0, &out), want);
            assert_true(out.len < sizeof(text));
            if (i < 3) {
                assert_int_equal(lc_decoder_why(decoder).len, 0);
                assert_int_equal(lc_decoder_finish(decoder, true), LCORE_FAIL_DECODE);
                assert_true(
                    lc_str_equal(lc_decoder_why(decoder),
                                 LCORE_STR("Error -5 while decompressing data: incomplete or truncated stream")));
            }
        }
        if (i < 3) {
            assert_int_equal(decode(decoder, names[i], data[i].data, data[i].len, 3, 0, &out), LCORE_FAIL_NONE);
            assert_int_equal(lc_decoder_finish(decoder, true), LCORE_FAIL_NONE);
        }
        lc_buffer_fini(&data[i]);
    }
    for (size_t len = 1; len < sizeof(br) - 1; len++) {
        assert_int_equal(decode(decoder, "br", br, len, len / 2, 0, &out), LCORE_FAIL_NONE);
    }
    lc_buffer_fini(&out);
    lc_decoder_free(decoder);
}

static void
test_garbage(void **state)
{
    static const char garbage[] = "\xff\xfe\xfdthis is none of them";
    static const char *const all[] = {"gzip", "deflate", "br", "zstd", "gzip, br", "zstd, gzip"};
    struct lc_decoder *decoder = lc_decoder_new();
    struct lc_buffer out = {0};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_int_equal(decode(decoder, all[i], garbage, sizeof(garbage) - 1, 5, 0, &out), LCORE_FAIL_DECODE);
    }
    /* A wrong check sum, and bytes behind the end of br. */
    struct lc_buffer gzip = deflate_text(text, sizeof(text) - 1, MAX_WBITS + 16);
    gzip.data[gzip.len - 5] ^= 1;
    assert_int_equal(decode(decoder, "gzip", gzip.data, gzip.len, 3, 0, &out), LCORE_FAIL_DECODE);
    assert_true(
        lc_str_equal(lc_decoder_why(decoder), LCORE_STR("Error -3 while decompressing data: incorrect data check")));
    gzip.data[gzip.len - 5] ^= 1;
    assert_int_equal(decode(decoder, "gzip", gzip.data, gzip.len, 3, 0, &out), LCORE_FAIL_NONE);
    assert_int_equal(decode(decoder, "br", br, sizeof(br), 3, 0, &out), LCORE_FAIL_DECODE);
    lc_buffer_fini(&gzip);
    lc_buffer_fini(&out);
    lc_decoder_free(decoder);
}

static void
test_bombs(void **state)
{
    size_t size = 20 * 1000 * 1000;
    char *zeros = calloc(1, size);
    assert_non_null(zeros);
    struct lc_buffer gzip = deflate_text(zeros, size, MAX_WBITS + 16);
    struct lc_buffer twice = deflate_text(gzip.data, gzip.len, MAX_WBITS + 16);
    free(zeros);
    struct lc_decoder *decoder = lc_decoder_new();
    struct lc_buffer out = {0};
    assert_int_equal(decode(decoder, "gzip", gzip.data, gzip.len, 0, 1000000, &out), LCORE_FAIL_TOO_LARGE);
    assert_int_equal(decode(decoder, "gzip, gzip", twice.data, twice.len, 0, 1000000, &out), LCORE_FAIL_TOO_LARGE);
    assert_true(out.capacity <= 2100000);
    assert_int_equal(decode(decoder, "gzip, gzip", twice.data, twice.len, 10, 0, &out), LCORE_FAIL_NONE);
    assert_int_equal(out.len, size);
    lc_buffer_fini(&out);
    lc_decoder_free(decoder);
    lc_buffer_fini(&gzip);
    lc_buffer_fini(&twice);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_codings),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_nothing_to_decode),
        cmocka_unit_test(test_several_members),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
