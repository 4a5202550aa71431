#include "run/user.h"

#include "base/clock.h"
#include "fiber/fiber.h"
#include "run/runner.h"

/* A user that neither waits nor yields goes on with the next task at once for that long before others get a turn. */
#define TURN_NS (20 * LCORE_NS_PER_US)
/* How long to wait for the next try if there was no memory for a stack. */
#define RETRY_NS (10 * LCORE_NS_PER_MS)

static struct lc_loop *
loop_of(struct lc_user *user)
{
    return lc__runner_shared(user->runner)->loop;
}

/* An error of a user function. Waits that were cut by a stop are no exception. */
static void
report(struct lc_user *user, const char *where, int err)
{
    if (err != LCE_CANCELED || !user->is_stopping) {
        lc__runner_exception(user->runner, user, where, err);
    }
}

/* Whether the user goes on. */
static bool
run_on_start(struct lc_user *user, bool *is_on_stop_due)
{
    const struct lc_user_class *class = lc_user_class(user);
    user->phase = LCORE_USER_BUSY;
    lc_picker_enter(&user->picker, &class->set, lc_clock_monotonic_ns());
    int result = class->set.on_start == NULL ? 0 : class->set.on_start(user);
    lc__user_settle(user);
    if (result < 0 && !(result == LCE_CANCELED && user->is_stopping)) {
        lc__runner_exception(user->runner, user, "on_start", result);
        *is_on_stop_due = false;
        return false;
    }
    return result != LCORE_TASK_STOP && !user->is_stopping;
}

static void
leave_set(struct lc_user *user)
{
    const struct lc_task_set *set = lc_picker_set(&user->picker);
    if (set->on_stop != NULL) {
        int err = set->on_stop(user);
        lc__user_settle(user);
        if (err < 0) {
            report(user, "on_stop", err);
        }
    }
    lc_picker_leave(&user->picker);
}

/* Enters a nested set; its first task follows at once. */
static int
enter_set(struct lc_user *user, const struct lc_task *task)
{
    lc_picker_enter(&user->picker, task->set, lc_clock_monotonic_ns());
    if (task->set->on_start == NULL) {
        return LCORE_TASK_AGAIN;
    }
    int result = task->set->on_start(user);
    lc__user_settle(user);
    if (result == LCORE_TASK_DONE) {
        return LCORE_TASK_AGAIN;
    }
    lc_picker_leave(&user->picker);
    if (result < 0) {
        report(user, "on_start", result);
        return LCORE_TASK_DONE;
    }
    return result == LCORE_TASK_LEAVE ? LCORE_TASK_AGAIN : result == LCORE_TASK_LEAVE_WAIT ? LCORE_TASK_DONE : result;
}

/* One task. The result says only whether to wait (DONE), go on (AGAIN) or end (STOP). */
static int
run_task(struct lc_user *user)
{
    const struct lc_task *task = lc_picker_next(&user->picker, &lc__runner_shared(user->runner)->random);
    if (task->run == NULL) {
        return enter_set(user, task);
    }
    int result = task->run(user);
    lc__user_settle(user);
    switch (result) {
    case LCORE_TASK_LEAVE:
    case LCORE_TASK_LEAVE_WAIT:
        if (user->picker.depth == 1) {
            return LCORE_TASK_STOP;
        }
        leave_set(user);
        return result == LCORE_TASK_LEAVE ? LCORE_TASK_AGAIN : LCORE_TASK_DONE;
    case LCORE_TASK_AGAIN:
    case LCORE_TASK_STOP:
        return result;
    default:
        if (result < 0) {
            report(user, task->name, result);
        }
        return LCORE_TASK_DONE;
    }
}

static void
say_goodbye(struct lc_user *user, bool is_on_stop_due)
{
    lc_timer_stop(loop_of(user), &user->timer);
    user->phase = LCORE_USER_LEAVING;
    user->is_stopping = true;
    lc__runner_user_leaving(user->runner, user);
    lc__fiber_uncancel();
    while (is_on_stop_due && user->picker.depth > 0) {
        leave_set(user);
    }
    user->phase = LCORE_USER_GONE;
    user->fiber = NULL;
    lc__runner_user_gone(user->runner, user);
}

static void turn_due(struct lc_timer *timer);

/* A fiber from one wait of the user to the next. */
static int
take_turn(void *arg)
{
    struct lc_user *user = arg;
    user->fiber = lc_fiber_self();
    bool is_on_stop_due = true;
    bool is_going_on = !user->is_stopping;
    if (user->phase == LCORE_USER_NEW) {
        is_going_on = run_on_start(user, &is_on_stop_due);
    }
    user->phase = is_going_on ? LCORE_USER_BUSY : user->phase;
    int64_t begin_ns = lc_clock_monotonic_ns();
    unsigned parks = lc__fiber_park_count();
    while (is_going_on) {
        int result = run_task(user);
        if (result == LCORE_TASK_STOP || user->is_stopping) {
            break;
        }
        int64_t now_ns = lc_clock_monotonic_ns();
        int64_t wait_ns = 0;
        if (result == LCORE_TASK_DONE) {
            wait_ns = lc_picker_wait_ns(&user->picker, &lc__runner_shared(user->runner)->random, now_ns);
        }
        if (wait_ns == 0 && (lc__fiber_park_count() != parks || now_ns - begin_ns < TURN_NS)) {
            if (lc__fiber_park_count() != parks) {
                begin_ns = now_ns;
                parks = lc__fiber_park_count();
            }
            continue;
        }
        int err = lc_timer_start(loop_of(user), &user->timer, now_ns + wait_ns, turn_due);
        if (err < 0) {
            lc__runner_exception(user->runner, user, NULL, err);
            break;
        }
        user->phase = LCORE_USER_WAITING;
        user->fiber = NULL;
        return 0;
    }
    say_goodbye(user, is_on_stop_due);
    return 0;
}

static void
turn_due(struct lc_timer *timer)
{
    struct lc_user *user = LCORE_CONTAINER(timer, struct lc_user, timer);
    int err = lc_fiber_start(lc__runner_shared(user->runner)->fibers, take_turn, user, NULL);
    if (err < 0) {
        lc__runner_exception(user->runner, user, NULL, err);
        /* Cannot fail: the heap has just had this timer. */
        lc_timer_start(loop_of(user), &user->timer, lc_clock_monotonic_ns() + RETRY_NS, turn_due);
    }
}

static void
patience_ended(struct lc_timer *timer)
{
    struct lc_user *user = LCORE_CONTAINER(timer, struct lc_user, timer);
    if (user->fiber != NULL && user->phase == LCORE_USER_BUSY) {
        lc_fiber_cancel(user->fiber);
    }
}

int
lc__user_begin(struct lc_user *user)
{
    return lc_timer_start(loop_of(user), &user->timer, lc_loop_now_ns(loop_of(user)), turn_due);
}

static void
stop_busy(struct lc_user *user, int64_t patience_ns)
{
    bool is_first = !user->is_stopping;
    user->is_stopping = true;
    lc__runner_user_leaving(user->runner, user);
    if (patience_ns > 0) {
        int64_t now_ns = lc_clock_monotonic_ns();
        int64_t end_ns = patience_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + patience_ns;
        if (!is_first || lc_timer_start(loop_of(user), &user->timer, end_ns, patience_ended) == 0) {
            return;
        }
    }
    lc_timer_stop(loop_of(user), &user->timer);
    lc_fiber_cancel(user->fiber);
}

void
lc__user_stop(struct lc_user *user, int64_t patience_ns)
{
    if (user->phase == LCORE_USER_BUSY) {
        stop_busy(user, patience_ns);
        return;
    }
    if (user->is_stopping) {
        return;
    }
    user->is_stopping = true;
    lc__runner_user_leaving(user->runner, user);
    lc_timer_stop(loop_of(user), &user->timer);
    if (user->phase == LCORE_USER_NEW) {
        user->phase = LCORE_USER_GONE;
        lc__runner_user_gone(user->runner, user);
        return;
    }
    turn_due(&user->timer);
}
