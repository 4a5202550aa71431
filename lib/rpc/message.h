/* What nodes tell each other: a MessagePack array of exactly [type: str, data: anything, node_id: str] (DST-6). */
#ifndef LCORE_RPC_MESSAGE_H
#define LCORE_RPC_MESSAGE_H

#include "rpc/pack.h"

struct lc_message {
    struct lc_str type, node_id; /* valid UTF-8 */
    struct lc_str data;          /* one item, still packed */
};

/* Borrows from `frame`. LCE_FORMAT for anything else than one whole message, also for bytes behind it. Strings inside
 * of `data` are not looked at. */
int lc_message_read(struct lc_str frame, struct lc_message *message);
/* The data of a frame that lc_message_read() took before, without going through it again; what follows it is not cut
 * off. LCE_FORMAT. */
int lc_message_data(struct lc_str frame, struct lc_str *data);
/* Appends a message; `data` is one packed item. */
int lc_message_write(struct lc_buffer *out, const struct lc_message *message);

#endif
