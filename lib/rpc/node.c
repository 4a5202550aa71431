#include "rpc/node.h"

#include <string.h>

static const char NIL[] = "\xc0";

int
lc__node_frame(struct lc_buffer *out, const char *type, struct lc_str data, struct lc_str node_id)
{
    struct lc_message message = {.type = lc_str_from(type), .node_id = node_id, .data = data};
    if (data.len == 0) {
        message.data = (struct lc_str){NIL, 1};
    }
    return lc_message_write(out, &message);
}

int
lc__node_send(struct lc_channel *channel, struct lc_str to, const char *type, struct lc_str data, struct lc_str node_id,
              struct lc_error *error)
{
    struct lc_buffer frame = {0};
    int err = lc__node_frame(&frame, type, data, node_id);
    if (err < 0) {
        lc_error_set(error, err, "%s", lc_error_text(err));
    } else {
        err = lc_channel_send(channel, to, (struct lc_str){frame.data, frame.len}, error);
    }
    lc_buffer_fini(&frame);
    return err;
}

bool
lc__node_find(struct lc_str data, const char *key, struct lc_pack_reader *value)
{
    struct lc_pack_reader reader = lc_pack_reader_from(data);
    struct lc_pack_item head;
    if (lc_pack_read(&reader, &head) < 0 || head.kind != LCORE_PACK_MAP) {
        return false;
    }
    for (uint32_t i = 0; i < head.count; i++) {
        struct lc_pack_reader ahead = reader;
        struct lc_pack_item name;
        if (lc_pack_read(&ahead, &name) < 0) {
            return false;
        }
        if (name.kind == LCORE_PACK_STR && lc_str_equal(name.bytes, lc_str_from(key))) {
            *value = ahead;
            return true;
        }
        if (lc_pack_skip(&reader) < 0 || lc_pack_skip(&reader) < 0) {
            return false;
        }
    }
    return false;
}

bool
lc__node_find_str(struct lc_str data, const char *key, struct lc_str *text)
{
    struct lc_pack_reader reader;
    return lc__node_find(data, key, &reader) && lc_pack_read_str(&reader, text) == 0;
}

bool
lc__node_find_number(struct lc_str data, const char *key, double *number)
{
    struct lc_pack_reader reader;
    struct lc_pack_item item;
    if (!lc__node_find(data, key, &reader) || lc_pack_read(&reader, &item) < 0) {
        return false;
    }
    switch (item.kind) {
    case LCORE_PACK_INT:
        *number = (double)item.integer;
        return true;
    case LCORE_PACK_UINT:
        *number = (double)item.big;
        return true;
    case LCORE_PACK_FLOAT:
        *number = item.number;
        return true;
    default:
        return false;
    }
}

bool
lc__node_find_count(struct lc_str data, const char *key, uint64_t *count)
{
    struct lc_pack_reader reader;
    struct lc_pack_item item;
    if (!lc__node_find(data, key, &reader) || lc_pack_read(&reader, &item) < 0 || item.kind != LCORE_PACK_INT ||
        item.integer < 0) {
        return false;
    }
    *count = (uint64_t)item.integer;
    return true;
}

int
lc__node_pack_counts(struct lc_buffer *out, const struct lc_user_class *const *classes, size_t class_count,
                     const uint32_t *counts)
{
    int err = lc_pack_map(out, class_count);
    for (size_t i = 0; err == 0 && i < class_count; i++) {
        err = lc_pack_str(out, lc_str_from(classes[i]->name));
        err = err < 0 ? err : lc_pack_uint(out, counts[i]);
    }
    return err;
}

static bool
find_class(const struct lc_user_class *const *classes, size_t class_count, struct lc_str name, size_t *place)
{
    for (*place = 0; *place < class_count; ++*place) {
        if (lc_str_equal(lc_str_from(classes[*place]->name), name)) {
            return true;
        }
    }
    return false;
}

int
lc__node_read_counts(struct lc_pack_reader reader, const struct lc_user_class *const *classes, size_t class_count,
                     uint32_t *counts, struct lc_str *unknown)
{
    *unknown = (struct lc_str){0};
    memset(counts, 0, class_count * sizeof(*counts));
    struct lc_pack_item head;
    if (lc_pack_read(&reader, &head) < 0 || head.kind != LCORE_PACK_MAP) {
        return LCE_FORMAT;
    }
    for (uint32_t i = 0; i < head.count; i++) {
        struct lc_str name;
        struct lc_pack_item number;
        if (lc_pack_read_str(&reader, &name) < 0 || lc_pack_read(&reader, &number) < 0 ||
            number.kind != LCORE_PACK_INT || number.integer < 0 || number.integer > UINT32_MAX) {
            return LCE_FORMAT;
        }
        size_t place;
        if (find_class(classes, class_count, name, &place)) {
            counts[place] = (uint32_t)number.integer;
        } else if (number.integer > 0 && unknown->len == 0) {
            *unknown = name;
        }
    }
    return 0;
}
