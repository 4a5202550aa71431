/* Which task a user runs next: a stack of the sets it is in. */
#ifndef LCORE_RUN_PICKER_H
#define LCORE_RUN_PICKER_H

#include "base/random.h"
#include "locustcore/run.h"
#include "run/wait.h"

struct lc_picker_frame {
    const struct lc_task_set *set;
    struct lc_wait_state wait;
    uint64_t total_weight;
    uint64_t position; /* of the next task in sequential sets, counted in weights */
};

struct lc_picker {
    struct lc_picker_frame frames[LCORE_TASK_DEPTH];
    int depth; /* frames in use; 0: not begun */
};

/* LCE_INVALID: a set without tasks, a task with neither function nor set, a bad wait rule; LCE_LIMIT: sets nested too
 * deep (or in a circle). */
int lc_picker_check(const struct lc_task_set *set, struct lc_error *error);
/* The set passed lc_picker_check(). */
void lc_picker_enter(struct lc_picker *picker, const struct lc_task_set *set, int64_t now_ns);
void lc_picker_leave(struct lc_picker *picker);
static inline const struct lc_task_set *
lc_picker_set(const struct lc_picker *picker)
{
    return picker->frames[picker->depth - 1].set;
}
/* A task of the innermost set. */
const struct lc_task *lc_picker_next(struct lc_picker *picker, struct lc_random *random);
/* By the rule of the innermost set that has one. */
int64_t lc_picker_wait_ns(struct lc_picker *picker, struct lc_random *random, int64_t now_ns);

#endif
