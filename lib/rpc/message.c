#include "rpc/message.h"

#include "base/utf8.h"

static bool
is_utf8(struct lc_str text)
{
    while (text.len > 0) {
        uint32_t point;
        size_t len = lc_utf8_decode(text, &point);
        if (len == 0) {
            return false;
        }
        text.data += len;
        text.len -= len;
    }
    return true;
}

int
lc_message_read(struct lc_str frame, struct lc_message *message)
{
    struct lc_pack_reader reader = lc_pack_reader_from(frame);
    struct lc_pack_item head;
    int err = lc_pack_read(&reader, &head);
    if (err < 0) {
        return err;
    }
    if (head.kind != LCORE_PACK_ARRAY || head.count != 3) {
        return LCE_FORMAT;
    }
    err = lc_pack_read_str(&reader, &message->type);
    if (err < 0) {
        return err;
    }
    const unsigned char *data = reader.at;
    err = lc_pack_skip(&reader);
    if (err < 0) {
        return err;
    }
    message->data = (struct lc_str){(const char *)data, (size_t)(reader.at - data)};
    err = lc_pack_read_str(&reader, &message->node_id);
    if (err < 0) {
        return err;
    }
    bool is_whole = reader.at == reader.end && is_utf8(message->type) && is_utf8(message->node_id);
    return is_whole ? 0 : LCE_FORMAT;
}

int
lc_message_data(struct lc_str frame, struct lc_str *data)
{
    struct lc_pack_reader reader = lc_pack_reader_from(frame);
    struct lc_pack_item head;
    struct lc_str type;
    int err = lc_pack_read(&reader, &head);
    err = err < 0 ? err : lc_pack_read_str(&reader, &type);
    *data = (struct lc_str){(const char *)reader.at, (size_t)(reader.end - reader.at)};
    return err;
}

int
lc_message_write(struct lc_buffer *out, const struct lc_message *message)
{
    int err = lc_pack_array(out, 3);
    if (err == 0) {
        err = lc_pack_str(out, message->type);
    }
    if (err == 0) {
        err = lc_buffer_append_str(out, message->data);
    }
    if (err == 0) {
        err = lc_pack_str(out, message->node_id);
    }
    return err;
}
