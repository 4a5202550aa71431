/* A master's life, what it does each second, and what a program asks of it. */
#include "rpc/master_state.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"

/* Heartbeats after which a missing worker is forgotten. */
#define FORGOTTEN (-60)

/* Without a moment in which nothing waited: it is said, and workers whose heartbeats may be among what waits get a sign
 * of life as often. Those of Locust end after a minute without one. */
#define BEHIND_S 5

/* ---- By itself ---- */

/* Whether heartbeats may be among what was not received yet, which is no worker's fault. */
static bool
keep_pace(struct lc_master *master, int64_t now_ns)
{
    size_t own_count = 0, other_count = 0;
    LCORE_EACH_NODE(master, node)
    {
        own_count += node->state != LCORE_NODE_GONE && node->taken.last > 0;
        other_count += node->state != LCORE_NODE_GONE && node->taken.last == 0;
    }
    lc__pace_look(&master->pace, own_count, other_count, now_ns);
    int64_t behind_ns = lc__pace_behind_ns(&master->pace, now_ns);
    int64_t pause_s = (master->pace.pause_ns + LCORE_NS_PER_S / 2) / LCORE_NS_PER_S;
    bool is_slow = pause_s > LCORE_REPORT_S || behind_ns > BEHIND_S * LCORE_NS_PER_S;
    if (is_slow && !master->is_slow) {
        lc__master_say(master,
                       "this master cannot take its workers' reports as fast as they come, so those of cload report "
                       "every %lld s for now: numbers are that old, but nothing is lost",
                       (long long)(pause_s > LCORE_REPORT_S ? pause_s : LCORE_REPORT_S));
    } else if (!is_slow && master->is_slow) {
        lc__master_say(master, "this master keeps up with its workers' reports again");
    }
    master->is_slow = is_slow;
    if (behind_ns > BEHIND_S * LCORE_NS_PER_S && now_ns - master->signed_ns > BEHIND_S * LCORE_NS_PER_S) {
        master->signed_ns = now_ns;
        LCORE_EACH_NODE(master, node)
        {
            if (node->state != LCORE_NODE_GONE) {
                lc__master_send_to(master, lc__master_id_of(node), "heartbeat", NULL);
            }
        }
    }
    return behind_ns > LCORE_HEARTBEAT_S * LCORE_NS_PER_S;
}

/* Up to when all that its workers measured is in the totals, for the current rates. */
static void
note_whole(struct lc_master *master)
{
    double whole_unix_s = 0;
    LCORE_EACH_NODE(master, node)
    {
        bool is_earlier = whole_unix_s == 0 || node->until_unix_s < whole_unix_s;
        if (lc__master_is_present(node) && lc__master_users_of(master, node) > 0 && node->until_unix_s > 0 &&
            is_earlier) {
            whole_unix_s = node->until_unix_s;
        }
    }
    lc_stats_total(master->stats)->whole_unix_s = whole_unix_s;
}

static bool
is_connected(const struct lc_master *master, const struct lc_master_node *node)
{
    struct lc_str id = lc_str_from(node->id);
    return lc__node_send(master->channel, id, "heartbeat", (struct lc_str){0}, id, NULL) != LCE_NOTFOUND;
}

static bool
is_overdue(const struct lc_master_node *node)
{
    return lc__master_is_present(node) && node->liveness < LCORE_NODE_LIVENESS - 1;
}

/* The connections of those that died are closed, unless the network is gone, too. */
static bool
are_many_silent(const struct lc_master *master)
{
    size_t overdue = 0, connected = 0;
    LCORE_EACH_NODE(master, node)
    {
        overdue += is_overdue(node);
    }
    double limit = lc__silence_limit(lc_master_worker_count(master));
    if ((double)overdue <= limit) {
        return false;
    }
    LCORE_EACH_NODE(master, node)
    {
        connected += is_overdue(node) && is_connected(master, node);
    }
    return (double)connected > limit;
}

static void
on_tick(struct lc_timer *timer)
{
    struct lc_master *master = LCORE_CONTAINER(timer, struct lc_master, tick);
    /* Silence is no backlog, and what came while this process stood still is no worker's fault. */
    lc__master_on_channel(master->channel, master);
    int64_t now_ns = lc_clock_monotonic_ns();
    bool is_behind = keep_pace(master, now_ns);
    bool is_counted = lc__silence_counts(&master->silence, is_behind, are_many_silent(master));
    note_whole(master);
    LCORE_EACH_NODE(master, node)
    {
        if (node->state == LCORE_NODE_GONE || !is_counted) {
            continue;
        }
        /* Who is overdue and not even connected will not come in time. */
        bool is_lost = master->options.is_rebalancing && node->liveness < LCORE_NODE_LIVENESS &&
                       lc__master_is_present(node) && !is_connected(master, node);
        if (node->liveness < FORGOTTEN) {
            lc__master_say(master, "%s did not come back and is forgotten", node->id);
            node->state = LCORE_NODE_GONE;
            lc__master_remove_from_dispatch(master, node, true);
        } else if ((is_lost || node->liveness < 0) && node->state != LCORE_NODE_MISSING) {
            lc__master_say(
                master,
                "%s failed to send heartbeats, setting state to missing. Its last report came %.1f s ago; what it "
                "measured since is not in the totals: %llu requests when it was heard of last",
                node->id, (double)(now_ns - node->reported_ns) / (double)LCORE_NS_PER_S,
                (unsigned long long)node->pending_count);
            node->state = LCORE_NODE_MISSING;
            node->is_awaited = false;
            lc__master_forget_users(master, node);
            /* It gets no users in any case, whenever they are placed anew. */
            lc__master_remove_from_dispatch(master, node, master->options.is_rebalancing);
            lc__master_check_any_left(master, "went missing");
        }
        node->liveness--;
    }
    lc__master_check_ended(master);
    int64_t due_ns = timer->deadline_ns + LCORE_HEARTBEAT_S * LCORE_NS_PER_S;
    /* The timer was just in the heap, so there is room. */
    lc_timer_start(master->loop, timer, due_ns < now_ns ? now_ns : due_ns, on_tick);
}

/* ---- For the program ---- */

static int
begin(struct lc_master *master, struct lc_error *error)
{
    const struct lc_master_options *options = &master->options;
    if (options->class_count == 0) {
        return lc_error_set(error, LCE_INVALID, "no user classes");
    }
    master->rpc = lc_rpc_new(master->loop);
    master->stats = lc_stats_new();
    master->sent = lc__calloc(options->class_count, sizeof(*master->sent));
    if (master->rpc == NULL || master->stats == NULL || master->sent == NULL) {
        return lc_error_set(error, LCE_NOMEM, "out of memory or files");
    }
    const struct lc_channel_options channel = {
        .host = options->bind_host == NULL ? "*" : options->bind_host,
        .port = options->bind_port < 0    ? 0
                : options->bind_port == 0 ? LCORE_MASTER_PORT
                                          : options->bind_port,
        .secret = options->secret,
        .fn = lc__master_on_channel,
        .arg = master,
    };
    int err = lc_channel_listen(master->rpc, &channel, &master->channel, error);
    if (err < 0) {
        return err;
    }
    err = lc_timer_start(master->loop, &master->tick, lc_clock_monotonic_ns() + LCORE_NS_PER_S, on_tick);
    if (err < 0) {
        return lc_error_set(error, err, "%s", lc_error_text(err));
    }
    lc__master_say(master, "listening for workers on %s, port %d, %s",
                   strcmp(channel.host, "*") == 0 ? "all interfaces" : channel.host, lc_channel_port(master->channel),
                   options->secret != NULL && options->secret[0] != '\0'
                       ? "encrypted and with a secret"
                       : "without a secret: whoever reaches it can join");
    return 0;
}

struct lc_master *
lc_master_new(struct lc_loop *loop, const struct lc_master_options *options, struct lc_error *error)
{
    struct lc_error own;
    error = error == NULL ? &own : error;
    struct lc_master_options full = {0};
    if (lc__options_take(&full, sizeof(full), options, error) < 0) {
        return NULL;
    }
    struct lc_master *master = lc__calloc(1, sizeof(*master));
    if (master == NULL) {
        lc_error_set(error, LCE_NOMEM, "out of memory");
        return NULL;
    }
    master->loop = loop;
    master->options = full;
    lc_list_init(&master->nodes);
    if (begin(master, error) < 0) {
        lc_master_free(master);
        return NULL;
    }
    return master;
}

void
lc_master_free(struct lc_master *master)
{
    if (master == NULL) {
        return;
    }
    struct lc_timer *timers[] = {&master->tick, &master->dispatch_timer, &master->run_timer, &master->counts_timer,
                                 &master->end_timer};
    for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
        lc_timer_stop(master->loop, timers[i]);
    }
    lc_channel_free(master->channel);
    lc_rpc_free(master->rpc);
    lc_dispatcher_free(master->dispatcher);
    lc_stats_free(master->stats);
    lc__master_forget_exceptions(master);
    lc__free(master->exceptions);
    for (struct lc_list *link; (link = lc_list_pop(&master->nodes)) != NULL;) {
        struct lc_master_node *node = LCORE_CONTAINER(link, struct lc_master_node, link);
        lc__free(node->counts);
        lc__free(node);
    }
    lc_map_fini(&master->by_id);
    lc__free(master->sent);
    lc__free(master);
}

int
lc_master_port(const struct lc_master *master)
{
    return lc_channel_port(master->channel);
}

enum lc_runner_state
lc_master_state(const struct lc_master *master)
{
    return master->state;
}

struct lc_stats *
lc_master_stats(struct lc_master *master)
{
    return master->stats;
}

size_t
lc_master_worker_count(const struct lc_master *master)
{
    size_t count = 0;
    LCORE_EACH_NODE(master, node)
    {
        count += lc__master_is_present(node);
    }
    return count;
}

uint64_t
lc_master_user_count(const struct lc_master *master)
{
    uint64_t sum = 0;
    LCORE_EACH_NODE(master, node)
    {
        sum += lc__master_users_of(master, node);
    }
    return sum;
}

uint64_t
lc_master_class_user_count(const struct lc_master *master, size_t class_index)
{
    uint64_t sum = 0;
    LCORE_EACH_NODE(master, node)
    {
        sum += node->counts[class_index];
    }
    return sum;
}

bool
lc_master_next_worker(const struct lc_master *master, size_t *position, struct lc_master_worker *out)
{
    static const char *const texts[] = {[LCORE_NODE_READY] = "ready",
                                        [LCORE_NODE_SPAWNING] = "spawning",
                                        [LCORE_NODE_RUNNING] = "running",
                                        [LCORE_NODE_MISSING] = "missing"};
    size_t place = 0;
    LCORE_EACH_NODE(master, node)
    {
        if (place++ < *position || node->state == LCORE_NODE_GONE) {
            continue;
        }
        *position = place;
        *out = (struct lc_master_worker){.id = node->id,
                                         .index = node->index,
                                         .state = texts[node->state],
                                         .user_count = lc__master_users_of(master, node),
                                         .cpu_percent = node->cpu_percent,
                                         .memory_bytes = node->memory_bytes};
        return true;
    }
    return false;
}

uint64_t
lc_master_exception_count(const struct lc_master *master)
{
    return master->exception_total;
}

bool
lc_master_next_exception(const struct lc_master *master, size_t *position, struct lc_master_exception *out)
{
    if (*position >= master->exception_count) {
        return false;
    }
    const struct lc_master_row *row = &master->exceptions[(*position)++];
    *out = (struct lc_master_exception){row->message, row->traceback, row->count};
    return true;
}

int
lc_master_send(struct lc_master *master, const char *worker_id, const char *type, struct lc_str data,
               struct lc_error *error)
{
    if (worker_id != NULL) {
        struct lc_str id = lc_str_from(worker_id);
        return lc__node_send(master->channel, id, type, data, id, error);
    }
    int result = 0;
    LCORE_EACH_NODE(master, node)
    {
        if (lc__master_is_present(node)) {
            int err = lc__node_send(master->channel, lc__master_id_of(node), type, data, lc__master_id_of(node), error);
            result = err < 0 ? err : result;
        }
    }
    return result;
}

int
lc_master_exit_code(const struct lc_master *master)
{
    struct lc_stats_numbers total;
    lc_stats_entry_numbers(lc_stats_total(master->stats), &total);
    return total.failure_count > 0 || master->exception_total > 0 ? 1 : 0;
}
