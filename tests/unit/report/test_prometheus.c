#include "report/prometheus.h"

#include <math.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"

static struct lc_buffer
expose(struct lc_stats *stats, const struct lc_prometheus_options *options)
{
    struct lc_buffer text = {0};
    assert_int_equal(lc__prometheus(&text, stats, options), 0);
    assert_int_equal(lc_buffer_append(&text, "", 1), 0);
    return text;
}

/* Whole lines that must be there, in this order. */
static void
assert_lines(const struct lc_buffer *text, const char *const *lines)
{
    const char *at = text->data;
    for (; *lines != NULL; lines++) {
        const char *found = at;
        size_t len = strlen(*lines);
        while ((found = strstr(found, *lines)) != NULL &&
               ((found > text->data && found[-1] != '\n') || found[len] != '\n')) {
            found++;
        }
        if (found == NULL) {
            fail_msg("not there, or not in order: %s\nin:\n%s", *lines, at);
            return; /* for the analyzer */
        }
        at = found;
    }
}

static void
test_names_in_order_of_use(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_phases phases = {.ns = {-1, -1, -1, 2000000, 1, -1}};
    assert_int_equal(lc_stats_log_phases(stats, lc_stats_at(stats, 0), &phases), 0);
    assert_int_equal(lc_stats_log_request(stats, lc_stats_at(stats, 0), -1, 0, 1000), 0);
    struct lc_prometheus_options options;
    lc_prometheus_options_init(&options);
    struct lc_buffer text = expose(stats, &options);
    static const char *const lines[] = {
        "# HELP cload_build_info 1; the version is the label.",
        "# TYPE cload_build_info gauge",
        "# TYPE cload_start_time_seconds gauge",
        "cload_start_time_seconds 990",
        "# TYPE cload_requests_total counter",
        "cload_requests_total{method=\"GET\",name=\"/b\"} 3",
        "cload_requests_total{method=\"POST\",name=\"/a\"} 0",
        "cload_failures_total{method=\"GET\",name=\"/b\"} 1",
        "cload_response_bytes_total{method=\"GET\",name=\"/b\"} 15",
        "# TYPE cload_response_time_seconds histogram",
        "cload_response_time_seconds_bucket{method=\"GET\",name=\"/b\",le=\"0.0025\"} 0",
        "cload_response_time_seconds_bucket{method=\"GET\",name=\"/b\",le=\"0.005\"} 1",
        "cload_response_time_seconds_bucket{method=\"GET\",name=\"/b\",le=\"0.01\"} 1",
        "cload_response_time_seconds_bucket{method=\"GET\",name=\"/b\",le=\"0.025\"} 2",
        "cload_response_time_seconds_bucket{method=\"GET\",name=\"/b\",le=\"1.0\"} 2",
        "cload_response_time_seconds_bucket{method=\"GET\",name=\"/b\",le=\"+Inf\"} 2",
        "cload_response_time_seconds_sum{method=\"GET\",name=\"/b\"} 0.02375",
        "cload_response_time_seconds_count{method=\"GET\",name=\"/b\"} 2",
        "# TYPE cload_phase_seconds summary",
        "cload_phase_seconds_sum{method=\"GET\",name=\"/b\",phase=\"queue\"} 0.002",
        "cload_phase_seconds_count{method=\"GET\",name=\"/b\",phase=\"queue\"} 1",
        "cload_phase_seconds_sum{method=\"GET\",name=\"/b\",phase=\"first_byte\"} 0.000000001",
        "cload_exceptions_total 0",
        "locust_requests_fail_ratio 0.333333333",
        "locust_requests_num_requests{method=\"GET\",name=\"/b\"} 3",
        "locust_requests_num_requests{method=\"\",name=\"Aggregated\"} 3",
        "locust_requests_avg_response_time{method=\"GET\",name=\"/b\"} 11.875",
        "locust_requests_max_response_time{method=\"\",name=\"Aggregated\"} 20.25",
        "locust_errors{method=\"GET\",name=\"/b\",error=\"it's, \\\"x\\\"\"} 1",
        NULL,
    };
    assert_lines(&text, lines);
    assert_null(strstr(text.data, "# EOF"));
    assert_null(strstr(text.data, "cload_workers"));
    lc_buffer_fini(&text);
    lc_stats_free(stats);
}

static void
test_the_run(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    const struct lc_prometheus_users users[] = {{LCORE_STR("Buyer"), 2}, {LCORE_STR("Idle"), 0}};
    const struct lc_prometheus_worker workers[] = {
        {LCORE_STR("w\\1"), LCORE_STR("spawning"), 2},
        {LCORE_STR("w2"), LCORE_STR("missing"), 0},
    };
    struct lc_prometheus_generator generator = {
        .cpu = 0.5, .starved = 0.25, .delay_s = 0.0125, .is_lagging = true, .seconds = 10, .lagging_seconds = 3};
    struct lc_prometheus_options options;
    lc_prometheus_options_init(&options);
    options.state = LCORE_STR("spawning");
    options.user_count = 2;
    options.users = users;
    options.users_count = 2;
    options.is_master = true;
    options.workers = workers;
    options.worker_count = 2;
    options.exception_count = 7;
    options.generator = &generator;
    options.is_openmetrics = true;
    struct lc_buffer text = expose(stats, &options);
    static const char *const lines[] = {
        "cload_state{state=\"ready\"} 0",
        "cload_state{state=\"spawning\"} 1",
        "cload_users{user_class=\"Buyer\"} 2",
        "cload_users{user_class=\"Idle\"} 0",
        "cload_workers{state=\"spawning\"} 1",
        "cload_workers{state=\"running\"} 0",
        "cload_workers{state=\"missing\"} 1",
        "# TYPE cload_requests counter", /* the family of OpenMetrics */
        "# TYPE cload_exceptions counter",
        "cload_exceptions_total 7",
        "cload_generator_cpu_cores 0.5",
        "cload_generator_starved_ratio 0.25",
        "cload_generator_delay_seconds 0.0125",
        "cload_generator_lagging 1",
        "cload_generator_seconds_total 10",
        "cload_generator_lagging_seconds_total 3",
        "locust_running 1",
        "locust_users 2",
        "locust_workers_count 2",
        "locust_worker_detail{id=\"w\\\\1\",state=\"spawning\"} 2",
        NULL,
    };
    assert_lines(&text, lines);
    assert_string_equal(text.data + text.len - 7, "# EOF\n");
    lc_buffer_fini(&text);
    lc_stats_free(stats);
}

static void
test_a_worker_leaves_requests_to_its_master(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_prometheus_options options;
    lc_prometheus_options_init(&options);
    options.is_worker = true;
    struct lc_buffer text = expose(stats, &options);
    assert_null(strstr(text.data, "/b"));
    assert_null(strstr(text.data, "locust_"));
    static const char *const lines[] = {"cload_state{state=\"ready\"} 1", "cload_exceptions_total 0", NULL};
    assert_lines(&text, lines);
    lc_buffer_fini(&text);
    lc_stats_free(stats);
}

static void
test_labels_are_escaped_and_always_utf8(void **state)
{
    struct lc_buffer text = {0};
    assert_int_equal(lc__prometheus_append_label(&text, LCORE_STR("a\"b\\c\nd\xc3\xa4\xff\xe2\x82")), 0);
    assert_text(&text, "a\\\"b\\\\c\\nd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void
test_further_names_are_counted_together(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    lc_stats_clear(stats, 990);
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof(name), "/%d", i);
        struct lc_stats_entry *entry = lc_stats_entry(stats, (struct lc_str){name, strlen(name)}, LCORE_STR("GET"));
        assert_non_null(entry);
        assert_int_equal(lc_stats_log_request(stats, entry, (i + 1) * INT64_C(1000000), 10, 1000), 0);
    }
    struct lc_prometheus_options options;
    lc_prometheus_options_init(&options);
    options.name_limit = 2;
    struct lc_buffer text = expose(stats, &options);
    static const char *const lines[] = {
        "cload_requests_total{method=\"GET\",name=\"/0\"} 1",
        "cload_requests_total{method=\"GET\",name=\"/1\"} 1",
        "cload_requests_total{method=\"\",name=\"(further names)\"} 3",
        "cload_response_time_seconds_bucket{method=\"\",name=\"(further names)\",le=\"0.0025\"} 0",
        "cload_response_time_seconds_bucket{method=\"\",name=\"(further names)\",le=\"0.005\"} 3",
        "cload_response_time_seconds_sum{method=\"\",name=\"(further names)\"} 0.012",
        "locust_requests_avg_response_time{method=\"\",name=\"(further names)\"} 4",
        "locust_requests_min_response_time{method=\"\",name=\"(further names)\"} 3",
        "locust_requests_median_response_time{method=\"\",name=\"(further names)\"} NaN",
        NULL,
    };
    assert_lines(&text, lines);
    assert_null(strstr(text.data, "/2"));
    lc_buffer_fini(&text);
    lc_stats_free(stats);
}

/* What is logged on a bound is within it, what is a thousandth above is not. */
static void
test_bounds_are_met(void **state)
{
#define BOUND(bound) bound,
#define TEXT(bound) #bound,
    static const double bounds[] = {LCORE_PROMETHEUS_BOUND_LIST(BOUND)};
    static const char *const texts[] = {LCORE_PROMETHEUS_BOUND_LIST(TEXT)};
    struct lc_prometheus_options options;
    lc_prometheus_options_init(&options);
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        struct lc_stats *stats = lc_stats_new();
        assert_non_null(stats);
        struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("n"), LCORE_STR("M"));
        assert_non_null(entry);
        double margin_ns = fmax(bounds[i] * 1e9 * 0.001, 1000);
        assert_int_equal(lc_stats_log_request(stats, entry, llround(bounds[i] * 1e9), 0, 1), 0);
        assert_int_equal(lc_stats_log_request(stats, entry, llround(bounds[i] * 1e9 + margin_ns), 0, 1), 0);
        struct lc_buffer text = expose(stats, &options);
        char line[128];
        snprintf(line, sizeof(line), "cload_response_time_seconds_bucket{method=\"M\",name=\"n\",le=\"%s\"} 1",
                 texts[i]);
        const char *const lines[] = {line, NULL};
        assert_lines(&text, lines);
        lc_buffer_fini(&text);
        lc_stats_free(stats);
    }
#undef BOUND
#undef TEXT
}

static void
test_long_failures_are_cut_and_the_rest_left_out(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("n"), LCORE_STR("M"));
    assert_non_null(entry);
    for (int i = 0; i < 3; i++) {
        char error[402];
        memset(error, 'x', sizeof(error));
        memcpy(error + 299, "\xc3\xa4", 2); /* begins within what is kept, ends behind it */
        error[400] = (char)('0' + i);
        assert_int_equal(lc_stats_log_failure(stats, entry, (struct lc_str){error, 401}, 1000), 0);
    }
    struct lc_prometheus_options options;
    lc_prometheus_options_init(&options);
    options.failure_limit = 2;
    struct lc_buffer text = expose(stats, &options);
    const char *first = strstr(text.data, "xxx... (1)\"} 1\n");
    assert_non_null(first);
    const char *second = strstr(first, "xxx... (2)\"} 1\n");
    assert_non_null(second);
    assert_null(strstr(second, "... (3)"));
    lc_buffer_fini(&text);
    lc_stats_free(stats);
}

static void
test_written_to_a_file(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_prometheus_options options;
    lc_prometheus_options_init(&options);
    char *written;
    size_t len;
    FILE *file = open_memstream(&written, &len);
    assert_non_null(file);
    assert_int_equal(lc_report_print_prometheus(file, stats, &options), 0);
    assert_int_equal(fclose(file), 0);
    struct lc_buffer text = expose(stats, &options);
    assert_string_equal(written, text.data);
    free(written);
    options.size++;
    assert_int_equal(lc_report_print_prometheus(stdout, stats, &options), LCE_INVALID);
    lc_buffer_fini(&text);
    lc_stats_free(stats);
}

static struct lc_stats *
fill(struct lc_prometheus_options *options, void *arg)
{
    options->user_count = 5;
    return arg;
}

/* What the server answers to these bytes, as a string of its own; `is_closing`: the client sends nothing more. */
static char *
ask(struct lc_loop *loop, const struct lc_prometheus_server *server, const char *request, bool is_closing)
{
    enum { ROOM = 65536 };
    char *answer = calloc(ROOM, 1);
    assert_non_null(answer);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)lc_prometheus_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    /* In two pieces, as it may come. */
    size_t len = strlen(request);
    assert_int_equal(send(fd, request, len / 2, MSG_NOSIGNAL), len / 2);
    lc_loop_poll(loop);
    (void)send(fd, request + len / 2, len - len / 2, MSG_NOSIGNAL);
    if (is_closing) {
        shutdown(fd, SHUT_WR);
    }
    size_t got = 0;
    for (int tries = 0; tries < 5000; tries++) {
        lc_loop_poll(loop);
        ssize_t more = recv(fd, answer + got, ROOM - 1 - got, MSG_DONTWAIT);
        if (more == 0 || (more < 0 && errno != EAGAIN)) {
            close(fd);
            return answer;
        }
        got += more < 0 ? 0 : (size_t)more;
        usleep(1000);
    }
    fail_msg("no end of the answer to %s", request);
    return NULL;
}

static void
test_served_on_a_loop(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_loop *loop = lc_loop_new();
    assert_non_null(loop);
    struct lc_error error;
    struct lc_prometheus_server *server = lc_prometheus_server_new(loop, "127.0.0.1", 0, fill, stats, &error);
    assert_non_null(server);
    assert_null(lc_prometheus_server_new(loop, "127.0.0.1", lc_prometheus_server_port(server), fill, stats, &error));
    assert_int_equal(error.code, LCE_SYSTEM);
    assert_null(lc_prometheus_server_new(loop, "127.0.0.1", 70000, fill, stats, &error));
    assert_int_equal(error.code, LCE_INVALID);
    char *long_head = calloc(8193, 1);
    assert_non_null(long_head);
    memset(long_head, 'x', 8192);
    const struct {
        const char *request, *begin, *in;
        bool is_closing;
    } cases[] = {
        {"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: " LCORE_PROMETHEUS_TEXT,
         "\nlocust_users 5\n", false},
        {"GET /metrics HTTP/1.0\r\naccept: application/openmetrics-text\r\n\r\n", "HTTP/1.1 200 OK\r\n", "# EOF\n",
         false},
        {"HEAD /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Connection: close\r\n\r\n", false},
        {"GET /metricsx HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", "/metrics", false},
        {"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ", "GET", false},
        {"\x16\x03\x01\r\n\r\n", "HTTP/1.1 400 ", "", false},
        {"GET\r\n\r\n", "HTTP/1.1 400 ", "", false},
        {"GET /metrics\r\n\r\n", "HTTP/1.1 400 ", "", false},
        {"GET /metrics HTT", "", "", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *answer = ask(loop, server, cases[i].request, cases[i].is_closing);
        assert_memory_equal(answer, cases[i].begin, strlen(cases[i].begin));
        assert_non_null(strstr(answer, cases[i].in));
        free(answer);
    }
    free(ask(loop, server, long_head, false)); /* what is left unread may cost it the answer */
    free(long_head);
    /* One that says nothing is closed with the server. */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)lc_prometheus_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    for (int i = 0; i < 100; i++) {
        lc_loop_poll(loop);
        usleep(100);
    }
    lc_prometheus_server_free(server);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    lc_prometheus_server_free(NULL);
    lc_loop_free(loop);
    lc_stats_free(stats);
}

/* A process without descriptors to spare, as under load, is not kept busy by who wants to read metrics. */
static void
test_without_descriptors(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_loop *loop = lc_loop_new();
    struct lc_error error;
    struct lc_prometheus_server *server = lc_prometheus_server_new(loop, "127.0.0.1", 0, fill, stats, &error);
    assert_non_null(server);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)lc_prometheus_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(fd, "GET /metrics HTTP/1.1\r\n\r\n", 25, MSG_NOSIGNAL), 25);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(fd);
    close(next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next, before.rlim_max}), 0);
    int callbacks = 0;
    for (int i = 0; i < 1000; i++) {
        callbacks += lc_loop_poll(loop);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_in_range(callbacks, 1, 500);
    char byte = 0;
    for (int i = 0; i < 5000 && recv(fd, &byte, 1, MSG_DONTWAIT) != 1; i++) {
        lc_loop_poll(loop);
        usleep(1000);
    }
    assert_int_equal(byte, 'H');
    close(fd);
    lc_prometheus_server_free(server);
    lc_loop_free(loop);
    lc_stats_free(stats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_in_order_of_use),
        cmocka_unit_test(test_the_run),
        cmocka_unit_test(test_a_worker_leaves_requests_to_its_master),
        cmocka_unit_test(test_labels_are_escaped_and_always_utf8),
        cmocka_unit_test(test_further_names_are_counted_together),
        cmocka_unit_test(test_bounds_are_met),
        cmocka_unit_test(test_long_failures_are_cut_and_the_rest_left_out),
        cmocka_unit_test(test_written_to_a_file),
        cmocka_unit_test(test_served_on_a_loop),
        cmocka_unit_test(test_without_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
