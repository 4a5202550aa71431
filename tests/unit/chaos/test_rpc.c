/* Messages and fleets whose allocations fail: what cannot be done is refused, nothing is counted twice or leaked. */
#include <stdio.h>

#include "chaos.h"
#include "base/clock.h"
#include "locustcore.h"
#include "rpc/node.h"

static struct lc_stats *stats;

static int
set_up(void **state)
{
    stats = lc_stats_new();
    for (int i = 0; i < 40; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "/%d", i % 5);
        struct lc_stats_entry *entry = lc_stats_entry(stats, (struct lc_str){name, (size_t)len}, LCORE_STR("GET"));
        lc_stats_log_request(stats, entry, (int64_t)i * i * 20000000, 5, 1000 + i / 4);
        lc_stats_log_failure(stats, entry, i % 2 == 0 ? LCORE_STR("x") : LCORE_STR("y"), 1000 + i / 4);
    }
    return 0;
}

static int
tear_down(void **state)
{
    lc_stats_free(stats);
    return 0;
}

static int
send_and_merge(void)
{
    struct lc_buffer data = {0}, frame = {0};
    struct lc_stats *copy = lc_stats_new();
    int err = copy == NULL ? LCE_NOMEM : lc_pack_map(&data, LCORE_REPORT_KEYS);
    err = err < 0 ? err : lc_report_write(&data, stats);
    err = err < 0 ? err : lc__node_frame(&frame, "stats", (struct lc_str){data.data, data.len}, LCORE_STR("me"));
    struct lc_message message;
    if (err == 0) {
        assert_int_equal(lc_message_read((struct lc_str){frame.data, frame.len}, &message), 0);
        err = lc_report_merge(copy, message.data, 5, NULL);
    }
    if (err == 0) {
        struct lc_stats_numbers total;
        lc_stats_entry_numbers(lc_stats_total(copy), &total);
        assert_int_equal(total.request_count, 40);
        assert_int_equal(total.failure_count, 40);
    }
    lc_stats_free(copy);
    lc_buffer_fini(&data);
    lc_buffer_fini(&frame);
    return err;
}

static void
test_reports(void **state)
{
    run_with_every_failure(send_and_merge);
}

static int
do_nothing(struct lc_user *user)
{
    return 0;
}

static const struct lc_task TASKS[] = {{.name = "nothing", .run = do_nothing}};
static const struct lc_user_class CLASS = {
    .size = sizeof(struct lc_user_class), .name = "Idle", .set = {LCORE_TASKS(TASKS), .wait = LCORE_WAIT_CONSTANT(1)}};
static const struct lc_user_class *const CLASSES[] = {&CLASS};

static void
be_silent(const char *text, void *arg)
{
}

static void
go_round(struct lc_loop *loop, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        lc_loop_poll(loop);
        struct timespec pause = {.tv_nsec = 500000};
        nanosleep(&pause, NULL);
    }
}

/* A master and a worker come up, meet and run a user, or say that they could not. */
static int
meet(void)
{
    struct lc_loop *loop = lc_loop_new();
    struct lc_error error;
    struct lc_http *http = loop == NULL ? NULL : lc_http_new(loop, &error);
    struct lc_master *master = NULL;
    struct lc_worker *worker = NULL;
    int result = LCE_NOMEM;
    if (http == NULL) {
        goto done;
    }
    const struct lc_master_options options = {.size = sizeof(options),
                                              .bind_host = "127.0.0.1",
                                              .bind_port = -1,
                                              .classes = CLASSES,
                                              .class_count = 1,
                                              .on_log = be_silent};
    master = lc_master_new(loop, &options, &error);
    if (master == NULL) {
        goto done;
    }
    const struct lc_runner_options runner = {
        .size = sizeof(runner), .classes = CLASSES, .class_count = 1, .on_log = be_silent};
    const struct lc_worker_options joining = {.size = sizeof(joining), .master_port = lc_master_port(master)};
    worker = lc_worker_new(loop, http, &runner, &joining, &error);
    if (worker == NULL) {
        goto done;
    }
    for (int i = 0; i < 40 && lc_master_worker_count(master) == 0; i++) {
        go_round(loop, 1);
    }
    if (lc_master_start(master, 1, 10, &error) == 0) {
        go_round(loop, 20);
        result = lc_master_user_count(master) == 1 ? 0 : LCE_NOMEM;
    }
    /* Whatever failed, it can be ended once there is memory again. */
    lc__alloc_fail_at(0);
    lc_worker_quit(worker);
    go_round(loop, 20);
done:
    lc__alloc_fail_at(0);
    if (worker != NULL) {
        lc_runner_stop(lc_worker_runner(worker));
        go_round(loop, 5);
    }
    lc_worker_free(worker);
    lc_master_free(master);
    lc_http_free(http);
    lc_loop_free(loop);
    return result;
}

static void
test_fleets(void **state)
{
    /* Each round has sockets and a network thread of its own; these are the allocations of coming up and of the first
     * messages. */
    int done = 0;
    for (long nth = 1; nth < 400 && done < 3; nth += nth < 60 ? 1 : 7) {
        lc__alloc_fail_at(nth);
        done += meet() == 0;
        lc__alloc_fail_at(0);
    }
    assert_true(done > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reports, set_up, tear_down),
        cmocka_unit_test(test_fleets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
