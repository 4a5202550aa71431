/* Where the test should be: a ramp sends what the dispatcher says, step by step, and an end waits for all workers. */
#include "rpc/master_state.h"

#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"

/* Seconds to wait for the counts of workers after a ramp; and, beyond the stop timeout, for last reports at a quit and
 * for the end of users at a stop. */
#define COUNTS_S 1
#define LAST_REPORT_S 5
#define STOP_S 60
/* And as long as this process takes to go through what waits already, but not longer than this. */
#define CATCHING_UP_S 600

static void dispatch(struct lc_timer *timer);

static void
finish(struct lc_master *master)
{
    lc_timer_stop(master->loop, &master->end_timer);
    lc__master_set_state(master, LCORE_RUNNER_STOPPED);
}

static void
finish_late(struct lc_timer *timer)
{
    struct lc_master *master = LCORE_CONTAINER(timer, struct lc_master, end_timer);
    lc__master_on_channel(master->channel, master);
    if (master->state != LCORE_RUNNER_STOPPING) {
        return; /* that was the last one */
    }
    int64_t now_ns = lc_clock_monotonic_ns();
    bool is_catching_up = lc__pace_behind_ns(&master->pace, now_ns) > LCORE_NS_PER_S / 2;
    if (is_catching_up && now_ns < master->latest_end_ns &&
        lc_timer_start(master->loop, timer, now_ns + LCORE_NS_PER_S, finish_late) == 0) {
        return;
    }
    LCORE_EACH_NODE(master, node)
    {
        if (node->is_awaited) {
            node->is_awaited = false;
            lc__master_say(master, "%s did not end: what it measured since its last report is missing", node->id);
        }
    }
    finish(master);
}

void
lc__master_check_ended(struct lc_master *master)
{
    if (master->state != LCORE_RUNNER_STOPPING) {
        return;
    }
    LCORE_EACH_NODE(master, node)
    {
        if (node->is_awaited) {
            return;
        }
    }
    finish(master);
}

/* Tells all workers, and waits for them at most so long. */
static void
end_test(struct lc_master *master, const char *type, int64_t wait_s)
{
    lc_timer_stop(master->loop, &master->dispatch_timer);
    lc_timer_stop(master->loop, &master->run_timer);
    lc_timer_stop(master->loop, &master->counts_timer);
    lc_dispatcher_free(master->dispatcher);
    master->dispatcher = NULL;
    master->is_ramping = false;
    master->is_complete_due = false;
    double transit_s = 0;
    LCORE_EACH_NODE(master, node)
    {
        /* Those that are not ready again after a stop: real Locust's are so for the stop timeout, and report only then.
         */
        if (lc__master_is_present(node) || node->is_awaited) {
            node->is_awaited = true;
            /* The last report, and one that is on its way already. */
            transit_s = fmax(transit_s, 2.0 * LCORE_NAME_BYTES * (double)node->name_count / LCORE_SLOWEST_LINK);
            lc__master_send_to(master, lc__master_id_of(node), type, NULL);
        }
    }
    transit_s = fmin(transit_s, LCORE_MOST_TRANSIT_S);
    int64_t wait_ns = wait_s * LCORE_NS_PER_S + (int64_t)(transit_s * (double)LCORE_NS_PER_S);
    int64_t deadline_ns = lc_clock_monotonic_ns() + master->options.stop_timeout_ns + wait_ns;
    master->latest_end_ns = deadline_ns + CATCHING_UP_S * LCORE_NS_PER_S;
    lc__master_set_state(master, LCORE_RUNNER_STOPPING);
    if (lc_timer_start(master->loop, &master->end_timer, deadline_ns, finish_late) < 0) {
        finish_late(&master->end_timer);
        return;
    }
    lc__master_check_ended(master);
}

void
lc_master_stop(struct lc_master *master)
{
    if (lc__master_is_testing(master)) {
        end_test(master, "stop", STOP_S);
    }
}

void
lc_master_quit(struct lc_master *master)
{
    if (!master->is_quitting) {
        master->is_quitting = true;
        end_test(master, "quit", LAST_REPORT_S);
    }
}

static void
complete(struct lc_timer *timer)
{
    struct lc_master *master = LCORE_CONTAINER(timer, struct lc_master, counts_timer);
    lc_timer_stop(master->loop, timer);
    master->is_complete_due = false;
    uint64_t total = lc_dispatcher_user_count(master->dispatcher);
    struct lc_buffer data = {0};
    int err = lc_pack_map(&data, 1);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("user_count"));
    err = err < 0 ? err : lc_pack_uint(&data, total);
    LCORE_EACH_NODE(master, node)
    {
        if (err == 0 && lc__master_is_present(node)) {
            lc__master_send_to(master, lc__master_id_of(node), "spawning_complete", &data);
        }
    }
    lc_buffer_fini(&data);
    if (master->options.is_resetting_stats) {
        lc_stats_reset(master->stats, (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S);
    }
    lc__master_say(master, "all users spawned: %llu", (unsigned long long)total);
    lc__master_set_state(master, LCORE_RUNNER_RUNNING);
}

void
lc__master_check_complete(struct lc_master *master)
{
    if (master->is_complete_due && lc_master_user_count(master) == lc_dispatcher_user_count(master->dispatcher)) {
        complete(&master->counts_timer);
    }
}

static int
pack_job(struct lc_master *master, struct lc_buffer *out, const uint32_t *counts)
{
    double stop_s = (double)master->options.stop_timeout_ns / (double)LCORE_NS_PER_S;
    int err = lc_pack_map(out, 5);
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("timestamp"));
    err = err < 0 ? err : lc_pack_float(out, master->job_unix_s);
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("user_classes_count"));
    err = err < 0 ? err : lc__node_pack_counts(out, master->options.classes, master->options.class_count, counts);
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("host"));
    if (master->options.host == NULL) {
        err = err < 0 ? err : lc_pack_nil(out);
    } else {
        err = err < 0 ? err : lc_pack_str(out, lc_str_from(master->options.host));
    }
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("stop_timeout"));
    err = err < 0 ? err : lc_pack_float(out, stop_s);
    err = err < 0 ? err : lc_pack_str(out, LCORE_STR("parsed_options"));
    return err < 0 ? err : lc_pack_map(out, 0);
}

static void
send_jobs(struct lc_master *master)
{
    double now_s = (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S;
    master->job_unix_s = now_s > master->job_unix_s ? now_s : master->job_unix_s + 1e-6;
    for (size_t row = 0; row < lc_dispatcher_worker_count(master->dispatcher); row++) {
        struct lc_buffer data = {0};
        int err = pack_job(master, &data, lc_dispatcher_counts(master->dispatcher, row));
        if (err < 0) {
            lc__master_say(master, "spawn message: %s", lc_error_text(err));
        } else {
            lc__master_send_to(master, lc_dispatcher_worker_id(master->dispatcher, row), "spawn", &data);
        }
        lc_buffer_fini(&data);
    }
}

static void
dispatch(struct lc_timer *timer)
{
    struct lc_master *master = LCORE_CONTAINER(timer, struct lc_master, dispatch_timer);
    while (master->dispatcher != NULL) {
        int64_t now_ns = lc_clock_monotonic_ns(), pause_ns = 0;
        int state = lc_dispatcher_next(master->dispatcher, &pause_ns);
        if (state == LCORE_DISPATCH_STEP) {
            master->step_ns = now_ns;
        }
        if (state == LCORE_DISPATCH_STEP || state == LCORE_DISPATCH_UPDATE) {
            send_jobs(master);
        } else if (state == LCORE_DISPATCH_PAUSE && pause_ns > 0) {
            int64_t due_ns = pause_ns > INT64_MAX - master->step_ns ? INT64_MAX : master->step_ns + pause_ns;
            if (lc_timer_start(master->loop, timer, due_ns, dispatch) == 0) {
                return;
            }
        } else if (state != LCORE_DISPATCH_PAUSE) {
            if (state < 0) {
                lc__master_say(master, "spawning ends early: %s", lc_error_text(state));
            }
            master->is_ramping = false;
            master->is_complete_due = true;
            if (lc_timer_start(master->loop, &master->counts_timer, now_ns + COUNTS_S * LCORE_NS_PER_S, complete) < 0) {
                complete(&master->counts_timer);
            }
            lc__master_check_complete(master);
            return;
        }
    }
}

static int
begin_dispatch(struct lc_master *master, struct lc_error *error)
{
    int err = lc_dispatcher_start(master->dispatcher, master->target, master->spawn_rate, NULL, 0, error);
    if (err < 0) {
        return err;
    }
    master->is_complete_due = false;
    lc_timer_stop(master->loop, &master->counts_timer);
    err = lc_timer_start(master->loop, &master->dispatch_timer, lc_loop_now_ns(master->loop), dispatch);
    if (err < 0) {
        return lc_error_set(error, err, "%s", lc_error_text(err));
    }
    master->is_ramping = true;
    lc__master_set_state(master, LCORE_RUNNER_SPAWNING);
    return 0;
}

/* The dispatcher's workers have changed: users are placed anew, by the ramp under way or by another one. */
static void
rebalance(struct lc_master *master)
{
    if (!lc__master_is_testing(master) || master->dispatcher == NULL || lc_master_worker_count(master) == 0 ||
        master->is_ramping) {
        return;
    }
    struct lc_error error;
    if (begin_dispatch(master, &error) < 0) {
        lc__master_say(master, "%s", error.text);
    }
}

void
lc__master_add_to_dispatch(struct lc_master *master, struct lc_master_node *node)
{
    if (master->dispatcher != NULL) {
        int err = lc_dispatcher_add_worker(master->dispatcher, lc__master_id_of(node));
        if (err < 0) {
            lc__master_say(master, "%s gets no users: %s", node->id, lc_error_text(err));
        }
        rebalance(master);
    }
}

void
lc__master_remove_from_dispatch(struct lc_master *master, struct lc_master_node *node, bool is_at_once)
{
    if (master->dispatcher != NULL) {
        lc_dispatcher_remove_worker(master->dispatcher, lc__master_id_of(node));
        if (is_at_once) {
            rebalance(master);
        }
    }
}

void
lc__master_check_any_left(struct lc_master *master, const char *how)
{
    if (lc__master_is_testing(master) && lc_master_worker_count(master) == 0) {
        lc__master_say(master, "the last worker %s, so the test stops", how);
        lc_master_stop(master);
    }
}

static void
run_time_over(struct lc_timer *timer)
{
    lc_master_stop(LCORE_CONTAINER(timer, struct lc_master, run_timer));
}

static int
make_dispatcher(struct lc_master *master, struct lc_error *error)
{
    size_t class_count = master->options.class_count, worker_count = 0;
    struct lc_dispatch_class *classes = lc__calloc(class_count, sizeof(*classes));
    struct lc_str *ids = lc__calloc(lc_master_worker_count(master), sizeof(*ids));
    int err = classes == NULL || ids == NULL ? lc_error_set(error, LCE_NOMEM, "out of memory") : 0;
    if (err == 0) {
        for (size_t i = 0; i < class_count; i++) {
            const struct lc_user_class *class = master->options.classes[i];
            classes[i].name = lc_str_from(class->name);
            classes[i].weight = class->weight == 0 ? 1 : class->weight;
            classes[i].fixed_count = class->fixed_count;
        }
        LCORE_EACH_NODE(master, node)
        {
            if (lc__master_is_present(node)) {
                ids[worker_count++] = lc__master_id_of(node);
            }
        }
        lc_dispatcher_free(master->dispatcher);
        master->dispatcher = lc_dispatcher_new(classes, class_count, ids, worker_count, error);
        err = master->dispatcher == NULL ? error->code : 0;
    }
    lc__free(classes);
    lc__free(ids);
    return err;
}

static int
begin_test(struct lc_master *master, struct lc_error *error)
{
    int err = make_dispatcher(master, error);
    if (err < 0) {
        return err;
    }
    lc_stats_clear(master->stats, (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S);
    lc__master_forget_exceptions(master);
    if (master->options.run_time_ns > 0) {
        int64_t end_ns = lc_clock_monotonic_ns() + master->options.run_time_ns;
        err = lc_timer_start(master->loop, &master->run_timer, end_ns, run_time_over);
    }
    return err < 0 ? lc_error_set(error, err, "%s", lc_error_text(err)) : 0;
}

int
lc_master_start(struct lc_master *master, uint64_t users, double spawn_rate, struct lc_error *error)
{
    struct lc_error own;
    error = error == NULL ? &own : error;
    if (master->state == LCORE_RUNNER_STOPPING || master->is_quitting) {
        return lc_error_set(error, LCE_INVALID, "the test is stopping");
    }
    if (!isfinite(spawn_rate) || spawn_rate <= 0 || users > UINT32_MAX) {
        return lc_error_set(error, LCE_INVALID, "the spawn rate must be finite and above 0, users not beyond %u",
                            UINT32_MAX);
    }
    if (lc_master_worker_count(master) == 0) {
        return lc_error_set(error, LCE_NOTFOUND, "there is no worker");
    }
    int err = lc__master_is_testing(master) ? 0 : begin_test(master, error);
    if (err < 0) {
        return err;
    }
    master->target = users;
    master->spawn_rate = spawn_rate;
    return begin_dispatch(master, error);
}
