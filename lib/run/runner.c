#include "run/runner.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "run/dispatcher.h"
#include "run/user.h"

#define MAX_EXCEPTION_ROWS 100
#define MAX_REASONS 64
#define WORKER_ID LCORE_STR("local")

struct class_state {
    struct lc_list users; /* that are there; the youngest last */
    uint64_t count;
};

struct lc_runner {
    struct lc_runner_shared shared; /* first: see lc__runner_shared() */
    struct lc_runner_options options;
    struct class_state *classes;
    uint32_t *by_name; /* class indices in the order of names */
    uint32_t *chosen;  /* scratch for the class indices of a dispatch */
    struct lc_dispatcher *dispatcher;
    struct lc_meter *meter;
    enum lc_runner_state state;
    struct lc_list leaving; /* users that finish their task or on_stop */
    struct lc_list gone;    /* users to be freed */
    struct lc_timer dispatch_timer;
    struct lc_timer run_timer;
    struct lc_timer shape_timer;
    struct lc_timer reap_timer;
    struct lc_timer state_timer;
    int64_t start_ns;
    int64_t step_start_ns;
    int64_t shape_due_ns;
    struct lc_shape_tick last_tick;
    bool is_tick_known;
    uint64_t next_number;
    struct lc_runner_exception exceptions[MAX_EXCEPTION_ROWS];
    size_t exception_rows;
    uint64_t exception_count;
    uint64_t reasons[MAX_REASONS]; /* hashes of what lc__runner_log_once() said in this test */
    size_t reason_count;
};

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

void
lc__runner_log(struct lc_runner *runner, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    lc_log_line_format(runner->options.on_log, runner->options.arg, format, args);
    va_end(args);
}

void
lc__runner_log_once(struct lc_runner *runner, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    uint64_t hash = lc_str_hash(lc_str_from(text));
    for (size_t i = 0; i < runner->reason_count; i++) {
        if (runner->reasons[i] == hash) {
            return;
        }
    }
    if (runner->reason_count < MAX_REASONS) {
        runner->reasons[runner->reason_count++] = hash;
        lc__runner_log(runner, "%s", text);
    }
}

static void
tell_state(struct lc_timer *timer)
{
    struct lc_runner *runner = LCORE_CONTAINER(timer, struct lc_runner, state_timer);
    runner->options.on_state(runner, runner->state, runner->options.arg);
}

/* Told at once, except when a task made the change: then by a timer, or just before the next change. */
static void
set_state(struct lc_runner *runner, enum lc_runner_state state)
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

static struct lc_runner_exception *
exception_row(struct lc_runner *runner, const char *user_class, const char *where, int err)
{
    for (size_t i = 0; i < runner->exception_rows; i++) {
        struct lc_runner_exception *row = &runner->exceptions[i];
        if (row->code == err && row->user_class == user_class && strcmp(row->where, where) == 0) {
            return row;
        }
    }
    if (runner->exception_rows == MAX_EXCEPTION_ROWS) {
        return NULL;
    }
    struct lc_runner_exception *row = &runner->exceptions[runner->exception_rows++];
    *row = (struct lc_runner_exception){.user_class = user_class, .where = where, .code = err};
    return row;
}

void
lc__runner_exception(struct lc_runner *runner, struct lc_user *user, const char *where, int err)
{
    runner->exception_count++;
    struct lc_runner_exception *row = exception_row(runner, lc_user_class(user)->name, where == NULL ? "" : where, err);
    /* Said once: a task that always fails does so thousands of times a second. */
    if (row != NULL && row->count++ == 0) {
        lc__runner_log(runner, "user %s, %s: %s", row->user_class, where == NULL ? "a task" : where,
                       lc_error_text(err));
    }
}

static bool
is_empty(const struct lc_runner *runner)
{
    return lc_runner_user_count(runner) == 0 && lc_list_is_empty(&runner->leaving);
}

static void
reap(struct lc_timer *timer)
{
    struct lc_runner *runner = LCORE_CONTAINER(timer, struct lc_runner, reap_timer);
    for (struct lc_list *node; (node = lc_list_pop(&runner->gone)) != NULL;) {
        struct lc_user *user = LCORE_CONTAINER(node, struct lc_user, node);
        lc__user_fini(user);
        lc__free(user);
    }
    if (runner->state == LCORE_RUNNER_STOPPING && is_empty(runner)) {
        int err = lc_meter_end(runner->meter);
        if (err < 0) {
            lc__runner_log(runner, "requests of the last second could not be counted: %s", lc_error_text(err));
        }
        set_state(runner, LCORE_RUNNER_STOPPED);
    }
}

void
lc__runner_user_leaving(struct lc_runner *runner, struct lc_user *user)
{
    if (user->is_counted) {
        user->is_counted = false;
        runner->classes[user->class_index].count--;
        lc_list_remove(&user->node);
        lc_list_append(&runner->leaving, &user->node);
    }
}

/* Frees what is gone in the loop's next round, when no fiber stands on it. */
static void
schedule_reap(struct lc_runner *runner)
{
    struct lc_loop *loop = runner->shared.loop;
    if (runner->reap_timer.index == 0 && lc_timer_start(loop, &runner->reap_timer, lc_loop_now_ns(loop), reap) < 0) {
        lc__runner_log(runner, "out of memory");
    }
}

void
lc__runner_user_gone(struct lc_runner *runner, struct lc_user *user)
{
    lc__runner_user_leaving(runner, user);
    lc_list_remove(&user->node);
    lc_list_append(&runner->gone, &user->node);
    schedule_reap(runner);
}

static int
spawn(struct lc_runner *runner, size_t class_index)
{
    struct lc_user *user = lc__calloc(1, sizeof(struct lc_user));
    if (user == NULL) {
        return LCE_NOMEM;
    }
    user->runner = runner;
    user->class_index = (uint32_t)class_index;
    user->number = runner->next_number;
    user->data = runner->options.classes[class_index]->data;
    int err = lc__user_begin(user);
    if (err < 0) {
        lc__free(user);
        return err;
    }
    runner->next_number++;
    user->is_counted = true;
    runner->classes[class_index].count++;
    lc_list_append(&runner->classes[class_index].users, &user->node);
    return 0;
}

static void
stop_youngest(struct lc_runner *runner, size_t class_index)
{
    struct lc_list *node = runner->classes[class_index].users.prev;
    lc__user_stop(LCORE_CONTAINER(node, struct lc_user, node), runner->options.stop_timeout_ns);
}

/* counts: for each class, in the order of the options. */
static void
apply_counts(struct lc_runner *runner, const uint32_t *counts)
{
    for (size_t place = 0; place < runner->options.class_count; place++) {
        uint32_t i = runner->by_name[place];
        int err = 0;
        while (err == 0 && runner->classes[i].count < counts[i]) {
            err = spawn(runner, i);
        }
        if (err < 0) {
            lc__runner_log(runner, "user %s could not be made: %s", runner->options.classes[i]->name,
                           lc_error_text(err));
        }
    }
    for (size_t i = 0; i < runner->options.class_count; i++) {
        while (runner->classes[i].count > counts[i]) {
            stop_youngest(runner, i);
        }
    }
}

static void
spawning_complete(struct lc_runner *runner)
{
    if (runner->options.is_resetting_stats) {
        lc_stats_reset(runner->shared.stats, (double)lc_clock_realtime_ns() / (double)LCORE_NS_PER_S);
    }
    set_state(runner, LCORE_RUNNER_RUNNING);
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
            apply_counts(runner, lc_dispatcher_counts(runner->dispatcher, 0));
            break;
        case LCORE_DISPATCH_UPDATE:
            apply_counts(runner, lc_dispatcher_counts(runner->dispatcher, 0));
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

static int
begin_dispatch(struct lc_runner *runner, const struct lc_shape_tick *tick, struct lc_error *error)
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
    set_state(runner, LCORE_RUNNER_SPAWNING);
    return 0;
}

static bool
is_same_tick(const struct lc_shape_tick *a, const struct lc_shape_tick *b)
{
    return a->users == b->users && a->spawn_rate == b->spawn_rate && a->classes == b->classes &&
           a->class_count == b->class_count;
}

static void
ask_shape(struct lc_timer *timer)
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
        if (begin_dispatch(runner, &tick, &error) < 0) {
            lc__runner_log(runner, "the shape asked for what cannot be done: %s", error.text);
        }
    }
    /* Ticks keep their second; those that were missed are left out. */
    runner->shape_due_ns += LCORE_NS_PER_S;
    runner->shape_due_ns = runner->shape_due_ns < now_ns ? now_ns + LCORE_NS_PER_S : runner->shape_due_ns;
    if (lc_timer_start(runner->shared.loop, timer, runner->shape_due_ns, ask_shape) < 0) {
        lc__runner_log(runner, "out of memory, the test ends");
        lc_runner_stop(runner);
    }
}

static void
run_time_over(struct lc_timer *timer)
{
    lc_runner_stop(LCORE_CONTAINER(timer, struct lc_runner, run_timer));
}

static struct lc_dispatcher *
make_dispatcher(const struct lc_runner *runner, struct lc_error *error)
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

/* A new test: fresh statistics, clocks and distribution. */
static int
begin_test(struct lc_runner *runner, struct lc_error *error)
{
    struct lc_dispatcher *dispatcher = make_dispatcher(runner, error);
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
        err = lc_timer_start(loop, &runner->shape_timer, runner->start_ns, ask_shape);
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
            set_state(runner, LCORE_RUNNER_SPAWNING);
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
    return begin_dispatch(runner, &(struct lc_shape_tick){.users = users, .spawn_rate = spawn_rate}, error);
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
    set_state(runner, LCORE_RUNNER_SPAWNING);
    apply_counts(runner, counts);
    return 0;
}

void
lc__runner_complete(struct lc_runner *runner)
{
    if (runner->state == LCORE_RUNNER_SPAWNING) {
        spawning_complete(runner);
    }
}

static void
cancel_leaving(struct lc_runner *runner)
{
    /* Whoever is woken may change the list, so each is taken out before its turn. */
    struct lc_list rest;
    lc_list_init(&rest);
    for (struct lc_list *node; (node = lc_list_pop(&runner->leaving)) != NULL;) {
        lc_list_append(&rest, node);
    }
    for (struct lc_list *node; (node = lc_list_pop(&rest)) != NULL;) {
        lc_list_append(&runner->leaving, node);
        lc__user_stop(LCORE_CONTAINER(node, struct lc_user, node), 0);
    }
}

void
lc_runner_stop(struct lc_runner *runner)
{
    if (runner->state == LCORE_RUNNER_STOPPING) {
        cancel_leaving(runner);
        return;
    }
    if (runner->state != LCORE_RUNNER_SPAWNING && runner->state != LCORE_RUNNER_RUNNING) {
        return;
    }
    set_state(runner, LCORE_RUNNER_STOPPING);
    lc_timer_stop(runner->shared.loop, &runner->dispatch_timer);
    lc_timer_stop(runner->shared.loop, &runner->run_timer);
    lc_timer_stop(runner->shared.loop, &runner->shape_timer);
    for (size_t i = 0; i < runner->options.class_count; i++) {
        while (runner->classes[i].count > 0) {
            stop_youngest(runner, i);
        }
    }
    schedule_reap(runner);
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

uint64_t
lc_runner_user_count(const struct lc_runner *runner)
{
    uint64_t count = 0;
    for (size_t i = 0; i < runner->options.class_count; i++) {
        count += runner->classes[i].count;
    }
    return count;
}

uint64_t
lc_runner_class_user_count(const struct lc_runner *runner, size_t class_index)
{
    assert(class_index < runner->options.class_count);
    return runner->classes[class_index].count;
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

uint64_t
lc_runner_exception_count(const struct lc_runner *runner)
{
    return runner->exception_count;
}

bool
lc_runner_next_exception(const struct lc_runner *runner, size_t *position, struct lc_runner_exception *out)
{
    if (*position >= runner->exception_rows) {
        return false;
    }
    *out = runner->exceptions[(*position)++];
    return true;
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
    if (options->size != sizeof(struct lc_runner_options) || options->class_count == 0) {
        return lc_error_set(error, LCE_INVALID, "no user classes, or options of another version of the library");
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
lc_runner_new(struct lc_loop *loop, struct lc_http *http, const struct lc_runner_options *options,
              struct lc_error *error)
{
    if (check_options(options, error) < 0) {
        return NULL;
    }
    struct lc_runner *runner = lc__calloc(1, sizeof(struct lc_runner));
    if (runner == NULL) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        return NULL;
    }
    runner->options = *options;
    runner->shared.loop = loop;
    runner->shared.http = http;
    runner->shared.host = options->host;
    runner->shared.classes = options->classes;
    runner->shared.fibers = lc_fibers_new(loop, 0);
    runner->shared.stats = lc_stats_new();
    runner->classes = lc__calloc(options->class_count, sizeof(struct class_state));
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
    runner->dispatcher = runner->meter == NULL ? NULL : make_dispatcher(runner, error);
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
    assert(is_empty(runner));
    reap(&runner->reap_timer);
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
