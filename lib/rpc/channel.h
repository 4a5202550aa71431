/* A ZeroMQ socket on the loop: the master's ROUTER (lc_channel_listen) or a worker's DEALER (lc_channel_connect).
 *
 * Nothing here waits. Receiving is by asking: lc_channel_receive() until it returns 0, then `fn` says when there may be
 * more. ZeroMQ shows one descriptor that says "look again" and is read empty by any call on the socket, also by a send;
 * so who sends may take away what the loop would have seen. The channel looks after each call and then uses a timer. */
#ifndef LCORE_RPC_CHANNEL_H
#define LCORE_RPC_CHANNEL_H

#include <stdbool.h>
#include "base/str.h"
#include "locustcore/error.h"
#include "locustcore/loop.h"

/* A frame that claims more is not taken, and its connection is closed. */
#define LCORE_CHANNEL_MAX_FRAME (INT64_C(512) << 20)
/* How long sent messages may take to leave after the last channel was freed. */
#define LCORE_CHANNEL_LINGER_MS 2000
#define LCORE_CHANNEL_REFUSAL_S 30

struct lc_rpc;
struct lc_channel;

/* ZeroMQ's context with its network thread; to be made after a fork, not before. NULL: out of memory or files. */
struct lc_rpc *lc_rpc_new(struct lc_loop *loop);
/* All channels must be gone. Waits until what they sent has left, at most LCORE_CHANNEL_LINGER_MS. */
void lc_rpc_free(struct lc_rpc *rpc);

/* fn is called from the loop when a message may be there; it may free the channel. */
typedef void (*lc_channel_fn)(struct lc_channel *channel, void *arg);

struct lc_channel_options {
    const char *host; /* a name or an address; to listen on, "*": all interfaces */
    int port;         /* to listen on, 0: any, see lc_channel_port() */
    /* What both ends have to know (CurveZMQ with keys made of it): messages are encrypted, and nobody else gets in.
     * NULL or empty: anybody does, as with Locust. */
    const char *secret;
    lc_channel_fn fn;
    void *arg;
};

/* LCE_SYSTEM with the reason; LCE_UNSUPPORTED: a secret, and this ZeroMQ was built without encryption. */
int lc_channel_listen(struct lc_rpc *rpc, const struct lc_channel_options *options, struct lc_channel **out,
                      struct lc_error *error);
/* Connects, now or when the other side comes up; messages wait until then. identity: 1 to 255 bytes. */
int lc_channel_connect(struct lc_rpc *rpc, const struct lc_channel_options *options, struct lc_str identity,
                       struct lc_channel **out, struct lc_error *error);
/* Messages that were sent still leave, see lc_rpc_free(). */
void lc_channel_free(struct lc_channel *channel);
/* The port a listening channel has. */
int lc_channel_port(const struct lc_channel *channel);
/* Has fn called in the loop's next round: who stops receiving before nothing is left lets others have their turn. */
void lc_channel_call_soon(struct lc_channel *channel);
/* For how long a channel that connects has had no connection; 0: it has one. It goes on trying by itself. */
int64_t lc_channel_unconnected_ns(struct lc_channel *channel);

/* 0: sent or queued. LCE_LIMIT: the queue is full, try later. LCE_SYSTEM. A listening channel needs `to`, the identity
 * of the receiver; LCE_NOTFOUND: that is not connected, and the message is dropped. */
int lc_channel_send(struct lc_channel *channel, struct lc_str to, struct lc_str frame, struct lc_error *error);

struct lc_frame {
    struct lc_str from; /* identity; empty on a connected channel */
    struct lc_str body;
    bool is_odd; /* more or fewer parts than a message of ours has */
};

/* 1: *frame is the next message, borrowed until the next call. 0: none is there. LCE_SYSTEM. */
int lc_channel_receive(struct lc_channel *channel, struct lc_frame *frame, struct lc_error *error);

/* Why a connection could not be made, if one was refused since the last call, else NULL: the secrets are not the same,
 * or the other side speaks something else. Said once in LCORE_CHANNEL_REFUSAL_S, for both sides try again and again;
 * `fn` is called when there is something. */
const char *lc_channel_take_refusal(struct lc_channel *channel);

#endif
