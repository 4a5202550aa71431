/* How many requests a second tasks written in C make: `bench_task URL [users] [seconds] [ca-file]`. Each user's task is
 * one GET, without a wait. Pin it and the server to different cores and compare with `wrk -t1 -c<users>` pinned to the
 * same core. With URL "none" the task is empty, which shows what the task loop itself costs. Prints one line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <locustcore.h>

#include "cpu.h"

static const char *url;
static unsigned long iterations;

static int
get(struct lc_user *user)
{
    iterations++;
    return lc_user_get(user, url, "get", NULL);
}

static int
nothing(struct lc_user *user)
{
    iterations++;
    return 0;
}

static void
on_state(struct lc_runner *runner, enum lc_runner_state state, void *arg)
{
    if (state == LCORE_RUNNER_STOPPED) {
        lc_loop_stop(arg);
    }
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_task URL|none [users] [seconds] [ca-file]\n");
        return 2;
    }
    url = argv[1];
    unsigned users = argc > 2 ? (unsigned)atoi(argv[2]) : 100;
    double seconds = argc > 3 ? atof(argv[3]) : 5;
    struct lc_error error = {0};
    struct lc_session_options session;
    lc_session_options_init(&session);
    if (argc > 4) {
        session.tls =
            lc_tls_new(&(struct lc_tls_options){.size = sizeof(struct lc_tls_options), .ca_file = argv[4]}, &error);
        if (session.tls == NULL) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
    }
    const struct lc_task task = {.run = strcmp(url, "none") == 0 ? nothing : get};
    const struct lc_user_class class = {
        .size = sizeof(class), .name = "Bench", .set = {.tasks = &task, .task_count = 1}, .session = &session};
    const struct lc_user_class *const classes[] = {&class};
    struct lc_loop *loop = lc_loop_new();
    struct lc_http *http = loop == NULL ? NULL : lc_http_new(loop, &error);
    const struct lc_runner_options options = {.size = sizeof(options),
                                              .classes = classes,
                                              .class_count = 1,
                                              .run_time_ns = (int64_t)(seconds * 1e9),
                                              .on_state = on_state,
                                              .arg = loop};
    struct lc_runner *runner = http == NULL ? NULL : lc_runner_new(loop, http, &options, &error);
    double begin_cpu_s = cpu_s();
    if (runner == NULL || lc_runner_start(runner, users, users, &error) < 0) {
        fprintf(stderr, "cannot start: %s\n", error.text);
        return 1;
    }
    lc_loop_run(loop);
    struct lc_stats_entry *total = lc_stats_total(lc_runner_stats(runner));
    struct lc_stats_numbers numbers;
    lc_stats_entry_numbers(total, &numbers);
    unsigned long count = task.run == get ? (unsigned long)numbers.request_count : iterations;
    printf("%.0f %s/s  %.3f us CPU each  median %.3f ms  p99 %.3f ms  %lu failed\n", (double)count / seconds,
           task.run == get ? "requests" : "iterations", (cpu_s() - begin_cpu_s) * 1e6 / (double)count,
           lc_stats_entry_percentile_ms(total, 0.5), lc_stats_entry_percentile_ms(total, 0.99),
           (unsigned long)numbers.failure_count);
    int result = lc_runner_exit_code(runner);
    lc_runner_free(runner);
    lc_tls_unref(session.tls);
    lc_http_free(http);
    lc_loop_free(loop);
    return result;
}
