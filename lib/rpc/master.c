/* A master holds three things: who is there (nodes, by what they last said), where the test should be (the dispatcher),
 * and what was reported. Each message and each second moves one of them. */
#include "rpc/node.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/utf8.h"
#include "run/dispatcher.h"

/* Heartbeats a worker may miss, and after how many more it is forgotten. */
#define LIVENESS 3
#define FORGOTTEN (-60)
/* Seconds that counts of workers may take after a ramp, and the end of a worker beyond the stop timeout. */
#define COUNTS_S 1
#define LAST_REPORT_S 5
#define STOP_S 60
/* Strangers may send as much as they like; what is said of it is not to fill disks. */
#define STRANGERS_PER_LINE 10000

enum node_state { GONE, READY, SPAWNING, RUNNING, MISSING };

/* Stays after the worker is gone, for one that comes back has its number. */
struct node {
    struct lc_list link; /* in order of first contact */
    enum node_state state;
    int index, liveness;
    bool is_awaited; /* has not yet done what a stop or quit asked for */
    uint32_t *counts;
    double cpu_percent;
    uint64_t memory_bytes;
    struct lc_taken taken;
    int64_t reported_ns;
    char id[];
};

struct exception {
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
    bool is_complete_due; /* the ramp is over, but not all workers have said so */
    int64_t step_ns;
    uint64_t strange_messages;
    double job_unix_s; /* time stamps of spawn messages grow, also where the clock does not */
    uint32_t *sent;    /* scratch for counts */
    struct lc_timer tick, dispatch_timer, run_timer, counts_timer, end_timer;
    struct exception *exceptions;
    size_t exception_count, exception_capacity;
    uint64_t exception_total;
};

static void dispatch(struct lc_timer *timer);

static void say(struct lc_master *master, const char *format, ...) LCORE_PRINTF(2, 3);
static void
say(struct lc_master *master, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (master->options.on_log != NULL) {
        master->options.on_log(text, master->options.arg);
    } else {
        fprintf(stderr, "%s\n", text);
    }
}

static void
set_state(struct lc_master *master, enum lc_runner_state state)
{
    if (master->state != state) {
        master->state = state;
        if (master->options.on_state != NULL) {
            master->options.on_state(master, state, master->options.arg);
        }
    }
}

static bool
is_testing(const struct lc_master *master)
{
    return master->state == LCORE_RUNNER_SPAWNING || master->state == LCORE_RUNNER_RUNNING;
}

/* ---- Nodes ---- */

#define EACH_NODE(master, name)                                                                                        \
    for (struct node *name = LCORE_CONTAINER((master)->nodes.next, struct node, link);                                 \
         &name->link != &(master)->nodes; name = LCORE_CONTAINER(name->link.next, struct node, link))

static bool
is_present(const struct node *node)
{
    return node->state == READY || node->state == SPAWNING || node->state == RUNNING;
}

static struct lc_str
id_of(const struct node *node)
{
    return lc_str_from(node->id);
}

static uint64_t
user_count(const struct lc_master *master, const struct node *node)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < master->options.class_count; i++) {
        sum += node->counts[i];
    }
    return sum;
}

static void
forget_users(struct lc_master *master, struct node *node)
{
    memset(node->counts, 0, master->options.class_count * sizeof(*node->counts));
}

static struct node *
find_node(const struct lc_master *master, struct lc_str id)
{
    return lc_map_get(&master->by_id, id, (struct lc_str){0});
}

static struct node *
add_node(struct lc_master *master, struct lc_str id)
{
    struct node *node = lc__calloc(1, sizeof(*node) + id.len + 1);
    if (node == NULL) {
        return NULL;
    }
    node->counts = lc__calloc(master->options.class_count, sizeof(*node->counts));
    if (node->counts == NULL || lc_map_add(&master->by_id, id, (struct lc_str){0}, node, NULL) < 0) {
        lc__free(node->counts);
        lc__free(node);
        return NULL;
    }
    memcpy(node->id, id.data, id.len);
    node->index = master->next_index++;
    lc_list_append(&master->nodes, &node->link);
    return node;
}

static void
send_to(struct lc_master *master, struct lc_str id, const char *type, const struct lc_buffer *data)
{
    struct lc_error error;
    struct lc_str packed = data == NULL ? (struct lc_str){0} : (struct lc_str){data->data, data->len};
    int err = lc__node_send(master->channel, id, type, packed, id, &error);
    if (err < 0 && err != LCE_NOTFOUND) {
        say(master, "%s to %.*s could not be sent: %s", type, (int)id.len, id.data, error.text);
    }
}

/* ---- The test ---- */

static void
finish(struct lc_master *master)
{
    lc_timer_stop(master->loop, &master->end_timer);
    set_state(master, LCORE_RUNNER_STOPPED);
}

static void
finish_late(struct lc_timer *timer)
{
    struct lc_master *master = LCORE_CONTAINER(timer, struct lc_master, end_timer);
    EACH_NODE(master, node)
    {
        if (node->is_awaited) {
            node->is_awaited = false;
            say(master, "%s did not end: what it measured since its last report is missing", node->id);
        }
    }
    finish(master);
}

static void
check_ended(struct lc_master *master)
{
    if (master->state != LCORE_RUNNER_STOPPING) {
        return;
    }
    EACH_NODE(master, node)
    {
        if (node->is_awaited) {
            return;
        }
    }
    finish(master);
}

/* Tells all workers, and waits for them at most so long. */
static void
end_test(struct lc_master *master, const char *type, int64_t wait_s)
{
    lc_timer_stop(master->loop, &master->dispatch_timer);
    lc_timer_stop(master->loop, &master->run_timer);
    lc_timer_stop(master->loop, &master->counts_timer);
    lc_dispatcher_free(master->dispatcher);
    master->dispatcher = NULL;
    master->is_complete_due = false;
    EACH_NODE(master, node)
    {
        if (is_present(node)) {
            node->is_awaited = true;
            send_to(master, id_of(node), type, NULL);
        }
    }
    int64_t deadline_ns = lc_clock_monotonic_ns() + master->options.stop_timeout_ns + wait_s * LCORE_NS_PER_S;
    set_state(master, LCORE_RUNNER_STOPPING);
    if (lc_timer_start(master->loop, &master->end_timer, deadline_ns, finish_late) < 0) {
        finish_late(&master->end_timer);
        return;
    }
    check_ended(master);
}

void
lc_master_stop(struct lc_master *master)
{
    if (is_testing(master)) {
        end_test(master, "stop", STOP_S);
    }
}

void
lc_master_quit(struct lc_master *master)
{
    if (!master->is_quitting) {
        master->is_quitting = true;
        end_test(master, "quit", LAST_REPORT_S);
    }
}

static void
complete(struct lc_timer *timer)
{
    struct lc_master *master = LCORE_CONTAINER(timer, struct lc_master, counts_timer);
    lc_timer_stop(master->loop, timer);
    master->is_complete_due = false;
    uint64_t total = lc_dispatcher_user_count(master->dispatcher);
    struct lc_buffer data = {0};
    int err = lc_pack_map(&data, 1);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("user_count"));
    err = err < 0 ? err : lc_pack_uint(&data, total);
    EACH_NODE(master, node)
    {
        if (err == 0 && is_present(node)) {
            send_to(master, id_of(node), "spawning_complete", &data);
        }
    }
    lc_buffer_fini(&data);
    if (master->options.is_resetting_stats) {
        lc_stats_reset(master->stats, (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S);
    }
    say(master, "all users spawned: %llu", (unsigned long long)total);
    set_state(master, LCORE_RUNNER_RUNNING);
}

static void
check_complete(struct lc_master *master)
{
    if (master->is_complete_due && lc_master_user_count(master) == lc_dispatcher_user_count(master->dispatcher)) {
        complete(&master->counts_timer);
    }
}

static int
pack_job(struct lc_master *master, struct lc_buffer *out, const uint32_t *counts)
{
    double stop_s = (double)master->options.stop_timeout_ns / (double)LCORE_NS_PER_S;
    int err = lc_pack_map(out, 5);
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("timestamp"));
    err = err < 0 ? err : lc_pack_float(out, master->job_unix_s);
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("user_classes_count"));
    err = err < 0 ? err : lc__node_pack_counts(out, master->options.classes, master->options.class_count, counts);
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("host"));
    if (master->options.host == NULL) {
        err = err < 0 ? err : lc_pack_nil(out);
    } else {
        err = err < 0 ? err : lc_pack_str(out, lc_str_from(master->options.host));
    }
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("stop_timeout"));
    err = err < 0 ? err : lc_pack_float(out, stop_s);
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("parsed_options"));
    return err < 0 ? err : lc_pack_map(out, 0);
}

static void
send_jobs(struct lc_master *master)
{
    double now_s = (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S;
    master->job_unix_s = now_s > master->job_unix_s ? now_s : master->job_unix_s + 1e-6;
    for (size_t row = 0; row < lc_dispatcher_worker_count(master->dispatcher); row++) {
        struct lc_buffer data = {0};
        int err = pack_job(master, &data, lc_dispatcher_counts(master->dispatcher, row));
        if (err < 0) {
            say(master, "spawn message: %s", lc_error_text(err));
        } else {
            send_to(master, lc_dispatcher_worker_id(master->dispatcher, row), "spawn", &data);
        }
        lc_buffer_fini(&data);
    }
}

static void
dispatch(struct lc_timer *timer)
{
    struct lc_master *master = LCORE_CONTAINER(timer, struct lc_master, dispatch_timer);
    while (master->dispatcher != NULL) {
        int64_t now_ns = lc_clock_monotonic_ns(), pause_ns = 0;
        int state = lc_dispatcher_next(master->dispatcher, &pause_ns);
        if (state == LCORE_DISPATCH_STEP) {
            master->step_ns = now_ns;
        }
        if (state == LCORE_DISPATCH_STEP || state == LCORE_DISPATCH_UPDATE) {
            send_jobs(master);
        } else if (state == LCORE_DISPATCH_PAUSE && pause_ns > 0) {
            int64_t due_ns = pause_ns > INT64_MAX - master->step_ns ? INT64_MAX : master->step_ns + pause_ns;
            if (lc_timer_start(master->loop, timer, due_ns, dispatch) == 0) {
                return;
            }
        } else if (state != LCORE_DISPATCH_PAUSE) {
            if (state < 0) {
                say(master, "spawning ends early: %s", lc_error_text(state));
            }
            master->is_complete_due = true;
            if (lc_timer_start(master->loop, &master->counts_timer, now_ns + COUNTS_S * LCORE_NS_PER_S, complete) < 0) {
                complete(&master->counts_timer);
            }
            check_complete(master);
            return;
        }
    }
}

static int
begin_dispatch(struct lc_master *master, struct lc_error *error)
{
    int err = lc_dispatcher_start(master->dispatcher, master->target, master->spawn_rate, NULL, 0, error);
    if (err < 0) {
        return err;
    }
    master->is_complete_due = false;
    lc_timer_stop(master->loop, &master->counts_timer);
    err = lc_timer_start(master->loop, &master->dispatch_timer, lc_loop_now_ns(master->loop), dispatch);
    if (err < 0) {
        return lc_error_set(error, err, "%s", lc_error_text(err));
    }
    set_state(master, LCORE_RUNNER_SPAWNING);
    return 0;
}

/* The dispatcher's workers have changed: users are placed anew, by the ramp under way or by another one. */
static void
rebalance(struct lc_master *master)
{
    if (!is_testing(master) || master->dispatcher == NULL || lc_master_worker_count(master) == 0 ||
        lc_dispatcher_is_dispatching(master->dispatcher)) {
        return;
    }
    struct lc_error error;
    if (begin_dispatch(master, &error) < 0) {
        say(master, "%s", error.text);
    }
}

static void
add_to_dispatch(struct lc_master *master, struct node *node)
{
    if (master->dispatcher != NULL) {
        int err = lc_dispatcher_add_worker(master->dispatcher, id_of(node));
        if (err < 0) {
            say(master, "%s gets no users: %s", node->id, lc_error_text(err));
        }
        rebalance(master);
    }
}

static void
remove_from_dispatch(struct lc_master *master, struct node *node)
{
    if (master->dispatcher != NULL) {
        lc_dispatcher_remove_worker(master->dispatcher, id_of(node));
        rebalance(master);
    }
}

static void
check_any_left(struct lc_master *master, const char *how)
{
    if (is_testing(master) && lc_master_worker_count(master) == 0) {
        say(master, "the last worker %s, so the test stops", how);
        lc_master_stop(master);
    }
}

static void
run_time_over(struct lc_timer *timer)
{
    lc_master_stop(LCORE_CONTAINER(timer, struct lc_master, run_timer));
}

static void
forget_exceptions(struct lc_master *master)
{
    for (size_t i = 0; i < master->exception_count; i++) {
        lc__free((char *)master->exceptions[i].message.data);
        lc__free((char *)master->exceptions[i].traceback.data);
    }
    master->exception_count = 0;
    master->exception_total = 0;
}

static int
make_dispatcher(struct lc_master *master, struct lc_error *error)
{
    size_t class_count = master->options.class_count, worker_count = 0;
    struct lc_dispatch_class *classes = lc__calloc(class_count, sizeof(*classes));
    struct lc_str *ids = lc__calloc(lc_master_worker_count(master), sizeof(*ids));
    int err = classes == NULL || ids == NULL ? lc_error_set(error, LCE_NOMEM, "out of memory") : 0;
    if (err == 0) {
        for (size_t i = 0; i < class_count; i++) {
            const struct lc_user_class *class = master->options.classes[i];
            classes[i].name = lc_str_from(class->name);
            classes[i].weight = class->weight == 0 ? 1 : class->weight;
            classes[i].fixed_count = class->fixed_count;
        }
        EACH_NODE(master, node)
        {
            if (is_present(node)) {
                ids[worker_count++] = id_of(node);
            }
        }
        lc_dispatcher_free(master->dispatcher);
        master->dispatcher = lc_dispatcher_new(classes, class_count, ids, worker_count, error);
        err = master->dispatcher == NULL ? error->code : 0;
    }
    lc__free(classes);
    lc__free(ids);
    return err;
}

static int
begin_test(struct lc_master *master, struct lc_error *error)
{
    int err = make_dispatcher(master, error);
    if (err < 0) {
        return err;
    }
    lc_stats_clear(master->stats, (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S);
    forget_exceptions(master);
    if (master->options.run_time_ns > 0) {
        int64_t end_ns = lc_clock_monotonic_ns() + master->options.run_time_ns;
        err = lc_timer_start(master->loop, &master->run_timer, end_ns, run_time_over);
    }
    return err < 0 ? lc_error_set(error, err, "%s", lc_error_text(err)) : 0;
}

int
lc_master_start(struct lc_master *master, uint64_t users, double spawn_rate, struct lc_error *error)
{
    struct lc_error own;
    error = error == NULL ? &own : error;
    if (master->state == LCORE_RUNNER_STOPPING || master->is_quitting) {
        return lc_error_set(error, LCE_INVALID, "the test is stopping");
    }
    if (!isfinite(spawn_rate) || spawn_rate <= 0 || users > UINT32_MAX) {
        return lc_error_set(error, LCE_INVALID, "the spawn rate must be finite and above 0, users not beyond %u",
                            UINT32_MAX);
    }
    if (lc_master_worker_count(master) == 0) {
        return lc_error_set(error, LCE_NOTFOUND, "there is no worker");
    }
    int err = is_testing(master) ? 0 : begin_test(master, error);
    if (err < 0) {
        return err;
    }
    master->target = users;
    master->spawn_rate = spawn_rate;
    return begin_dispatch(master, error);
}

/* ---- What workers say ---- */

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
        say(master, "a worker announced itself without a version or with an impossible name and is not taken");
        return;
    }
    struct lc_str expected = LCORE_STR(LCORE_PROTOCOL_VERSION);
    if (version.kind == LCORE_PACK_STR &&
        (version.bytes.len < 4 || memcmp(version.bytes.data, expected.data, 4) != 0)) {
        say(master, "%.*s has version %.*s, and this is %s", (int)id.len, id.data, (int)version.bytes.len,
            version.bytes.data, LCORE_PROTOCOL_VERSION);
    }
    struct node *node = find_node(master, id);
    node = node != NULL ? node : add_node(master, id);
    if (node == NULL) {
        say(master, "out of memory: a worker is not taken");
        return;
    }
    struct lc_buffer ack = {0};
    int err = lc_pack_map(&ack, 2);
    err = err < 0 ? err : lc_pack_str(&ack, LCORE_STR("index"));
    err = err < 0 ? err : lc_pack_int(&ack, node->index);
    err = err < 0 ? err : lc_pack_str(&ack, LCORE_STR(LCORE_OWN_KEY));
    err = err < 0 ? err : lc_pack_int(&ack, 1);
    if (err == 0) {
        send_to(master, id, "ack", &ack);
    }
    lc_buffer_fini(&ack);
    node->state = READY;
    node->liveness = LIVENESS;
    node->is_awaited = false;
    forget_users(master, node);
    say(master, "%s (index %d) reported as ready. %zu workers connected.", node->id, node->index,
        lc_master_worker_count(master));
    add_to_dispatch(master, node);
}

static void
take_heartbeat(struct lc_master *master, struct node *node, struct lc_str id, struct lc_str data)
{
    struct lc_pack_reader value;
    struct lc_str state;
    bool is_own = lc__node_find(data, LCORE_OWN_KEY, &value);
    if (node == NULL || node->state == GONE) {
        if (is_own) {
            send_to(master, id, LCORE_REGISTER_TYPE, NULL);
        }
        return;
    }
    bool was_missing = node->state == MISSING;
    node->liveness = LIVENESS;
    if (lc__node_find_str(data, "state", &state)) {
        node->state = lc_str_equal(state, LCORE_STR("ready"))      ? READY
                      : lc_str_equal(state, LCORE_STR("spawning")) ? SPAWNING
                                                                   : RUNNING;
    }
    lc__node_find_number(data, "current_cpu_usage", &node->cpu_percent);
    lc__node_find_count(data, "current_memory_usage", &node->memory_bytes);
    struct lc_buffer answer = {0};
    if (is_own && node->taken.last > 0) {
        int err = lc_pack_map(&answer, 1);
        err = err < 0 ? err : lc_pack_str(&answer, LCORE_STR(LCORE_REPORT_NUMBER_KEY));
        err = err < 0 ? err : lc_pack_uint(&answer, node->taken.last);
        if (err < 0) {
            answer.len = 0;
        }
    }
    send_to(master, id, "heartbeat", &answer);
    lc_buffer_fini(&answer);
    if (was_missing) {
        say(master, "%s is back", node->id);
        add_to_dispatch(master, node);
    }
}

static void
take_counts(struct lc_master *master, struct node *node, struct lc_str data)
{
    struct lc_pack_reader counts;
    struct lc_str unknown;
    if (node == NULL || node->state == GONE || node->state == MISSING) {
        return;
    }
    if (!lc__node_find(data, "user_classes_count", &counts) ||
        lc__node_read_counts(counts, master->options.classes, master->options.class_count, master->sent, &unknown) <
            0) {
        say(master, "the users of %s are not understood", node->id);
        return;
    }
    memcpy(node->counts, master->sent, master->options.class_count * sizeof(*node->counts));
    check_complete(master);
}

static void
take_stats(struct lc_master *master, struct node *node, struct lc_str id, struct lc_str data)
{
    uint64_t number;
    if (node != NULL && lc__node_find_count(data, LCORE_REPORT_NUMBER_KEY, &number) &&
        !lc__taken_note(&node->taken, number)) {
        return;
    }
    int err = lc_report_merge(master->stats, data, (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S);
    if (err < 0) {
        say(master, "the report of %.*s is not understood: %s", (int)id.len, id.data, lc_error_text(err));
        return;
    }
    if (node != NULL) {
        node->reported_ns = lc_clock_monotonic_ns();
    }
    take_counts(master, node, data);
}

static void
take_exception(struct lc_master *master, struct lc_str data)
{
    struct lc_str message, traceback;
    if (!lc__node_find_str(data, "msg", &message) || !lc__node_find_str(data, "traceback", &traceback)) {
        say(master, "an exception of a worker is not understood");
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
        struct exception *more = lc__realloc(master->exceptions, capacity * sizeof(*more));
        if (more == NULL) {
            return;
        }
        master->exceptions = more;
        master->exception_capacity = capacity;
    }
    struct exception *row = &master->exceptions[master->exception_count];
    *row = (struct exception){{lc_str_dup(message), message.len}, {lc_str_dup(traceback), traceback.len}, 1};
    if (row->message.data == NULL || row->traceback.data == NULL) {
        lc__free((char *)row->message.data);
        lc__free((char *)row->traceback.data);
        return;
    }
    master->exception_count++;
}

/* A worker that took leave, or whose users are gone until it announces itself again. */
static void
take_leave(struct lc_master *master, struct node *node, bool is_quit)
{
    node->state = GONE;
    forget_users(master, node);
    if (is_quit) {
        node->is_awaited = false;
        say(master, "worker %s (index %d) quit", node->id, node->index);
    }
    remove_from_dispatch(master, node);
    if (is_quit) {
        check_any_left(master, "quit");
    }
}

static void
take_message(struct lc_master *master, struct lc_str id, const struct lc_message *message)
{
    struct node *node = find_node(master, id);
    bool is_known = node != NULL && node->state != GONE;
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
            send_to(master, id, "quit", NULL);
        } else if (IS("spawning")) {
            node->state = SPAWNING;
        } else {
            node->state = RUNNING;
            take_counts(master, node, data);
        }
    } else if (IS("client_stopped") || IS("quit")) {
        if (is_known) {
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
            send_to(master, id, "locustfile", &answer);
        }
        lc_buffer_fini(&answer);
    } else if (!IS("logs") && is_known && master->options.on_message != NULL) {
        master->options.on_message(master, node->id, message->type, data, master->options.arg);
    } else if (!IS("logs")) {
        say(master, "nobody listens to messages of type %.*s from %.*s", (int)message->type.len, message->type.data,
            (int)id.len, id.data);
    }
#undef IS
}

static void
on_channel(struct lc_channel *channel, void *arg)
{
    struct lc_master *master = arg;
    const char *refusal = lc_channel_take_refusal(channel);
    if (refusal != NULL) {
        say(master, "%s", refusal);
    }
    struct lc_frame frame;
    while (lc_channel_receive(channel, &frame, NULL) == 1) {
        struct lc_message message;
        if (!frame.is_odd && lc_message_read(frame.body, &message) == 0) {
            take_message(master, frame.from, &message);
        } else if (find_node(master, frame.from) != NULL) {
            say(master, "a message of %.*s is not understood; it is told to reconnect", (int)frame.from.len,
                frame.from.data);
            send_to(master, frame.from, "reconnect", NULL);
        } else if (master->strange_messages++ % STRANGERS_PER_LINE == 0) {
            say(master, "somebody who is no worker sent what is no message (%llu so far)",
                (unsigned long long)master->strange_messages);
        }
        check_ended(master);
    }
}

/* ---- By itself ---- */

static void
on_tick(struct lc_timer *timer)
{
    struct lc_master *master = LCORE_CONTAINER(timer, struct lc_master, tick);
    int64_t now_ns = lc_clock_monotonic_ns();
    EACH_NODE(master, node)
    {
        if (node->state == GONE) {
            continue;
        }
        /* Who is overdue and not even connected will not come in time. */
        bool is_lost = master->options.is_rebalancing && node->liveness < LIVENESS && is_present(node) &&
                       lc__node_send(master->channel, id_of(node), "heartbeat", (struct lc_str){0}, id_of(node),
                                     NULL) == LCE_NOTFOUND;
        if (node->liveness < FORGOTTEN) {
            say(master, "%s did not come back and is forgotten", node->id);
            node->state = GONE;
            remove_from_dispatch(master, node);
        } else if ((is_lost || node->liveness < 0) && node->state != MISSING) {
            say(master,
                "%s failed to send heartbeats, setting state to missing. Its last report came %.1f s ago; what it "
                "measured since is not in the totals",
                node->id, (double)(now_ns - node->reported_ns) / (double)LCORE_NS_PER_S);
            node->state = MISSING;
            node->is_awaited = false;
            forget_users(master, node);
            if (master->options.is_rebalancing) {
                remove_from_dispatch(master, node);
            }
            check_any_left(master, "went missing");
        }
        node->liveness--;
    }
    check_ended(master);
    int64_t due_ns = timer->deadline_ns + LCORE_HEARTBEAT_S * LCORE_NS_PER_S;
    /* The timer was just in the heap, so there is room. */
    lc_timer_start(master->loop, timer, due_ns < now_ns ? now_ns : due_ns, on_tick);
}

/* ---- For the program ---- */

static int
begin(struct lc_master *master, struct lc_error *error)
{
    const struct lc_master_options *options = &master->options;
    if (options->size != sizeof(*options) || options->class_count == 0) {
        return lc_error_set(error, LCE_INVALID, "no user classes, or options of another version of the library");
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
        .fn = on_channel,
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
    say(master, "listening for workers on %s, port %d, %s",
        strcmp(channel.host, "*") == 0 ? "all interfaces" : channel.host, lc_channel_port(master->channel),
        options->secret != NULL && options->secret[0] != '\0' ? "encrypted and with a secret"
                                                              : "without a secret: whoever reaches it can join");
    return 0;
}

struct lc_master *
lc_master_new(struct lc_loop *loop, const struct lc_master_options *options, struct lc_error *error)
{
    struct lc_error own;
    error = error == NULL ? &own : error;
    struct lc_master *master = lc__calloc(1, sizeof(*master));
    if (master == NULL) {
        lc_error_set(error, LCE_NOMEM, "out of memory");
        return NULL;
    }
    master->loop = loop;
    master->options = *options;
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
    forget_exceptions(master);
    lc__free(master->exceptions);
    for (struct lc_list *link; (link = lc_list_pop(&master->nodes)) != NULL;) {
        struct node *node = LCORE_CONTAINER(link, struct node, link);
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
    EACH_NODE(master, node)
    {
        count += is_present(node);
    }
    return count;
}

uint64_t
lc_master_user_count(const struct lc_master *master)
{
    uint64_t sum = 0;
    EACH_NODE(master, node)
    {
        sum += user_count(master, node);
    }
    return sum;
}

bool
lc_master_next_worker(const struct lc_master *master, size_t *position, struct lc_master_worker *out)
{
    static const char *const texts[] = {
        [READY] = "ready", [SPAWNING] = "spawning", [RUNNING] = "running", [MISSING] = "missing"};
    size_t place = 0;
    EACH_NODE(master, node)
    {
        if (place++ < *position || node->state == GONE) {
            continue;
        }
        *position = place;
        *out = (struct lc_master_worker){.id = node->id,
                                         .index = node->index,
                                         .state = texts[node->state],
                                         .user_count = user_count(master, node),
                                         .cpu_percent = node->cpu_percent,
                                         .memory_bytes = node->memory_bytes};
        return true;
    }
    return false;
}

bool
lc_master_next_exception(const struct lc_master *master, size_t *position, struct lc_master_exception *out)
{
    if (*position >= master->exception_count) {
        return false;
    }
    const struct exception *row = &master->exceptions[(*position)++];
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
    EACH_NODE(master, node)
    {
        if (is_present(node)) {
            int err = lc__node_send(master->channel, id_of(node), type, data, id_of(node), error);
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
