/* Codings are undone last first. Each stage but the last writes pieces of CHUNK bytes that go straight on to the next,
 * so that the limit on the result bounds the memory of all. */
#include "http/decode.h"

#include <brotli/decode.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "http/headers.h"

#define CHUNK 16384
#define MAX_STEP ((size_t)1 << 30) /* zlib counts in 32 bits */

enum coding { CODING_GZIP, CODING_DEFLATE, CODING_BR, CODING_ZSTD, CODING_IDENTITY, CODING_UNKNOWN };

enum stage_state {
    STAGE_BEGIN,    /* nothing decoded yet */
    STAGE_RUNNING,  /* inside the first stream */
    STAGE_FOLLOWUP, /* behind the first gzip member: more of them may come, or garbage */
    STAGE_OVER,     /* all that comes is ignored */
};

struct stage {
    enum coding coding;
    enum stage_state state;
    bool is_mid_frame; /* zstd: the frame is not complete */
    bool has_inflate;  /* `inflate` was set up once */
    bool has_held;
    Bytef held; /* deflate: its first byte, until the second tells whether there is a zlib header */
    z_stream inflate;
    int errnum; /* zlib's, and */
    const char *why;
    BrotliDecoderState *brotli;
    ZSTD_DStream *zstd;
    char *chunk;
};

struct lc_decoder {
    uint64_t max_bytes;
    uint64_t written;
    int count;
    bool is_too_long;
    char why[128];
    struct stage stages[LCORE_DECODE_MAX_CODINGS]; /* in the order of decoding */
};

struct lc_decoder *
lc_decoder_new(void)
{
    return lc__calloc(1, sizeof(struct lc_decoder));
}

void
lc_decoder_free(struct lc_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    for (int i = 0; i < LCORE_DECODE_MAX_CODINGS; i++) {
        struct stage *stage = &decoder->stages[i];
        if (stage->has_inflate) {
            inflateEnd(&stage->inflate);
        }
        BrotliDecoderDestroyInstance(stage->brotli);
        ZSTD_freeDStream(stage->zstd);
        lc__free(stage->chunk);
    }
    lc__free(decoder);
}

static enum coding
coding_of(struct lc_str name)
{
    static const struct {
        const char *name;
        enum coding coding;
    } known[] = {
        {"gzip", CODING_GZIP}, {"x-gzip", CODING_GZIP}, {"deflate", CODING_DEFLATE},   {"br", CODING_BR},
        {"zstd", CODING_ZSTD}, {"", CODING_IDENTITY},   {"identity", CODING_IDENTITY},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (lc_str_equal_nocase(name, lc_str_from(known[i].name))) {
            return known[i].coding;
        }
    }
    return CODING_UNKNOWN;
}

bool
lc_decoder_start(struct lc_decoder *decoder, struct lc_str lines, uint64_t max_bytes)
{
    decoder->max_bytes = max_bytes == 0 ? UINT64_MAX : max_bytes;
    decoder->written = 0;
    decoder->count = 0;
    decoder->is_too_long = false;
    enum coding codings[LCORE_DECODE_MAX_CODINGS];
    size_t position = 0;
    struct lc_str name, value;
    while (lc_header_next(lines, &position, &name, &value)) {
        if (!lc_str_equal_nocase(name, LCORE_STR("content-encoding"))) {
            continue;
        }
        while (value.len > 0) {
            const char *comma = memchr(value.data, ',', value.len);
            size_t len = comma == NULL ? value.len : (size_t)(comma - value.data);
            enum coding coding = coding_of(lc_str_trim((struct lc_str){value.data, len}));
            if (coding == CODING_UNKNOWN) {
                decoder->count = 0;
                decoder->is_too_long = false;
                return false;
            }
            if (coding != CODING_IDENTITY) {
                if (decoder->count == LCORE_DECODE_MAX_CODINGS) {
                    decoder->is_too_long = true;
                } else {
                    codings[decoder->count++] = coding;
                }
            }
            len += comma != NULL;
            value.data += len;
            value.len -= len;
        }
    }
    for (int i = 0; i < decoder->count; i++) {
        struct stage *stage = &decoder->stages[i];
        stage->coding = codings[decoder->count - 1 - i];
        stage->state = STAGE_BEGIN;
        stage->is_mid_frame = false;
        stage->has_held = false;
        stage->errnum = Z_OK;
    }
    return decoder->count > 0;
}

/* Where a step reads and writes; both move on. */
struct window {
    const char *in;
    size_t in_len;
    char *out;
    size_t out_len;
};

static enum lc_fail
set_up_inflate(struct stage *stage, int window_bits)
{
    int result = Z_OK;
    if (stage->has_inflate) {
        result = inflateReset2(&stage->inflate, window_bits);
    } else {
        stage->inflate = (z_stream){0};
        result = inflateInit2(&stage->inflate, window_bits);
        stage->has_inflate = result == Z_OK;
    }
    return result == Z_OK ? LCORE_FAIL_NONE : LCORE_FAIL_INTERNAL;
}

static enum lc_fail
run_inflate(struct stage *stage, struct window *window)
{
    size_t in_len = window->in_len < MAX_STEP ? window->in_len : MAX_STEP;
    size_t out_len = window->out_len < MAX_STEP ? window->out_len : MAX_STEP;
    z_stream *z = &stage->inflate;
    z->next_in = (z_const Bytef *)window->in;
    z->avail_in = (uInt)in_len;
    z->next_out = (Bytef *)window->out;
    z->avail_out = (uInt)out_len;
    int result = inflate(z, Z_NO_FLUSH);
    window->in += in_len - z->avail_in;
    window->in_len -= in_len - z->avail_in;
    window->out += out_len - z->avail_out;
    window->out_len -= out_len - z->avail_out;
    switch (result) {
    case Z_OK:
    case Z_BUF_ERROR:
        return LCORE_FAIL_NONE;
    case Z_STREAM_END:
        stage->state = stage->coding == CODING_GZIP ? STAGE_FOLLOWUP : STAGE_OVER;
        return stage->coding == CODING_GZIP && inflateReset(z) != Z_OK ? LCORE_FAIL_INTERNAL : LCORE_FAIL_NONE;
    case Z_MEM_ERROR:
        return LCORE_FAIL_INTERNAL;
    default:
        if (stage->state == STAGE_FOLLOWUP) {
            stage->state = STAGE_OVER;
            return LCORE_FAIL_NONE;
        }
        stage->errnum = result;
        stage->why = z->msg;
        return LCORE_FAIL_DECODE;
    }
}

static enum lc_fail
step_gzip(struct stage *stage, struct window *window)
{
    if (stage->state == STAGE_BEGIN) {
        enum lc_fail fail = set_up_inflate(stage, MAX_WBITS + 16);
        if (fail != LCORE_FAIL_NONE) {
            return fail;
        }
        stage->state = STAGE_RUNNING;
    }
    return run_inflate(stage, window);
}

/* "deflate" is zlib's format by the standard and raw deflate by custom; the two bytes of zlib's header decide. */
static enum lc_fail
step_deflate(struct stage *stage, struct window *window)
{
    if (stage->state != STAGE_BEGIN) {
        return run_inflate(stage, window);
    }
    if (!stage->has_held) {
        stage->held = (Bytef)*window->in++;
        stage->has_held = true;
        if (--window->in_len == 0) {
            return LCORE_FAIL_NONE;
        }
    }
    Bytef second = (Bytef)*window->in;
    bool is_zlib = (stage->held & 15) == Z_DEFLATED && stage->held >> 4 <= 7 && (stage->held * 256 + second) % 31 == 0;
    enum lc_fail fail = set_up_inflate(stage, is_zlib ? MAX_WBITS : -MAX_WBITS);
    if (fail != LCORE_FAIL_NONE) {
        return fail;
    }
    stage->state = STAGE_RUNNING;
    struct window first = {
        .in = (const char *)&stage->held, .in_len = 1, .out = window->out, .out_len = window->out_len};
    fail = run_inflate(stage, &first);
    if (fail != LCORE_FAIL_NONE) {
        return fail;
    }
    window->out = first.out;
    window->out_len = first.out_len;
    return run_inflate(stage, window);
}

static enum lc_fail
step_brotli(struct stage *stage, struct window *window)
{
    if (stage->state == STAGE_BEGIN) {
        BrotliDecoderDestroyInstance(stage->brotli);
        stage->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
        if (stage->brotli == NULL) {
            return LCORE_FAIL_INTERNAL;
        }
        stage->state = STAGE_RUNNING;
    }
    const uint8_t *in = (const uint8_t *)window->in;
    uint8_t *out = (uint8_t *)window->out;
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(stage->brotli, &window->in_len, &in, &window->out_len, &out, NULL);
    window->in = (const char *)in;
    window->out = (char *)out;
    if (result == BROTLI_DECODER_RESULT_ERROR) {
        return LCORE_FAIL_DECODE;
    }
    /* Unlike zlib's formats, this one takes nothing behind its end. */
    bool is_over = result == BROTLI_DECODER_RESULT_SUCCESS;
    return is_over && window->in_len > 0 ? LCORE_FAIL_DECODE : LCORE_FAIL_NONE;
}

static enum lc_fail
step_zstd(struct stage *stage, struct window *window)
{
    if (stage->state == STAGE_BEGIN) {
        if (stage->zstd == NULL) {
            stage->zstd = ZSTD_createDStream();
        }
        if (stage->zstd == NULL || ZSTD_isError(ZSTD_initDStream(stage->zstd))) {
            return LCORE_FAIL_INTERNAL;
        }
        stage->state = STAGE_RUNNING;
    }
    ZSTD_inBuffer in = {window->in, window->in_len, 0};
    ZSTD_outBuffer out = {window->out, window->out_len, 0};
    size_t result = ZSTD_decompressStream(stage->zstd, &out, &in);
    window->in += in.pos;
    window->in_len -= in.pos;
    window->out += out.pos;
    window->out_len -= out.pos;
    if (ZSTD_isError(result)) {
        return LCORE_FAIL_DECODE;
    }
    /* Asked without input behind a frame, it speaks of the frame that does not come. */
    if (in.pos > 0 || out.pos > 0) {
        stage->is_mid_frame = result > 0;
    }
    return LCORE_FAIL_NONE;
}

static enum lc_fail
step(struct stage *stage, struct window *window)
{
    if (stage->state == STAGE_OVER) {
        window->in_len = 0;
        return LCORE_FAIL_NONE;
    }
    if (stage->state == STAGE_BEGIN && window->in_len == 0) {
        return LCORE_FAIL_NONE;
    }
    switch (stage->coding) {
    case CODING_GZIP:
        return step_gzip(stage, window);
    case CODING_DEFLATE:
        return step_deflate(stage, window);
    case CODING_BR:
        return step_brotli(stage, window);
    default:
        return step_zstd(stage, window);
    }
}

/* Makes room behind out->len, no more than one byte over what the limit leaves. */
static enum lc_fail
open_window(struct lc_decoder *decoder, struct lc_buffer *out, struct window *window)
{
    if (out->len == out->capacity && lc_buffer_reserve(out, out->capacity == 0 ? 4096 : 1) < 0) {
        return LCORE_FAIL_INTERNAL;
    }
    uint64_t left = decoder->max_bytes - decoder->written;
    size_t room = out->capacity - out->len;
    window->out = out->data + out->len;
    window->out_len = left < room ? (size_t)left + 1 : room;
    return LCORE_FAIL_NONE;
}

/* Runs `in` through the stages from number `index` on. */
static enum lc_fail
run_stages(struct lc_decoder *decoder, int index, struct lc_str in, struct lc_buffer *out)
{
    struct stage *stage = &decoder->stages[index];
    bool is_last = index == decoder->count - 1;
    if (!is_last && stage->chunk == NULL) {
        stage->chunk = lc__alloc(CHUNK);
        if (stage->chunk == NULL) {
            return LCORE_FAIL_INTERNAL;
        }
    }
    struct window window = {.in = in.data, .in_len = in.len};
    for (;;) {
        enum lc_fail fail = LCORE_FAIL_NONE;
        if (is_last) {
            fail = open_window(decoder, out, &window);
            if (fail != LCORE_FAIL_NONE) {
                return fail;
            }
        } else {
            window.out = stage->chunk;
            window.out_len = CHUNK;
        }
        size_t in_before = window.in_len, out_before = window.out_len;
        char *out_start = window.out;
        fail = step(stage, &window);
        if (fail != LCORE_FAIL_NONE) {
            return fail;
        }
        size_t made = out_before - window.out_len;
        if (is_last) {
            out->len += made;
            decoder->written += made;
            if (decoder->written > decoder->max_bytes) {
                return LCORE_FAIL_TOO_LARGE;
            }
        } else if (made > 0) {
            fail = run_stages(decoder, index + 1, (struct lc_str){out_start, made}, out);
            if (fail != LCORE_FAIL_NONE) {
                return fail;
            }
        }
        if (window.out_len > 0 && (window.in_len == 0 || (made == 0 && in_before == window.in_len))) {
            return LCORE_FAIL_NONE;
        }
    }
}

enum lc_fail
lc_decoder_feed(struct lc_decoder *decoder, struct lc_str in, struct lc_buffer *out)
{
    if (in.len == 0) {
        return LCORE_FAIL_NONE;
    }
    if (decoder->is_too_long) {
        return LCORE_FAIL_DECODE;
    }
    return run_stages(decoder, 0, in, out);
}

enum lc_fail
lc_decoder_finish(struct lc_decoder *decoder, bool must_be_whole)
{
    for (int i = 0; i < decoder->count; i++) {
        struct stage *stage = &decoder->stages[i];
        if (stage->coding == CODING_ZSTD && stage->is_mid_frame) {
            return LCORE_FAIL_DECODE;
        }
        bool is_zlib = stage->coding == CODING_GZIP || stage->coding == CODING_DEFLATE;
        bool is_cut = stage->state == STAGE_RUNNING || (stage->state == STAGE_BEGIN && stage->has_held);
        if (must_be_whole && is_zlib && is_cut) {
            stage->errnum = Z_BUF_ERROR;
            stage->why = "incomplete or truncated stream";
            return LCORE_FAIL_DECODE;
        }
    }
    return LCORE_FAIL_NONE;
}

struct lc_str
lc_decoder_why(struct lc_decoder *decoder)
{
    for (int i = 0; i < decoder->count; i++) {
        const struct stage *stage = &decoder->stages[i];
        if (stage->errnum != Z_OK) {
            snprintf(decoder->why, sizeof(decoder->why), "Error %d while decompressing data%s%s", stage->errnum,
                     stage->why == NULL ? "" : ": ", stage->why == NULL ? "" : stage->why);
            return lc_str_from(decoder->why);
        }
    }
    return (struct lc_str){0};
}
