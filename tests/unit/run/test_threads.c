/* Engines in several threads of one process: a master in one, workers in others, each with users of HTTP/1.1, HTTPS and
 * HTTP/2 on a loop of its own, a server of metrics and reports; and threads that reach into them as they may. With
 * ThreadSanitizer this shows that they share nothing. */
#include "../http/certificate.h"
#include "../http/h2_peer.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "locustcore.h"

#define WORKERS 4
#define USERS 24
#define ENOUGH 400 /* calls of all workers until the test ends */

static char directory[] = "/tmp/lcore-threads-XXXXXX";
static char cert_path[64];

/* What belongs to one thread, but for what is atomic. */
struct engine {
    pthread_t thread;
    int number;
    struct lc_loop *loop;
    struct lc_worker *worker;
    struct lc_prometheus_server *metrics;
    struct lc_csv *csv;
    struct lc_signals *signals;
    struct lc_timer timer;
    uint64_t report_count;
    bool has_ended;
    atomic_int metrics_port; /* 0 until it is there */
};

static struct {
    pthread_t thread;
    struct lc_loop *loop;
    struct lc_master *master;
    struct lc_timer timer;
    atomic_int port; /* 0 until it is there */
} master;

static struct engine engines[WORKERS];
static char bases[3][64];
static atomic_int calls;

/* ---- servers ---- */

static void
serve(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        peer_answer(peer, "hello");
    }
}

static void
serve_h2(struct peer *peer, void *arg)
{
    struct h2_peer *h2 = calloc(1, sizeof(*h2));
    assert_non_null(h2);
    if (h2_begin(h2, peer, NULL, 0)) {
        while (h2_wait(h2, H2_HEADERS)) {
            h2_answer(h2, h2->stream, "hello");
        }
    }
    h2_end(h2);
    free(h2);
}

/* ---- users ---- */

static int
call(struct lc_user *user)
{
    calls++;
    return lc_user_get(user, "/hello", lc_user_data(user), NULL);
}

static int
pass_tls(struct lc_user *user)
{
    /* Each loop has TLS options of its own, made while others make theirs. */
    struct lc_error error;
    const struct lc_tls_options options = {.size = sizeof(options), .ca_file = cert_path};
    struct lc_tls *tls = lc_tls_new(&options, &error);
    if (tls == NULL) {
        return error.code;
    }
    const struct lc_request request = {.method = LCORE_STR("GET"), .url = {bases[1], strlen(bases[1])}, .tls = tls};
    calls++;
    int err = lc_user_call(user, &request, lc_user_data(user), NULL);
    lc_tls_unref(tls);
    return err;
}

static void
on_log(const char *text, void *arg)
{
}

/* ---- a worker's thread ---- */

static struct lc_stats *
fill(struct lc_prometheus_options *options, void *arg)
{
    struct engine *engine = arg;
    options->is_worker = true;
    options->user_count = lc_runner_user_count(lc_worker_runner(engine->worker));
    return lc_runner_stats(lc_worker_runner(engine->worker));
}

static void
on_report_time(struct lc_timer *timer)
{
    struct engine *engine = LCORE_CONTAINER(timer, struct engine, timer);
    struct lc_runner *runner = lc_worker_runner(engine->worker);
    struct lc_stats *stats = lc_runner_stats(runner);
    struct lc_report_options options;
    lc_report_options_init(&options);
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    assert_int_equal(lc_report_print_requests(file, stats, &options), 0);
    assert_int_equal(lc_report_print_percentiles(file, stats, &options), 0);
    assert_int_equal(lc_report_print_failures(file, stats, &options), 0);
    assert_int_equal(lc_report_print_phases(file, stats, &options), 0);
    assert_int_equal(lc_report_print_generator(file, lc_runner_meter(runner), stats), 0);
    assert_int_equal(lc_report_print_json(file, stats), 0);
    fclose(file);
    free(text);
    double unix_s = (double)lc_clock_realtime_ns() / 1e9;
    assert_int_equal(lc_csv_write(engine->csv, stats, NULL, 0, lc_runner_user_count(runner), unix_s, NULL), 0);
    engine->report_count++;
    lc_timer_start(engine->loop, timer, lc_clock_monotonic_ns() + 20 * LCORE_NS_PER_MS, on_report_time);
}

static void
on_end(struct lc_worker *worker, int result, void *arg)
{
    struct engine *engine = arg;
    assert_int_equal(result, 0);
    engine->has_ended = true;
    lc_loop_stop(engine->loop);
}

static void
on_signal(int signal, void *arg)
{
    lc_worker_quit(((struct engine *)arg)->worker);
}

/* Called by another thread through the loop. */
static void
quit_worker(void *arg)
{
    lc_worker_quit(((struct engine *)arg)->worker);
}

static struct lc_user_class
class_of(const char *name, const char *base, const struct lc_task *task, const struct lc_session_options *session)
{
    return (struct lc_user_class){.size = sizeof(struct lc_user_class),
                                  .name = name,
                                  .host = base,
                                  .set = {.tasks = task, .task_count = 1, .wait = LCORE_WAIT_CONSTANT(0.005)},
                                  .session = session,
                                  .data = (void *)name};
}

static void *
run_worker(void *arg)
{
    struct engine *engine = arg;
    static const struct lc_task call_task = {.run = call}, tls_task = {.run = pass_tls};
    struct lc_session_options h2_options;
    lc_session_options_init(&h2_options);
    h2_options.version = LCORE_HTTP_2;
    const struct lc_user_class plain = class_of("Plain", bases[0], &call_task, NULL);
    const struct lc_user_class tls = class_of("Tls", bases[1], &tls_task, NULL);
    const struct lc_user_class h2 = class_of("H2", bases[2], &call_task, &h2_options);
    const struct lc_user_class *const classes[] = {&plain, &tls, &h2};

    struct lc_error error;
    engine->loop = lc_loop_new();
    assert_non_null(engine->loop);
    engine->signals = lc_signals_new(engine->loop, on_signal, engine, &error);
    assert_non_null(engine->signals);
    struct lc_http *http = lc_http_new(engine->loop, &error);
    assert_non_null(http);
    const struct lc_runner_options runner = {
        .size = sizeof(runner), .classes = classes, .class_count = 3, .on_log = on_log, .arg = engine};
    const struct lc_worker_options options = {
        .size = sizeof(options), .master_port = master.port, .secret = "s", .on_end = on_end, .arg = engine};
    engine->worker = lc_worker_new(engine->loop, http, &runner, &options, &error);
    assert_non_null(engine->worker);
    char prefix[96];
    snprintf(prefix, sizeof(prefix), "%s/%d", directory, engine->number);
    struct lc_report_options reports;
    lc_report_options_init(&reports);
    engine->csv = lc_csv_new(prefix, &reports, &error);
    assert_non_null(engine->csv);
    engine->metrics = lc_prometheus_server_new(engine->loop, "127.0.0.1", 0, fill, engine, &error);
    assert_non_null(engine->metrics);
    engine->metrics_port = lc_prometheus_server_port(engine->metrics);
    lc_timer_start(engine->loop, &engine->timer, 0, on_report_time);
    lc_loop_run(engine->loop);
    lc_timer_stop(engine->loop, &engine->timer);
    lc_prometheus_server_free(engine->metrics);
    lc_csv_free(engine->csv);
    lc_worker_free(engine->worker);
    lc_http_free(http);
    lc_signals_free(engine->signals);
    lc_loop_free(engine->loop);
    return NULL;
}

/* ---- the master's thread ---- */

static void
on_look(struct lc_timer *timer)
{
    if (lc_master_state(master.master) == LCORE_RUNNER_READY && lc_master_worker_count(master.master) == WORKERS) {
        assert_int_equal(lc_master_start(master.master, USERS, 1000, NULL), 0);
    }
    if (lc_master_state(master.master) == LCORE_RUNNER_STOPPED) {
        lc_loop_stop(master.loop);
        return;
    }
    lc_timer_start(master.loop, timer, lc_clock_monotonic_ns() + 10 * LCORE_NS_PER_MS, on_look);
}

static void
quit_master(void *arg)
{
    lc_master_quit(master.master);
}

static void *
run_master(void *arg)
{
    static const struct lc_user_class plain = {.size = sizeof(plain), .name = "Plain"};
    static const struct lc_user_class tls = {.size = sizeof(tls), .name = "Tls"};
    static const struct lc_user_class h2 = {.size = sizeof(h2), .name = "H2"};
    static const struct lc_user_class *const classes[] = {&plain, &tls, &h2};
    const struct lc_master_options options = {.size = sizeof(options),
                                              .bind_host = "127.0.0.1",
                                              .bind_port = -1,
                                              .secret = "s",
                                              .classes = classes,
                                              .class_count = 3,
                                              .is_rebalancing = true,
                                              .on_log = on_log};
    struct lc_error error;
    master.master = lc_master_new(master.loop, &options, &error);
    assert_non_null(master.master);
    master.port = lc_master_port(master.master);
    lc_timer_start(master.loop, &master.timer, 0, on_look);
    lc_loop_run(master.loop);
    lc_timer_stop(master.loop, &master.timer);
    struct lc_stats_numbers total;
    lc_stats_entry_numbers(lc_stats_total(lc_master_stats(master.master)), &total);
    assert_true(total.request_count >= ENOUGH / 2);
    assert_int_equal(total.failure_count, 0);
    lc_master_free(master.master);
    return NULL;
}

/* ---- who reaches in ---- */

static void
ask_metrics(int port)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
    static char answer[1 << 20];
    size_t len = 0;
    for (ssize_t got; (got = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0;) {
        len += (size_t)got;
    }
    answer[len] = '\0';
    close(fd);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_non_null(strstr(answer, "cload_users"));
}

static void
wait_for(bool (*is_so)(void))
{
    for (int i = 0; i < 6000 && !is_so(); i++) {
        pause_ms(10);
    }
    assert_true(is_so());
}

static bool
is_master_there(void)
{
    return master.port != 0;
}

static bool
are_workers_there(void)
{
    for (int i = 0; i < WORKERS; i++) {
        if (engines[i].metrics_port == 0) {
            return false;
        }
    }
    return true;
}

static void
test_a_fleet_in_threads(void **state)
{
    struct server servers[3];
    server_start(&servers[0], NULL, serve, NULL);
    server_start(&servers[1], certificate_make("DNS:localhost,IP:127.0.0.1", cert_path, NULL), serve, NULL);
    server_start(&servers[2], NULL, serve_h2, NULL);
    for (int i = 0; i < 3; i++) {
        /* A name, so that threads look it up. */
        snprintf(bases[i], sizeof(bases[i]), "http%s://localhost:%u", i == 1 ? "s" : "", servers[i].port);
    }
    master.loop = lc_loop_new();
    assert_int_equal(pthread_create(&master.thread, NULL, run_master, NULL), 0);
    wait_for(is_master_there);
    for (int i = 0; i < WORKERS; i++) {
        engines[i].number = i;
        assert_int_equal(pthread_create(&engines[i].thread, NULL, run_worker, &engines[i]), 0);
    }
    wait_for(are_workers_there);
    while (calls < ENOUGH) {
        for (int i = 0; i < WORKERS; i++) {
            ask_metrics(engines[i].metrics_port);
        }
        pause_ms(20);
    }
    /* One ends by a signal, one because another thread says so, the others with their master. */
    pthread_kill(engines[0].thread, SIGINT);
    assert_int_equal(lc_loop_call(engines[1].loop, quit_worker, &engines[1]), 0);
    pthread_join(engines[0].thread, NULL);
    pthread_join(engines[1].thread, NULL);
    assert_int_equal(lc_loop_call(master.loop, quit_master, NULL), 0);
    for (int i = 2; i < WORKERS; i++) {
        pthread_join(engines[i].thread, NULL);
    }
    pthread_join(master.thread, NULL);
    lc_loop_free(master.loop);
    for (int i = 0; i < WORKERS; i++) {
        assert_true(engines[i].has_ended && engines[i].report_count > 1);
    }
    for (int i = 0; i < 3; i++) {
        server_stop(&servers[i]);
    }
}

static int
set_up(void **state)
{
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", directory);
    return 0;
}

static int
tear_down(void **state)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_fleet_in_threads)};
    return cmocka_run_group_tests_name("threads", tests, set_up, tear_down);
}
