/* The inside of a worker, for the files that make it: what it tells its master (worker_tell.c), and what it does at the
 * master's word and by itself (worker.c). */
#ifndef LCORE_RPC_WORKER_STATE_H
#define LCORE_RPC_WORKER_STATE_H

#include "base/list.h"
#include "rpc/node.h"
#include "run/runner.h"

/* Lines of the log that are kept, and kinds of exceptions that are followed. */
#define LCORE_WORKER_LINES 100
#define LCORE_WORKER_EXCEPTIONS 100

enum lc_worker_phase {
    LCORE_WORKER_READY,
    LCORE_WORKER_SPAWNING,
    LCORE_WORKER_RUNNING,
    LCORE_WORKER_STOPPING, /* users are ending; the master hears "running" until they have */
    LCORE_WORKER_QUITTING,
    LCORE_WORKER_LEAVING, /* the last report is on its way */
    LCORE_WORKER_ENDED,
};

/* A report that the master has not confirmed. */
struct lc_worker_report {
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
    enum lc_worker_phase phase;
    int index;
    int end_result;
    bool is_acknowledged, is_own_master;
    bool is_run_kept;        /* another master will go on with the run if this one dies */
    bool is_announcing_stop; /* the master asked for the stop and hears of its end */
    bool has_job;            /* counts, host and stop timeout of a spawn message that waits for the end of a stop */
    uint32_t *counts, *scratch;
    char *host;
    int64_t stop_timeout_ns;
    double job_unix_s;
    int tries;
    unsigned unanswered_heartbeats;
    int64_t patience_ns; /* while it leaves: for how long the master may be silent */
    /* Between two reports: what the master wants, and what the last report's way there asks for. */
    int64_t pause_ns, transit_pause_ns;
    int64_t start_ns, announced_ns, heard_ns, reported_ns, logged_ns, reconnected_ns;
    int64_t cpu_ns, cpu_at_ns;
    double cpu_percent;
    struct lc_list reports; /* oldest first */
    uint64_t next_number;
    uint64_t failure_count; /* in reports of this test */
    uint64_t exceptions_sent[LCORE_WORKER_EXCEPTIONS];
    char *lines[LCORE_WORKER_LINES];
    size_t line_count; /* ever; the last LCORE_WORKER_LINES are kept */
    size_t lines_sent;
    struct lc_timer tick, end;
};

static inline struct lc_str
lc__worker_id_of(const struct lc_worker *worker)
{
    return lc_str_from(worker->id);
}

/* What the runner and this worker say: to the user, and kept for the master. arg: the worker. */
void lc__worker_on_log(const char *text, void *arg);

/* data: one packed item; NULL: nil. LCE_*: it could not be sent. */
int lc__worker_send_data(struct lc_worker *worker, const char *type, const struct lc_buffer *data);
void lc__worker_announce(struct lc_worker *worker);
void lc__worker_measure_cpu(struct lc_worker *worker, int64_t now_ns);
void lc__worker_send_heartbeat(struct lc_worker *worker);
/* The users there are, as two keys of a map. */
int lc__worker_pack_users(struct lc_worker *worker, struct lc_buffer *out);
/* What happened since the last report. Where it cannot be sent, it becomes part of the next one. */
void lc__worker_report_stats(struct lc_worker *worker);
int lc__worker_send_report(struct lc_worker *worker, struct lc_worker_report *report);
/* The master has these. */
void lc__worker_forget_reports(struct lc_worker *worker, uint64_t up_to);
void lc__worker_report_exceptions(struct lc_worker *worker);
void lc__worker_report_logs(struct lc_worker *worker);

#endif
