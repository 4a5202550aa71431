/* The state of a runner, for the files that make it up: runner.c starts and ends a test, runner_spawning.c says how
 * many users there shall be and when, runner_users.c makes and ends them, runner_log.c keeps what went wrong. */
#ifndef LCORE_RUN_RUNNER_STATE_H
#define LCORE_RUN_RUNNER_STATE_H

#include "base/list.h"
#include "run/dispatcher.h"
#include "run/runner.h"

#define LCORE_RUNNER_EXCEPTION_ROWS 100
#define LCORE_RUNNER_REASONS 64

struct lc_runner_class {
    struct lc_list users; /* that are there; the youngest last */
    uint64_t count;
};

struct lc_runner {
    struct lc_runner_shared shared; /* first: see lc__runner_shared() */
    struct lc_runner_options options;
    struct lc_runner_class *classes;
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
    struct lc_runner_exception exceptions[LCORE_RUNNER_EXCEPTION_ROWS];
    size_t exception_rows;
    uint64_t exception_count;
    uint64_t reasons[LCORE_RUNNER_REASONS]; /* hashes of what lc__runner_log_once() said in this test */
    size_t reason_count;
};

/* Told at once, except when a task made the change: then by a timer, or just before the next change. */
void lc__runner_set_state(struct lc_runner *runner, enum lc_runner_state state);

/* A dispatcher of the options' classes; NULL with an error. */
struct lc_dispatcher *lc__runner_make_dispatcher(const struct lc_runner *runner, struct lc_error *error);
/* Users come and go from the loop's next round on, until there are as many as the tick says. LCE_INVALID or
 * LCE_NOTFOUND: a tick that cannot be done; LCE_NOMEM. */
int lc__runner_begin_dispatch(struct lc_runner *runner, const struct lc_shape_tick *tick, struct lc_error *error);
/* Of shape_timer: asks the options' shape, each second from now on. */
void lc__runner_ask_shape(struct lc_timer *timer);

/* No user is there, and none on its way out. */
bool lc__runner_is_empty(const struct lc_runner *runner);
/* Makes and stops users; counts: for each class, in the order of the options. */
void lc__runner_apply_counts(struct lc_runner *runner, const uint32_t *counts);
/* Stops all of them, by the patience of the options; when the last is gone, the runner's state is STOPPED. */
void lc__runner_stop_users(struct lc_runner *runner);
/* The patience is over for those that are on their way out. */
LCORE_YIELDS void lc__runner_cancel_leaving(struct lc_runner *runner);
/* Of reap_timer: frees the users that are gone; no fiber stands on them. */
void lc__runner_reap(struct lc_timer *timer);

#endif
