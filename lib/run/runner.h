/* What a user needs of its runner. */
#ifndef LCORE_RUN_RUNNER_H
#define LCORE_RUN_RUNNER_H

#include "base/random.h"
#include "locustcore/run.h"

struct lc_user;

/* What is the same for all users and wanted on every task. */
struct lc_runner_shared {
    struct lc_loop *loop;
    struct lc_http *http;
    struct lc_fibers *fibers;
    struct lc_stats *stats;
    struct lc_random random;
    int64_t unix_offset_ns; /* CLOCK_REALTIME minus CLOCK_MONOTONIC at the begin of the test */
    const char *host;
    const struct lc_user_class *const *classes;
};

/* The runner begins with it. */
static inline struct lc_runner_shared *
lc__runner_shared(struct lc_runner *runner)
{
    return (struct lc_runner_shared *)runner;
}

/* For a worker, whose master decides: goes at once to so many users of each class (in the order of the options), which
 * begins a test if none runs. host: borrowed; NULL: that of the options. LCE_INVALID while stopping, LCE_NOMEM. */
int lc__runner_set_counts(struct lc_runner *runner, const uint32_t *counts, const char *host, int64_t stop_timeout_ns,
                          struct lc_error *error);
/* All users of the fleet are there. */
void lc__runner_complete(struct lc_runner *runner);
/* The user will run no further task: it no longer counts as there. */
void lc__runner_user_leaving(struct lc_runner *runner, struct lc_user *user);
/* The last thing a user does; it is freed in the loop's next round. */
void lc__runner_user_gone(struct lc_runner *runner, struct lc_user *user);
/* `where`: the task; may be NULL. */
void lc__runner_exception(struct lc_runner *runner, struct lc_user *user, const char *where, int err);
void lc__runner_log(struct lc_runner *runner, const char *format, ...) LCORE_PRINTF(2, 3);
/* What may happen on every task: each text once in a test, and at most 64 of them. */
void lc__runner_log_once(struct lc_runner *runner, const char *format, ...) LCORE_PRINTF(2, 3);

#endif
