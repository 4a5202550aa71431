/* A worker is what its master last said. It acts on messages as they come and once a second on its own: heartbeats,
 * reports, and the question whether there is a master at all. */
#include "rpc/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "run/runner.h"

/* Seconds without an answer until a worker announces itself again, and how often it does until there is none at all. */
#define ANNOUNCE_S 5
#define ANNOUNCE_TRIES 61
#define PATIENCE_S 30
/* Seconds of silence after which it announces itself anew: the master may be another one by now. */
#define SILENCE_S 10
/* Seconds that a report may be on its way before it is sent again. */
#define RESEND_S 3
#define CPU_S 5
#define LOG_LINES 100
#define EXCEPTION_ROWS 100
/* Messages about exceptions in a row; the rest follows a second later. */
#define EXCEPTION_BURST 200

enum phase {
    READY,
    SPAWNING,
    RUNNING,
    STOPPING, /* users are ending; the master hears "running" until they have */
    QUITTING,
    ENDED,
};

/* A report that the master has not confirmed. */
struct report {
    struct lc_list node;
    uint64_t number;
    int64_t sent_ns;
    struct lc_buffer frame;
};

struct lc_worker {
    struct lc_loop *loop;
    struct lc_rpc *rpc;
    struct lc_channel *channel;
    struct lc_runner *runner;
    struct lc_runner_options runner_options; /* as the user gave them */
    struct lc_worker_options options;
    char id[128];
    enum phase phase;
    int index;
    int end_result;
    bool is_acknowledged, is_own_master;
    bool is_announcing_stop; /* the master asked for the stop and hears of its end */
    bool has_job;            /* counts, host and stop timeout of a spawn message that waits for the end of a stop */
    uint32_t *counts, *scratch;
    char *host;
    int64_t stop_timeout_ns;
    double job_unix_s;
    int tries;
    int64_t start_ns, announced_ns, heard_ns, reported_ns, logged_ns;
    int64_t cpu_ns, cpu_at_ns;
    double cpu_percent;
    struct lc_list reports; /* oldest first */
    uint64_t next_number;
    uint64_t failure_count; /* in reports of this test */
    uint64_t exceptions_sent[EXCEPTION_ROWS];
    char *lines[LOG_LINES];
    size_t line_count; /* ever; the last LOG_LINES are kept */
    size_t lines_sent;
    struct lc_timer tick, end;
};

static void on_tick(struct lc_timer *timer);
static int open_channel(struct lc_worker *worker, struct lc_error *error);

static void say(struct lc_worker *worker, const char *format, ...) LCORE_PRINTF(2, 3);
static void
say(struct lc_worker *worker, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    lc__runner_log(worker->runner, "%s", text);
}

/* What the runner and this worker say: to the user, and kept for the master. */
static void
on_log(const char *text, void *arg)
{
    struct lc_worker *worker = arg;
    char stamp[32], *line = NULL;
    time_t now = time(NULL);
    struct tm parts;
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &parts));
    struct lc_buffer buffer = {0};
    if (lc_buffer_append_format(&buffer, "[%s] %s", stamp, text) == 0) {
        line = lc_str_dup((struct lc_str){buffer.data, buffer.len});
    }
    lc_buffer_fini(&buffer);
    if (line != NULL) {
        char **place = &worker->lines[worker->line_count++ % LOG_LINES];
        lc__free(*place);
        *place = line;
    }
    if (worker->runner_options.on_log != NULL) {
        worker->runner_options.on_log(text, worker->runner_options.arg);
    } else {
        fprintf(stderr, "%s\n", text);
    }
}

static struct lc_str
id_of(const struct lc_worker *worker)
{
    return lc_str_from(worker->id);
}

static int
send_data(struct lc_worker *worker, const char *type, const struct lc_buffer *data)
{
    struct lc_str packed = data == NULL ? (struct lc_str){0} : (struct lc_str){data->data, data->len};
    return lc__node_send(worker->channel, (struct lc_str){0}, type, packed, id_of(worker), NULL);
}

static const char *
state_text(const struct lc_worker *worker)
{
    return worker->phase == READY || worker->phase == ENDED ? "ready"
           : worker->phase == SPAWNING                      ? "spawning"
                                                            : "running";
}

static void
announce(struct lc_worker *worker)
{
    worker->is_acknowledged = false;
    worker->announced_ns = lc_clock_monotonic_ns();
    struct lc_buffer data = {0};
    if (lc_pack_str(&data, LCORE_STR(LCORE_PROTOCOL_VERSION)) == 0) {
        send_data(worker, "client_ready", &data);
    }
    lc_buffer_fini(&data);
}

static uint64_t
resident_bytes(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    int got = fscanf(file, "%llu %llu", &total, &resident);
    fclose(file);
    return got == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void
measure_cpu(struct lc_worker *worker, int64_t now_ns)
{
    if (now_ns - worker->cpu_at_ns < CPU_S * LCORE_NS_PER_S) {
        return;
    }
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    int64_t cpu_ns = used.tv_sec * LCORE_NS_PER_S + used.tv_nsec;
    worker->cpu_percent = 100.0 * (double)(cpu_ns - worker->cpu_ns) / (double)(now_ns - worker->cpu_at_ns);
    worker->cpu_ns = cpu_ns;
    worker->cpu_at_ns = now_ns;
}

static void
send_heartbeat(struct lc_worker *worker)
{
    struct lc_buffer data = {0};
    struct lc_stats_numbers total;
    lc_stats_entry_numbers(lc_stats_total(lc_runner_stats(worker->runner)), &total);
    int err = lc_pack_map(&data, 5);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("state"));
    err = err < 0 ? err : lc_pack_str(&data, lc_str_from(state_text(worker)));
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("current_cpu_usage"));
    err = err < 0 ? err : lc_pack_float(&data, worker->cpu_percent);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("current_memory_usage"));
    err = err < 0 ? err : lc_pack_uint(&data, resident_bytes());
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR(LCORE_OWN_KEY));
    err = err < 0 ? err : lc_pack_int(&data, 1);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR(LCORE_PENDING_KEY));
    err = err < 0 ? err : lc_pack_uint(&data, total.request_count);
    if (err == 0) {
        send_data(worker, "heartbeat", &data);
    }
    lc_buffer_fini(&data);
}

/* The users there are, as two keys of a map. */
static int
pack_users(struct lc_worker *worker, struct lc_buffer *out)
{
    size_t count = worker->runner_options.class_count;
    for (size_t i = 0; i < count; i++) {
        worker->scratch[i] = (uint32_t)lc_runner_class_user_count(worker->runner, i);
    }
    int err = lc_pack_str(out, LCORE_STR("user_classes_count"));
    err = err < 0 ? err : lc__node_pack_counts(out, worker->runner_options.classes, count, worker->scratch);
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("user_count"));
    return err < 0 ? err : lc_pack_uint(out, lc_runner_user_count(worker->runner));
}

static void
report_free(struct report *report)
{
    lc_list_remove(&report->node);
    lc_buffer_fini(&report->frame);
    lc__free(report);
}

static void
forget_reports(struct lc_worker *worker, uint64_t up_to)
{
    while (!lc_list_is_empty(&worker->reports)) {
        struct report *report = LCORE_CONTAINER(worker->reports.next, struct report, node);
        if (report->number > up_to) {
            return;
        }
        report_free(report);
    }
}

static int
make_report(struct lc_worker *worker, struct report *report)
{
    struct lc_buffer data = {0};
    int err = lc_pack_map(&data, LCORE_REPORT_KEYS + 2 + (worker->is_own_master ? 1 : 0));
    if (worker->is_own_master) {
        err = err < 0 ? err : lc_pack_str(&data, LCORE_STR(LCORE_REPORT_NUMBER_KEY));
        err = err < 0 ? err : lc_pack_uint(&data, report->number);
    }
    err = err < 0 ? err : lc_report_write(&data, lc_runner_stats(worker->runner));
    err = err < 0 ? err : pack_users(worker, &data);
    err = err < 0 ? err : lc__node_frame(&report->frame, "stats", (struct lc_str){data.data, data.len}, id_of(worker));
    lc_buffer_fini(&data);
    return err;
}

static int
send_report(struct lc_worker *worker, struct report *report)
{
    report->sent_ns = lc_clock_monotonic_ns();
    return lc_channel_send(worker->channel, (struct lc_str){0}, (struct lc_str){report->frame.data, report->frame.len},
                           NULL);
}

/* What happened since the last report. Where it cannot be sent, it becomes part of the next one. */
static void
report_stats(struct lc_worker *worker)
{
    worker->reported_ns = lc_clock_monotonic_ns();
    struct report *report = lc__calloc(1, sizeof(*report));
    if (report == NULL) {
        return;
    }
    lc_list_init(&report->node);
    report->number = worker->next_number;
    if (make_report(worker, report) < 0 || send_report(worker, report) < 0) {
        report_free(report);
        return;
    }
    struct lc_stats *stats = lc_runner_stats(worker->runner);
    struct lc_stats_numbers total;
    lc_stats_entry_numbers(lc_stats_total(stats), &total);
    worker->failure_count += total.failure_count;
    lc_stats_reset(stats, (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S);
    if (worker->is_own_master) {
        worker->next_number++;
        lc_list_append(&worker->reports, &report->node);
    } else {
        report_free(report);
    }
}

static bool
send_exception(struct lc_worker *worker, const struct lc_runner_exception *row)
{
    struct lc_buffer data = {0}, where = {0};
    int err = lc_buffer_append_format(&where, "%s, %s\n", row->user_class, row->where);
    err = err < 0 ? err : lc_pack_map(&data, 2);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("msg"));
    err = err < 0 ? err : lc_pack_str(&data, lc_str_from(lc_error_text(row->code)));
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("traceback"));
    err = err < 0 ? err : lc_pack_str(&data, (struct lc_str){where.data, where.len});
    err = err < 0 ? err : send_data(worker, "exception", &data);
    lc_buffer_fini(&where);
    lc_buffer_fini(&data);
    return err == 0;
}

static void
report_exceptions(struct lc_worker *worker)
{
    struct lc_runner_exception row;
    int left = EXCEPTION_BURST;
    for (size_t i = 0; left > 0 && i < EXCEPTION_ROWS;) {
        uint64_t *sent = &worker->exceptions_sent[i];
        if (!lc_runner_next_exception(worker->runner, &i, &row)) {
            return;
        }
        while (*sent < row.count && left-- > 0 && send_exception(worker, &row)) {
            ++*sent;
        }
    }
}

static void
report_logs(struct lc_worker *worker)
{
    worker->logged_ns = lc_clock_monotonic_ns();
    size_t count = worker->line_count < LOG_LINES ? worker->line_count : LOG_LINES;
    struct lc_buffer data = {0};
    int err = lc_pack_map(&data, 2);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("worker_id"));
    err = err < 0 ? err : lc_pack_str(&data, id_of(worker));
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("logs"));
    err = err < 0 ? err : lc_pack_array(&data, count);
    for (size_t i = worker->line_count - count; err == 0 && i < worker->line_count; i++) {
        err = lc_pack_str(&data, lc_str_from(worker->lines[i % LOG_LINES]));
    }
    if (err == 0 && send_data(worker, "logs", &data) == 0) {
        worker->lines_sent = worker->line_count;
    }
    lc_buffer_fini(&data);
}

/* ---- The test ---- */

static void
obey_job(struct lc_worker *worker)
{
    worker->has_job = false;
    bool is_new = worker->phase == READY;
    struct lc_error error;
    int err = lc__runner_set_counts(worker->runner, worker->counts, worker->host, worker->stop_timeout_ns, &error);
    if (err < 0) {
        say(worker, "the test could not begin: %s", error.text);
        return;
    }
    if (is_new) {
        worker->failure_count = 0;
        memset(worker->exceptions_sent, 0, sizeof(worker->exceptions_sent));
        forget_reports(worker, UINT64_MAX);
    }
    worker->phase = SPAWNING;
    struct lc_buffer data = {0};
    err = lc_pack_map(&data, 2);
    err = err < 0 ? err : pack_users(worker, &data);
    if (err == 0) {
        send_data(worker, "spawning_complete", &data);
    }
    lc_buffer_fini(&data);
    worker->phase = RUNNING;
}

static void
tell_end(struct lc_timer *timer)
{
    struct lc_worker *worker = LCORE_CONTAINER(timer, struct lc_worker, end);
    if (worker->options.on_end != NULL) {
        worker->options.on_end(worker, worker->end_result, worker->options.arg);
    }
}

/* The users are gone. */
static void
stopped(struct lc_worker *worker)
{
    report_exceptions(worker);
    if (worker->phase == QUITTING) {
        report_stats(worker);
        if (worker->line_count != worker->lines_sent) {
            report_logs(worker);
        }
        send_data(worker, "quit", NULL);
        worker->phase = ENDED;
        lc_timer_stop(worker->loop, &worker->tick);
        if (lc_timer_start(worker->loop, &worker->end, lc_loop_now_ns(worker->loop), tell_end) < 0) {
            tell_end(&worker->end);
        }
        return;
    }
    report_stats(worker);
    if (worker->is_announcing_stop) {
        send_data(worker, "client_stopped", NULL);
    }
    worker->phase = READY;
    if (worker->is_announcing_stop) {
        announce(worker);
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
    if (state == LCORE_RUNNER_STOPPED && (worker->phase == STOPPING || worker->phase == QUITTING)) {
        stopped(worker);
    }
}

static void
begin_stop(struct lc_worker *worker, bool is_announcing)
{
    if (worker->phase == STOPPING || worker->phase == QUITTING || worker->phase == ENDED) {
        return;
    }
    worker->phase = STOPPING;
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
    if (worker->phase == QUITTING || worker->phase == ENDED) {
        /* Once more means at once. */
        lc_runner_stop(worker->runner);
        return;
    }
    worker->phase = QUITTING;
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
    worker->is_acknowledged = true;
    worker->tries = 0;
    worker->heard_ns = lc_clock_monotonic_ns();
    /* The clock of a new master may be behind the one before. */
    worker->job_unix_s = 0;
    bool is_kept = lc__node_find(data, LCORE_KEEP_KEY, &value);
    if (!was_acknowledged && !is_first && !is_kept && (worker->phase == SPAWNING || worker->phase == RUNNING)) {
        say(worker, "the master lists this worker anew, so its users stop");
        begin_stop(worker, false);
    }
    if (is_first) {
        report_stats(worker);
        report_logs(worker);
    }
}

static void
take_register(struct lc_worker *worker)
{
    if (worker->phase == READY) {
        announce(worker);
    } else {
        say(worker, "the master does not know this worker, whose users stop");
        begin_stop(worker, true);
    }
}

static void
take_spawn(struct lc_worker *worker, struct lc_str data)
{
    send_data(worker, "spawning", NULL);
    double unix_s, stop_timeout_s = 0;
    struct lc_pack_reader counts;
    struct lc_str unknown, host;
    size_t class_count = worker->runner_options.class_count;
    if (!lc__node_find_number(data, "timestamp", &unix_s) || !lc__node_find(data, "user_classes_count", &counts) ||
        lc__node_read_counts(counts, worker->runner_options.classes, class_count, worker->scratch, &unknown) < 0) {
        say(worker, "a spawn message of the master is not understood");
        return;
    }
    if (unix_s <= worker->job_unix_s) {
        say(worker, "a spawn message came late and is discarded: a newer one was there before");
        return;
    }
    worker->job_unix_s = unix_s;
    if (unknown.len > 0) {
        say(worker, "the master wants users of %.*s, which this worker does not have", (int)unknown.len, unknown.data);
    }
    char *copy = NULL;
    if (lc__node_find_str(data, "host", &host) && (copy = lc_str_dup(host)) == NULL) {
        say(worker, "out of memory");
        return;
    }
    lc__free(worker->host);
    worker->host = copy;
    lc__node_find_number(data, "stop_timeout", &stop_timeout_s);
    worker->stop_timeout_ns =
        stop_timeout_s > 0 && stop_timeout_s < 1e9 ? (int64_t)(stop_timeout_s * (double)LCORE_NS_PER_S) : 0;
    memcpy(worker->counts, worker->scratch, class_count * sizeof(*worker->counts));
    if (worker->phase == STOPPING) {
        worker->has_job = true;
    } else if (worker->phase != QUITTING && worker->phase != ENDED) {
        obey_job(worker);
    }
}

static void
take_heartbeat(struct lc_worker *worker, struct lc_str data)
{
    int64_t now_ns = lc_clock_monotonic_ns();
    worker->heard_ns = now_ns;
    uint64_t number;
    if (lc__node_find_count(data, LCORE_REPORT_NUMBER_KEY, &number)) {
        forget_reports(worker, number);
        for (struct lc_list *node = worker->reports.next; node != &worker->reports; node = node->next) {
            struct report *report = LCORE_CONTAINER(node, struct report, node);
            if (now_ns - report->sent_ns > RESEND_S * LCORE_NS_PER_S && send_report(worker, report) < 0) {
                return;
            }
        }
    }
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
        say(worker, "the master changes a user class, which a worker written in C cannot");
    } else if (worker->options.on_message != NULL) {
        worker->options.on_message(worker, message->type, message->data, worker->options.arg);
    } else {
        say(worker, "nobody listens to messages of type %.*s", (int)message->type.len, message->type.data);
    }
#undef IS
}

static void
on_channel(struct lc_channel *channel, void *arg)
{
    struct lc_worker *worker = arg;
    const char *refusal = lc_channel_take_refusal(channel);
    if (refusal != NULL) {
        say(worker, "%s", refusal);
    }
    struct lc_frame frame;
    while (worker->phase != ENDED && lc_channel_receive(channel, &frame, NULL) == 1) {
        struct lc_message message;
        if (frame.is_odd || lc_message_read(frame.body, &message) < 0) {
            say(worker, "a message of the master is not understood");
        } else if (lc_str_equal(message.type, LCORE_STR("reconnect"))) {
            say(worker, "the master asks this worker to connect anew");
            struct lc_error error;
            if (open_channel(worker, &error) == 0) {
                lc_channel_free(channel);
                return;
            }
            say(worker, "%s", error.text);
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
        say(worker, "the master does not answer, so this worker ends");
        begin_quit(worker, LCE_NOTFOUND);
        return;
    }
    if (now_ns - worker->start_ns > PATIENCE_S * LCORE_NS_PER_S) {
        say(worker, "waiting for the master, which has not answered yet");
    }
    worker->tries++;
    announce(worker);
}

static void
watch_master(struct lc_worker *worker, int64_t now_ns)
{
    int64_t silence_ns = now_ns - worker->heard_ns;
    if (silence_ns > LCORE_MASTER_SILENCE_S * LCORE_NS_PER_S) {
        say(worker, "the master was not heard of for %d seconds, so this worker ends", LCORE_MASTER_SILENCE_S);
        begin_quit(worker, LCE_NOTFOUND);
    } else if (silence_ns > SILENCE_S * LCORE_NS_PER_S && now_ns - worker->announced_ns > ANNOUNCE_S * LCORE_NS_PER_S) {
        announce(worker);
    }
}

static void
on_tick(struct lc_timer *timer)
{
    struct lc_worker *worker = LCORE_CONTAINER(timer, struct lc_worker, tick);
    int64_t now_ns = lc_clock_monotonic_ns();
    measure_cpu(worker, now_ns);
    if (worker->index < 0) {
        wait_for_master(worker, now_ns);
    } else {
        send_heartbeat(worker);
        report_exceptions(worker);
        if (now_ns - worker->reported_ns >= LCORE_REPORT_S * LCORE_NS_PER_S - LCORE_NS_PER_S / 2) {
            report_stats(worker);
        }
        if (worker->line_count != worker->lines_sent && now_ns - worker->logged_ns >= LCORE_LOGS_S * LCORE_NS_PER_S) {
            report_logs(worker);
        }
        watch_master(worker, now_ns);
    }
    if (worker->phase != ENDED) {
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
    return lc_channel_connect(worker->rpc, &channel, id_of(worker), &worker->channel, error);
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
    inner.on_log = on_log;
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
    announce(worker);
    err = lc_timer_start(worker->loop, &worker->tick, worker->start_ns + LCORE_NS_PER_S, on_tick);
    return err < 0 ? lc_error_set(error, err, "%s", lc_error_text(err)) : 0;
}

struct lc_worker *
lc_worker_new(struct lc_loop *loop, struct lc_http *http, const struct lc_runner_options *runner,
              const struct lc_worker_options *options, struct lc_error *error)
{
    struct lc_error own;
    error = error == NULL ? &own : error;
    if (options->size != sizeof(*options)) {
        lc_error_set(error, LCE_INVALID, "options of another version of the library");
        return NULL;
    }
    struct lc_worker *worker = lc__calloc(1, sizeof(*worker));
    if (worker == NULL) {
        lc_error_set(error, LCE_NOMEM, "out of memory");
        return NULL;
    }
    worker->loop = loop;
    worker->options = *options;
    worker->runner_options = *runner;
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
    forget_reports(worker, UINT64_MAX);
    for (size_t i = 0; i < LOG_LINES; i++) {
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
    return lc__node_send(worker->channel, (struct lc_str){0}, type, data, id_of(worker), error);
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
