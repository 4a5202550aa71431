/* As many requests as a server answers, over so many connections, in the manner of wrk: one URL, one loop, latencies.
 *
 *     bench -c 50 -d 5 http://127.0.0.1:8080/hello
 *
 * It shows how to go without users and a runner: fibers that call, statistics of one's own, a timer and Ctrl-C.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* getopt() */
#endif

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <locustcore.h>

struct bench {
    struct lc_loop *loop;
    struct lc_http *http;
    struct lc_fibers *fibers;
    struct lc_stats *stats;
    struct lc_stats_entry *entry;
    struct lc_fiber **callers;
    size_t caller_count, running;
    const char *url;
    struct lc_timer timer;
    struct lc_error error; /* of the caller that could not go on */
};

static double
unix_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Every wait of the callers returns LCE_CANCELED from now on, so they end. */
static void
stop(struct bench *bench)
{
    for (size_t i = 0; i < bench->caller_count; i++) {
        lc_fiber_cancel(bench->callers[i]);
    }
}

static void
on_time_over(struct lc_timer *timer)
{
    stop((struct bench *)((char *)timer - offsetof(struct bench, timer)));
}

static void
on_signal(int signal, void *arg)
{
    stop((struct bench *)arg);
}

/* Counts one answer; negative: LCE_NOMEM. */
static int
count(struct bench *bench, const struct lc_response *response)
{
    int64_t time_ns = response->timings.end_ns - response->timings.start_ns;
    int err = lc_stats_log_request(bench->stats, bench->entry, time_ns, response->body.len, unix_s());
    if (err == 0 && response->fail != LCORE_FAIL_NONE) {
        err = lc_stats_log_failure(bench->stats, bench->entry, response->fail_text, unix_s());
    } else if (err == 0 && response->status >= 400) {
        err = lc_stats_log_failure(bench->stats, bench->entry, response->reason, unix_s());
    }
    return err;
}

/* One connection: a session of its own that calls until it is canceled. */
static int
call_all_the_time(void *arg)
{
    struct bench *bench = (struct bench *)arg;
    struct lc_request request = {0};
    request.method = LCORE_STR("GET");
    request.url = lc_str_from(bench->url);
    request.flags = LCORE_REQUEST_NO_REDIRECT | LCORE_REQUEST_NO_DECODE;
    struct lc_session *session = lc_session_new(bench->http, NULL, &bench->error);
    int err = session == NULL ? bench->error.code : 0;
    while (err == 0) {
        struct lc_response *response;
        struct lc_error error;
        err = lc_session_call(session, &request, &response, &error);
        if (err == 0) {
            err = count(bench, response);
            lc_response_free(response);
        }
        if (err < 0 && err != LCE_CANCELED) {
            bench->error = error;
        }
    }
    lc_session_free(session);
    if (--bench->running == 0) {
        lc_loop_stop(bench->loop);
    }
    return err;
}

static void
print_result(struct bench *bench, double seconds)
{
    struct lc_stats_numbers numbers;
    lc_stats_entry_numbers(bench->entry, &numbers);
    printf("%" PRIu64 " requests in %.2f s, %.1f MB read, %" PRIu64 " failed\n", numbers.request_count, seconds,
           (double)numbers.content_bytes / 1e6, numbers.failure_count);
    printf("requests/s: %.1f\n", (double)numbers.request_count / seconds);
    static const double fractions[] = {0.5, 0.75, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
        printf("  %5.1f %%  %8.3f ms\n", fractions[i] * 100, lc_stats_entry_percentile_ms(bench->entry, fractions[i]));
    }
    struct lc_stats_failure failure;
    for (size_t i = 0; i < lc_stats_failure_count(bench->stats); i++) {
        lc_stats_failure_at(bench->stats, i, &failure);
        printf("failed %" PRIu64 " times: %.*s\n", failure.occurrences, (int)failure.text.len, failure.text.data);
    }
}

/* What was set up before an error is cleaned up all the same: every ..._free() takes NULL. */
static int
run(struct bench *bench, size_t connections, double seconds)
{
    struct lc_error *error = &bench->error;
    struct lc_signals *signals = NULL;
    bench->loop = lc_loop_new();
    if (bench->loop == NULL) {
        return lc_error_set(error, LCE_NOMEM, "no loop: out of memory or descriptors");
    }
    signals = lc_signals_new(bench->loop, on_signal, bench, error);
    bench->http = signals == NULL ? NULL : lc_http_new(bench->loop, error);
    if (bench->http == NULL) {
        goto done;
    }
    bench->fibers = lc_fibers_new(bench->loop, 0);
    bench->stats = lc_stats_new();
    bench->callers = calloc(connections, sizeof(struct lc_fiber *));
    bench->entry =
        bench->stats == NULL ? NULL : lc_stats_entry(bench->stats, lc_str_from(bench->url), LCORE_STR("GET"));
    if (bench->fibers == NULL || bench->callers == NULL || bench->entry == NULL) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        goto done;
    }
    double start_s = unix_s();
    bench->running = 1; /* until all are started: the first may be over before the second begins */
    for (size_t i = 0; i < connections && error->code == 0; i++) {
        bench->running++;
        int err = lc_fiber_start(bench->fibers, call_all_the_time, bench, &bench->callers[i]);
        if (err < 0) {
            bench->running--;
            lc_error_set(error, err, "no fiber: %s", lc_error_text(err));
            break;
        }
        bench->caller_count++;
    }
    if (error->code < 0 || lc_timer_start(bench->loop, &bench->timer,
                                          lc_loop_now_ns(bench->loop) + (int64_t)(seconds * 1e9), on_time_over) < 0) {
        stop(bench);
    }
    if (--bench->running > 0) {
        lc_loop_run(bench->loop);
    }
    lc_timer_stop(bench->loop, &bench->timer);
    for (size_t i = 0; i < bench->caller_count; i++) {
        lc_fiber_join(bench->callers[i], NULL);
    }
    if (error->code == 0) {
        print_result(bench, unix_s() - start_s);
    }
done:
    free(bench->callers);
    lc_stats_free(bench->stats);
    lc_fibers_free(bench->fibers);
    lc_http_free(bench->http);
    lc_signals_free(signals);
    lc_loop_free(bench->loop);
    return error->code;
}

/* Whole string, above 0; exits otherwise. */
static double
number(const char *text, const char *what)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(value > 0 && value <= 1e6)) {
        fprintf(stderr, "bench: %s must be a number above 0, at most 1e6, not \"%s\"\n", what, text);
        exit(2);
    }
    return value;
}

int
main(int argc, char **argv)
{
    double connections = 10, seconds = 10;
    int option;
    while ((option = getopt(argc, argv, "c:d:")) != -1) {
        switch (option) {
        case 'c':
            connections = number(optarg, "connections");
            break;
        case 'd':
            seconds = number(optarg, "duration");
            break;
        default:
            return 2;
        }
    }
    if (optind + 1 != argc || connections < 1) {
        fprintf(stderr, "usage: bench [-c connections] [-d seconds] URL\n");
        return 2;
    }
    struct bench bench = {0};
    bench.url = argv[optind];
    if (run(&bench, (size_t)connections, seconds) < 0) {
        fprintf(stderr, "bench: %s\n", bench.error.text);
        return 1;
    }
    return 0;
}
