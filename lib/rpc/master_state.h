/* The inside of a master, for the files that make it: who is there, by what they last said (master_nodes.c), where the
 * test should be (master_test.c), what workers say (master_take.c), and its life and what a program asks (master.c). */
#ifndef LCORE_RPC_MASTER_STATE_H
#define LCORE_RPC_MASTER_STATE_H

#include "base/list.h"
#include "base/map.h"
#include "rpc/node.h"
#include "rpc/pace.h"
#include "rpc/silence.h"
#include "run/dispatcher.h"

/* Heartbeats a worker may miss. */
#define LCORE_NODE_LIVENESS 3

enum lc_master_node_state {
    LCORE_NODE_GONE,
    LCORE_NODE_READY,
    LCORE_NODE_SPAWNING,
    LCORE_NODE_RUNNING,
    LCORE_NODE_MISSING
};

/* Stays after the worker is gone, for one that comes back has its number. */
struct lc_master_node {
    struct lc_list link; /* in order of first contact */
    enum lc_master_node_state state;
    int index, liveness;
    bool is_awaited; /* has not yet done what a stop or quit asked for */
    uint32_t *counts;
    double cpu_percent;
    uint64_t memory_bytes;
    struct lc_taken taken;
    int64_t reported_ns;
    double until_unix_s;    /* what it measured is in the totals up to then, by its clock */
    uint64_t pending_count; /* requests since then, as its last heartbeat said */
    uint64_t name_count;    /* of its statistics, as it said then */
    char id[];
};

/* One kind of exceptions that workers reported. */
struct lc_master_row {
    struct lc_str message, traceback; /* owned */
    uint64_t count;
};

struct lc_master {
    struct lc_loop *loop;
    struct lc_rpc *rpc;
    struct lc_channel *channel;
    struct lc_master_options options;
    struct lc_stats *stats;
    struct lc_map by_id;
    struct lc_list nodes;
    int next_index;
    enum lc_runner_state state;
    struct lc_dispatcher *dispatcher;
    uint64_t target;
    double spawn_rate;
    bool is_quitting;
    bool is_ramping;
    bool is_complete_due; /* the ramp is over, but not all workers have said so */
    int64_t step_ns;
    uint64_t strange_messages;
    struct lc_pace pace;
    bool is_slow; /* it has been said */
    struct lc_silence silence;
    int64_t latest_end_ns; /* when a quit or stop ends at last */
    int64_t signed_ns;     /* when workers got a sign of life whose heartbeats were not answered yet */
    double job_unix_s;     /* time stamps of spawn messages grow, also where the clock does not */
    uint32_t *sent;        /* scratch for counts */
    struct lc_timer tick, dispatch_timer, run_timer, counts_timer, end_timer;
    struct lc_master_row *exceptions;
    size_t exception_count, exception_capacity;
    uint64_t exception_total;
};

#define LCORE_EACH_NODE(master, name)                                                                                  \
    for (struct lc_master_node *name = LCORE_CONTAINER((master)->nodes.next, struct lc_master_node, link);             \
         &name->link != &(master)->nodes; name = LCORE_CONTAINER(name->link.next, struct lc_master_node, link))

static inline bool
lc__master_is_present(const struct lc_master_node *node)
{
    return node->state == LCORE_NODE_READY || node->state == LCORE_NODE_SPAWNING || node->state == LCORE_NODE_RUNNING;
}

static inline struct lc_str
lc__master_id_of(const struct lc_master_node *node)
{
    return lc_str_from(node->id);
}

static inline bool
lc__master_is_testing(const struct lc_master *master)
{
    return master->state == LCORE_RUNNER_SPAWNING || master->state == LCORE_RUNNER_RUNNING;
}

/* A line of the log. */
void lc__master_say(struct lc_master *master, const char *format, ...) LCORE_PRINTF(2, 3);
void lc__master_set_state(struct lc_master *master, enum lc_runner_state state);

/* ---- Nodes ---- */

/* NULL: it never announced itself. */
struct lc_master_node *lc__master_find(const struct lc_master *master, struct lc_str id);
/* NULL: no memory. */
struct lc_master_node *lc__master_add(struct lc_master *master, struct lc_str id);
uint64_t lc__master_users_of(const struct lc_master *master, const struct lc_master_node *node);
void lc__master_forget_users(struct lc_master *master, struct lc_master_node *node);
/* data: one packed item; NULL: nil. What cannot be sent is logged. */
void lc__master_send_to(struct lc_master *master, struct lc_str id, const char *type, const struct lc_buffer *data);

/* ---- The test ---- */

/* A worker is there that gets users, or that does not any more: they are placed anew, at once or with the next ramp. */
void lc__master_add_to_dispatch(struct lc_master *master, struct lc_master_node *node);
void lc__master_remove_from_dispatch(struct lc_master *master, struct lc_master_node *node, bool is_at_once);
/* A ramp is over once all workers have said so; a stop once all have ended; a test once no worker is left. */
void lc__master_check_complete(struct lc_master *master);
void lc__master_check_ended(struct lc_master *master);
void lc__master_check_any_left(struct lc_master *master, const char *how);

/* ---- What workers say ---- */

/* There is something to be received. */
void lc__master_on_channel(struct lc_channel *channel, void *arg);
void lc__master_forget_exceptions(struct lc_master *master);

#endif
