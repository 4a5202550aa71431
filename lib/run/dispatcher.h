/* Which worker runs how many users of which class, step by step (Locust's dispatcher, compat DST-60..DST-76).
 *
 * A dispatch leads from the present distribution to a target. The driver calls lc_dispatcher_next() until it says
 * done, sends the counts on each step and waits where it is told to. Workers may come and go at any time between two
 * calls; all users are then placed anew over the workers that are there.
 *
 * Classes are known by their index in the array given to lc_dispatcher_new(), workers by their id and their row, which
 * is valid until a worker is added or removed. */
#ifndef LCORE_RUN_DISPATCHER_H
#define LCORE_RUN_DISPATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "locustcore/error.h"
#include "locustcore/str.h"

struct lc_dispatcher;

struct lc_dispatch_class {
    struct lc_str name;  /* unique; copied */
    double weight;       /* 0 or less: only by fixed_count */
    int64_t fixed_count; /* not 0: the weight is ignored; negative: never spawned */
};

/* NULL with LCE_INVALID: no class, a name twice, a weight that is not finite, a worker twice; LCE_FORMAT: a NUL
 * in a worker's id. */
struct lc_dispatcher *lc_dispatcher_new(const struct lc_dispatch_class *classes, size_t class_count,
                                        const struct lc_str *worker_ids, size_t worker_count, struct lc_error *error);
void lc_dispatcher_free(struct lc_dispatcher *dispatcher);

/* Begins a dispatch to target_count users at spawn_rate users per second, replacing one that is under way. `classes`
 * are the classes that new users may come from; another set than before restarts the weighting, NULL keeps it.
 * LCE_INVALID: rate not positive or not finite, target above UINT32_MAX, an index out of range or twice. */
int lc_dispatcher_start(struct lc_dispatcher *dispatcher, uint64_t target_count, double spawn_rate,
                        const uint32_t *classes, size_t class_count, struct lc_error *error);

enum lc_dispatch_state {
    LCORE_DISPATCH_DONE,   /* nothing more to do until the next lc_dispatcher_start() */
    LCORE_DISPATCH_STEP,   /* a step began: the counts are to be sent to every worker, changed or not */
    LCORE_DISPATCH_UPDATE, /* the counts are to be sent, but no step began: a redistribution, or the target was met */
    LCORE_DISPATCH_PAUSE,  /* the step is over: the next call is due *pause_ns after it began; 0: at once */
};
/* Negative: LCE_NOMEM, or LCE_INVALID where there are users to place and no worker ever was; nothing changed then. */
int lc_dispatcher_next(struct lc_dispatcher *dispatcher, int64_t *pause_ns);

/* An id that is there already is kept once; LCE_FORMAT: a NUL in it. Both redistribute; the next step tells the counts.
 * After the last worker was removed its row stays, for there is nowhere to go, until another is added. */
int lc_dispatcher_add_worker(struct lc_dispatcher *dispatcher, struct lc_str id);
int lc_dispatcher_remove_worker(struct lc_dispatcher *dispatcher, struct lc_str id);

/* A changed fixed count is seen after the next ramp-down or redistribution, a changed weight where the weighting
 * restarts. */
int lc_dispatcher_set_class(struct lc_dispatcher *dispatcher, uint32_t class_index, double weight, int64_t fixed_count);

size_t lc_dispatcher_worker_count(const struct lc_dispatcher *dispatcher);
struct lc_str lc_dispatcher_worker_id(const struct lc_dispatcher *dispatcher, size_t row);
/* The row's users, one number per class. Borrowed until the next call that changes the dispatcher. */
const uint32_t *lc_dispatcher_counts(const struct lc_dispatcher *dispatcher, size_t row);
uint64_t lc_dispatcher_user_count(const struct lc_dispatcher *dispatcher);
/* From the first lc_dispatcher_next() of a dispatch until it said done. */
bool lc_dispatcher_is_dispatching(const struct lc_dispatcher *dispatcher);
/* Whether users were redistributed since the last step. */
bool lc_dispatcher_is_rebalanced(const struct lc_dispatcher *dispatcher);

#endif
