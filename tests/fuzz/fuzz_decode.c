/* First byte: the coding and where to cut. The rest is a body; cutting it must not change what comes out. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "http/decode.h"

#define LIMIT 1000000

static enum lc_fail
decode(struct lc_decoder *decoder, struct lc_str lines, struct lc_str in, size_t step, struct lc_buffer *out)
{
    FUZZ_CHECK(lc_decoder_start(decoder, lines, LIMIT));
    while (in.len > 0) {
        struct lc_str piece = {in.data, in.len < step ? in.len : step};
        enum lc_fail fail = lc_decoder_feed(decoder, piece, out);
        if (fail != LCORE_FAIL_NONE) {
            return fail;
        }
        in.data += piece.len;
        in.len -= piece.len;
    }
    return lc_decoder_finish(decoder, false);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codings[] = {"gzip",          "deflate",  "br",         "zstd",
                                          "gzip, deflate", "br, zstd", "zstd, gzip", "deflate, gzip, br"};
    if (size < 1) {
        return 0;
    }
    char lines[64];
    snprintf(lines, sizeof(lines), "Content-Encoding: %s\r\n", codings[data[0] & 7]);
    struct lc_decoder *decoder = lc_decoder_new();
    FUZZ_CHECK(decoder != NULL);
    struct lc_str in = {(const char *)data + 1, size - 1};
    struct lc_buffer whole = {0}, cut = {0};
    enum lc_fail whole_fail = decode(decoder, lc_str_from(lines), in, size, &whole);
    enum lc_fail cut_fail = decode(decoder, lc_str_from(lines), in, (size_t)(data[0] >> 3) + 1, &cut);
    FUZZ_CHECK(whole.len <= LIMIT + 1 && cut.len <= LIMIT + 1);
    FUZZ_CHECK((whole_fail == LCORE_FAIL_NONE) == (cut_fail == LCORE_FAIL_NONE));
    if (whole_fail == LCORE_FAIL_NONE) {
        FUZZ_CHECK(whole.len == cut.len && (whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0));
    }
    lc_buffer_fini(&whole);
    lc_buffer_fini(&cut);
    lc_decoder_free(decoder);
    return 0;
}
