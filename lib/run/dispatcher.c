#include "run/dispatcher.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "run/mix.h"

/* Where the class of the next user comes from. It outlives a dispatch, so that the mix goes on where it was. */
struct source {
    struct lc_mix weighted;
    struct lc_mix fixed;
    uint64_t fixed_left; /* of the fixed users found missing at the last check */
    bool is_weighted_begun;
};

struct class_entry {
    char *name;
    double weight;
    int64_t fixed_count;
    uint32_t rank; /* place by name */
    bool is_used;  /* new users may come from it */
};

struct worker_entry {
    char *id;
    uint32_t number; /* how many workers of the same machine came before it */
};

struct placement {
    uint32_t row;
    uint32_t class_index;
};

enum phase {
    PHASE_IDLE,
    PHASE_BEGIN,
    PHASE_UP,
    PHASE_UP_SENT,
    PHASE_UP_OVER,
    PHASE_DOWN,
    PHASE_DOWN_SENT,
    PHASE_DOWN_OVER,
    PHASE_END
};

struct lc_dispatcher {
    struct class_entry *classes;
    size_t class_count;
    struct worker_entry *workers; /* rows */
    size_t worker_count;
    uint32_t *order; /* rows in the order in which users are dealt out */
    size_t turn;     /* place in `order` of the next user's worker */
    uint32_t *counts;
    struct source source;
    struct placement *placements; /* in the order of spawning; the last is stopped first */
    size_t placement_count;
    size_t placement_capacity;
    uint64_t target;
    uint64_t current; /* what the steps count with; after a redistribution that found no user for a place, more than
                         there are, until the next dispatch */
    uint64_t step;
    int64_t pause_ns;
    enum phase phase;
    bool is_rebalanced; /* and nobody was told yet */
    bool is_fixed_check_due;
    bool is_source_empty;  /* seen in the present step */
    bool is_last_one_gone; /* the only row belongs to a worker that was removed */
    bool is_dispatching;
};

static int
compare_names(const void *a, const void *b)
{
    const struct class_entry *const *left = a;
    const struct class_entry *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static int
rank_classes(struct lc_dispatcher *dispatcher, struct lc_error *error)
{
    struct class_entry **sorted = lc__alloc(dispatcher->class_count * sizeof(struct class_entry *));
    if (sorted == NULL) {
        return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    for (size_t i = 0; i < dispatcher->class_count; i++) {
        sorted[i] = &dispatcher->classes[i];
    }
    qsort(sorted, dispatcher->class_count, sizeof(struct class_entry *), compare_names);
    int err = 0;
    for (size_t i = 0; i < dispatcher->class_count; i++) {
        sorted[i]->rank = (uint32_t)i;
        if (i > 0 && strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
            err = lc_error_set(error, LCE_INVALID, "two user classes are called %s", sorted[i]->name);
        }
    }
    lc__free(sorted);
    return err;
}

static size_t
machine_len(const char *id)
{
    return strcspn(id, "_");
}

static int
compare_ids(const void *a, const void *b)
{
    const struct worker_entry *left = a;
    const struct worker_entry *right = b;
    return strcmp(left->id, right->id);
}

static int
compare_turns(const void *a, const void *b)
{
    const struct worker_entry *left = a;
    const struct worker_entry *right = b;
    if (left->number != right->number) {
        return left->number < right->number ? -1 : 1;
    }
    return strcmp(left->id, right->id);
}

/* Machines take turns: the first worker of each, then the second of each, ... (compat DST-65). Ids of one machine need
 * not be neighbours in the order of ids ("a_1", "a1_1", "a_2" are sorted that way), so each is compared with all
 * before it that could share its machine. */
static void
workers_sort(struct worker_entry *workers, size_t count)
{
    qsort(workers, count, sizeof(struct worker_entry), compare_ids);
    for (size_t i = 0; i < count; i++) {
        size_t len = machine_len(workers[i].id);
        workers[i].number = 0;
        for (size_t j = i; j-- > 0;) {
            if (strncmp(workers[j].id, workers[i].id, len) != 0) {
                break;
            }
            if (machine_len(workers[j].id) == len) {
                workers[i].number = workers[j].number + 1;
                break;
            }
        }
    }
    qsort(workers, count, sizeof(struct worker_entry), compare_turns);
}

static void
source_restart(struct lc_dispatcher *dispatcher)
{
    dispatcher->source.weighted.count = 0;
    dispatcher->source.fixed.count = 0;
    dispatcher->source.fixed_left = 0;
    dispatcher->source.is_weighted_begun = false;
}

/* Fixed users that are missing now, each class with the number of them as its weight (compat DST-66). */
static void
source_check_fixed(struct lc_dispatcher *dispatcher)
{
    struct source *source = &dispatcher->source;
    source->fixed.count = 0;
    source->fixed_left = 0;
    for (size_t i = 0; i < dispatcher->class_count; i++) {
        const struct class_entry *entry = &dispatcher->classes[i];
        if (!entry->is_used || entry->fixed_count <= 0) {
            continue;
        }
        uint64_t present = 0;
        for (size_t row = 0; row < dispatcher->worker_count; row++) {
            present += dispatcher->counts[row * dispatcher->class_count + i];
        }
        if (present < (uint64_t)entry->fixed_count) {
            uint64_t missing = (uint64_t)entry->fixed_count - present;
            lc_mix_add(&source->fixed, (uint32_t)i, entry->rank, (double)missing);
            source->fixed_left += missing;
        }
    }
}

/* UINT32_MAX: there is no class to take a user from. */
static uint32_t
source_next(struct lc_dispatcher *dispatcher)
{
    struct source *source = &dispatcher->source;
    if (source->fixed_left == 0 && dispatcher->is_fixed_check_due) {
        dispatcher->is_fixed_check_due = false;
        source_check_fixed(dispatcher);
    }
    if (source->fixed_left > 0) {
        source->fixed_left--;
        return lc_mix_next(&source->fixed);
    }
    if (!source->is_weighted_begun) {
        source->is_weighted_begun = true;
        for (size_t i = 0; i < dispatcher->class_count; i++) {
            const struct class_entry *entry = &dispatcher->classes[i];
            if (entry->is_used && entry->fixed_count == 0) {
                lc_mix_add(&source->weighted, (uint32_t)i, entry->rank, entry->weight);
            }
        }
    }
    return lc_mix_next(&source->weighted);
}

static int
placements_reserve(struct lc_dispatcher *dispatcher, uint64_t more)
{
    uint64_t need = dispatcher->placement_count + more;
    if (need <= dispatcher->placement_capacity) {
        return 0;
    }
    uint64_t capacity = dispatcher->placement_capacity * 3 / 2;
    capacity = capacity < need ? need : capacity;
    if (capacity > SIZE_MAX / sizeof(struct placement)) {
        return LCE_NOMEM;
    }
    struct placement *placements = lc__realloc(dispatcher->placements, capacity * sizeof(struct placement));
    if (placements == NULL) {
        return LCE_NOMEM;
    }
    dispatcher->placements = placements;
    dispatcher->placement_capacity = capacity;
    return 0;
}

/* Room must have been reserved. False when there was no class to take one from. */
static bool
place_user(struct lc_dispatcher *dispatcher)
{
    uint32_t class_index = source_next(dispatcher);
    if (class_index == UINT32_MAX) {
        return false;
    }
    uint32_t row = dispatcher->order[dispatcher->turn];
    dispatcher->turn = dispatcher->turn + 1 == dispatcher->worker_count ? 0 : dispatcher->turn + 1;
    dispatcher->counts[row * dispatcher->class_count + class_index]++;
    dispatcher->placements[dispatcher->placement_count++] = (struct placement){row, class_index};
    return true;
}

/* What only classes with a fixed count can take is known beforehand, so that a target of millions for three users does
 * not reserve millions. */
static uint64_t
places_needed(const struct lc_dispatcher *dispatcher, uint64_t wanted)
{
    uint64_t fixed = 0;
    for (size_t i = 0; i < dispatcher->class_count; i++) {
        const struct class_entry *entry = &dispatcher->classes[i];
        if (entry->is_used && entry->fixed_count == 0 && entry->weight > 0) {
            return wanted;
        }
        fixed += entry->fixed_count > 0 ? (uint64_t)entry->fixed_count : 0;
        fixed = fixed > UINT32_MAX ? UINT32_MAX : fixed;
    }
    /* A weighting that began with other weights and fixed users found missing at an earlier check may still come. */
    fixed += dispatcher->source.fixed_left;
    return dispatcher->source.weighted.count > 0 || wanted < fixed ? wanted : fixed;
}

static int
step_up(struct lc_dispatcher *dispatcher)
{
    uint64_t missing = dispatcher->target - dispatcher->current;
    uint64_t wanted = dispatcher->step < missing ? dispatcher->step : missing;
    if (dispatcher->worker_count == 0) {
        return LCE_INVALID;
    }
    int err = placements_reserve(dispatcher, places_needed(dispatcher, wanted));
    if (err < 0) {
        return err;
    }
    for (uint64_t i = 0; i < wanted; i++) {
        if (!place_user(dispatcher)) {
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
        struct placement last = dispatcher->placements[--dispatcher->placement_count];
        dispatcher->counts[last.row * dispatcher->class_count + last.class_index]--;
        dispatcher->current--;
        dispatcher->is_fixed_check_due = true;
    }
    if (dispatcher->placement_count == 0) {
        dispatcher->current = dispatcher->target;
    }
    return LCORE_DISPATCH_STEP;
}

/* Replaces the rows by `workers` and deals the present users out again from the start. Takes `workers`. */
static int
rebalance(struct lc_dispatcher *dispatcher, struct worker_entry *workers, size_t count)
{
    uint32_t *order = lc__alloc(count * sizeof(uint32_t));
    uint32_t *counts = lc__calloc(count, dispatcher->class_count * sizeof(uint32_t));
    if (order == NULL || counts == NULL) {
        lc__free(order);
        lc__free(counts);
        return LCE_NOMEM;
    }
    uint64_t users = dispatcher->current;
    size_t placed_before = dispatcher->placement_count;
    dispatcher->placement_count = 0;
    int err = placements_reserve(dispatcher, users);
    if (err < 0) {
        dispatcher->placement_count = placed_before;
        lc__free(order);
        lc__free(counts);
        return err;
    }
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)i;
    }
    lc__free(dispatcher->workers);
    lc__free(dispatcher->order);
    lc__free(dispatcher->counts);
    dispatcher->workers = workers;
    dispatcher->worker_count = count;
    dispatcher->order = order;
    dispatcher->turn = 0;
    dispatcher->counts = counts;
    dispatcher->is_last_one_gone = false;
    dispatcher->is_fixed_check_due = true;
    source_restart(dispatcher);
    if (users > 0) {
        /* Fixed users are missing as if nobody ran yet: the check sees the empty counts. */
        while (dispatcher->placement_count < users && place_user(dispatcher)) {
        }
    }
    dispatcher->is_rebalanced = true;
    return 0;
}

/* A copy of the workers in their order, without the one of that id, with room for one more. */
static struct worker_entry *
workers_without(const struct lc_dispatcher *dispatcher, const char *id, size_t *count)
{
    struct worker_entry *workers = lc__alloc((dispatcher->worker_count + 1) * sizeof(struct worker_entry));
    if (workers == NULL) {
        return NULL;
    }
    *count = 0;
    for (size_t i = 0; i < dispatcher->worker_count; i++) {
        const struct worker_entry *worker = &dispatcher->workers[dispatcher->order[i]];
        if (id == NULL || strcmp(worker->id, id) != 0) {
            workers[(*count)++] = *worker;
        }
    }
    return workers;
}

/* Ids are kept NUL-terminated. */
static bool
is_id_valid(struct lc_str id)
{
    return id.len == 0 || memchr(id.data, '\0', id.len) == NULL;
}

static char *
find_worker(const struct lc_dispatcher *dispatcher, struct lc_str id)
{
    for (size_t i = 0; i < dispatcher->worker_count; i++) {
        char *known = dispatcher->workers[i].id;
        if (lc_str_equal(lc_str_from(known), id)) {
            return known;
        }
    }
    return NULL;
}

int
lc_dispatcher_add_worker(struct lc_dispatcher *dispatcher, struct lc_str id)
{
    if (!is_id_valid(id)) {
        return LCE_FORMAT;
    }
    char *known = find_worker(dispatcher, id);
    char *gone = dispatcher->is_last_one_gone && known == NULL ? dispatcher->workers[0].id : NULL;
    char *copy = known == NULL ? lc_str_dup(id) : NULL;
    size_t count = 0;
    struct worker_entry *workers = workers_without(dispatcher, gone, &count);
    int err = LCE_NOMEM;
    if (workers == NULL || (known == NULL && copy == NULL)) {
        goto fail;
    }
    if (copy != NULL) {
        workers[count++] = (struct worker_entry){.id = copy};
    }
    workers_sort(workers, count);
    err = rebalance(dispatcher, workers, count);
    if (err < 0) {
        goto fail;
    }
    lc__free(gone);
    return 0;
fail:
    lc__free(workers);
    lc__free(copy);
    return err;
}

int
lc_dispatcher_remove_worker(struct lc_dispatcher *dispatcher, struct lc_str id)
{
    char *gone = find_worker(dispatcher, id);
    if (dispatcher->worker_count == 0 || dispatcher->is_last_one_gone) {
        return 0;
    }
    if (gone != NULL && dispatcher->worker_count == 1) {
        dispatcher->is_last_one_gone = true;
        return 0;
    }
    size_t count = 0;
    struct worker_entry *workers = workers_without(dispatcher, gone, &count);
    if (workers == NULL) {
        return LCE_NOMEM;
    }
    int err = rebalance(dispatcher, workers, count);
    if (err < 0) {
        lc__free(workers);
        return err;
    }
    lc__free(gone);
    return 0;
}

static int
init_classes(struct lc_dispatcher *dispatcher, const struct lc_dispatch_class *classes, size_t count,
             struct lc_error *error)
{
    if (count == 0) {
        return lc_error_set(error, LCE_INVALID, "no user class");
    }
    dispatcher->classes = lc__calloc(count, sizeof(struct class_entry));
    dispatcher->source.weighted.items = lc__calloc(count, sizeof(struct lc_mix_item));
    dispatcher->source.fixed.items = lc__calloc(count, sizeof(struct lc_mix_item));
    if (dispatcher->classes == NULL || dispatcher->source.weighted.items == NULL ||
        dispatcher->source.fixed.items == NULL) {
        return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    dispatcher->class_count = count;
    for (size_t i = 0; i < count; i++) {
        struct class_entry *entry = &dispatcher->classes[i];
        entry->name = lc_str_dup(classes[i].name);
        if (entry->name == NULL) {
            return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        }
        if (!isfinite(classes[i].weight)) {
            return lc_error_set(error, LCE_INVALID, "the weight of %s is not a finite number", entry->name);
        }
        entry->weight = classes[i].weight;
        entry->fixed_count = classes[i].fixed_count;
        entry->is_used = true;
    }
    return rank_classes(dispatcher, error);
}

static int
init_workers(struct lc_dispatcher *dispatcher, const struct lc_str *ids, size_t count, struct lc_error *error)
{
    struct worker_entry *sorted = lc__alloc((count + 1) * sizeof(struct worker_entry));
    dispatcher->workers = lc__calloc(count + 1, sizeof(struct worker_entry));
    dispatcher->order = lc__calloc(count + 1, sizeof(uint32_t));
    dispatcher->counts = lc__calloc(count + 1, dispatcher->class_count * sizeof(uint32_t));
    int err = LCE_NOMEM;
    if (sorted == NULL || dispatcher->workers == NULL || dispatcher->order == NULL || dispatcher->counts == NULL) {
        goto done;
    }
    dispatcher->worker_count = count;
    for (size_t i = 0; i < count; i++) {
        if (!is_id_valid(ids[i])) {
            err = LCE_FORMAT;
            goto done;
        }
        dispatcher->workers[i].id = lc_str_dup(ids[i]);
        if (dispatcher->workers[i].id == NULL) {
            goto done;
        }
        sorted[i] = dispatcher->workers[i];
    }
    qsort(sorted, count, sizeof(struct worker_entry), compare_ids);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1].id, sorted[i].id) == 0) {
            err = LCE_INVALID;
            goto done;
        }
    }
    workers_sort(sorted, count);
    for (size_t i = 0; i < count; i++) {
        for (size_t row = 0; row < count; row++) {
            if (dispatcher->workers[row].id == sorted[i].id) {
                dispatcher->workers[row].number = sorted[i].number;
                dispatcher->order[i] = (uint32_t)row;
            }
        }
    }
    err = 0;
done:
    lc__free(sorted);
    if (err < 0) {
        lc_error_set(error, err, "%s", err == LCE_INVALID ? "two workers have the same id" : lc_error_text(err));
    }
    return err;
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
    if (init_classes(dispatcher, classes, class_count, error) < 0 ||
        init_workers(dispatcher, worker_ids, worker_count, error) < 0) {
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

static int
use_classes(struct lc_dispatcher *dispatcher, const uint32_t *classes, size_t count, struct lc_error *error)
{
    bool *is_used = lc__calloc(dispatcher->class_count, sizeof(bool));
    if (is_used == NULL) {
        return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    int err = 0;
    for (size_t i = 0; i < count; i++) {
        if (classes[i] >= dispatcher->class_count || is_used[classes[i]]) {
            err = lc_error_set(error, LCE_INVALID, "user class number %u is unknown or given twice", classes[i]);
            goto done;
        }
        is_used[classes[i]] = true;
    }
    bool is_changed = false;
    for (size_t i = 0; i < dispatcher->class_count; i++) {
        is_changed |= dispatcher->classes[i].is_used != is_used[i];
        dispatcher->classes[i].is_used = is_used[i];
    }
    if (is_changed) {
        source_restart(dispatcher);
    }
done:
    lc__free(is_used);
    return err;
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
        int err = use_classes(dispatcher, classes, class_count, error);
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
    dispatcher->phase = PHASE_BEGIN;
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
end_step(struct lc_dispatcher *dispatcher, enum phase next, int64_t *pause_ns)
{
    *pause_ns = dispatcher->current == dispatcher->target ? 0 : dispatcher->pause_ns;
    dispatcher->phase = next;
    return LCORE_DISPATCH_PAUSE;
}

static int
begin_step(struct lc_dispatcher *dispatcher, int state, enum phase next)
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
        case PHASE_IDLE:
            return LCORE_DISPATCH_DONE;
        case PHASE_BEGIN:
            dispatcher->is_dispatching = true;
            if (take_rebalanced(dispatcher)) {
                return begin_step(dispatcher, LCORE_DISPATCH_UPDATE, PHASE_UP);
            }
            if (dispatcher->current == dispatcher->target) {
                return begin_step(dispatcher, LCORE_DISPATCH_UPDATE, PHASE_END);
            }
            dispatcher->phase = PHASE_UP;
            break;
        case PHASE_UP:
            if (dispatcher->current < dispatcher->target) {
                return begin_step(dispatcher, step_up(dispatcher), PHASE_UP_SENT);
            }
            dispatcher->phase = PHASE_DOWN;
            break;
        case PHASE_UP_SENT:
            dispatcher->phase = PHASE_UP_OVER;
            if (take_rebalanced(dispatcher)) {
                return LCORE_DISPATCH_UPDATE;
            }
            break;
        case PHASE_UP_OVER:
            if (dispatcher->is_source_empty) {
                dispatcher->is_source_empty = false;
                return end_step(dispatcher, PHASE_DOWN, pause_ns);
            }
            return end_step(dispatcher, PHASE_UP, pause_ns);
        case PHASE_DOWN:
            if (dispatcher->current > dispatcher->target) {
                return begin_step(dispatcher, step_down(dispatcher), PHASE_DOWN_SENT);
            }
            dispatcher->phase = PHASE_END;
            break;
        case PHASE_DOWN_SENT:
            dispatcher->phase = PHASE_DOWN_OVER;
            if (take_rebalanced(dispatcher)) {
                return LCORE_DISPATCH_UPDATE;
            }
            break;
        case PHASE_DOWN_OVER:
            return end_step(dispatcher, PHASE_DOWN, pause_ns);
        case PHASE_END:
            dispatcher->is_dispatching = false;
            dispatcher->phase = PHASE_IDLE;
            break;
        }
    }
}

int
lc_dispatcher_set_class(struct lc_dispatcher *dispatcher, uint32_t class_index, double weight, int64_t fixed_count)
{
    if (class_index >= dispatcher->class_count || !isfinite(weight)) {
        return LCE_INVALID;
    }
    dispatcher->classes[class_index].weight = weight;
    dispatcher->classes[class_index].fixed_count = fixed_count;
    return 0;
}

size_t
lc_dispatcher_class_count(const struct lc_dispatcher *dispatcher)
{
    return dispatcher->class_count;
}

size_t
lc_dispatcher_worker_count(const struct lc_dispatcher *dispatcher)
{
    return dispatcher->worker_count;
}

struct lc_str
lc_dispatcher_worker_id(const struct lc_dispatcher *dispatcher, size_t row)
{
    assert(row < dispatcher->worker_count);
    return lc_str_from(dispatcher->workers[row].id);
}

const uint32_t *
lc_dispatcher_counts(const struct lc_dispatcher *dispatcher, size_t row)
{
    assert(row < dispatcher->worker_count);
    return dispatcher->counts + row * dispatcher->class_count;
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
