#include "run/runner.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"
#include "run/picker.h"
#include "run/runner_state.h"

const char *
lc_runner_state_text(enum lc_runner_state state)
{
    switch (state) {
#define LCORE_RUNNER_STATE_CASE(name, text)                                                                            \
    case LCORE_RUNNER_##name:                                                                                          \
        return text;
        LCORE_RUNNER_STATE_LIST(LCORE_RUNNER_STATE_CASE)
#undef LCORE_RUNNER_STATE_CASE
    }
    return "unknown";
}

static void
tell_state(struct lc_timer *timer)
{
    struct lc_runner *runner = LCORE_CONTAINER(timer, struct lc_runner, state_timer);
    runner->options.on_state(runner, runner->state, runner->options.arg);
}

void
lc__runner_set_state(struct lc_runner *runner, enum lc_runner_state state)
{
    if (runner->state == state) {
        return;
    }
    struct lc_loop *loop = runner->shared.loop;
    if (runner->options.on_state == NULL) {
        runner->state = state;
        return;
    }
    if (lc_fiber_self() != NULL) {
        runner->state = state;
        if (lc_timer_start(loop, &runner->state_timer, lc_loop_now_ns(loop), tell_state) < 0) {
            lc__runner_log(runner, "out of memory");
        }
        return;
    }
    if (runner->state_timer.index != 0) {
        lc_timer_stop(loop, &runner->state_timer);
        tell_state(&runner->state_timer);
    }
    runner->state = state;
    tell_state(&runner->state_timer);
}

static void
run_time_over(struct lc_timer *timer)
{
    lc_runner_stop(LCORE_CONTAINER(timer, struct lc_runner, run_timer));
}

/* A new test: fresh statistics, clocks and distribution. */
static int
begin_test(struct lc_runner *runner, struct lc_error *error)
{
    struct lc_dispatcher *dispatcher = lc__runner_make_dispatcher(runner, error);
    if (dispatcher == NULL) {
        return error == NULL ? LCE_INVALID : error->code;
    }
    lc_dispatcher_free(runner->dispatcher);
    runner->dispatcher = dispatcher;
    runner->start_ns = lc_clock_monotonic_ns();
    int64_t unix_ns = lc_clock_realtime_ns();
    runner->shared.unix_offset_ns = unix_ns - runner->start_ns;
    lc_stats_clear(runner->shared.stats, (double)unix_ns / (double)LCORE_NS_PER_S);
    runner->exception_count = 0;
    runner->exception_rows = 0;
    runner->reason_count = 0;
    runner->is_tick_known = false;
    runner->shape_due_ns = runner->start_ns;
    struct lc_loop *loop = runner->shared.loop;
    int err = lc_meter_begin(runner->meter, runner->options.is_excluding_lag ? runner->shared.stats : NULL);
    if (err < 0) {
        return lc_error_set(error, err, "%s", lc_error_text(err));
    }
    if (runner->options.shape != NULL) {
        err = lc_timer_start(loop, &runner->shape_timer, runner->start_ns, lc__runner_ask_shape);
    } else if (runner->options.run_time_ns > 0) {
        int64_t end_ns = runner->options.run_time_ns > INT64_MAX - runner->start_ns
                             ? INT64_MAX
                             : runner->start_ns + runner->options.run_time_ns;
        err = lc_timer_start(loop, &runner->run_timer, end_ns, run_time_over);
    }
    return err < 0 ? lc_error_set(error, err, "%s", lc_error_text(err)) : 0;
}

int
lc_runner_start(struct lc_runner *runner, uint64_t users, double spawn_rate, struct lc_error *error)
{
    bool is_new = runner->state == LCORE_RUNNER_READY || runner->state == LCORE_RUNNER_STOPPED;
    struct lc_error own;
    error = error == NULL ? &own : error;
    if (runner->state == LCORE_RUNNER_STOPPING) {
        return lc_error_set(error, LCE_INVALID, "the test is stopping");
    }
    if (runner->options.shape != NULL) {
        if (!is_new) {
            return lc_error_set(error, LCE_INVALID, "a shape decides about the users");
        }
        int err = begin_test(runner, error);
        if (err == 0) {
            lc__runner_set_state(runner, LCORE_RUNNER_SPAWNING);
        }
        return err;
    }
    if (!isfinite(spawn_rate) || spawn_rate <= 0 || users > UINT32_MAX) {
        return lc_error_set(error, LCE_INVALID, "the spawn rate must be finite and above 0, users not beyond %u",
                            UINT32_MAX);
    }
    int err = is_new ? begin_test(runner, error) : 0;
    if (err < 0) {
        return err;
    }
    return lc__runner_begin_dispatch(runner, &(struct lc_shape_tick){.users = users, .spawn_rate = spawn_rate}, error);
}

int
lc__runner_set_counts(struct lc_runner *runner, const uint32_t *counts, const char *host, int64_t stop_timeout_ns,
                      struct lc_error *error)
{
    if (runner->state == LCORE_RUNNER_STOPPING) {
        return lc_error_set(error, LCE_INVALID, "the test is stopping");
    }
    runner->shared.host = host != NULL ? host : runner->options.host;
    runner->options.stop_timeout_ns = stop_timeout_ns;
    if (runner->state == LCORE_RUNNER_READY || runner->state == LCORE_RUNNER_STOPPED) {
        int err = begin_test(runner, error);
        if (err < 0) {
            return err;
        }
    }
    lc__runner_set_state(runner, LCORE_RUNNER_SPAWNING);
    lc__runner_apply_counts(runner, counts);
    return 0;
}

void
lc_runner_stop(struct lc_runner *runner)
{
    if (runner->state == LCORE_RUNNER_STOPPING) {
        lc__runner_cancel_leaving(runner);
        return;
    }
    if (runner->state != LCORE_RUNNER_SPAWNING && runner->state != LCORE_RUNNER_RUNNING) {
        return;
    }
    lc__runner_set_state(runner, LCORE_RUNNER_STOPPING);
    lc_timer_stop(runner->shared.loop, &runner->dispatch_timer);
    lc_timer_stop(runner->shared.loop, &runner->run_timer);
    lc_timer_stop(runner->shared.loop, &runner->shape_timer);
    lc__runner_stop_users(runner);
}

const struct lc_meter *
lc_runner_meter(const struct lc_runner *runner)
{
    return runner->meter;
}

enum lc_runner_state
lc_runner_state(const struct lc_runner *runner)
{
    return runner->state;
}

struct lc_loop *
lc_runner_loop(struct lc_runner *runner)
{
    return runner->shared.loop;
}

struct lc_http *
lc_runner_http(struct lc_runner *runner)
{
    return runner->shared.http;
}

struct lc_fibers *
lc_runner_fibers(struct lc_runner *runner)
{
    return runner->shared.fibers;
}

struct lc_stats *
lc_runner_stats(struct lc_runner *runner)
{
    return runner->shared.stats;
}

int
lc_runner_exit_code(const struct lc_runner *runner)
{
    struct lc_stats_numbers total;
    lc_stats_entry_numbers(lc_stats_total(runner->shared.stats), &total);
    return total.failure_count > 0 || runner->exception_count > 0 ? 1 : 0;
}

static void
sort_by_name(struct lc_runner *runner)
{
    const struct lc_user_class *const *classes = runner->options.classes;
    for (uint32_t i = 0; i < runner->options.class_count; i++) {
        uint32_t place = i;
        while (place > 0 && strcmp(classes[runner->by_name[place - 1]]->name, classes[i]->name) > 0) {
            runner->by_name[place] = runner->by_name[place - 1];
            place--;
        }
        runner->by_name[place] = i;
    }
}

static int
check_options(const struct lc_runner_options *options, struct lc_error *error)
{
    if (options->class_count == 0) {
        return lc_error_set(error, LCE_INVALID, "no user classes");
    }
    for (size_t i = 0; i < options->class_count; i++) {
        const struct lc_user_class *class = options->classes[i];
        if (class->size != sizeof(struct lc_user_class) || class->name == NULL) {
            return lc_error_set(error, LCE_INVALID, "user class %zu has no name, or is of another version", i);
        }
        struct lc_error why;
        int err = lc_picker_check(&class->set, &why);
        if (err < 0) {
            return lc_error_set(error, err, "user class %s: %s", class->name, why.text);
        }
    }
    return 0;
}

struct lc_runner *
lc_runner_new(struct lc_loop *loop, struct lc_http *http, const struct lc_runner_options *given, struct lc_error *error)
{
    struct lc_runner_options full = {0};
    if (lc__options_take(&full, sizeof(full), given, error) < 0 || check_options(&full, error) < 0) {
        return NULL;
    }
    const struct lc_runner_options *options = &full;
    struct lc_runner *runner = lc__calloc(1, sizeof(struct lc_runner));
    if (runner == NULL) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        return NULL;
    }
    runner->options = full;
    runner->shared.loop = loop;
    runner->shared.http = http;
    runner->shared.host = options->host;
    runner->shared.classes = options->classes;
    runner->shared.fibers = lc_fibers_new(loop, 0);
    runner->shared.stats = lc_stats_new();
    runner->classes = lc__calloc(options->class_count, sizeof(struct lc_runner_class));
    runner->by_name = lc__calloc(options->class_count, sizeof(uint32_t));
    runner->chosen = lc__calloc(options->class_count, sizeof(uint32_t));
    lc_list_init(&runner->leaving);
    lc_list_init(&runner->gone);
    lc_random_init(&runner->shared.random,
                   options->seed != 0 ? options->seed : (uint64_t)lc_clock_realtime_ns() ^ (uintptr_t)runner);
    if (runner->shared.fibers == NULL || runner->shared.stats == NULL || runner->classes == NULL ||
        runner->by_name == NULL || runner->chosen == NULL) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        goto fail;
    }
    for (size_t i = 0; i < options->class_count; i++) {
        lc_list_init(&runner->classes[i].users);
    }
    sort_by_name(runner);
    struct lc_meter_options limits;
    lc_meter_options_init(&limits);
    runner->meter = lc_meter_new(loop, options->meter == NULL ? &limits : options->meter, error);
    runner->dispatcher = runner->meter == NULL ? NULL : lc__runner_make_dispatcher(runner, error);
    if (runner->dispatcher == NULL) {
        goto fail;
    }
    return runner;
fail:
    runner->options.class_count = 0;
    lc_runner_free(runner);
    return NULL;
}

void
lc_runner_free(struct lc_runner *runner)
{
    if (runner == NULL) {
        return;
    }
    assert(lc__runner_is_empty(runner));
    lc__runner_reap(&runner->reap_timer);
    struct lc_timer *timers[] = {&runner->dispatch_timer, &runner->run_timer, &runner->shape_timer, &runner->reap_timer,
                                 &runner->state_timer};
    for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
        lc_timer_stop(runner->shared.loop, timers[i]);
    }
    lc_meter_free(runner->meter);
    lc_dispatcher_free(runner->dispatcher);
    lc_fibers_free(runner->shared.fibers);
    lc_stats_free(runner->shared.stats);
    lc__free(runner->classes);
    lc__free(runner->by_name);
    lc__free(runner->chosen);
    lc__free(runner);
}
