/* What a worker tells its master. */
#include "rpc/worker_state.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define CPU_S 5
/* Messages about exceptions in a row; the rest follows a second later. */
#define EXCEPTION_BURST 200

void
lc__worker_on_log(const char *text, void *arg)
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
        char **place = &worker->lines[worker->line_count++ % LCORE_WORKER_LINES];
        lc__free(*place);
        *place = line;
    }
    lc_log_line(worker->runner_options.on_log, worker->runner_options.arg, text);
}

int
lc__worker_send_data(struct lc_worker *worker, const char *type, const struct lc_buffer *data)
{
    struct lc_str packed = data == NULL ? (struct lc_str){0} : (struct lc_str){data->data, data->len};
    return lc__node_send(worker->channel, (struct lc_str){0}, type, packed, lc__worker_id_of(worker), NULL);
}

static const char *
state_text(const struct lc_worker *worker)
{
    return worker->phase == LCORE_WORKER_READY || worker->phase == LCORE_WORKER_ENDED ? "ready"
           : worker->phase == LCORE_WORKER_SPAWNING                                   ? "spawning"
                                                                                      : "running";
}

void
lc__worker_announce(struct lc_worker *worker)
{
    worker->is_acknowledged = false;
    worker->announced_ns = lc_clock_monotonic_ns();
    struct lc_buffer data = {0};
    if (lc_pack_str(&data, LCORE_STR(LCORE_PROTOCOL_VERSION)) == 0) {
        lc__worker_send_data(worker, "client_ready", &data);
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

void
lc__worker_measure_cpu(struct lc_worker *worker, int64_t now_ns)
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

void
lc__worker_send_heartbeat(struct lc_worker *worker)
{
    struct lc_buffer data = {0};
    struct lc_stats_numbers total;
    lc_stats_entry_numbers(lc_stats_total(lc_runner_stats(worker->runner)), &total);
    int err = lc_pack_map(&data, 7);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("state"));
    err = err < 0 ? err : lc_pack_str(&data, lc_str_from(state_text(worker)));
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("current_cpu_usage"));
    err = err < 0 ? err : lc_pack_float(&data, worker->cpu_percent);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("current_memory_usage"));
    err = err < 0 ? err : lc_pack_uint(&data, resident_bytes());
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR(LCORE_OWN_KEY));
    err = err < 0 ? err : lc_pack_int(&data, 1);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR(LCORE_BEAT_KEY));
    err = err < 0 ? err : lc_pack_uint(&data, (uint64_t)(lc_clock_monotonic_ns() / LCORE_NS_PER_US));
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR(LCORE_PENDING_KEY));
    err = err < 0 ? err : lc_pack_uint(&data, total.request_count);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR(LCORE_NAMES_KEY));
    err = err < 0 ? err : lc_pack_uint(&data, lc_stats_count(lc_runner_stats(worker->runner)));
    if (err == 0) {
        worker->unanswered_heartbeats++;
        lc__worker_send_data(worker, "heartbeat", &data);
    }
    lc_buffer_fini(&data);
}

int
lc__worker_pack_users(struct lc_worker *worker, struct lc_buffer *out)
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
report_free(struct lc_worker_report *report)
{
    lc_list_remove(&report->node);
    lc_buffer_fini(&report->frame);
    lc__free(report);
}

void
lc__worker_forget_reports(struct lc_worker *worker, uint64_t up_to)
{
    while (!lc_list_is_empty(&worker->reports)) {
        struct lc_worker_report *report = LCORE_CONTAINER(worker->reports.next, struct lc_worker_report, node);
        if (report->number > up_to) {
            return;
        }
        report_free(report);
    }
}

static double
now_unix_s(void)
{
    return (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S;
}

static int
make_report(struct lc_worker *worker, struct lc_worker_report *report)
{
    struct lc_buffer data = {0};
    int err = lc_pack_map(&data, LCORE_REPORT_KEYS + 2 + (worker->is_own_master ? LCORE_REPORT_OWN_KEYS : 0));
    if (worker->is_own_master) {
        err = err < 0 ? err : lc_report_write_own(&data, report->number, now_unix_s());
    }
    err = err < 0 ? err : lc_report_write(&data, lc_runner_stats(worker->runner));
    err = err < 0 ? err : lc__worker_pack_users(worker, &data);
    err = err < 0
              ? err
              : lc__node_frame(&report->frame, "stats", (struct lc_str){data.data, data.len}, lc__worker_id_of(worker));
    lc_buffer_fini(&data);
    return err;
}

int
lc__worker_send_report(struct lc_worker *worker, struct lc_worker_report *report)
{
    report->sent_ns = lc_clock_monotonic_ns();
    return lc_channel_send(worker->channel, (struct lc_str){0}, (struct lc_str){report->frame.data, report->frame.len},
                           NULL);
}

void
lc__worker_report_stats(struct lc_worker *worker)
{
    worker->reported_ns = lc_clock_monotonic_ns();
    struct lc_worker_report *report = lc__calloc(1, sizeof(*report));
    if (report == NULL) {
        return;
    }
    lc_list_init(&report->node);
    report->number = worker->next_number;
    if (make_report(worker, report) < 0 || lc__worker_send_report(worker, report) < 0) {
        report_free(report);
        return;
    }
    struct lc_stats *stats = lc_runner_stats(worker->runner);
    struct lc_stats_numbers total;
    lc_stats_entry_numbers(lc_stats_total(stats), &total);
    worker->failure_count += total.failure_count;
    lc__stats_reported(stats, now_unix_s());
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
    err = err < 0 ? err : lc__worker_send_data(worker, "exception", &data);
    lc_buffer_fini(&where);
    lc_buffer_fini(&data);
    return err == 0;
}

void
lc__worker_report_exceptions(struct lc_worker *worker)
{
    struct lc_runner_exception row;
    int left = EXCEPTION_BURST;
    for (size_t i = 0; left > 0 && i < LCORE_WORKER_EXCEPTIONS;) {
        uint64_t *sent = &worker->exceptions_sent[i];
        if (!lc_runner_next_exception(worker->runner, &i, &row)) {
            return;
        }
        while (*sent < row.count && left-- > 0 && send_exception(worker, &row)) {
            ++*sent;
        }
    }
}

void
lc__worker_report_logs(struct lc_worker *worker)
{
    worker->logged_ns = lc_clock_monotonic_ns();
    size_t count = worker->line_count < LCORE_WORKER_LINES ? worker->line_count : LCORE_WORKER_LINES;
    struct lc_buffer data = {0};
    int err = lc_pack_map(&data, 2);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("worker_id"));
    err = err < 0 ? err : lc_pack_str(&data, lc__worker_id_of(worker));
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("logs"));
    err = err < 0 ? err : lc_pack_array(&data, count);
    for (size_t i = worker->line_count - count; err == 0 && i < worker->line_count; i++) {
        err = lc_pack_str(&data, lc_str_from(worker->lines[i % LCORE_WORKER_LINES]));
    }
    if (err == 0 && lc__worker_send_data(worker, "logs", &data) == 0) {
        worker->lines_sent = worker->line_count;
    }
    lc_buffer_fini(&data);
}
