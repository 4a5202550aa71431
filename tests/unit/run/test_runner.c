#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "locustcore.h"
#include "base/clock.h"
#include "base/str.h"

#define MS LCORE_NS_PER_MS

static struct world {
    struct lc_loop *loop;
    struct lc_http *http;
    struct lc_runner *runner;
    struct lc_timer timer;
    void (*then)(void);
    char trace[512];
    char states[128];
    char log[1024];
    int runs, starts, stops, canceled;
    int64_t task_ns;
} world;

static void
add_text(char *to, size_t size, const char *text)
{
    strncat(to, text, size - strlen(to) - 1);
}

static int
set_up(void **state)
{
    memset(&world, 0, sizeof(world));
    struct lc_error error;
    world.loop = lc_loop_new();
    world.http = lc_http_new(world.loop, &error);
    return world.loop == NULL || world.http == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    lc_runner_free(world.runner);
    lc_http_free(world.http);
    lc_loop_free(world.loop);
    return 0;
}

static void
on_state(struct lc_runner *runner, enum lc_runner_state state, void *arg)
{
    assert_null(lc_fiber_self());
    add_text(world.states, sizeof(world.states), lc_runner_state_text(state));
    add_text(world.states, sizeof(world.states), " ");
    if (state == LCORE_RUNNER_STOPPED) {
        lc_loop_stop(world.loop);
    }
}

static void
on_log(const char *text, void *arg)
{
    add_text(world.log, sizeof(world.log), text);
    add_text(world.log, sizeof(world.log), "\n");
}

static struct lc_runner_options
options_for(const struct lc_user_class *const *classes, size_t count)
{
    return (struct lc_runner_options){.size = sizeof(struct lc_runner_options),
                                      .classes = classes,
                                      .class_count = count,
                                      .seed = 1,
                                      .on_state = on_state,
                                      .on_log = on_log};
}

static void
make_runner(const struct lc_runner_options *options)
{
    struct lc_error error;
    world.runner = lc_runner_new(world.loop, world.http, options, &error);
    if (world.runner == NULL) {
        fail_msg("%s", error.text);
    }
    assert_ptr_equal(lc_runner_loop(world.runner), world.loop);
    assert_ptr_equal(lc_runner_http(world.runner), world.http);
}

static void
call_then(struct lc_timer *timer)
{
    world.then();
}

static void
after_ms(int ms, void (*then)(void))
{
    world.then = then;
    assert_int_equal(lc_timer_start(world.loop, &world.timer, lc_clock_monotonic_ns() + ms * MS, call_then), 0);
}

static void
stop_runner(void)
{
    lc_runner_stop(world.runner);
}

static void
run_for_ms(uint64_t users, double rate, int ms)
{
    struct lc_error error;
    assert_int_equal(lc_runner_start(world.runner, users, rate, &error), 0);
    after_ms(ms, stop_runner);
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_int_equal(lc_runner_state(world.runner), LCORE_RUNNER_STOPPED);
    assert_int_equal(lc_runner_user_count(world.runner), 0);
}

static int
count_start(struct lc_user *user)
{
    world.starts++;
    return 0;
}

static int
count_stop(struct lc_user *user)
{
    world.stops++;
    /* on_stop may take its time, also when the task was canceled (API-93). */
    return lc_user_sleep(user, MS);
}

static int
sleepy_task(struct lc_user *user)
{
    world.runs++;
    int err = lc_user_sleep(user, world.task_ns);
    world.canceled += err == LCE_CANCELED;
    return err;
}

static const struct lc_task SLEEPY_TASKS[] = {{.name = "sleepy", .run = sleepy_task}};
static const struct lc_user_class SLEEPY = {
    .size = sizeof(struct lc_user_class),
    .name = "Sleepy",
    .set = {LCORE_TASKS(SLEEPY_TASKS), .on_start = count_start, .on_stop = count_stop},
};
static const struct lc_user_class WAITING = {
    .size = sizeof(struct lc_user_class),
    .name = "Waiting",
    .weight = 3,
    .set = {LCORE_TASKS(SLEEPY_TASKS), .wait = LCORE_WAIT_CONSTANT(1000), .on_start = count_start,
            .on_stop = count_stop},
};
static const struct lc_user_class *const BOTH[] = {&SLEEPY, &WAITING};

/* DST-47, API-93: tasks are cut, on_stop runs for each user. */
static void
test_stop_at_once(void **state)
{
    struct lc_runner_options options = options_for(BOTH, 2);
    make_runner(&options);
    world.task_ns = 1000000 * MS;
    run_for_ms(8, 1000, 30);
    assert_string_equal(world.states, "spawning running stopping stopped ");
    assert_int_equal(world.starts, 8);
    assert_int_equal(world.stops, 8);
    assert_int_equal(world.canceled, 8);
    assert_int_equal(lc_runner_exception_count(world.runner), 0);
    assert_int_equal(lc_runner_exit_code(world.runner), 0);
    assert_string_equal(world.log, "");
    /* Again on the same runner. */
    run_for_ms(2, 1000, 10);
    assert_int_equal(world.starts, 10);
    assert_int_equal(world.stops, 10);
}

/* API-94: waiting users go at once, running ones finish their task. */
static void
test_stop_with_patience(void **state)
{
    struct lc_runner_options options = options_for(BOTH, 2);
    options.stop_timeout_ns = 10000 * MS;
    make_runner(&options);
    world.task_ns = 40 * MS;
    run_for_ms(4, 1000, 60);
    assert_int_equal(world.stops, 4);
    assert_int_equal(world.canceled, 0);
}

static void
test_patience_ends(void **state)
{
    struct lc_runner_options options = options_for(BOTH, 1);
    options.stop_timeout_ns = 30 * MS;
    make_runner(&options);
    world.task_ns = 1000000 * MS;
    int64_t begin_ns = lc_clock_monotonic_ns();
    run_for_ms(4, 1000, 10);
    assert_true(lc_clock_monotonic_ns() - begin_ns >= 40 * MS);
    assert_int_equal(world.stops, 4);
    assert_int_equal(world.canceled, 4);
}

static void
stop_twice(void)
{
    lc_runner_stop(world.runner);
    lc_runner_stop(world.runner);
}

static void
test_second_stop_ends_patience(void **state)
{
    struct lc_runner_options options = options_for(BOTH, 1);
    options.stop_timeout_ns = 1000000 * MS;
    make_runner(&options);
    world.task_ns = 1000000 * MS;
    assert_int_equal(lc_runner_start(world.runner, 3, 100, NULL), 0);
    after_ms(10, stop_twice);
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_int_equal(world.canceled, 3);
    assert_int_equal(world.stops, 3);
}

static void
check_counts_and_shrink(void)
{
    assert_int_equal(lc_runner_class_user_count(world.runner, 0), 2);
    assert_int_equal(lc_runner_class_user_count(world.runner, 1), 6);
    assert_int_equal(lc_runner_start(world.runner, 3, 100, NULL), 0);
    after_ms(20, stop_runner);
}

/* DST-67, DST-69: the mix, and going down while it runs. */
static void
test_change_of_users(void **state)
{
    struct lc_runner_options options = options_for(BOTH, 2);
    make_runner(&options);
    assert_int_equal(lc_runner_start(world.runner, 8, 1000, NULL), 0);
    after_ms(20, check_counts_and_shrink);
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_string_equal(world.states, "spawning running spawning running stopping stopped ");
    assert_int_equal(world.starts, 8);
    assert_int_equal(world.stops, 8);
}

/* DST-72, DST-63: the first user comes at once, the second would a second later. */
static void
test_run_time_and_ramp(void **state)
{
    struct lc_runner_options options = options_for(BOTH, 1);
    options.run_time_ns = 150 * MS;
    make_runner(&options);
    world.task_ns = MS;
    struct lc_error error;
    assert_int_equal(lc_runner_start(world.runner, 10, 1, &error), 0);
    int64_t begin_ns = lc_clock_monotonic_ns();
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_true(lc_clock_monotonic_ns() - begin_ns >= 150 * MS);
    assert_string_equal(world.states, "spawning stopping stopped ");
    assert_int_equal(world.starts, 1);
}

static bool
shape(void *arg, double run_time_s, struct lc_shape_tick *tick)
{
    tick->users = 3;
    tick->spawn_rate = 100;
    return ++*(int *)arg < 2;
}

/* DST-76 */
static void
test_shape(void **state)
{
    struct lc_runner_options options = options_for(BOTH, 2);
    int ticks = 0;
    options.shape = shape;
    options.shape_arg = &ticks;
    make_runner(&options);
    assert_int_equal(lc_runner_start(world.runner, 0, 0, NULL), 0);
    assert_int_equal(lc_runner_start(world.runner, 0, 0, NULL), LCE_INVALID);
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_int_equal(world.starts, 3);
    assert_int_equal(ticks, 2);
}

static int
trace_a(struct lc_user *user)
{
    add_text(world.trace, sizeof(world.trace), "a ");
    return 0;
}

static int
trace_in(struct lc_user *user)
{
    add_text(world.trace, sizeof(world.trace), "in ");
    return 0;
}

static int
trace_out(struct lc_user *user)
{
    add_text(world.trace, sizeof(world.trace), "out ");
    return 0;
}

static int
trace_leave(struct lc_user *user)
{
    add_text(world.trace, sizeof(world.trace), "leave ");
    return LCORE_TASK_LEAVE;
}

static int
trace_end(struct lc_user *user)
{
    if (++world.runs < 2) {
        return LCORE_TASK_AGAIN;
    }
    add_text(world.trace, sizeof(world.trace), "end ");
    lc_runner_stop(lc_user_runner(user));
    return 0;
}

/* API-55, API-64 */
static void
test_nested_sets(void **state)
{
    const struct lc_task inner_tasks[] = {{.run = trace_a}, {.run = trace_leave}};
    const struct lc_task_set inner = {LCORE_TASKS(inner_tasks), .is_sequential = true, .on_start = trace_in,
                                      .on_stop = trace_out};
    const struct lc_task tasks[] = {{.run = trace_a}, {.set = &inner}, {.run = trace_end}};
    const struct lc_user_class class = {
        .size = sizeof(struct lc_user_class),
        .name = "Nested",
        .set = {LCORE_TASKS(tasks), .is_sequential = true, .on_start = trace_in, .on_stop = trace_out},
    };
    const struct lc_user_class *const classes[] = {&class};
    struct lc_runner_options options = options_for(classes, 1);
    make_runner(&options);
    assert_int_equal(lc_runner_start(world.runner, 1, 1, NULL), 0);
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_string_equal(world.trace, "in a in a leave out a in a leave out end out ");
}

static int
stop_self(struct lc_user *user)
{
    return ++world.runs < 3 ? LCE_FORMAT : LCORE_TASK_STOP;
}

static int
refuse(struct lc_user *user)
{
    return LCE_NOTFOUND;
}

/* API-81, API-84, API-89 */
static void
test_exceptions(void **state)
{
    const struct lc_task tasks[] = {{.name = "fails", .run = stop_self}};
    const struct lc_user_class failing = {
        .size = sizeof(struct lc_user_class), .name = "Failing", .set = {LCORE_TASKS(tasks), .on_stop = count_stop}};
    const struct lc_user_class refused = {.size = sizeof(struct lc_user_class),
                                          .name = "Refused",
                                          .set = {LCORE_TASKS(tasks), .on_start = refuse, .on_stop = count_stop}};
    const struct lc_user_class *const classes[] = {&failing, &refused};
    struct lc_runner_options options = options_for(classes, 2);
    make_runner(&options);
    run_for_ms(2, 10, 20);
    assert_int_equal(world.runs, 3);
    assert_int_equal(world.stops, 1);
    assert_int_equal(lc_runner_exception_count(world.runner), 3);
    assert_int_equal(lc_runner_exit_code(world.runner), 1);
    size_t position = 0;
    struct lc_runner_exception row;
    int rows = 0;
    while (lc_runner_next_exception(world.runner, &position, &row)) {
        rows++;
        if (row.code == LCE_FORMAT) {
            assert_int_equal(row.count, 2);
            assert_string_equal(row.where, "fails");
        } else {
            assert_string_equal(row.user_class, "Refused");
            assert_string_equal(row.where, "on_start");
        }
    }
    assert_int_equal(rows, 2);
    assert_non_null(strstr(world.log, "user Failing, fails: malformed input\n"));
}

static int
spin(struct lc_user *user)
{
    world.runs++;
    return 0;
}

/* Tasks that never wait starve nobody: the timer that stops them comes through (API-58). */
static void
test_busy_tasks(void **state)
{
    const struct lc_task tasks[] = {{.run = spin}};
    const struct lc_user_class class = {
        .size = sizeof(struct lc_user_class), .name = "Busy", .set = {LCORE_TASKS(tasks), .on_stop = count_stop}};
    const struct lc_user_class *const classes[] = {&class};
    struct lc_runner_options options = options_for(classes, 1);
    make_runner(&options);
    run_for_ms(10, 10, 50);
    assert_true(world.runs > 1000);
    assert_int_equal(world.stops, 10);
}

static void
test_bad_arguments(void **state)
{
    struct lc_error error;
    struct lc_runner_options options = options_for(BOTH, 0);
    assert_null(lc_runner_new(world.loop, world.http, &options, &error));
    const struct lc_user_class *const twice[] = {&SLEEPY, &SLEEPY};
    options = options_for(twice, 2);
    assert_null(lc_runner_new(world.loop, world.http, &options, &error));
    assert_int_equal(error.code, LCE_INVALID);
    const struct lc_user_class empty = {.size = sizeof(struct lc_user_class), .name = "Empty"};
    const struct lc_user_class *const no_tasks[] = {&empty};
    options = options_for(no_tasks, 1);
    assert_null(lc_runner_new(world.loop, world.http, &options, &error));
    assert_string_equal(error.text, "user class Empty: no tasks");
    options = options_for(BOTH, 2);
    make_runner(&options);
    assert_int_equal(lc_runner_start(world.runner, 1, 0, NULL), LCE_INVALID);
    assert_int_equal(lc_runner_start(world.runner, 1, NAN, &error), LCE_INVALID);
    assert_int_equal(lc_runner_start(world.runner, UINT64_MAX, 1, &error), LCE_INVALID);
    lc_runner_stop(world.runner);
    assert_int_equal(lc_runner_state(world.runner), LCORE_RUNNER_READY);
}

/* A server of its own thread that answers one connection after the other: /missing with 404, /hang never, all else with
 * 200. */
struct server {
    int fd;
    atomic_int client; /* -1: none */
    char url[64];
    pthread_t thread;
};

static void *
serve(void *arg)
{
    struct server *server = arg;
    for (;;) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        server->client = fd;
        char request[4096];
        size_t len = 0;
        ssize_t got;
        while ((got = recv(fd, request + len, sizeof(request) - 1 - len, 0)) > 0) {
            len += (size_t)got;
            request[len] = '\0';
            char *end = strstr(request, "\r\n\r\n");
            char *body = strstr(request, "Content-Length: ");
            if (end == NULL || (body != NULL && end + 4 + strtol(body + 16, NULL, 10) > request + len)) {
                continue;
            }
            len = 0;
            if (strstr(request, " /hang ") != NULL) {
                continue;
            }
            const char *answer = strstr(request, " /missing ") != NULL
                                     ? "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n"
                                     : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0) {
                break;
            }
        }
        server->client = -1;
        close(fd);
    }
}

static void
server_start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    server->client = -1;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void
server_stop(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    /* The client may leave its closing to a later round of its loop. */
    shutdown(server->client, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

static int
browse(struct lc_user *user)
{
    const struct lc_response *response = NULL;
    assert_int_equal(lc_user_get(user, "/hello?x=1", NULL, &response), 0);
    assert_int_equal(response->status, 200);
    assert_true(lc_str_equal(response->body, LCORE_STR("ok")));
    assert_int_equal(lc_user_get(user, "/hello?x=2", "named", NULL), 0);
    lc_user_fail(user, "too %s", "ok");
    assert_int_equal(lc_user_get(user, "/missing", NULL, &response), 0);
    assert_int_equal(response->status, 404);
    assert_int_equal(lc_user_get(user, "/missing", "fine", NULL), 0);
    lc_user_pass(user);
    assert_int_equal(lc_user_post_json(user, "/post", NULL, "{\"a\":1}", &response), 0);
    assert_int_equal(response->status, 200);
    assert_int_equal(lc_user_count(user, "JOB", "thing", 3 * MS, 7, NULL), 0);
    assert_int_equal(lc_user_get(user, "http://127.0.0.1:1/", "nobody", &response), 0);
    assert_int_equal(response->fail, LCORE_FAIL_REFUSED);
    int err = lc_user_get(user, "gopher://x/", NULL, NULL);
    assert_true(err < 0);
    lc_runner_stop(lc_user_runner(user));
    return err;
}

/* API-155, API-162, API-175, API-176 */
static void
test_calls(void **state)
{
    struct server server;
    server_start(&server);
    const struct lc_task tasks[] = {{.name = "browse", .run = browse}};
    const struct lc_user_class class = {
        .size = sizeof(struct lc_user_class), .name = "Browser", .set = {LCORE_TASKS(tasks)}};
    const struct lc_user_class *const classes[] = {&class};
    struct lc_runner_options options = options_for(classes, 1);
    options.host = server.url;
    make_runner(&options);
    assert_int_equal(lc_runner_start(world.runner, 1, 1, NULL), 0);
    assert_int_equal(lc_loop_run(world.loop), 0);
    server_stop(&server);
    const struct {
        const char *name, *method;
        uint64_t requests, failures;
    } expected[] = {{"/hello?x=1", "GET", 1, 0}, {"named", "GET", 1, 1},  {"/missing", "GET", 1, 1},
                    {"fine", "GET", 1, 0},       {"/post", "POST", 1, 0}, {"thing", "JOB", 1, 0},
                    {"nobody", "GET", 1, 1}};
    struct lc_stats *stats = lc_runner_stats(world.runner);
    assert_int_equal(lc_stats_count(stats), 7);
    for (size_t i = 0; i < 7; i++) {
        struct lc_stats_numbers numbers;
        lc_stats_entry_numbers(lc_stats_entry(stats, lc_str_from(expected[i].name), lc_str_from(expected[i].method)),
                               &numbers);
        assert_int_equal(numbers.request_count, expected[i].requests);
        assert_int_equal(numbers.failure_count, expected[i].failures);
    }
    assert_int_equal(lc_stats_failure_count(stats), 3);
    struct lc_stats_failure failure;
    lc_stats_failure_at(stats, 0, &failure);
    assert_true(lc_str_equal(failure.text, LCORE_STR("too ok")));
    lc_stats_failure_at(stats, 1, &failure);
    assert_true(lc_str_equal(failure.text, LCORE_STR("404 Not Found")));
    assert_non_null(strstr(world.log, "Browser gopher://x/: "));
    assert_int_equal(lc_runner_exception_count(world.runner), 1);
}

static int
hang(struct lc_user *user)
{
    world.runs++;
    int err = lc_user_get(user, "/hang", NULL, NULL);
    world.canceled += err == LCE_CANCELED;
    return err;
}

static int
say_goodbye(struct lc_user *user)
{
    const struct lc_response *response;
    world.stops++;
    assert_int_equal(lc_user_get(user, "/bye", NULL, &response), 0);
    assert_int_equal(response->status, 200);
    return 0;
}

/* API-93: a call in flight is cut and not counted; on_stop can make calls. */
static void
test_stop_during_a_call(void **state)
{
    struct server server;
    server_start(&server);
    const struct lc_task tasks[] = {{.run = hang}};
    const struct lc_user_class class = {.size = sizeof(struct lc_user_class),
                                        .name = "Patient",
                                        .host = server.url,
                                        .set = {LCORE_TASKS(tasks), .on_stop = say_goodbye}};
    const struct lc_user_class *const classes[] = {&class};
    struct lc_runner_options options = options_for(classes, 1);
    make_runner(&options);
    run_for_ms(1, 1, 50);
    server_stop(&server);
    assert_int_equal(world.runs, 1);
    assert_int_equal(world.canceled, 1);
    assert_int_equal(world.stops, 1);
    assert_int_equal(lc_stats_count(lc_runner_stats(world.runner)), 1);
    assert_int_equal(lc_runner_exit_code(world.runner), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stop_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_with_patience, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patience_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_second_stop_ends_patience, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_change_of_users, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_run_time_and_ramp, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shape, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nested_sets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exceptions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_busy_tasks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_arguments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_during_a_call, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
