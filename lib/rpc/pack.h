/* MessagePack: reading and writing items one by one.
 *
 * The reader walks the received bytes and builds nothing, so a frame costs no memory whatever it claims to hold, and
 * how deep it is nested is up to who walks it. (msgpack-c's unpacker allocates what a container claims and ends at a
 * depth of 32, where Locust's nodes take 511.) Writing is msgpack-c's. */
#ifndef LCORE_RPC_PACK_H
#define LCORE_RPC_PACK_H

#include "base/buffer.h"
#include "base/str.h"

enum lc_pack_kind {
    LCORE_PACK_NIL,
    LCORE_PACK_BOOL,
    LCORE_PACK_INT,  /* fits int64_t */
    LCORE_PACK_UINT, /* larger than INT64_MAX */
    LCORE_PACK_FLOAT,
    LCORE_PACK_STR, /* UTF-8 is not checked */
    LCORE_PACK_BIN,
    LCORE_PACK_EXT,
    LCORE_PACK_ARRAY, /* `count` items follow */
    LCORE_PACK_MAP,   /* `count` pairs of items follow */
};

struct lc_pack_item {
    enum lc_pack_kind kind;
    int8_t ext_type;
    union {
        bool is_true;
        int64_t integer;
        uint64_t big;
        double number;
        struct lc_str bytes; /* borrowed from the frame */
        uint32_t count;      /* never more than the frame still has bytes */
    };
};

struct lc_pack_reader {
    const unsigned char *at, *end;
};

static inline struct lc_pack_reader
lc_pack_reader_from(struct lc_str frame)
{
    const unsigned char *start = (const unsigned char *)frame.data;
    return (struct lc_pack_reader){start, frame.len == 0 ? start : start + frame.len};
}

/* The next item; of a container only its head. LCE_FORMAT: cut off, or no MessagePack. */
int lc_pack_read(struct lc_pack_reader *reader, struct lc_pack_item *item);
/* The next item with all it contains. */
int lc_pack_skip(struct lc_pack_reader *reader);
/* Reads a str; LCE_FORMAT for anything else. */
int lc_pack_read_str(struct lc_pack_reader *reader, struct lc_str *text);

/* A whole number from 0 to INT64_MAX; LCE_FORMAT for anything else. Most of what nodes tell each other is such, and
 * small. */
int lc__pack_read_large_count(struct lc_pack_reader *reader, uint64_t *count);
static inline int
lc_pack_read_count(struct lc_pack_reader *reader, uint64_t *count)
{
    const unsigned char *at = reader->at;
    size_t left = (size_t)(reader->end - at);
    if (left >= 1 && at[0] < 0x80) {
        *count = at[0];
        reader->at = at + 1;
        return 0;
    }
    if (left >= 3 && at[0] == 0xcd) {
        *count = (uint64_t)at[1] << 8 | at[2];
        reader->at = at + 3;
        return 0;
    }
    return lc__pack_read_large_count(reader, count);
}

/* All append and return 0 or LCE_NOMEM; LCE_LIMIT: longer than the format can say (4 GiB). */
int lc_pack_nil(struct lc_buffer *out);
int lc_pack_bool(struct lc_buffer *out, bool is_true);
int lc_pack_int(struct lc_buffer *out, int64_t number);
int lc_pack_uint(struct lc_buffer *out, uint64_t number);
int lc_pack_float(struct lc_buffer *out, double number);
int lc_pack_str(struct lc_buffer *out, struct lc_str text);
int lc_pack_bin(struct lc_buffer *out, struct lc_str bytes);
int lc_pack_ext(struct lc_buffer *out, int8_t type, struct lc_str bytes);
int lc_pack_array(struct lc_buffer *out, size_t count);
int lc_pack_map(struct lc_buffer *out, size_t count);

#endif
