/* What a runner tells Prometheus, served while a test in one call lasts. */
#ifndef LCORE_REPORT_RUNNER_METRICS_H
#define LCORE_REPORT_RUNNER_METRICS_H

#include "locustcore/prometheus.h"
#include "locustcore/run.h"

/* Zeroed: nothing is served. */
struct lc__runner_metrics {
    struct lc_runner *runner;
    const struct lc_runner_options *options;
    bool is_worker;
    struct lc_prometheus_server *server;
    struct lc_prometheus_users *users; /* of each class */
    struct lc_prometheus_generator generator;
};

/* Serves at options->metrics_port, unless that is 0. `runner` must outlive it. To be ended with _stop() either way. */
int lc__runner_metrics_start(struct lc__runner_metrics *metrics, struct lc_loop *loop, struct lc_runner *runner,
                             const struct lc_runner_options *options, bool is_worker, struct lc_error *error);
void lc__runner_metrics_stop(struct lc__runner_metrics *metrics);

#endif
