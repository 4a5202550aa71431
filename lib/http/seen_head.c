#include "http/seen_head.h"

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
        *head = slot->head;
        lc__h1_head_move(head, slot->bytes, data);
        return (ptrdiff_t)slot->len;
    }
    ptrdiff_t result = lc_h1_parse_head(data, len, head);
    if (result > 0 && result <= LCORE_SEEN_HEAD_MAX) {
        slot->len = (size_t)result;
        memcpy(slot->bytes, data, slot->len);
        slot->head = *head;
        lc__h1_head_move(&slot->head, data, slot->bytes);
    }
    return result;
}
