#include "http/seen_head.h"

static struct lc_str
moved(struct lc_str part, const char *from, const char *to)
{
    return part.data == NULL ? part : (struct lc_str){to + (part.data - from), part.len};
}

static void
copy_head(struct lc_h1_head *to, const struct lc_h1_head *from, const char *to_data, const char *from_data)
{
    *to = *from;
    to->reason = moved(from->reason, from_data, to_data);
    to->lines = moved(from->lines, from_data, to_data);
    to->location = moved(from->location, from_data, to_data);
}

static struct lc_seen_head *
find_slot(struct lc_seen_heads *seen, struct lc_str target)
{
    unsigned char last = target.len == 0 ? 0 : (unsigned char)target.data[target.len - 1];
    return &seen->slots[(target.len * 7 + last) % LCORE_SEEN_HEADS];
}

ptrdiff_t
lc__seen_head_parse(struct lc_seen_heads *seen, struct lc_str target, const char *data, size_t len,
                    struct lc_h1_head *head)
{
    struct lc_seen_head *slot = find_slot(seen, target);
    /* A head ends itself, so what begins with this one has this one. */
    if (slot->len > 0 && len >= slot->len && memcmp(data, slot->bytes, slot->len) == 0) {
        copy_head(head, &slot->head, data, slot->bytes);
        return (ptrdiff_t)slot->len;
    }
    ptrdiff_t result = lc_h1_parse_head(data, len, head);
    if (result > 0 && result <= LCORE_SEEN_HEAD_MAX) {
        slot->len = (size_t)result;
        memcpy(slot->bytes, data, slot->len);
        copy_head(&slot->head, head, slot->bytes, data);
    }
    return result;
}
