/* What masters and workers written in C share: sending messages, and looking into their data. */
#ifndef LCORE_RPC_NODE_H
#define LCORE_RPC_NODE_H

#include "locustcore/rpc.h"
#include "rpc/channel.h"
#include "rpc/message.h"
#include "rpc/report.h"
#include "rpc/taken.h"

/* Locust's times. */
#define LCORE_HEARTBEAT_S 1
#define LCORE_REPORT_S 3
#define LCORE_LOGS_S 10
#define LCORE_MASTER_SILENCE_S 60

/* What Locust's nodes compare; the protocol's version. */
#define LCORE_PROTOCOL_VERSION "2.47.0"

/* Appends a frame. data: one packed item; empty: nil. LCE_NOMEM. */
int lc__node_frame(struct lc_buffer *out, const char *type, struct lc_str data, struct lc_str node_id);
/* Frames and sends. `to`: see lc_channel_send(). LCE_NOMEM, LCE_LIMIT, LCE_SYSTEM. */
int lc__node_send(struct lc_channel *channel, struct lc_str to, const char *type, struct lc_str data,
                  struct lc_str node_id, struct lc_error *error);

/* Finds the value of a str key in a packed map and puts a reader on it. */
bool lc__node_find(struct lc_str data, const char *key, struct lc_pack_reader *value);
/* The value itself, if it is of the kind: the text, any number, a number of 0 or more. */
bool lc__node_find_str(struct lc_str data, const char *key, struct lc_str *text);
bool lc__node_find_number(struct lc_str data, const char *key, double *number);
bool lc__node_find_count(struct lc_str data, const char *key, uint64_t *count);

/* Appends {class name: count, ...}. */
int lc__node_pack_counts(struct lc_buffer *out, const struct lc_user_class *const *classes, size_t class_count,
                         const uint32_t *counts);
/* Reads such a map; classes that are not known are passed over, *unknown is the first such with users, if any.
 * LCE_FORMAT. */
int lc__node_read_counts(struct lc_pack_reader reader, const struct lc_user_class *const *classes, size_t class_count,
                         uint32_t *counts, struct lc_str *unknown);

#endif
