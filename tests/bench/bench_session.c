/* How many requests a second sessions make: `bench_session URL [sessions] [seconds] [ca-file or -] [HTTP version]
 * [streams]`. Each session has that many calls in flight, one unless said otherwise, and sends the next GET when the
 * response came. Pin it and the server to different cores and compare with
 * `wrk -t1 -c<sessions>` pinned to the same core. Prints one line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "locustcore/http.h"

#include "cpu.h"

struct bench {
    struct lc_loop *loop;
    struct lc_timer timer;
    struct lc_request request;
    long done, failed, connected;
    int64_t bytes, latency_ns;
    const char *why;
};

struct user {
    struct bench *bench;
    struct lc_session *session;
};

static void ask(struct user *user);

static void
on_response(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct user *user = arg;
    struct bench *bench = user->bench;
    if (response->fail != LCORE_FAIL_NONE || response->status != 200) {
        if (bench->failed++ == 0) {
            fprintf(stderr, "first failure: %d %.*s\n", response->status, (int)response->fail_text.len,
                    response->fail_text.data);
        }
    }
    bench->done++;
    bench->connected += response->is_kept_alive ? 0 : 1;
    bench->bytes += (int64_t)response->body.len;
    bench->latency_ns += lc_response_time_ns(response);
    lc_response_free(response);
    ask(user);
}

static void
ask(struct user *user)
{
    struct lc_exchange *exchange;
    struct lc_error error = {0};
    if (lc_session_start(user->session, &user->bench->request, 0, on_response, user, &exchange, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
}

static void
on_end(struct lc_timer *timer)
{
    struct bench *bench = (struct bench *)((char *)timer - offsetof(struct bench, timer));
    lc_loop_stop(bench->loop);
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_session URL [sessions] [seconds] [ca-file or -] [1, 2 or 3] [streams]\n");
        return 2;
    }
    int count = argc > 2 ? atoi(argv[2]) : 100;
    double seconds = argc > 3 ? atof(argv[3]) : 5;
    struct lc_error error = {0};
    struct bench bench = {.loop = lc_loop_new()};
    struct lc_http *http = bench.loop == NULL ? NULL : lc_http_new(bench.loop, &error);
    struct user *users = calloc((size_t)count, sizeof(*users));
    if (http == NULL || users == NULL) {
        fprintf(stderr, "cannot start: %s\n", error.text);
        return 1;
    }
    struct lc_session_options options;
    lc_session_options_init(&options);
    if (argc > 5) {
        options.version = (enum lc_http_version)(atoi(argv[5]) - 1);
    }
    int streams = argc > 6 ? atoi(argv[6]) : 1;
    if (argc > 4 && strcmp(argv[4], "-") != 0) {
        options.tls =
            lc_tls_new(&(struct lc_tls_options){.size = sizeof(struct lc_tls_options), .ca_file = argv[4]}, &error);
        if (options.tls == NULL) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
    }
    bench.request = (struct lc_request){.method = LCORE_STR("GET"), .url = {argv[1], strlen(argv[1])}};
    for (int i = 0; i < count; i++) {
        users[i] = (struct user){&bench, lc_session_new(http, &options, &error)};
        if (users[i].session == NULL) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        for (int k = 0; k < streams; k++) {
            ask(&users[i]);
        }
    }
    int64_t begin_ns = lc_clock_monotonic_ns();
    double begin_cpu_s = cpu_s();
    lc_timer_start(bench.loop, &bench.timer, begin_ns + (int64_t)(seconds * 1e9), on_end);
    lc_loop_run(bench.loop);
    double took_s = (double)(lc_clock_monotonic_ns() - begin_ns) / 1e9;
    printf("%.0f requests/s  %.2f us CPU each  mean %.3f ms  %ld failed  %ld connections  %.1f MB/s\n",
           (double)bench.done / took_s, (cpu_s() - begin_cpu_s) * 1e6 / (double)bench.done,
           (double)bench.latency_ns / 1e6 / (double)bench.done, bench.failed, bench.connected,
           (double)bench.bytes / 1e6 / took_s);
    for (int i = 0; i < count; i++) {
        lc_session_free(users[i].session);
    }
    free(users);
    lc_tls_unref(options.tls);
    lc_http_free(http);
    lc_loop_free(bench.loop);
    return bench.failed == 0 ? 0 : 1;
}
