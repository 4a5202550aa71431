/* The statistics as Prometheus reads them (text exposition format 0.0.4, or OpenMetrics 1.0), made in one pass whenever
 * somebody asks; nothing is kept for it while the test runs.
 *
 * Metrics of ours begin with "cload_" and are in base units. Beside them stand those of the well-known exporter for
 * Locust ("locust_", all of them gauges, times in milliseconds), so that dashboards made for it go on showing
 * something. README.md of examples/deployment lists all. Counters begin anew where statistics are cleared or reset,
 * which Prometheus takes as it takes a restart. */
#ifndef LOCUSTCORE_PROMETHEUS_H
#define LOCUSTCORE_PROMETHEUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "locustcore/error.h"
#include "locustcore/loop.h"
#include "locustcore/stats.h"
#include "locustcore/str.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LCORE_PROMETHEUS_TEXT "text/plain; version=0.0.4; charset=utf-8"
#define LCORE_PROMETHEUS_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Upper bounds, in seconds, of the buckets of response times; +Inf follows. They are counted from the microsecond
 * histogram: what is on a bound is within, what is above it by 0.1 % or more is not. */
#define LCORE_PROMETHEUS_BOUND_LIST(X)                                                                                 \
    X(0.0005)                                                                                                          \
    X(0.001)                                                                                                           \
    X(0.0025) X(0.005) X(0.01) X(0.025) X(0.05) X(0.1) X(0.25) X(0.5) X(1.0) X(2.5) X(5.0) X(10.0) X(30.0) X(60.0)

/* What the statistics do not know. All of it is borrowed by the call. */
struct lc_prometheus_users {
    struct lc_str user_class;
    uint64_t count;
};
struct lc_prometheus_worker {
    struct lc_str id, state;
    uint64_t user_count;
};
struct lc_prometheus_generator {
    double cpu;     /* CPU time of the process per time, in cores */
    double starved; /* share of the time in which it waited for a core */
    double delay_s; /* by how much its event loop was late at most, lately */
    bool is_lagging;
    uint64_t seconds, lagging_seconds; /* of the test */
};

struct lc_prometheus_options {
    size_t size; /* sizeof(struct lc_prometheus_options) */
    bool is_openmetrics;
    /* A worker's statistics are empty after each report to its master, which shows them. So a worker shows only its run
     * and its generator. */
    bool is_worker;
    /* The first name_limit names have series of their own; further ones are counted together, under the name
     * LCORE_STATS_FURTHER and no method. Of failures only the first failure_limit texts are listed; long ones are
     * shortened. */
    size_t name_limit, failure_limit;
    struct lc_str state; /* of the runner: "ready", "running", ... */
    uint64_t user_count;
    const struct lc_prometheus_users *users; /* by class; may be fewer than user_count */
    size_t users_count;
    bool is_master;
    const struct lc_prometheus_worker *workers; /* of a master */
    size_t worker_count;
    uint64_t exception_count;
    const struct lc_prometheus_generator *generator; /* NULL: not known */
};
/* 1,000 names and 100 failures, state "ready". */
LCORE_API void lc_prometheus_options_init(struct lc_prometheus_options *options);

/* LCE_NOMEM, LCE_INVALID for options of a newer version, LCE_SYSTEM where `out` could not be written. */
LCORE_API int lc_report_print_prometheus(FILE *out, struct lc_stats *stats,
                                         const struct lc_prometheus_options *options);

/* Serves GET /metrics on a loop, to anybody who reaches the port, eight at once. lc_run(), lc_worker_run() and
 * lc_master_run() have one for metrics_port of their options. */
struct lc_prometheus_server;
/* Called for each answer. It fills in the options, which are as lc_prometheus_options_init() makes them except for the
 * format, and returns the statistics. What it lends must live until the next call. It must not free the server. */
typedef struct lc_stats *lc_prometheus_fn(struct lc_prometheus_options *options, void *arg);
/* host NULL: all interfaces; port 0: any that is free. NULL: LCE_INVALID, LCE_NOMEM, LCE_SYSTEM where it cannot listen.
 * The loop must outlive the server. */
LCORE_API struct lc_prometheus_server *lc_prometheus_server_new(struct lc_loop *loop, const char *host, int port,
                                                                lc_prometheus_fn *fill, void *arg,
                                                                struct lc_error *error);
LCORE_API int lc_prometheus_server_port(const struct lc_prometheus_server *server);
LCORE_API void lc_prometheus_server_free(struct lc_prometheus_server *server); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
