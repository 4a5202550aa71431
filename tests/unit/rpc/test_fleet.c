/* A master and workers in one process, on one loop, over the real network stack. */
#include "../support.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/list.h"
#include "locustcore.h"
#include "rpc/master_state.h"
#include "rpc/node.h"

#define WORKERS 3

struct scene {
    struct lc_loop *loop;
    struct lc_http *http;
    struct lc_master *master;
    struct lc_worker *workers[WORKERS];
    int ended[WORKERS];
    struct lc_timer poll, limit;
    bool (*is_done)(struct scene *scene);
    bool is_over_time;
    int messages_at_master, messages_at_workers;
    int64_t looked_ns; /* when the master's pace was looked at */
    char log[32768];
};

static int
count_something(struct lc_user *user)
{
    return lc_user_count(user, "TICK", "tick", 5000000, 10, NULL);
}

static int
fail_somehow(struct lc_user *user)
{
    return LCE_INVALID;
}

static const struct lc_task TICKS[] = {{.name = "tick", .run = count_something}};
static const struct lc_task FAILS[] = {{.name = "fail", .run = fail_somehow}};
static const struct lc_user_class TICKER = {.size = sizeof(struct lc_user_class),
                                            .name = "Ticker",
                                            .set = {LCORE_TASKS(TICKS), .wait = LCORE_WAIT_CONSTANT(0.01)}};
static const struct lc_user_class FAILER = {.size = sizeof(struct lc_user_class),
                                            .name = "Failer",
                                            .fixed_count = 1,
                                            .set = {LCORE_TASKS(FAILS), .wait = LCORE_WAIT_CONSTANT(0.01)}};
static const struct lc_user_class *const CLASSES[] = {&TICKER, &FAILER};

static void
on_log(const char *text, void *arg)
{
    struct scene *scene = arg;
    size_t len = strlen(scene->log);
    snprintf(scene->log + len, sizeof(scene->log) - len, "%s\n", text);
}

static void
on_end(struct lc_worker *worker, int result, void *arg)
{
    struct scene *scene = arg;
    for (int i = 0; i < WORKERS; i++) {
        if (scene->workers[i] == worker) {
            scene->ended[i]++;
            assert_int_equal(result, 0);
        }
    }
}

static void
on_worker_message(struct lc_worker *worker, struct lc_str type, struct lc_str data, void *arg)
{
    struct scene *scene = arg;
    if (!lc_str_equal(type, LCORE_STR("ping"))) {
        return;
    }
    scene->messages_at_workers++;
    assert_int_equal(lc_worker_send(worker, "pong", data, NULL), 0);
}

static void
on_master_message(struct lc_master *master, const char *worker_id, struct lc_str type, struct lc_str data, void *arg)
{
    struct scene *scene = arg;
    if (lc_str_equal(type, LCORE_STR("pong"))) {
        assert_int_equal(data.len, 3);
        scene->messages_at_master++;
    }
}

static void
on_poll(struct lc_timer *timer)
{
    struct scene *scene = LCORE_CONTAINER(timer, struct scene, poll);
    if (scene->is_done(scene)) {
        lc_loop_stop(scene->loop);
        return;
    }
    lc_timer_start(scene->loop, timer, lc_clock_monotonic_ns() + 2 * LCORE_NS_PER_MS, on_poll);
}

static void
on_limit(struct lc_timer *timer)
{
    struct scene *scene = LCORE_CONTAINER(timer, struct scene, limit);
    scene->is_over_time = true;
    lc_loop_stop(scene->loop);
}

static void
run_until(struct scene *scene, bool (*is_done)(struct scene *scene))
{
    scene->is_done = is_done;
    lc_timer_start(scene->loop, &scene->poll, 0, on_poll);
    lc_timer_start(scene->loop, &scene->limit, lc_clock_monotonic_ns() + 20 * LCORE_NS_PER_S, on_limit);
    lc_loop_run(scene->loop);
    lc_timer_stop(scene->loop, &scene->poll);
    lc_timer_stop(scene->loop, &scene->limit);
    if (scene->is_over_time) {
        fputs(scene->log, stderr);
        fail();
    }
}

static void
add_worker(struct scene *scene, int place)
{
    const struct lc_runner_options runner = {
        .size = sizeof(runner), .classes = CLASSES, .class_count = 2, .on_log = on_log, .arg = scene};
    const struct lc_worker_options options = {.size = sizeof(options),
                                              .master_port = lc_master_port(scene->master),
                                              .secret = "s",
                                              .on_message = on_worker_message,
                                              .on_end = on_end,
                                              .arg = scene};
    struct lc_error error;
    scene->workers[place] = lc_worker_new(scene->loop, scene->http, &runner, &options, &error);
    assert_non_null(scene->workers[place]);
}

static int
set_up(void **state)
{
    static struct scene scene;
    scene = (struct scene){.loop = lc_loop_new()};
    struct lc_error error;
    scene.http = lc_http_new(scene.loop, &error);
    const struct lc_master_options options = {.size = sizeof(options),
                                              .bind_host = "127.0.0.1",
                                              .bind_port = -1,
                                              .secret = "s",
                                              .classes = CLASSES,
                                              .class_count = 2,
                                              .is_rebalancing = true,
                                              .on_log = on_log,
                                              .on_message = on_master_message,
                                              .arg = &scene};
    scene.master = lc_master_new(scene.loop, &options, &error);
    assert_non_null(scene.master);
    *state = &scene;
    return 0;
}

static int
tear_down(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < WORKERS; i++) {
        lc_worker_free(scene->workers[i]);
    }
    lc_master_free(scene->master);
    lc_http_free(scene->http);
    lc_loop_free(scene->loop);
    return 0;
}

static bool
are_two_there(struct scene *scene)
{
    return lc_master_worker_count(scene->master) == 2;
}

static bool
are_three_there(struct scene *scene)
{
    return lc_master_worker_count(scene->master) == 3;
}

static bool
is_running(struct scene *scene)
{
    return lc_master_state(scene->master) == LCORE_RUNNER_RUNNING && lc_master_user_count(scene->master) == 7;
}

static uint64_t
users_of(struct scene *scene, int place)
{
    return lc_runner_user_count(lc_worker_runner(scene->workers[place]));
}

static bool
is_spread(struct scene *scene)
{
    return is_running(scene) && users_of(scene, 0) + users_of(scene, 1) + users_of(scene, 2) == 7 &&
           users_of(scene, 2) >= 2;
}

static bool
is_reported(struct scene *scene)
{
    struct lc_stats_numbers total;
    lc_stats_entry_numbers(lc_stats_total(lc_master_stats(scene->master)), &total);
    size_t position = 0;
    struct lc_master_exception row;
    return total.request_count > 50 && lc_master_next_exception(scene->master, &position, &row) && row.count > 1 &&
           scene->messages_at_master == 3 && scene->messages_at_workers == 3;
}

static bool
is_heard_once_more(struct scene *scene)
{
    return scene->messages_at_master == 4;
}

static bool
is_stopped(struct scene *scene)
{
    return lc_master_state(scene->master) == LCORE_RUNNER_STOPPED;
}

static bool
has_one_ended(struct scene *scene)
{
    return scene->ended[0] == 1 && is_running(scene) && users_of(scene, 1) + users_of(scene, 2) == 7;
}

static bool
have_all_ended(struct scene *scene)
{
    return is_stopped(scene) && scene->ended[0] + scene->ended[1] + scene->ended[2] == WORKERS;
}

/* DST-14 to DST-24, DST-26 to DST-29, DST-34, DST-46, DST-49, DST-50, DST-55, DST-57. */
static void
a_fleet_lives(void **state)
{
    struct scene *scene = *state;
    struct lc_error error;
    assert_int_equal(lc_master_start(scene->master, 7, 100, &error), LCE_NOTFOUND);
    add_worker(scene, 0);
    add_worker(scene, 1);
    run_until(scene, are_two_there);
    assert_int_equal(lc_master_start(scene->master, 7, 0, &error), LCE_INVALID);
    assert_int_equal(lc_master_start(scene->master, 7, 1000, &error), 0);
    run_until(scene, is_running);
    assert_int_equal(users_of(scene, 0) + users_of(scene, 1), 7);
    assert_int_equal(lc_runner_class_user_count(lc_worker_runner(scene->workers[0]), 1) +
                         lc_runner_class_user_count(lc_worker_runner(scene->workers[1]), 1),
                     1);
    add_worker(scene, 2);
    run_until(scene, is_spread);
    assert_int_equal(lc_master_send(scene->master, NULL, "ping", LCORE_STR("\x92\x01\x02"), NULL), 0);
    run_until(scene, is_reported);
    /* One that has not heard of its master for a while announces itself again, and its users stay (DST-14, DST-40). */
    assert_int_equal(lc_worker_send(scene->workers[0], "client_ready", LCORE_STR("\xa6" LCORE_PROTOCOL_VERSION), NULL),
                     0);
    assert_int_equal(lc_worker_send(scene->workers[0], "pong", LCORE_STR("\x92\x01\x02"), NULL), 0);
    run_until(scene, is_heard_once_more);
    assert_true(is_spread(scene));
    lc_worker_quit(scene->workers[0]);
    run_until(scene, has_one_ended);
    lc_master_stop(scene->master);
    run_until(scene, is_stopped);
    assert_int_equal(users_of(scene, 1) + users_of(scene, 2), 0);
    assert_int_equal(lc_master_exit_code(scene->master), 1);
    run_until(scene, are_two_there);
    assert_int_equal(lc_master_start(scene->master, 7, 1000, &error), 0);
    run_until(scene, is_running);
    lc_master_quit(scene->master);
    run_until(scene, have_all_ended);
    assert_non_null(strstr(scene->log, "without a secret") == NULL ? strstr(scene->log, "with a secret") : NULL);
}

/* What was on its way when a worker connected anew may be lost, so this asks again and again. */
static bool
is_connected_anew(struct scene *scene)
{
    if (strstr(scene->log, "connect anew") == NULL) {
        return false;
    }
    lc_master_send(scene->master, lc_worker_id(scene->workers[0]), "ping", LCORE_STR("\x92\x01\x02"), NULL);
    return scene->messages_at_master > 0;
}

/* DST-6, DST-11, DST-14 to DST-17, DST-25: what strangers and broken workers send does no harm. */
static void
nonsense_does_no_harm(void **state)
{
    struct scene *scene = *state;
    add_worker(scene, 0);
    add_worker(scene, 1);
    add_worker(scene, 2);
    run_until(scene, are_three_there);
    static const char *const types[] = {"stats",      "heartbeat", "spawning_complete", "exception", "client_ready",
                                        "locustfile", "logs",      "cload_register",    "\xff",      "mine"};
    static const struct lc_str data[] = {{"\xc0", 1},
                                         {"\x01", 1},
                                         {"\x80", 1},
                                         {"\x90", 1},
                                         {"\xa1x", 2},
                                         {"\xdf\xff\xff\xff\xff", 5},
                                         {"\x81\xa5stats\x90", 8},
                                         {"\x81\xb2user_classes_count\x05", 21},
                                         {"\x91\x91\x91\x91\x91\x91\x91", 7}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        for (size_t j = 0; j < sizeof(data) / sizeof(data[0]); j++) {
            lc_worker_send(scene->workers[0], types[i], data[j], NULL);
        }
    }
    for (size_t j = 0; j < sizeof(data) / sizeof(data[0]); j++) {
        static const char *const to_workers[] = {"spawn", "ack", "heartbeat", "spawning_complete", "mine"};
        for (size_t i = 0; i < sizeof(to_workers) / sizeof(to_workers[0]); i++) {
            lc_master_send(scene->master, lc_worker_id(scene->workers[1]), to_workers[i], data[j], NULL);
        }
    }
    run_until(scene, is_connected_anew);
    assert_int_equal(lc_master_start(scene->master, 7, 1000, NULL), 0);
    run_until(scene, is_running);
    lc_master_quit(scene->master);
    run_until(scene, have_all_ended);
}

static bool
is_stranger_named(struct scene *scene)
{
    return strstr(scene->log, "no worker sent what is no message") != NULL &&
           strstr(scene->log, "mine from one of a name") != NULL;
}

static void
on_nothing(struct lc_channel *channel, void *arg)
{
}

/* Who has no name of its own is taken by the one in its messages; without that there is nobody to answer. */
static void
strangers_without_a_name(void **state)
{
    struct scene *scene = *state;
    static const char *const types[] = {"heartbeat", "client_ready", "spawning", "locustfile", "stats", "quit"};
    static const struct lc_str data = {"\x81\xa5"
                                       "cload\x01",
                                       8};
    const struct lc_channel_options options = {
        .host = "127.0.0.1", .port = lc_master_port(scene->master), .secret = "s", .fn = on_nothing};
    struct lc_rpc *rpc = lc_rpc_new(scene->loop);
    struct lc_channel *channel;
    assert_int_equal(lc_channel_connect(rpc, &options, (struct lc_str){"\0x", 2}, &channel, NULL), 0);
    struct lc_buffer frame = {0};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        frame.len = 0;
        assert_int_equal(lc__node_frame(&frame, types[i], data, (struct lc_str){0}), 0);
        assert_int_equal(lc_channel_send(channel, (struct lc_str){0}, (struct lc_str){frame.data, frame.len}, NULL), 0);
    }
    frame.len = 0;
    assert_int_equal(lc__node_frame(&frame, "mine", data, LCORE_STR("one of a name")), 0);
    assert_int_equal(lc_channel_send(channel, (struct lc_str){0}, (struct lc_str){frame.data, frame.len}, NULL), 0);
    run_until(scene, is_stranger_named);
    assert_int_equal(lc_master_worker_count(scene->master), 0);
    lc_buffer_fini(&frame);
    lc_channel_free(channel);
    lc_rpc_free(rpc);
}

static bool
has_looked(struct scene *scene)
{
    return scene->master->pace.looked_ns > scene->looked_ns;
}

/* Silence, whether nobody speaks or the process got no time, is not taken for more than the master can take. */
static void
a_master_that_hears_nothing_is_not_behind(void **state)
{
    struct scene *scene = *state;
    lc__pace_catch_up(&scene->master->pace, lc_clock_monotonic_ns() - 10 * LCORE_NS_PER_S);
    scene->looked_ns = scene->master->pace.looked_ns;
    run_until(scene, has_looked);
    assert_int_equal(scene->master->pace.pause_ns, 0);
    assert_null(strstr(scene->log, "cannot take"));
}

#define HANDS 12

static void
hand_send(struct lc_channel *hand, const char *type, struct lc_str data, struct lc_str name)
{
    struct lc_buffer frame = {0};
    assert_int_equal(lc__node_frame(&frame, type, data, name), 0);
    assert_int_equal(lc_channel_send(hand, (struct lc_str){0}, (struct lc_str){frame.data, frame.len}, NULL), 0);
    lc_buffer_fini(&frame);
}

/* Of a worker with one user, which made a request at `until_s`, for a test that began a minute before. */
static void
hand_report(struct lc_channel *hand, struct lc_str name, double until_s)
{
    struct lc_stats *stats = lc_stats_new();
    struct lc_buffer data = {0};
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/"), LCORE_STR("GET"));
    assert_int_equal(lc_stats_log_request(stats, entry, LCORE_NS_PER_MS, 0, until_s), 0);
    assert_int_equal(lc_pack_map(&data, LCORE_REPORT_KEYS + LCORE_REPORT_OWN_KEYS + 1), 0);
    assert_int_equal(lc_report_write_own(&data, 1, until_s), 0);
    assert_int_equal(lc_report_write(&data, stats), 0);
    assert_int_equal(lc_buffer_append_str(&data, LCORE_STR("\xb2user_classes_count\x81\xa6Ticker\x01")), 0);
    hand_send(hand, "stats", (struct lc_str){data.data, data.len}, name);
    lc_buffer_fini(&data);
    lc_stats_free(stats);
}

static bool
are_all_hands_there(struct scene *scene)
{
    return lc_master_worker_count(scene->master) == HANDS;
}

static bool
is_whole_known(struct scene *scene)
{
    return lc_stats_total(lc_master_stats(scene->master))->whole_unix_s > 0 && lc_master_user_count(scene->master) == 2;
}

static bool
are_three_seconds_excused(struct scene *scene)
{
    return scene->master->silence.excused_s >= 3;
}

static bool
is_one_missing(struct scene *scene)
{
    return strstr(scene->log, "setting state to missing") != NULL;
}

/* DST-39, and DST-37: many are silent at once because of the network or the master, as long as they are connected; and
 * current rates end where the numbers of the worker that reports latest do. */
static void
many_silent_workers_are_alive(void **state)
{
    struct scene *scene = *state;
    const struct lc_channel_options options = {
        .host = "127.0.0.1", .port = lc_master_port(scene->master), .secret = "s", .fn = on_nothing};
    struct lc_rpc *rpc = lc_rpc_new(scene->loop);
    struct lc_channel *hands[HANDS];
    char names[HANDS][8];
    for (int i = 0; i < HANDS; i++) {
        snprintf(names[i], sizeof(names[i]), "h_%d", i);
        assert_int_equal(lc_channel_connect(rpc, &options, lc_str_from(names[i]), &hands[i], NULL), 0);
        hand_send(hands[i], "client_ready", LCORE_STR("\xa6" LCORE_PROTOCOL_VERSION), lc_str_from(names[i]));
    }
    run_until(scene, are_all_hands_there);
    hand_report(hands[0], lc_str_from(names[0]), 1795234975.5);
    hand_report(hands[1], lc_str_from(names[1]), 1795234935.5);
    run_until(scene, is_whole_known);
    assert_true(lc_stats_total(lc_master_stats(scene->master))->whole_unix_s == 1795234935.5);
    LCORE_EACH_NODE(scene->master, node)
    {
        node->liveness = 0;
    }
    run_until(scene, are_three_seconds_excused);
    assert_int_equal(lc_master_worker_count(scene->master), HANDS);
    /* Fewer than eleven are left: it is the fault of none but themselves. */
    for (int i = 0; i < 3; i++) {
        lc_channel_free(hands[i]);
    }
    run_until(scene, is_one_missing);
    for (int i = 3; i < HANDS; i++) {
        lc_channel_free(hands[i]);
    }
    lc_rpc_free(rpc);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fleet_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense_does_no_harm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_without_a_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_master_that_hears_nothing_is_not_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_silent_workers_are_alive, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
