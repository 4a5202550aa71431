#include "rpc/pack.h"

#include <msgpack/pack.h>

static uint64_t
big_endian(const unsigned char *bytes, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* Takes `len` bytes as a number. */
static int
take_number(struct lc_pack_reader *reader, size_t len, uint64_t *value)
{
    if ((size_t)(reader->end - reader->at) < len) {
        return LCE_FORMAT;
    }
    *value = big_endian(reader->at, len);
    reader->at += len;
    return 0;
}

static int
take_bytes(struct lc_pack_reader *reader, struct lc_pack_item *item, enum lc_pack_kind kind, uint64_t len)
{
    if ((uint64_t)(reader->end - reader->at) < len) {
        return LCE_FORMAT;
    }
    item->kind = kind;
    item->bytes = (struct lc_str){(const char *)reader->at, (size_t)len};
    reader->at += len;
    return 0;
}

static int
take_sized_bytes(struct lc_pack_reader *reader, struct lc_pack_item *item, enum lc_pack_kind kind, size_t size_len)
{
    uint64_t len;
    int err = take_number(reader, size_len, &len);
    return err < 0 ? err : take_bytes(reader, item, kind, len);
}

static int
take_ext(struct lc_pack_reader *reader, struct lc_pack_item *item, uint64_t len)
{
    uint64_t type;
    int err = take_number(reader, 1, &type);
    if (err < 0) {
        return err;
    }
    item->ext_type = (int8_t)(uint8_t)type;
    return take_bytes(reader, item, LCORE_PACK_EXT, len);
}

static int
take_sized_ext(struct lc_pack_reader *reader, struct lc_pack_item *item, size_t size_len)
{
    uint64_t len;
    int err = take_number(reader, size_len, &len);
    return err < 0 ? err : take_ext(reader, item, len);
}

/* An item is a byte at least, so a count beyond the bytes that are left is a lie. */
static int
set_container(struct lc_pack_reader *reader, struct lc_pack_item *item, enum lc_pack_kind kind, uint64_t count)
{
    uint64_t items = kind == LCORE_PACK_MAP ? 2 * count : count;
    if ((uint64_t)(reader->end - reader->at) < items) {
        return LCE_FORMAT;
    }
    item->kind = kind;
    item->count = (uint32_t)count;
    return 0;
}

static int
take_container(struct lc_pack_reader *reader, struct lc_pack_item *item, enum lc_pack_kind kind, size_t size_len)
{
    uint64_t count;
    int err = take_number(reader, size_len, &count);
    return err < 0 ? err : set_container(reader, item, kind, count);
}

static int
set_int(struct lc_pack_item *item, int64_t value)
{
    item->kind = LCORE_PACK_INT;
    item->integer = value;
    return 0;
}

static int
take_uint(struct lc_pack_reader *reader, struct lc_pack_item *item, size_t len)
{
    uint64_t value;
    int err = take_number(reader, len, &value);
    if (err < 0) {
        return err;
    }
    if (value <= INT64_MAX) {
        return set_int(item, (int64_t)value);
    }
    item->kind = LCORE_PACK_UINT;
    item->big = value;
    return 0;
}

static int
take_int(struct lc_pack_reader *reader, struct lc_pack_item *item, size_t len)
{
    uint64_t value;
    int err = take_number(reader, len, &value);
    if (err < 0) {
        return err;
    }
    switch (len) {
    case 1:
        return set_int(item, (int8_t)(uint8_t)value);
    case 2:
        return set_int(item, (int16_t)(uint16_t)value);
    case 4:
        return set_int(item, (int32_t)(uint32_t)value);
    default:
        return set_int(item, (int64_t)value);
    }
}

static int
take_float(struct lc_pack_reader *reader, struct lc_pack_item *item, size_t len)
{
    uint64_t bits;
    int err = take_number(reader, len, &bits);
    if (err < 0) {
        return err;
    }
    item->kind = LCORE_PACK_FLOAT;
    if (len == 4) {
        uint32_t short_bits = (uint32_t)bits;
        float number;
        memcpy(&number, &short_bits, sizeof(number));
        item->number = (double)number;
    } else {
        memcpy(&item->number, &bits, sizeof(item->number));
    }
    return 0;
}

int
lc_pack_read(struct lc_pack_reader *reader, struct lc_pack_item *item)
{
    *item = (struct lc_pack_item){0};
    if (reader->at == reader->end) {
        return LCE_FORMAT;
    }
    unsigned head = *reader->at++;
    if (head < 0x80) {
        return set_int(item, (int64_t)head);
    }
    if (head < 0x90) {
        return set_container(reader, item, LCORE_PACK_MAP, head & 0x0f);
    }
    if (head < 0xa0) {
        return set_container(reader, item, LCORE_PACK_ARRAY, head & 0x0f);
    }
    if (head < 0xc0) {
        return take_bytes(reader, item, LCORE_PACK_STR, head & 0x1f);
    }
    if (head >= 0xe0) {
        return set_int(item, (int64_t)head - 0x100);
    }
    switch (head) {
    case 0xc0:
        item->kind = LCORE_PACK_NIL;
        return 0;
    case 0xc2:
    case 0xc3:
        item->kind = LCORE_PACK_BOOL;
        item->is_true = head == 0xc3;
        return 0;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return take_sized_bytes(reader, item, LCORE_PACK_BIN, (size_t)1 << (head - 0xc4));
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return take_sized_ext(reader, item, (size_t)1 << (head - 0xc7));
    case 0xca:
    case 0xcb:
        return take_float(reader, item, (size_t)4 << (head - 0xca));
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return take_uint(reader, item, (size_t)1 << (head - 0xcc));
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return take_int(reader, item, (size_t)1 << (head - 0xd0));
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return take_ext(reader, item, UINT64_C(1) << (head - 0xd4));
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take_sized_bytes(reader, item, LCORE_PACK_STR, (size_t)1 << (head - 0xd9));
    case 0xdc:
    case 0xdd:
        return take_container(reader, item, LCORE_PACK_ARRAY, (size_t)2 << (head - 0xdc));
    case 0xde:
    case 0xdf:
        return take_container(reader, item, LCORE_PACK_MAP, (size_t)2 << (head - 0xde));
    default: /* 0xc1 is nothing */
        return LCE_FORMAT;
    }
}

/* Goes past an item that is no container, if its head tells how long it is; true. */
static inline bool
skip_plain(struct lc_pack_reader *reader)
{
    static const uint8_t NUMBERS[] = {5, 9, 2, 3, 5, 9, 2, 3, 5, 9}; /* 0xca to 0xd3, with their heads */
    if (reader->at == reader->end) {
        return false;
    }
    unsigned head = *reader->at;
    size_t len;
    if (head < 0x80 || head >= 0xe0) {
        len = 1;
    } else if (head >= 0xa0 && head < 0xc0) {
        len = 1 + (head & 0x1f);
    } else if (head >= 0xca && head < 0xd4) {
        len = NUMBERS[head - 0xca];
    } else {
        return false;
    }
    if ((size_t)(reader->end - reader->at) < len) {
        return false;
    }
    reader->at += len;
    return true;
}

int
lc_pack_skip(struct lc_pack_reader *reader)
{
    struct lc_pack_item item;
    for (uint64_t pending = 1; pending > 0; pending--) {
        if (skip_plain(reader)) {
            continue;
        }
        int err = lc_pack_read(reader, &item);
        if (err < 0) {
            return err;
        }
        if (item.kind == LCORE_PACK_ARRAY) {
            pending += item.count;
        } else if (item.kind == LCORE_PACK_MAP) {
            pending += 2 * (uint64_t)item.count;
        }
    }
    return 0;
}

int
lc__pack_read_large_count(struct lc_pack_reader *reader, uint64_t *count)
{
    size_t left = (size_t)(reader->end - reader->at);
    unsigned head = left == 0 ? 0 : *reader->at;
    size_t len = (size_t)1 << (head & 3);
    if (head >= 0xcc && head <= 0xcf && left > len) {
        *count = big_endian(reader->at + 1, len);
        reader->at += 1 + len;
        return *count <= INT64_MAX ? 0 : LCE_FORMAT;
    }
    struct lc_pack_item item;
    int err = lc_pack_read(reader, &item);
    if (err < 0) {
        return err;
    }
    *count = (uint64_t)item.integer;
    return item.kind == LCORE_PACK_INT && item.integer >= 0 ? 0 : LCE_FORMAT;
}

int
lc_pack_read_str(struct lc_pack_reader *reader, struct lc_str *text)
{
    struct lc_pack_item item;
    int err = lc_pack_read(reader, &item);
    if (err < 0) {
        return err;
    }
    if (item.kind != LCORE_PACK_STR) {
        return LCE_FORMAT;
    }
    *text = item.bytes;
    return 0;
}

static int
write_out(void *out, const char *bytes, size_t len)
{
    return lc_buffer_append(out, bytes, len);
}

static msgpack_packer
packer_to(struct lc_buffer *out)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, write_out);
    return packer;
}

int
lc_pack_nil(struct lc_buffer *out)
{
    msgpack_packer packer = packer_to(out);
    return msgpack_pack_nil(&packer);
}

int
lc_pack_bool(struct lc_buffer *out, bool is_true)
{
    msgpack_packer packer = packer_to(out);
    return is_true ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer);
}

int
lc_pack_int(struct lc_buffer *out, int64_t number)
{
    msgpack_packer packer = packer_to(out);
    return msgpack_pack_int64(&packer, number);
}

int
lc_pack_uint(struct lc_buffer *out, uint64_t number)
{
    msgpack_packer packer = packer_to(out);
    return msgpack_pack_uint64(&packer, number);
}

int
lc_pack_float(struct lc_buffer *out, double number)
{
    msgpack_packer packer = packer_to(out);
    return msgpack_pack_double(&packer, number);
}

int
lc_pack_str(struct lc_buffer *out, struct lc_str text)
{
    if (text.len > UINT32_MAX) {
        return LCE_LIMIT;
    }
    msgpack_packer packer = packer_to(out);
    int err = msgpack_pack_str(&packer, text.len);
    return err < 0 ? err : lc_buffer_append_str(out, text);
}

int
lc_pack_bin(struct lc_buffer *out, struct lc_str bytes)
{
    if (bytes.len > UINT32_MAX) {
        return LCE_LIMIT;
    }
    msgpack_packer packer = packer_to(out);
    int err = msgpack_pack_bin(&packer, bytes.len);
    return err < 0 ? err : lc_buffer_append_str(out, bytes);
}

int
lc_pack_ext(struct lc_buffer *out, int8_t type, struct lc_str bytes)
{
    if (bytes.len > UINT32_MAX) {
        return LCE_LIMIT;
    }
    msgpack_packer packer = packer_to(out);
    int err = msgpack_pack_ext(&packer, bytes.len, type);
    return err < 0 ? err : lc_buffer_append_str(out, bytes);
}

int
lc_pack_array(struct lc_buffer *out, size_t count)
{
    if (count > UINT32_MAX) {
        return LCE_LIMIT;
    }
    msgpack_packer packer = packer_to(out);
    return msgpack_pack_array(&packer, count);
}

int
lc_pack_map(struct lc_buffer *out, size_t count)
{
    if (count > UINT32_MAX) {
        return LCE_LIMIT;
    }
    msgpack_packer packer = packer_to(out);
    return msgpack_pack_map(&packer, count);
}
