/* The users of a runner: made, stopped, and freed when no fiber stands on them. */
#include <assert.h>

#include "base/alloc.h"
#include "run/runner_state.h"
#include "run/user.h"

bool
lc__runner_is_empty(const struct lc_runner *runner)
{
    return lc_runner_user_count(runner) == 0 && lc_list_is_empty(&runner->leaving);
}

void
lc__runner_reap(struct lc_timer *timer)
{
    struct lc_runner *runner = LCORE_CONTAINER(timer, struct lc_runner, reap_timer);
    for (struct lc_list *node; (node = lc_list_pop(&runner->gone)) != NULL;) {
        struct lc_user *user = LCORE_CONTAINER(node, struct lc_user, node);
        lc__user_fini(user);
        lc__free(user);
    }
    if (runner->state == LCORE_RUNNER_STOPPING && lc__runner_is_empty(runner)) {
        int err = lc_meter_end(runner->meter);
        if (err < 0) {
            lc__runner_log(runner, "requests of the last second could not be counted: %s", lc_error_text(err));
        }
        lc__runner_set_state(runner, LCORE_RUNNER_STOPPED);
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
    if (runner->reap_timer.index == 0 &&
        lc_timer_start(loop, &runner->reap_timer, lc_loop_now_ns(loop), lc__runner_reap) < 0) {
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

void
lc__runner_apply_counts(struct lc_runner *runner, const uint32_t *counts)
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

void
lc__runner_stop_users(struct lc_runner *runner)
{
    for (size_t i = 0; i < runner->options.class_count; i++) {
        while (runner->classes[i].count > 0) {
            stop_youngest(runner, i);
        }
    }
    schedule_reap(runner);
}

void
lc__runner_cancel_leaving(struct lc_runner *runner)
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
