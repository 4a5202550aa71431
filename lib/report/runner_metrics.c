#include "report/runner_metrics.h"

#include "base/alloc.h"
#include "base/str.h"

/* How the process coped lately; `numbers` are of the whole test. */
static void
look_at_meter(const struct lc_meter *meter, struct lc_prometheus_generator *out)
{
    enum { RECENT_S = 10 };
    struct lc_meter_second second, last = {0};
    uint64_t position = 0;
    while (lc_meter_next_second(meter, &position, &second)) {
        last = second;
    }
    *out = (struct lc_prometheus_generator){
        .cpu = last.cpu,
        .starved = last.starved,
        .is_lagging = last.lag != 0,
    };
    position = 0;
    while (lc_meter_next_second(meter, &position, &second)) {
        if (second.last_unix_s > last.last_unix_s - RECENT_S && second.delay_ms / 1000 > out->delay_s) {
            out->delay_s = second.delay_ms / 1000;
        }
    }
    struct lc_meter_numbers numbers;
    lc_meter_numbers(meter, &numbers);
    out->seconds = numbers.seconds;
    out->lagging_seconds = numbers.lagging_seconds;
}

static struct lc_stats *
fill(struct lc_prometheus_options *options, void *arg)
{
    struct lc__runner_metrics *metrics = arg;
    struct lc_runner *runner = metrics->runner;
    size_t count = metrics->options->class_count;
    for (size_t i = 0; i < count; i++) {
        metrics->users[i] = (struct lc_prometheus_users){
            .user_class = lc_str_from(metrics->options->classes[i]->name),
            .count = lc_runner_class_user_count(runner, i),
        };
    }
    look_at_meter(lc_runner_meter(runner), &metrics->generator);
    options->is_worker = metrics->is_worker;
    options->state = lc_str_from(lc_runner_state_text(lc_runner_state(runner)));
    options->user_count = lc_runner_user_count(runner);
    options->users = metrics->users;
    options->users_count = count;
    options->exception_count = lc_runner_exception_count(runner);
    options->generator = &metrics->generator;
    return lc_runner_stats(runner);
}

int
lc__runner_metrics_start(struct lc__runner_metrics *metrics, struct lc_loop *loop, struct lc_runner *runner,
                         const struct lc_runner_options *options, bool is_worker, struct lc_error *error)
{
    *metrics = (struct lc__runner_metrics){.runner = runner, .options = options, .is_worker = is_worker};
    if (options->metrics_port == 0) {
        return 0;
    }
    metrics->users = lc__calloc(options->class_count, sizeof(*metrics->users));
    if (metrics->users == NULL) {
        return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    metrics->server = lc_prometheus_server_new(loop, NULL, options->metrics_port, fill, metrics, error);
    return metrics->server == NULL ? error->code : 0;
}

void
lc__runner_metrics_stop(struct lc__runner_metrics *metrics)
{
    lc_prometheus_server_free(metrics->server);
    lc__free(metrics->users);
    *metrics = (struct lc__runner_metrics){0};
}
