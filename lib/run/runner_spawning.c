/* How many users a runner has, and when: what the dispatcher and the shape of the load say. */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "run/runner_state.h"

#define WORKER_ID LCORE_STR("local")

struct lc_dispatcher *
lc__runner_make_dispatcher(const struct lc_runner *runner, struct lc_error *error)
{
    size_t count = runner->options.class_count;
    struct lc_dispatch_class *classes = lc__calloc(count, sizeof(struct lc_dispatch_class));
    if (classes == NULL) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const struct lc_user_class *class = runner->options.classes[i];
        classes[i].name = lc_str_from(class->name);
        classes[i].weight = class->weight == 0 ? 1 : class->weight;
        classes[i].fixed_count = class->fixed_count;
    }
    const struct lc_str worker = WORKER_ID;
    struct lc_dispatcher *dispatcher = lc_dispatcher_new(classes, count, &worker, 1, error);
    lc__free(classes);
    return dispatcher;
}

static void
spawning_complete(struct lc_runner *runner)
{
    if (runner->options.is_resetting_stats) {
        lc_stats_reset(runner->shared.stats, (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S);
    }
    lc__runner_set_state(runner, LCORE_RUNNER_RUNNING);
}

void
lc__runner_complete(struct lc_runner *runner)
{
    if (runner->state == LCORE_RUNNER_SPAWNING) {
        spawning_complete(runner);
    }
}

static void
dispatch(struct lc_timer *timer)
{
    struct lc_runner *runner = LCORE_CONTAINER(timer, struct lc_runner, dispatch_timer);
    while (runner->state == LCORE_RUNNER_SPAWNING) {
        int64_t now_ns = lc_clock_monotonic_ns();
        int64_t pause_ns;
        int state = lc_dispatcher_next(runner->dispatcher, &pause_ns);
        switch (state) {
        case LCORE_DISPATCH_STEP:
            runner->step_start_ns = now_ns;
            lc__runner_apply_counts(runner, lc_dispatcher_counts(runner->dispatcher, 0));
            break;
        case LCORE_DISPATCH_UPDATE:
            lc__runner_apply_counts(runner, lc_dispatcher_counts(runner->dispatcher, 0));
            break;
        case LCORE_DISPATCH_PAUSE:
            if (pause_ns > 0) {
                int64_t due_ns =
                    pause_ns > INT64_MAX - runner->step_start_ns ? INT64_MAX : runner->step_start_ns + pause_ns;
                state = lc_timer_start(runner->shared.loop, timer, due_ns, dispatch);
                if (state == 0) {
                    return;
                }
            }
            break;
        case LCORE_DISPATCH_DONE:
            spawning_complete(runner);
            return;
        }
        if (state < 0) {
            lc__runner_log(runner, "spawning ends early: %s", lc_error_text(state));
            spawning_complete(runner);
            return;
        }
    }
}

static int
find_class(const struct lc_runner *runner, const struct lc_user_class *class, uint32_t *index)
{
    for (size_t i = 0; i < runner->options.class_count; i++) {
        if (runner->options.classes[i] == class) {
            *index = (uint32_t)i;
            return 0;
        }
    }
    return LCE_NOTFOUND;
}

int
lc__runner_begin_dispatch(struct lc_runner *runner, const struct lc_shape_tick *tick, struct lc_error *error)
{
    if (tick->class_count > runner->options.class_count) {
        return lc_error_set(error, LCE_INVALID, "more user classes than there are");
    }
    for (size_t i = 0; tick->classes != NULL && i < tick->class_count; i++) {
        if (find_class(runner, tick->classes[i], &runner->chosen[i]) < 0) {
            return lc_error_set(error, LCE_NOTFOUND, "user class %s is not the runner's", tick->classes[i]->name);
        }
    }
    int err = lc_dispatcher_start(runner->dispatcher, tick->users, tick->spawn_rate,
                                  tick->classes == NULL ? NULL : runner->chosen, tick->class_count, error);
    if (err < 0) {
        return err;
    }
    struct lc_loop *loop = runner->shared.loop;
    err = lc_timer_start(loop, &runner->dispatch_timer, lc_loop_now_ns(loop), dispatch);
    if (err < 0) {
        return lc_error_set(error, err, "%s", lc_error_text(err));
    }
    lc__runner_set_state(runner, LCORE_RUNNER_SPAWNING);
    return 0;
}

static bool
is_same_tick(const struct lc_shape_tick *a, const struct lc_shape_tick *b)
{
    return a->users == b->users && a->spawn_rate == b->spawn_rate && a->classes == b->classes &&
           a->class_count == b->class_count;
}

void
lc__runner_ask_shape(struct lc_timer *timer)
{
    struct lc_runner *runner = LCORE_CONTAINER(timer, struct lc_runner, shape_timer);
    struct lc_shape_tick tick = {0};
    int64_t now_ns = lc_clock_monotonic_ns();
    double run_time_s = (double)(now_ns - runner->start_ns) / (double)LCORE_NS_PER_S;
    if (!runner->options.shape(runner->options.shape_arg, run_time_s, &tick)) {
        lc_runner_stop(runner);
        return;
    }
    if (!runner->is_tick_known || !is_same_tick(&tick, &runner->last_tick)) {
        struct lc_error error;
        runner->is_tick_known = true;
        runner->last_tick = tick;
        if (lc__runner_begin_dispatch(runner, &tick, &error) < 0) {
            lc__runner_log(runner, "the shape asked for what cannot be done: %s", error.text);
        }
    }
    /* Ticks keep their second; those that were missed are left out. */
    runner->shape_due_ns += LCORE_NS_PER_S;
    runner->shape_due_ns = runner->shape_due_ns < now_ns ? now_ns + LCORE_NS_PER_S : runner->shape_due_ns;
    if (lc_timer_start(runner->shared.loop, timer, runner->shape_due_ns, lc__runner_ask_shape) < 0) {
        lc__runner_log(runner, "out of memory, the test ends");
        lc_runner_stop(runner);
    }
}
