/* The state of a dispatcher, for the files that make it up: dispatcher.c leads from step to step, dispatcher_classes.c
 * says of which class the next user is, dispatcher_workers.c looks after the rows. */
#ifndef LCORE_RUN_DISPATCHER_STATE_H
#define LCORE_RUN_DISPATCHER_STATE_H

#include "run/dispatcher.h"
#include "run/mix.h"

/* Where the class of the next user comes from. It outlives a dispatch, so that the mix goes on where it was. */
struct lc_dispatch_source {
    struct lc_mix weighted;
    struct lc_mix fixed;
    uint64_t fixed_left; /* of the fixed users found missing at the last check */
    bool is_weighted_begun;
};

struct lc_dispatch_class_entry {
    char *name;
    double weight;
    int64_t fixed_count;
    uint32_t rank; /* place by name */
    bool is_used;  /* new users may come from it */
};

struct lc_dispatch_worker {
    char *id;
    uint32_t number; /* how many workers of the same machine came before it */
};

struct lc_dispatch_placement {
    uint32_t row;
    uint32_t class_index;
};

enum lc_dispatch_phase {
    LCORE_DISPATCH_PHASE_IDLE,
    LCORE_DISPATCH_PHASE_BEGIN,
    LCORE_DISPATCH_PHASE_UP,
    LCORE_DISPATCH_PHASE_UP_SENT,
    LCORE_DISPATCH_PHASE_UP_OVER,
    LCORE_DISPATCH_PHASE_DOWN,
    LCORE_DISPATCH_PHASE_DOWN_SENT,
    LCORE_DISPATCH_PHASE_DOWN_OVER,
    LCORE_DISPATCH_PHASE_END
};

struct lc_dispatcher {
    struct lc_dispatch_class_entry *classes;
    size_t class_count;
    struct lc_dispatch_worker *workers; /* rows */
    size_t worker_count;
    uint32_t *order; /* rows in the order in which users are dealt out */
    size_t turn;     /* place in `order` of the next user's worker */
    uint32_t *counts;
    struct lc_dispatch_source source;
    struct lc_dispatch_placement *placements; /* in the order of spawning; the last is stopped first */
    size_t placement_count;
    size_t placement_capacity;
    uint64_t target;
    uint64_t current; /* what the steps count with; after a redistribution that found no user for a place, more than
                         there are, until the next dispatch */
    uint64_t step;
    int64_t pause_ns;
    enum lc_dispatch_phase phase;
    bool is_rebalanced; /* and nobody was told yet */
    bool is_fixed_check_due;
    bool is_source_empty;  /* seen in the present step */
    bool is_last_one_gone; /* the only row belongs to a worker that was removed */
    bool is_dispatching;
};

/* Room for so many more users. LCE_NOMEM. */
int lc__dispatch_reserve(struct lc_dispatcher *dispatcher, uint64_t more);
/* Room must have been reserved. False when there was no class to take one from. */
bool lc__dispatch_place_user(struct lc_dispatcher *dispatcher);

/* Copies the classes. LCE_INVALID: none, a name twice, a weight that is not finite; LCE_NOMEM. */
int lc__dispatch_init_classes(struct lc_dispatcher *dispatcher, const struct lc_dispatch_class *classes, size_t count,
                              struct lc_error *error);
/* From now on new users come from these; another set than before restarts the weighting. LCE_INVALID, LCE_NOMEM. */
int lc__dispatch_use_classes(struct lc_dispatcher *dispatcher, const uint32_t *classes, size_t count,
                             struct lc_error *error);
/* UINT32_MAX: there is no class to take a user from. */
uint32_t lc__dispatch_next_class(struct lc_dispatcher *dispatcher);
/* Weighting begins anew, and so does the look for fixed users that are missing. */
void lc__dispatch_restart_source(struct lc_dispatcher *dispatcher);
/* How many of `wanted` users there may be at most: what only classes with a fixed count can take is known beforehand,
 * so that a target of millions for three users does not reserve millions. */
uint64_t lc__dispatch_places_needed(const struct lc_dispatcher *dispatcher, uint64_t wanted);

/* Copies the ids; classes must be known. LCE_FORMAT: a NUL in an id; LCE_INVALID: one is there twice; LCE_NOMEM. */
int lc__dispatch_init_workers(struct lc_dispatcher *dispatcher, const struct lc_str *ids, size_t count,
                              struct lc_error *error);

#endif
