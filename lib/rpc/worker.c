/* A worker is what its master last said. It acts on messages as they come and once a second on its own: heartbeats,
 * reports, and the question whether there is a master at all. */
#include "rpc/worker_state.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"
#include "rpc/pace.h"

/* Seconds without an answer until a worker announces itself again, and how often it does until there is none at all. */
#define ANNOUNCE_S 5
#define ANNOUNCE_TRIES 61
#define PATIENCE_S 30
/* Seconds of silence after which it announces itself anew: the master may be another one by now. */
#define SILENCE_S 10
/* And after which it connects anew, to a master of ours: what lies between may have forgotten the connection, or
 * another one have taken its name. One of others would refuse that while it holds the old connection. */
#define DEAFNESS_S 25
/* A master of others that has not answered for so long does not read: what is sent then would only wait. */
#define HELD_S 7
/* A report that takes long until it is confirmed goes through a slow network, or waits in a line. The next one comes
 * after so many times as long, so that a third of all such workers at most are in the line, and heartbeats are not. */
#define PAUSE_PER_TRANSIT 2
/* Seconds that a worker which ends waits until its master has what it sent: one of ours stays for that, others may be
 * gone by then. Both and the time that the reports take on a slow link, unless the connection is lost for so long. */
#define FAREWELL_S 5
#define FAREWELL_OF_OTHERS_S 2
#define LOST_S 2

static void on_tick(struct lc_timer *timer);
static int open_channel(struct lc_worker *worker, struct lc_error *error);

/* ---- The test ---- */

static void
obey_job(struct lc_worker *worker)
{
    worker->has_job = false;
    bool is_new = worker->phase == LCORE_WORKER_READY;
    struct lc_error error;
    int err = lc__runner_set_counts(worker->runner, worker->counts, worker->host, worker->stop_timeout_ns, &error);
    if (err < 0) {
        lc__runner_log(worker->runner, "the test could not begin: %s", error.text);
        return;
    }
    if (is_new) {
        worker->failure_count = 0;
        memset(worker->exceptions_sent, 0, sizeof(worker->exceptions_sent));
        lc__worker_forget_reports(worker, UINT64_MAX);
    }
    worker->phase = LCORE_WORKER_SPAWNING;
    struct lc_buffer data = {0};
    err = lc_pack_map(&data, 2);
    err = err < 0 ? err : lc__worker_pack_users(worker, &data);
    if (err == 0) {
        lc__worker_send_data(worker, "spawning_complete", &data);
    }
    lc_buffer_fini(&data);
    worker->phase = LCORE_WORKER_RUNNING;
}

static void
tell_end(struct lc_timer *timer)
{
    struct lc_worker *worker = LCORE_CONTAINER(timer, struct lc_worker, end);
    if (worker->options.on_end != NULL) {
        worker->options.on_end(worker, worker->end_result, worker->options.arg);
    }
}

static void
leave(struct lc_timer *timer)
{
    struct lc_worker *worker = LCORE_CONTAINER(timer, struct lc_worker, end);
    lc__worker_send_data(worker, "quit", NULL);
    worker->phase = LCORE_WORKER_ENDED;
    lc_timer_stop(worker->loop, &worker->tick);
    if (lc_timer_start(worker->loop, &worker->end, lc_loop_now_ns(worker->loop), tell_end) < 0) {
        tell_end(&worker->end);
    }
}

/* The master has the last reports, or there is none that could. One that keeps its run on disk may be started again. */
static bool
may_leave(struct lc_worker *worker)
{
    int64_t lost_s = worker->is_run_kept ? LCORE_MASTER_SILENCE_S : LOST_S;
    return lc_channel_unconnected_ns(worker->channel) > lost_s * LCORE_NS_PER_S ||
           (worker->is_own_master ? lc_list_is_empty(&worker->reports) : worker->unanswered_heartbeats == 0);
}

static void
check_leave(struct lc_worker *worker)
{
    if (worker->phase == LCORE_WORKER_LEAVING && may_leave(worker)) {
        lc_timer_stop(worker->loop, &worker->end);
        leave(&worker->end);
    }
}

static void
leave_late(struct lc_timer *timer)
{
    struct lc_worker *worker = LCORE_CONTAINER(timer, struct lc_worker, end);
    bool is_waiting = worker->is_run_kept && lc_channel_unconnected_ns(worker->channel) > 0 && !may_leave(worker);
    int64_t until_ns = lc_clock_monotonic_ns() + worker->patience_ns;
    if (!is_waiting || lc_timer_start(worker->loop, timer, until_ns, leave_late) < 0) {
        leave(timer);
    }
}

/* A connection that is closed while bytes are on their way loses them as soon as the other side sends something: the
 * kernel answers that with a reset. So the master has to say that it has the reports; a heartbeat is answered after
 * what came before it was taken. */
static void
begin_leave(struct lc_worker *worker)
{
    worker->phase = LCORE_WORKER_LEAVING;
    size_t bytes = 0;
    for (struct lc_list *node = worker->reports.next; node != &worker->reports; node = node->next) {
        bytes += LCORE_CONTAINER(node, struct lc_worker_report, node)->frame.len;
    }
    lc__worker_send_heartbeat(worker);
    double transit_s = (double)bytes / LCORE_SLOWEST_LINK;
    transit_s = transit_s > LCORE_MOST_TRANSIT_S ? LCORE_MOST_TRANSIT_S : transit_s;
    transit_s += worker->is_own_master ? FAREWELL_S : FAREWELL_OF_OTHERS_S;
    worker->patience_ns = (int64_t)(transit_s * (double)LCORE_NS_PER_S);
    int64_t until_ns = lc_clock_monotonic_ns() + worker->patience_ns;
    if (may_leave(worker) || lc_timer_start(worker->loop, &worker->end, until_ns, leave_late) < 0) {
        leave(&worker->end);
    }
}

/* The users are gone. */
static void
stopped(struct lc_worker *worker)
{
    lc__worker_report_exceptions(worker);
    if (worker->phase == LCORE_WORKER_QUITTING) {
        lc__worker_report_stats(worker);
        if (worker->line_count != worker->lines_sent) {
            lc__worker_report_logs(worker);
        }
        begin_leave(worker);
        return;
    }
    lc__worker_report_stats(worker);
    if (worker->is_announcing_stop) {
        lc__worker_send_data(worker, "client_stopped", NULL);
    }
    worker->phase = LCORE_WORKER_READY;
    if (worker->is_announcing_stop) {
        lc__worker_announce(worker);
    }
    if (worker->has_job) {
        obey_job(worker);
    }
}

static bool
is_idle(const struct lc_worker *worker)
{
    enum lc_runner_state state = lc_runner_state(worker->runner);
    return state == LCORE_RUNNER_READY || state == LCORE_RUNNER_STOPPED;
}

static void
on_state(struct lc_runner *runner, enum lc_runner_state state, void *arg)
{
    struct lc_worker *worker = arg;
    if (worker->runner_options.on_state != NULL) {
        worker->runner_options.on_state(runner, state, worker->runner_options.arg);
    }
    if (state == LCORE_RUNNER_STOPPED &&
        (worker->phase == LCORE_WORKER_STOPPING || worker->phase == LCORE_WORKER_QUITTING)) {
        stopped(worker);
    }
}

static void
begin_stop(struct lc_worker *worker, bool is_announcing)
{
    if (worker->phase >= LCORE_WORKER_STOPPING) {
        return;
    }
    worker->phase = LCORE_WORKER_STOPPING;
    worker->is_announcing_stop = is_announcing;
    worker->has_job = false;
    if (is_idle(worker)) {
        stopped(worker);
    } else {
        lc_runner_stop(worker->runner);
    }
}

static void
begin_quit(struct lc_worker *worker, int result)
{
    if (worker->phase >= LCORE_WORKER_QUITTING) {
        /* Once more means at once. */
        lc_runner_stop(worker->runner);
        return;
    }
    worker->phase = LCORE_WORKER_QUITTING;
    worker->end_result = result;
    if (is_idle(worker)) {
        stopped(worker);
    } else if (lc_runner_state(worker->runner) != LCORE_RUNNER_STOPPING) {
        lc_runner_stop(worker->runner);
    }
}

/* ---- What the master says ---- */

static void
take_ack(struct lc_worker *worker, struct lc_str data)
{
    uint64_t index;
    if (lc__node_find_count(data, "index", &index) && index < INT32_MAX) {
        worker->index = (int)index;
    }
    struct lc_pack_reader value;
    bool was_acknowledged = worker->is_acknowledged;
    bool is_first = worker->index >= 0 && worker->tries > 0;
    worker->is_own_master = lc__node_find(data, LCORE_OWN_KEY, &value);
    worker->is_run_kept = lc__node_find(data, LCORE_STATE_KEY, &value);
    worker->is_acknowledged = true;
    worker->tries = 0;
    worker->unanswered_heartbeats = 0;
    worker->pause_ns = 0;
    worker->heard_ns = lc_clock_monotonic_ns();
    /* The clock of a new master may be behind the one before. */
    worker->job_unix_s = 0;
    bool is_kept = lc__node_find(data, LCORE_KEEP_KEY, &value);
    if (!was_acknowledged && !is_first && !is_kept &&
        (worker->phase == LCORE_WORKER_SPAWNING || worker->phase == LCORE_WORKER_RUNNING)) {
        lc__runner_log(worker->runner, "the master lists this worker anew, so its users stop");
        begin_stop(worker, false);
    }
    if (is_first) {
        lc__worker_report_stats(worker);
        lc__worker_report_logs(worker);
    }
}

static void
take_register(struct lc_worker *worker)
{
    if (worker->phase == LCORE_WORKER_READY) {
        lc__worker_announce(worker);
    } else {
        lc__runner_log(worker->runner, "the master does not know this worker, whose users stop");
        begin_stop(worker, true);
    }
}

static void
take_spawn(struct lc_worker *worker, struct lc_str data)
{
    lc__worker_send_data(worker, "spawning", NULL);
    double unix_s, stop_timeout_s = 0;
    struct lc_pack_reader counts;
    struct lc_str unknown, host;
    size_t class_count = worker->runner_options.class_count;
    if (!lc__node_find_number(data, "timestamp", &unix_s) || !lc__node_find(data, "user_classes_count", &counts) ||
        lc__node_read_counts(counts, worker->runner_options.classes, class_count, worker->scratch, &unknown) < 0) {
        lc__runner_log(worker->runner, "a spawn message of the master is not understood");
        return;
    }
    if (unix_s <= worker->job_unix_s) {
        lc__runner_log(worker->runner, "a spawn message came late and is discarded: a newer one was there before");
        return;
    }
    worker->job_unix_s = unix_s;
    if (unknown.len > 0) {
        lc__runner_log(worker->runner, "the master wants users of %.*s, which this worker does not have",
                       (int)unknown.len, unknown.data);
    }
    char *copy = NULL;
    if (lc__node_find_str(data, "host", &host) && (copy = lc_str_dup(host)) == NULL) {
        lc__runner_log(worker->runner, "out of memory");
        return;
    }
    lc__free(worker->host);
    worker->host = copy;
    lc__node_find_number(data, "stop_timeout", &stop_timeout_s);
    worker->stop_timeout_ns =
        stop_timeout_s > 0 && stop_timeout_s < 1e9 ? (int64_t)(stop_timeout_s * (double)LCORE_NS_PER_S) : 0;
    memcpy(worker->counts, worker->scratch, class_count * sizeof(*worker->counts));
    if (worker->phase == LCORE_WORKER_STOPPING) {
        worker->has_job = true;
    } else if (worker->phase < LCORE_WORKER_STOPPING) {
        obey_job(worker);
    }
}

/* The heartbeat that asked came up to a second after the report. */
static void
note_transit(struct lc_worker *worker, uint64_t number, int64_t now_ns)
{
    struct lc_worker_report *report = LCORE_CONTAINER(worker->reports.next, struct lc_worker_report, node);
    if (!lc_list_is_empty(&worker->reports) && report->number <= number) {
        int64_t pause_ns = PAUSE_PER_TRANSIT * (now_ns - report->sent_ns - LCORE_HEARTBEAT_S * LCORE_NS_PER_S);
        const int64_t most_ns = LCORE_MOST_PAUSE_S * LCORE_NS_PER_S;
        worker->transit_pause_ns = pause_ns < most_ns ? pause_ns : most_ns;
    }
}

static void
take_heartbeat(struct lc_worker *worker, struct lc_str data)
{
    int64_t now_ns = lc_clock_monotonic_ns();
    worker->heard_ns = now_ns;
    worker->unanswered_heartbeats -= worker->unanswered_heartbeats > 0 ? 1 : 0;
    uint64_t number, beat, pause_ms;
    if (lc__node_find_count(data, LCORE_REPORT_NUMBER_KEY, &number)) {
        bool has_beat = lc__node_find_count(data, LCORE_BEAT_KEY, &beat);
        bool has_pause = lc__node_find_count(data, LCORE_PAUSE_KEY, &pause_ms) && pause_ms <= INT32_MAX;
        worker->pause_ns = has_pause ? (int64_t)pause_ms * LCORE_NS_PER_MS : 0;
        note_transit(worker, number, now_ns);
        lc__worker_forget_reports(worker, number);
        /* What was sent before the heartbeat that this answers was lost. However long the master needs for what it has,
         * it gets nothing twice because of that. */
        for (struct lc_list *node = worker->reports.next; node != &worker->reports; node = node->next) {
            struct lc_worker_report *report = LCORE_CONTAINER(node, struct lc_worker_report, node);
            bool is_lost = has_beat && (uint64_t)(report->sent_ns / LCORE_NS_PER_US) < beat;
            if (is_lost && lc__worker_send_report(worker, report) < 0) {
                return;
            }
        }
        if (worker->phase == LCORE_WORKER_LEAVING && !may_leave(worker)) {
            /* It is there, and comes to the reports once it has taken what others sent before. */
            lc_timer_start(worker->loop, &worker->end, now_ns + worker->patience_ns, leave_late);
        }
    }
    check_leave(worker);
}

static void
take_message(struct lc_worker *worker, const struct lc_message *message)
{
#define IS(name) lc_str_equal(message->type, LCORE_STR(name))
    if (IS("heartbeat")) {
        take_heartbeat(worker, message->data);
    } else if (IS("ack")) {
        take_ack(worker, message->data);
    } else if (IS("spawn")) {
        take_spawn(worker, message->data);
    } else if (IS("spawning_complete")) {
        lc__runner_complete(worker->runner);
    } else if (IS("stop")) {
        begin_stop(worker, true);
    } else if (IS("quit")) {
        begin_quit(worker, 0);
    } else if (IS(LCORE_REGISTER_TYPE)) {
        take_register(worker);
    } else if (IS("update_user_class")) {
        lc__runner_log(worker->runner, "the master changes a user class, which a worker written in C cannot");
    } else if (worker->options.on_message != NULL) {
        worker->options.on_message(worker, message->type, message->data, worker->options.arg);
    } else {
        lc__runner_log(worker->runner, "nobody listens to messages of type %.*s", (int)message->type.len,
                       message->type.data);
    }
#undef IS
}

/* Under the same name. False: the old channel is still there. */
static bool
connect_anew(struct lc_worker *worker)
{
    struct lc_channel *before = worker->channel;
    struct lc_error error;
    if (open_channel(worker, &error) < 0) {
        lc__runner_log(worker->runner, "%s", error.text);
        return false;
    }
    lc_channel_free(before);
    return true;
}

static void
on_channel(struct lc_channel *channel, void *arg)
{
    struct lc_worker *worker = arg;
    const char *refusal = lc_channel_take_refusal(channel);
    if (refusal != NULL) {
        lc__runner_log(worker->runner, "%s", refusal);
    }
    struct lc_frame frame;
    while (worker->phase != LCORE_WORKER_ENDED && lc_channel_receive(channel, &frame, NULL) == 1) {
        struct lc_message message;
        if (frame.is_odd || lc_message_read(frame.body, &message) < 0) {
            lc__runner_log(worker->runner, "a message of the master is not understood");
        } else if (lc_str_equal(message.type, LCORE_STR("reconnect"))) {
            lc__runner_log(worker->runner, "the master asks this worker to connect anew");
            if (connect_anew(worker)) {
                return;
            }
        } else {
            take_message(worker, &message);
        }
    }
}

/* ---- By itself ---- */

static void
wait_for_master(struct lc_worker *worker, int64_t now_ns)
{
    if (now_ns - worker->announced_ns < ANNOUNCE_S * LCORE_NS_PER_S) {
        return;
    }
    if (worker->tries >= ANNOUNCE_TRIES) {
        lc__runner_log(worker->runner, "the master does not answer, so this worker ends");
        begin_quit(worker, LCE_NOTFOUND);
        return;
    }
    if (now_ns - worker->start_ns > PATIENCE_S * LCORE_NS_PER_S) {
        lc__runner_log(worker->runner, "waiting for the master, which has not answered yet");
    }
    worker->tries++;
    lc__worker_announce(worker);
}

static void
watch_master(struct lc_worker *worker, int64_t now_ns)
{
    int64_t silence_ns = now_ns - worker->heard_ns;
    if (silence_ns > LCORE_MASTER_SILENCE_S * LCORE_NS_PER_S) {
        lc__runner_log(worker->runner, "the master was not heard of for %d seconds, so this worker ends",
                       LCORE_MASTER_SILENCE_S);
        begin_quit(worker, LCE_NOTFOUND);
    } else if (worker->phase < LCORE_WORKER_QUITTING && silence_ns > SILENCE_S * LCORE_NS_PER_S &&
               now_ns - worker->announced_ns > ANNOUNCE_S * LCORE_NS_PER_S) {
        int64_t since_ns = worker->heard_ns > worker->reconnected_ns ? worker->heard_ns : worker->reconnected_ns;
        if (worker->is_own_master && now_ns - since_ns > DEAFNESS_S * LCORE_NS_PER_S) {
            worker->reconnected_ns = now_ns;
            connect_anew(worker);
        }
        lc__worker_announce(worker);
    }
}

/* Not before the master has taken the last one, or wants another one. The statistics add up what it will tell. */
static bool
is_report_due(const struct lc_worker *worker, int64_t now_ns)
{
    int64_t pause_ns = LCORE_REPORT_S * LCORE_NS_PER_S;
    if (worker->is_own_master) {
        pause_ns = worker->pause_ns > pause_ns ? worker->pause_ns : pause_ns;
        pause_ns = worker->transit_pause_ns > pause_ns ? worker->transit_pause_ns : pause_ns;
    }
    bool is_held = worker->is_own_master ? !lc_list_is_empty(&worker->reports)
                                         : now_ns - worker->heard_ns > HELD_S * LCORE_NS_PER_S;
    return !is_held && now_ns - worker->reported_ns >= pause_ns - LCORE_NS_PER_S / 2;
}

static void
on_tick(struct lc_timer *timer)
{
    struct lc_worker *worker = LCORE_CONTAINER(timer, struct lc_worker, tick);
    int64_t now_ns = lc_clock_monotonic_ns();
    lc__worker_measure_cpu(worker, now_ns);
    if (worker->index < 0) {
        wait_for_master(worker, now_ns);
    } else {
        lc__worker_send_heartbeat(worker);
        lc__worker_report_exceptions(worker);
        if (worker->phase < LCORE_WORKER_LEAVING && is_report_due(worker, now_ns)) {
            lc__worker_report_stats(worker);
        }
        if (worker->line_count != worker->lines_sent && now_ns - worker->logged_ns >= LCORE_LOGS_S * LCORE_NS_PER_S) {
            lc__worker_report_logs(worker);
        }
        watch_master(worker, now_ns);
    }
    check_leave(worker);
    if (worker->phase != LCORE_WORKER_ENDED) {
        int64_t due_ns = timer->deadline_ns + LCORE_HEARTBEAT_S * LCORE_NS_PER_S;
        /* The timer was just in the heap, so there is room. */
        lc_timer_start(worker->loop, timer, due_ns < now_ns ? now_ns : due_ns, on_tick);
    }
}

static int
open_channel(struct lc_worker *worker, struct lc_error *error)
{
    const struct lc_worker_options *options = &worker->options;
    const struct lc_channel_options channel = {
        .host = options->master_host == NULL ? "127.0.0.1" : options->master_host,
        .port = options->master_port == 0 ? LCORE_MASTER_PORT : options->master_port,
        .secret = options->secret,
        .fn = on_channel,
        .arg = worker,
    };
    return lc_channel_connect(worker->rpc, &channel, lc__worker_id_of(worker), &worker->channel, error);
}

static int
make_id(char *id, size_t size)
{
    char host[64] = "localhost";
    gethostname(host, sizeof(host) - 1);
    unsigned char digits[16];
    if (getrandom(digits, sizeof(digits), 0) != sizeof(digits)) {
        return LCE_SYSTEM;
    }
    size_t len = (size_t)snprintf(id, size, "%s_", host);
    for (size_t i = 0; i < sizeof(digits); i++) {
        len += (size_t)snprintf(id + len, size - len, "%02x", digits[i]);
    }
    return 0;
}

static int
begin(struct lc_worker *worker, struct lc_http *http, struct lc_error *error)
{
    size_t class_count = worker->runner_options.class_count;
    worker->counts = lc__calloc(class_count + 1, sizeof(*worker->counts));
    worker->scratch = lc__calloc(class_count + 1, sizeof(*worker->scratch));
    worker->rpc = lc_rpc_new(worker->loop);
    if (worker->counts == NULL || worker->scratch == NULL || worker->rpc == NULL) {
        return lc_error_set(error, LCE_NOMEM, "out of memory or files");
    }
    struct lc_runner_options inner = worker->runner_options;
    inner.run_time_ns = 0;
    inner.shape = NULL;
    inner.on_state = on_state;
    inner.on_log = lc__worker_on_log;
    inner.arg = worker;
    worker->runner = lc_runner_new(worker->loop, http, &inner, error);
    if (worker->runner == NULL) {
        return error->code;
    }
    int err = make_id(worker->id, sizeof(worker->id));
    err = err < 0 ? lc_error_set(error, err, "no random numbers") : open_channel(worker, error);
    if (err < 0) {
        return err;
    }
    worker->start_ns = worker->heard_ns = worker->cpu_at_ns = lc_clock_monotonic_ns();
    worker->tries = 1;
    lc__worker_announce(worker);
    err = lc_timer_start(worker->loop, &worker->tick, worker->start_ns + LCORE_NS_PER_S, on_tick);
    return err < 0 ? lc_error_set(error, err, "%s", lc_error_text(err)) : 0;
}

struct lc_worker *
lc_worker_new(struct lc_loop *loop, struct lc_http *http, const struct lc_runner_options *runner,
              const struct lc_worker_options *options, struct lc_error *error)
{
    struct lc_error own;
    error = error == NULL ? &own : error;
    struct lc_worker_options full = {0};
    struct lc_runner_options full_runner = {0};
    if (lc__options_take(&full, sizeof(full), options, error) < 0 ||
        lc__options_take(&full_runner, sizeof(full_runner), runner, error) < 0) {
        return NULL;
    }
    struct lc_worker *worker = lc__calloc(1, sizeof(*worker));
    if (worker == NULL) {
        lc_error_set(error, LCE_NOMEM, "out of memory");
        return NULL;
    }
    worker->loop = loop;
    worker->options = full;
    worker->runner_options = full_runner;
    worker->index = -1;
    worker->next_number = 1;
    lc_list_init(&worker->reports);
    if (begin(worker, http, error) < 0) {
        lc_worker_free(worker);
        return NULL;
    }
    return worker;
}

void
lc_worker_free(struct lc_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    lc_timer_stop(worker->loop, &worker->tick);
    lc_timer_stop(worker->loop, &worker->end);
    lc_channel_free(worker->channel);
    lc_rpc_free(worker->rpc);
    lc_runner_free(worker->runner);
    lc__worker_forget_reports(worker, UINT64_MAX);
    for (size_t i = 0; i < LCORE_WORKER_LINES; i++) {
        lc__free(worker->lines[i]);
    }
    lc__free(worker->counts);
    lc__free(worker->scratch);
    lc__free(worker->host);
    lc__free(worker);
}

void
lc_worker_quit(struct lc_worker *worker)
{
    begin_quit(worker, 0);
}

int
lc_worker_send(struct lc_worker *worker, const char *type, struct lc_str data, struct lc_error *error)
{
    return lc__node_send(worker->channel, (struct lc_str){0}, type, data, lc__worker_id_of(worker), error);
}

int
lc_worker_index(const struct lc_worker *worker)
{
    return worker->index;
}

const char *
lc_worker_id(const struct lc_worker *worker)
{
    return worker->id;
}

struct lc_runner *
lc_worker_runner(struct lc_worker *worker)
{
    return worker->runner;
}

int
lc_worker_exit_code(const struct lc_worker *worker)
{
    return worker->failure_count > 0 || lc_runner_exit_code(worker->runner) != 0 ? 1 : 0;
}
