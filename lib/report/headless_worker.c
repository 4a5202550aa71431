/* A whole worker in one call. */
#include "locustcore/rpc.h"

#include <stddef.h>

#include "base/options.h"
#include "report/runner_metrics.h"

struct run {
    struct lc_loop *loop;
    struct lc_http *http;
    struct lc_worker *worker;
    struct lc_signals *signals;
    struct lc__runner_metrics metrics;
    const struct lc_worker_options *options;
    int result;
};

static void
on_signal(int signal, void *arg)
{
    struct run *run = arg;
    if (run->worker != NULL) {
        lc_worker_quit(run->worker);
    }
}

static void
on_end(struct lc_worker *worker, int result, void *arg)
{
    struct run *run = arg;
    run->result = result;
    lc_loop_stop(run->loop);
}

static void
on_message(struct lc_worker *worker, struct lc_str type, struct lc_str data, void *arg)
{
    struct run *run = arg;
    run->options->on_message(worker, type, data, run->options->arg);
}

static int
run_worker(struct run *run, const struct lc_runner_options *runner, struct lc_error *error)
{
    run->http = lc_http_new(run->loop, error);
    if (run->http == NULL) {
        return error->code;
    }
    struct lc_worker_options inner = *run->options;
    inner.on_end = on_end;
    inner.on_message = inner.on_message == NULL ? NULL : on_message;
    inner.arg = run;
    run->worker = lc_worker_new(run->loop, run->http, runner, &inner, error);
    if (run->worker == NULL) {
        return error->code;
    }
    int err = lc__runner_metrics_start(&run->metrics, run->loop, lc_worker_runner(run->worker), runner, true, error);
    if (err < 0) {
        return err;
    }
    err = lc_loop_run(run->loop);
    err = err < 0 ? err : run->result;
    return err < 0 ? lc_error_set(error, err, "the master at %s:%d does not answer",
                                  run->options->master_host == NULL ? "127.0.0.1" : run->options->master_host,
                                  run->options->master_port == 0 ? LCORE_MASTER_PORT : run->options->master_port)
                   : lc_worker_exit_code(run->worker);
}

int
lc_worker_run(const struct lc_runner_options *given_runner, const struct lc_worker_options *given,
              struct lc_error *error)
{
    struct lc_error own;
    error = error == NULL ? &own : error;
    struct lc_runner_options runner = {0};
    struct lc_worker_options options = {0};
    int taken = lc__options_take(&runner, sizeof(runner), given_runner, error);
    taken = taken < 0 ? taken : lc__options_take(&options, sizeof(options), given, error);
    if (taken < 0) {
        return taken;
    }
    if (runner.on_state != NULL || options.on_end != NULL) {
        return lc_error_set(error, LCE_INVALID, "on_state and on_end are for those who run the loop themselves");
    }
    struct run run = {.options = &options, .loop = lc_loop_new()};
    if (run.loop == NULL) {
        return lc_error_set(error, LCE_NOMEM, "no loop: out of memory or descriptors");
    }
    run.signals = lc_signals_new(run.loop, on_signal, &run, error);
    int result = run.signals == NULL ? error->code : run_worker(&run, &runner, error);
    lc_signals_free(run.signals);
    lc__runner_metrics_stop(&run.metrics);
    lc_worker_free(run.worker);
    lc_http_free(run.http);
    lc_loop_free(run.loop);
    return result;
}
