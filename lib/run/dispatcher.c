#include "run/dispatcher.h"

#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "run/dispatcher_state.h"

int
lc__dispatch_reserve(struct lc_dispatcher *dispatcher, uint64_t more)
{
    uint64_t need = dispatcher->placement_count + more;
    if (need <= dispatcher->placement_capacity) {
        return 0;
    }
    uint64_t capacity = dispatcher->placement_capacity * 3 / 2;
    capacity = capacity < need ? need : capacity;
    if (capacity > SIZE_MAX / sizeof(struct lc_dispatch_placement)) {
        return LCE_NOMEM;
    }
    struct lc_dispatch_placement *placements =
        lc__realloc(dispatcher->placements, capacity * sizeof(struct lc_dispatch_placement));
    if (placements == NULL) {
        return LCE_NOMEM;
    }
    dispatcher->placements = placements;
    dispatcher->placement_capacity = capacity;
    return 0;
}

bool
lc__dispatch_place_user(struct lc_dispatcher *dispatcher)
{
    uint32_t class_index = lc__dispatch_next_class(dispatcher);
    if (class_index == UINT32_MAX) {
        return false;
    }
    uint32_t row = dispatcher->order[dispatcher->turn];
    dispatcher->turn = dispatcher->turn + 1 == dispatcher->worker_count ? 0 : dispatcher->turn + 1;
    dispatcher->counts[row * dispatcher->class_count + class_index]++;
    dispatcher->placements[dispatcher->placement_count++] = (struct lc_dispatch_placement){row, class_index};
    return true;
}

static int
step_up(struct lc_dispatcher *dispatcher)
{
    uint64_t missing = dispatcher->target - dispatcher->current;
    uint64_t wanted = dispatcher->step < missing ? dispatcher->step : missing;
    if (dispatcher->worker_count == 0) {
        return LCE_INVALID;
    }
    int err = lc__dispatch_reserve(dispatcher, lc__dispatch_places_needed(dispatcher, wanted));
    if (err < 0) {
        return err;
    }
    for (uint64_t i = 0; i < wanted; i++) {
        if (!lc__dispatch_place_user(dispatcher)) {
            dispatcher->is_source_empty = true;
            break;
        }
        dispatcher->current++;
    }
    return LCORE_DISPATCH_STEP;
}

static int
step_down(struct lc_dispatcher *dispatcher)
{
    uint64_t surplus = dispatcher->current - dispatcher->target;
    uint64_t wanted = dispatcher->step < surplus ? dispatcher->step : surplus;
    for (uint64_t i = 0; i < wanted && dispatcher->placement_count > 0; i++) {
        struct lc_dispatch_placement last = dispatcher->placements[--dispatcher->placement_count];
        dispatcher->counts[last.row * dispatcher->class_count + last.class_index]--;
        dispatcher->current--;
        dispatcher->is_fixed_check_due = true;
    }
    if (dispatcher->placement_count == 0) {
        dispatcher->current = dispatcher->target;
    }
    return LCORE_DISPATCH_STEP;
}

struct lc_dispatcher *
lc_dispatcher_new(const struct lc_dispatch_class *classes, size_t class_count, const struct lc_str *worker_ids,
                  size_t worker_count, struct lc_error *error)
{
    struct lc_dispatcher *dispatcher = lc__calloc(1, sizeof(struct lc_dispatcher));
    if (dispatcher == NULL) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        return NULL;
    }
    dispatcher->is_fixed_check_due = true;
    if (lc__dispatch_init_classes(dispatcher, classes, class_count, error) < 0 ||
        lc__dispatch_init_workers(dispatcher, worker_ids, worker_count, error) < 0) {
        lc_dispatcher_free(dispatcher);
        return NULL;
    }
    return dispatcher;
}

void
lc_dispatcher_free(struct lc_dispatcher *dispatcher)
{
    if (dispatcher == NULL) {
        return;
    }
    for (size_t i = 0; i < dispatcher->class_count; i++) {
        lc__free(dispatcher->classes[i].name);
    }
    for (size_t i = 0; i < dispatcher->worker_count; i++) {
        lc__free(dispatcher->workers[i].id);
    }
    lc__free(dispatcher->classes);
    lc__free(dispatcher->source.weighted.items);
    lc__free(dispatcher->source.fixed.items);
    lc__free(dispatcher->workers);
    lc__free(dispatcher->order);
    lc__free(dispatcher->counts);
    lc__free(dispatcher->placements);
    lc__free(dispatcher);
}

int
lc_dispatcher_start(struct lc_dispatcher *dispatcher, uint64_t target_count, double spawn_rate, const uint32_t *classes,
                    size_t class_count, struct lc_error *error)
{
    if (target_count > UINT32_MAX) {
        return lc_error_set(error, LCE_INVALID, "%llu users are more than can be counted",
                            (unsigned long long)target_count);
    }
    if (!isfinite(spawn_rate) || spawn_rate <= 0) {
        return lc_error_set(error, LCE_INVALID, "spawn rate must be finite and above 0, not %g", spawn_rate);
    }
    if (classes != NULL) {
        int err = lc__dispatch_use_classes(dispatcher, classes, class_count, error);
        if (err < 0) {
            return err;
        }
    }
    double step = fmax(1.0, floor(spawn_rate));
    double pause_ns = step / spawn_rate * (double)LCORE_NS_PER_S;
    dispatcher->target = target_count;
    dispatcher->step = step > (double)UINT32_MAX ? UINT32_MAX : (uint64_t)step;
    dispatcher->pause_ns = pause_ns >= (double)INT64_MAX ? INT64_MAX : (int64_t)pause_ns;
    dispatcher->current = lc_dispatcher_user_count(dispatcher);
    dispatcher->is_source_empty = false;
    dispatcher->phase = LCORE_DISPATCH_PHASE_BEGIN;
    return 0;
}

static bool
take_rebalanced(struct lc_dispatcher *dispatcher)
{
    bool is_rebalanced = dispatcher->is_rebalanced;
    dispatcher->is_rebalanced = false;
    return is_rebalanced;
}

static int
end_step(struct lc_dispatcher *dispatcher, enum lc_dispatch_phase next, int64_t *pause_ns)
{
    *pause_ns = dispatcher->current == dispatcher->target ? 0 : dispatcher->pause_ns;
    dispatcher->phase = next;
    return LCORE_DISPATCH_PAUSE;
}

static int
begin_step(struct lc_dispatcher *dispatcher, int state, enum lc_dispatch_phase next)
{
    if (state >= 0) {
        dispatcher->phase = next;
    }
    return state;
}

int
lc_dispatcher_next(struct lc_dispatcher *dispatcher, int64_t *pause_ns)
{
    *pause_ns = 0;
    for (;;) {
        switch (dispatcher->phase) {
        case LCORE_DISPATCH_PHASE_IDLE:
            return LCORE_DISPATCH_DONE;
        case LCORE_DISPATCH_PHASE_BEGIN:
            dispatcher->is_dispatching = true;
            if (take_rebalanced(dispatcher)) {
                return begin_step(dispatcher, LCORE_DISPATCH_UPDATE, LCORE_DISPATCH_PHASE_UP);
            }
            if (dispatcher->current == dispatcher->target) {
                return begin_step(dispatcher, LCORE_DISPATCH_UPDATE, LCORE_DISPATCH_PHASE_END);
            }
            dispatcher->phase = LCORE_DISPATCH_PHASE_UP;
            break;
        case LCORE_DISPATCH_PHASE_UP:
            if (dispatcher->current < dispatcher->target) {
                return begin_step(dispatcher, step_up(dispatcher), LCORE_DISPATCH_PHASE_UP_SENT);
            }
            dispatcher->phase = LCORE_DISPATCH_PHASE_DOWN;
            break;
        case LCORE_DISPATCH_PHASE_UP_SENT:
            dispatcher->phase = LCORE_DISPATCH_PHASE_UP_OVER;
            if (take_rebalanced(dispatcher)) {
                return LCORE_DISPATCH_UPDATE;
            }
            break;
        case LCORE_DISPATCH_PHASE_UP_OVER:
            if (dispatcher->is_source_empty) {
                dispatcher->is_source_empty = false;
                return end_step(dispatcher, LCORE_DISPATCH_PHASE_DOWN, pause_ns);
            }
            return end_step(dispatcher, LCORE_DISPATCH_PHASE_UP, pause_ns);
        case LCORE_DISPATCH_PHASE_DOWN:
            if (dispatcher->current > dispatcher->target) {
                return begin_step(dispatcher, step_down(dispatcher), LCORE_DISPATCH_PHASE_DOWN_SENT);
            }
            dispatcher->phase = LCORE_DISPATCH_PHASE_END;
            break;
        case LCORE_DISPATCH_PHASE_DOWN_SENT:
            dispatcher->phase = LCORE_DISPATCH_PHASE_DOWN_OVER;
            if (take_rebalanced(dispatcher)) {
                return LCORE_DISPATCH_UPDATE;
            }
            break;
        case LCORE_DISPATCH_PHASE_DOWN_OVER:
            return end_step(dispatcher, LCORE_DISPATCH_PHASE_DOWN, pause_ns);
        case LCORE_DISPATCH_PHASE_END:
            dispatcher->is_dispatching = false;
            dispatcher->phase = LCORE_DISPATCH_PHASE_IDLE;
            break;
        }
    }
}

uint64_t
lc_dispatcher_user_count(const struct lc_dispatcher *dispatcher)
{
    return dispatcher->placement_count;
}

bool
lc_dispatcher_is_rebalanced(const struct lc_dispatcher *dispatcher)
{
    return dispatcher->is_rebalanced;
}

bool
lc_dispatcher_is_dispatching(const struct lc_dispatcher *dispatcher)
{
    return dispatcher->is_dispatching;
}
