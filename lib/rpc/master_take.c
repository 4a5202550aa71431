/* What workers say. */
#include "rpc/master_state.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/utf8.h"

/* Strangers may send as much as they like; what is said of it is not to fill disks. */
#define STRANGERS_PER_LINE 10000
/* For so long messages are taken before timers get their turn. */
#define TURN_NS (5 * LCORE_NS_PER_MS)

static bool
is_good_id(struct lc_str id)
{
    while (id.len > 0) {
        uint32_t point;
        size_t len = lc_utf8_decode(id, &point);
        if (len == 0 || point == 0) {
            return false;
        }
        id.data += len;
        id.len -= len;
    }
    return true;
}

static void
take_client_ready(struct lc_master *master, struct lc_str id, struct lc_str data)
{
    struct lc_pack_reader reader = lc_pack_reader_from(data);
    struct lc_pack_item version;
    if (lc_pack_read(&reader, &version) < 0 || version.kind == LCORE_PACK_NIL || !is_good_id(id)) {
        lc__master_say(master,
                       "a worker announced itself without a version or with an impossible name and is not taken");
        return;
    }
    struct lc_str expected = LCORE_STR(LCORE_PROTOCOL_VERSION);
    if (version.kind == LCORE_PACK_STR &&
        (version.bytes.len < 4 || memcmp(version.bytes.data, expected.data, 4) != 0)) {
        lc__master_say(master, "%.*s has version %.*s, and this is %s", (int)id.len, id.data, (int)version.bytes.len,
                       version.bytes.data, LCORE_PROTOCOL_VERSION);
    }
    struct lc_master_node *node = lc__master_find(master, id);
    node = node != NULL ? node : lc__master_add(master, id);
    if (node == NULL) {
        lc__master_say(master, "out of memory: a worker is not taken");
        return;
    }
    /* One of ours that has not heard of this master for a while announces itself again. It goes on with its users: its
     * next heartbeat lists it. */
    bool is_kept = node->state != LCORE_NODE_GONE && node->taken.last > 0;
    struct lc_buffer ack = {0};
    int err = lc_pack_map(&ack, is_kept ? 3 : 2);
    err = err < 0 ? err : lc_pack_str(&ack, LCORE_STR("index"));
    err = err < 0 ? err : lc_pack_int(&ack, node->index);
    err = err < 0 ? err : lc_pack_str(&ack, LCORE_STR(LCORE_OWN_KEY));
    err = err < 0 ? err : lc_pack_int(&ack, 1);
    if (is_kept) {
        err = err < 0 ? err : lc_pack_str(&ack, LCORE_STR(LCORE_KEEP_KEY));
        err = err < 0 ? err : lc_pack_bool(&ack, true);
    }
    if (err == 0) {
        lc__master_send_to(master, id, "ack", &ack);
    }
    lc_buffer_fini(&ack);
    if (is_kept) {
        return;
    }
    node->state = LCORE_NODE_READY;
    node->liveness = LCORE_NODE_LIVENESS;
    node->is_awaited = node->is_awaited && master->is_quitting;
    lc__master_forget_users(master, node);
    lc__master_say(master, "%s (index %d) reported as ready. %zu workers connected.", node->id, node->index,
                   lc_master_worker_count(master));
    lc__master_add_to_dispatch(master, node);
}

static int
answer_own(const struct lc_master *master, const struct lc_master_node *node, struct lc_str heartbeat,
           struct lc_buffer *out)
{
    uint64_t beat;
    bool has_beat = lc__node_find_count(heartbeat, LCORE_BEAT_KEY, &beat);
    int err = lc_pack_map(out, 1 + (has_beat ? 1 : 0) + (master->pace.pause_ns > 0 ? 1 : 0));
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR(LCORE_REPORT_NUMBER_KEY));
    err = err < 0 ? err : lc_pack_uint(out, node->taken.last);
    if (has_beat) {
        err = err < 0 ? err : lc_pack_str(out, LCORE_STR(LCORE_BEAT_KEY));
        err = err < 0 ? err : lc_pack_uint(out, beat);
    }
    if (master->pace.pause_ns > 0) {
        err = err < 0 ? err : lc_pack_str(out, LCORE_STR(LCORE_PAUSE_KEY));
        err = err < 0 ? err : lc_pack_uint(out, (uint64_t)(master->pace.pause_ns / LCORE_NS_PER_MS));
    }
    return err;
}

static void
take_heartbeat(struct lc_master *master, struct lc_master_node *node, struct lc_str id, struct lc_str data)
{
    struct lc_pack_reader value;
    struct lc_str state;
    bool is_own = lc__node_find(data, LCORE_OWN_KEY, &value);
    if (node == NULL || node->state == LCORE_NODE_GONE) {
        if (is_own) {
            lc__master_send_to(master, id, LCORE_REGISTER_TYPE, NULL);
        }
        return;
    }
    bool was_missing = node->state == LCORE_NODE_MISSING;
    node->liveness = LCORE_NODE_LIVENESS;
    if (lc__node_find_str(data, "state", &state)) {
        node->state = lc_str_equal(state, LCORE_STR("ready"))      ? LCORE_NODE_READY
                      : lc_str_equal(state, LCORE_STR("spawning")) ? LCORE_NODE_SPAWNING
                                                                   : LCORE_NODE_RUNNING;
    }
    lc__node_find_number(data, "current_cpu_usage", &node->cpu_percent);
    lc__node_find_count(data, "current_memory_usage", &node->memory_bytes);
    lc__node_find_count(data, LCORE_PENDING_KEY, &node->pending_count);
    lc__node_find_count(data, LCORE_NAMES_KEY, &node->name_count);
    struct lc_buffer answer = {0};
    if (is_own && answer_own(master, node, data, &answer) < 0) {
        answer.len = 0;
    }
    lc__master_send_to(master, id, "heartbeat", &answer);
    lc_buffer_fini(&answer);
    if (was_missing) {
        lc__master_say(master, "%s is back", node->id);
        lc__master_add_to_dispatch(master, node);
    }
}

static void
take_counts(struct lc_master *master, struct lc_master_node *node, struct lc_str data)
{
    struct lc_pack_reader counts;
    struct lc_str unknown;
    if (node == NULL || node->state == LCORE_NODE_GONE || node->state == LCORE_NODE_MISSING) {
        return;
    }
    if (!lc__node_find(data, "user_classes_count", &counts) ||
        lc__node_read_counts(counts, master->options.classes, master->options.class_count, master->sent, &unknown) <
            0) {
        lc__master_say(master, "the users of %s are not understood", node->id);
        return;
    }
    memcpy(node->counts, master->sent, master->options.class_count * sizeof(*node->counts));
    lc__master_check_complete(master);
}

static void
take_stats(struct lc_master *master, struct lc_master_node *node, struct lc_str id, struct lc_str data)
{
    uint64_t number;
    if (node != NULL && lc__node_find_count(data, LCORE_REPORT_NUMBER_KEY, &number) &&
        !lc__taken_note(&node->taken, number)) {
        return;
    }
    struct lc_report_told told;
    double now_unix_s = (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S;
    int err = lc_report_merge(master->stats, data, now_unix_s, &told);
    if (err < 0) {
        lc__master_say(master, "the report of %.*s is not understood: %s", (int)id.len, id.data, lc_error_text(err));
        return;
    }
    lc__pace_take(&master->pace);
    if (node != NULL) {
        node->reported_ns = lc_clock_monotonic_ns();
        /* One without requests has waited for as long as this master is behind, at most. */
        double behind_s = (double)lc__pace_behind_ns(&master->pace, node->reported_ns) / (double)LCORE_NS_PER_S;
        node->until_unix_s = told.until_unix_s > 0 ? told.until_unix_s : now_unix_s - behind_s;
        node->pending_count = 0;
        /* While this master is behind, a heartbeat may be far behind the report. */
        node->liveness = node->state == LCORE_NODE_MISSING ? node->liveness : LCORE_NODE_LIVENESS;
    }
    take_counts(master, node, data);
}

void
lc__master_forget_exceptions(struct lc_master *master)
{
    for (size_t i = 0; i < master->exception_count; i++) {
        lc__free((char *)master->exceptions[i].message.data);
        lc__free((char *)master->exceptions[i].traceback.data);
    }
    master->exception_count = 0;
    master->exception_total = 0;
}

static void
take_exception(struct lc_master *master, struct lc_str data)
{
    struct lc_str message, traceback;
    if (!lc__node_find_str(data, "msg", &message) || !lc__node_find_str(data, "traceback", &traceback)) {
        lc__master_say(master, "an exception of a worker is not understood");
        return;
    }
    master->exception_total++;
    for (size_t i = 0; i < master->exception_count; i++) {
        if (lc_str_equal(master->exceptions[i].traceback, traceback)) {
            master->exceptions[i].count++;
            return;
        }
    }
    if (master->exception_count == master->exception_capacity) {
        size_t capacity = master->exception_capacity == 0 ? 16 : 2 * master->exception_capacity;
        struct lc_master_row *more = lc__realloc(master->exceptions, capacity * sizeof(*more));
        if (more == NULL) {
            return;
        }
        master->exceptions = more;
        master->exception_capacity = capacity;
    }
    struct lc_master_row *row = &master->exceptions[master->exception_count];
    *row = (struct lc_master_row){{lc_str_dup(message), message.len}, {lc_str_dup(traceback), traceback.len}, 1};
    if (row->message.data == NULL || row->traceback.data == NULL) {
        lc__free((char *)row->message.data);
        lc__free((char *)row->traceback.data);
        return;
    }
    master->exception_count++;
}

/* A worker that took leave, or whose users are gone until it announces itself again. */
static void
take_leave(struct lc_master *master, struct lc_master_node *node, bool is_quit)
{
    node->state = LCORE_NODE_GONE;
    lc__master_forget_users(master, node);
    if (is_quit) {
        node->is_awaited = false;
        lc__master_say(master, "worker %s (index %d) quit", node->id, node->index);
    }
    lc__master_remove_from_dispatch(master, node, true);
    if (is_quit) {
        lc__master_check_any_left(master, "quit");
    }
}

static void
take_message(struct lc_master *master, struct lc_str id, const struct lc_message *message)
{
    struct lc_master_node *node = lc__master_find(master, id);
    bool is_known = node != NULL && node->state != LCORE_NODE_GONE;
    struct lc_str data = message->data;
#define IS(name) lc_str_equal(message->type, LCORE_STR(name))
    if (IS("stats")) {
        take_stats(master, node, id, data);
    } else if (IS("heartbeat")) {
        take_heartbeat(master, node, id, data);
    } else if (IS("client_ready")) {
        take_client_ready(master, id, data);
    } else if (IS("spawning") || IS("spawning_complete")) {
        if (!is_known) {
            lc__master_send_to(master, id, "quit", NULL);
        } else if (node->state == LCORE_NODE_MISSING) {
            /* It obeys what it was told long ago; its next heartbeat makes it one of the others again. */
        } else if (IS("spawning")) {
            node->state = LCORE_NODE_SPAWNING;
        } else {
            node->state = LCORE_NODE_RUNNING;
            take_counts(master, node, data);
        }
    } else if (IS("client_stopped") || IS("quit")) {
        if (is_known || (node != NULL && node->is_awaited)) {
            take_leave(master, node, IS("quit"));
        }
    } else if (IS("exception")) {
        take_exception(master, data);
    } else if (IS("locustfile")) {
        struct lc_buffer answer = {0};
        int err = lc_pack_map(&answer, 1);
        err = err < 0 ? err : lc_pack_str(&answer, LCORE_STR("error"));
        err = err < 0 ? err : lc_pack_str(&answer, LCORE_STR("the master is a C program and has no locustfile"));
        if (err == 0) {
            lc__master_send_to(master, id, "locustfile", &answer);
        }
        lc_buffer_fini(&answer);
    } else if (!IS("logs") && is_known && master->options.on_message != NULL) {
        master->options.on_message(master, node->id, message->type, data, master->options.arg);
    } else if (!IS("logs")) {
        lc__master_say(master, "nobody listens to messages of type %.*s from %.*s", (int)message->type.len,
                       message->type.data, (int)id.len, id.data);
    }
#undef IS
}

/* By which name the sender is known; empty: it is no message, or of somebody without a name. */
static struct lc_str
read_message(const struct lc_frame *frame, struct lc_message *message)
{
    if (frame->is_odd || lc_message_read(frame->body, message) < 0) {
        return (struct lc_str){0};
    }
    /* What a connection still brings whose name another one has taken over comes from a made-up name, which begins with
     * a zero byte. */
    bool is_made_up = frame->from.len > 0 && frame->from.data[0] == '\0';
    return is_made_up ? message->node_id : frame->from;
}

void
lc__master_on_channel(struct lc_channel *channel, void *arg)
{
    struct lc_master *master = arg;
    const char *refusal = lc_channel_take_refusal(channel);
    if (refusal != NULL) {
        lc__master_say(master, "%s", refusal);
    }
    struct lc_frame frame;
    int64_t begin_ns = lc_clock_monotonic_ns();
    for (;;) {
        if (lc_channel_receive(channel, &frame, NULL) != 1) {
            lc__pace_catch_up(&master->pace, lc_clock_monotonic_ns());
            return;
        }
        struct lc_message message;
        struct lc_str id = read_message(&frame, &message);
        if (id.len > 0) {
            take_message(master, id, &message);
        } else if (lc__master_find(master, frame.from) != NULL) {
            lc__master_say(master, "a message of %.*s is not understood; it is told to reconnect", (int)frame.from.len,
                           frame.from.data);
            lc__master_send_to(master, frame.from, "reconnect", NULL);
        } else if (master->strange_messages++ % STRANGERS_PER_LINE == 0) {
            lc__master_say(master, "somebody who is no worker sent what is no message (%llu so far)",
                           (unsigned long long)master->strange_messages);
        }
        lc__master_check_ended(master);
        if (lc_clock_monotonic_ns() - begin_ns > TURN_NS) {
            lc_channel_call_soon(channel);
            return;
        }
    }
}
