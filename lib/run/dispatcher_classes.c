/* The classes of a dispatcher, and which of them the next user is of. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "run/dispatcher_state.h"

static int
compare_names(const void *a, const void *b)
{
    const struct lc_dispatch_class_entry *const *left = a;
    const struct lc_dispatch_class_entry *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static int
rank_classes(struct lc_dispatcher *dispatcher, struct lc_error *error)
{
    struct lc_dispatch_class_entry **sorted =
        lc__alloc(dispatcher->class_count * sizeof(struct lc_dispatch_class_entry *));
    if (sorted == NULL) {
        return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    for (size_t i = 0; i < dispatcher->class_count; i++) {
        sorted[i] = &dispatcher->classes[i];
    }
    qsort(sorted, dispatcher->class_count, sizeof(struct lc_dispatch_class_entry *), compare_names);
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

void
lc__dispatch_restart_source(struct lc_dispatcher *dispatcher)
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
    struct lc_dispatch_source *source = &dispatcher->source;
    source->fixed.count = 0;
    source->fixed_left = 0;
    for (size_t i = 0; i < dispatcher->class_count; i++) {
        const struct lc_dispatch_class_entry *entry = &dispatcher->classes[i];
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

uint32_t
lc__dispatch_next_class(struct lc_dispatcher *dispatcher)
{
    struct lc_dispatch_source *source = &dispatcher->source;
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
            const struct lc_dispatch_class_entry *entry = &dispatcher->classes[i];
            if (entry->is_used && entry->fixed_count == 0) {
                lc_mix_add(&source->weighted, (uint32_t)i, entry->rank, entry->weight);
            }
        }
    }
    return lc_mix_next(&source->weighted);
}

uint64_t
lc__dispatch_places_needed(const struct lc_dispatcher *dispatcher, uint64_t wanted)
{
    uint64_t fixed = 0;
    for (size_t i = 0; i < dispatcher->class_count; i++) {
        const struct lc_dispatch_class_entry *entry = &dispatcher->classes[i];
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

int
lc__dispatch_init_classes(struct lc_dispatcher *dispatcher, const struct lc_dispatch_class *classes, size_t count,
                          struct lc_error *error)
{
    if (count == 0) {
        return lc_error_set(error, LCE_INVALID, "no user class");
    }
    dispatcher->classes = lc__calloc(count, sizeof(struct lc_dispatch_class_entry));
    dispatcher->source.weighted.items = lc__calloc(count, sizeof(struct lc_mix_item));
    dispatcher->source.fixed.items = lc__calloc(count, sizeof(struct lc_mix_item));
    if (dispatcher->classes == NULL || dispatcher->source.weighted.items == NULL ||
        dispatcher->source.fixed.items == NULL) {
        return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    dispatcher->class_count = count;
    for (size_t i = 0; i < count; i++) {
        struct lc_dispatch_class_entry *entry = &dispatcher->classes[i];
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

int
lc__dispatch_use_classes(struct lc_dispatcher *dispatcher, const uint32_t *classes, size_t count,
                         struct lc_error *error)
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
        lc__dispatch_restart_source(dispatcher);
    }
done:
    lc__free(is_used);
    return err;
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
