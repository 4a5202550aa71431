/* The workers of a dispatcher: their order, and what happens to users when they come and go. */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "run/dispatcher_state.h"

static size_t
machine_len(const char *id)
{
    return strcspn(id, "_");
}

static int
compare_ids(const void *a, const void *b)
{
    const struct lc_dispatch_worker *left = a;
    const struct lc_dispatch_worker *right = b;
    return strcmp(left->id, right->id);
}

static int
compare_turns(const void *a, const void *b)
{
    const struct lc_dispatch_worker *left = a;
    const struct lc_dispatch_worker *right = b;
    if (left->number != right->number) {
        return left->number < right->number ? -1 : 1;
    }
    return strcmp(left->id, right->id);
}

/* Machines take turns: the first worker of each, then the second of each, ... (compat DST-65). Ids of one machine need
 * not be neighbours in the order of ids ("a_1", "a1_1", "a_2" are sorted that way), so each is compared with all
 * before it that could share its machine. */
static void
workers_sort(struct lc_dispatch_worker *workers, size_t count)
{
    qsort(workers, count, sizeof(struct lc_dispatch_worker), compare_ids);
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
    qsort(workers, count, sizeof(struct lc_dispatch_worker), compare_turns);
}

/* Replaces the rows by `workers` and deals the present users out again from the start. Takes `workers`. */
static int
rebalance(struct lc_dispatcher *dispatcher, struct lc_dispatch_worker *workers, size_t count)
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
    int err = lc__dispatch_reserve(dispatcher, users);
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
    lc__dispatch_restart_source(dispatcher);
    if (users > 0) {
        /* Fixed users are missing as if nobody ran yet: the check sees the empty counts. */
        while (dispatcher->placement_count < users && lc__dispatch_place_user(dispatcher)) {
        }
    }
    dispatcher->is_rebalanced = true;
    return 0;
}

/* A copy of the workers in their order, without the one of that id, with room for one more. */
static struct lc_dispatch_worker *
workers_without(const struct lc_dispatcher *dispatcher, const char *id, size_t *count)
{
    struct lc_dispatch_worker *workers = lc__alloc((dispatcher->worker_count + 1) * sizeof(struct lc_dispatch_worker));
    if (workers == NULL) {
        return NULL;
    }
    *count = 0;
    for (size_t i = 0; i < dispatcher->worker_count; i++) {
        const struct lc_dispatch_worker *worker = &dispatcher->workers[dispatcher->order[i]];
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
lc__dispatch_init_workers(struct lc_dispatcher *dispatcher, const struct lc_str *ids, size_t count,
                          struct lc_error *error)
{
    struct lc_dispatch_worker *sorted = lc__alloc((count + 1) * sizeof(struct lc_dispatch_worker));
    dispatcher->workers = lc__calloc(count + 1, sizeof(struct lc_dispatch_worker));
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
    qsort(sorted, count, sizeof(struct lc_dispatch_worker), compare_ids);
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
    struct lc_dispatch_worker *workers = workers_without(dispatcher, gone, &count);
    int err = LCE_NOMEM;
    if (workers == NULL || (known == NULL && copy == NULL)) {
        goto fail;
    }
    if (copy != NULL) {
        workers[count++] = (struct lc_dispatch_worker){.id = copy};
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
    struct lc_dispatch_worker *workers = workers_without(dispatcher, gone, &count);
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
