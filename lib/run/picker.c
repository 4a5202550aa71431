#include "run/picker.h"

#include <assert.h>

static uint64_t
weight_of(const struct lc_task *task)
{
    return task->weight == 0 ? 1 : task->weight;
}

static int
check(const struct lc_task_set *set, int depth, struct lc_error *error)
{
    if (depth == LCORE_TASK_DEPTH) {
        return lc_error_set(error, LCE_LIMIT, "task sets are nested more than %d deep", LCORE_TASK_DEPTH);
    }
    if (set->task_count == 0) {
        return lc_error_set(error, LCE_INVALID, "no tasks");
    }
    int err = lc_wait_check(&set->wait, error);
    uint64_t total = 0;
    for (size_t i = 0; i < set->task_count && err == 0; i++) {
        const struct lc_task *task = &set->tasks[i];
        total += weight_of(task);
        if (task->run == NULL && task->set == NULL) {
            err = lc_error_set(error, LCE_INVALID, "task %zu has neither a function nor a set", i);
        } else if (task->run == NULL) {
            err = check(task->set, depth + 1, error);
        }
    }
    if (err == 0 && total > UINT32_MAX) {
        err = lc_error_set(error, LCE_INVALID, "the weights of a set add up to more than %u", UINT32_MAX);
    }
    return err;
}

int
lc_picker_check(const struct lc_task_set *set, struct lc_error *error)
{
    return check(set, 0, error);
}

void
lc_picker_enter(struct lc_picker *picker, const struct lc_task_set *set, int64_t now_ns)
{
    assert(picker->depth < LCORE_TASK_DEPTH);
    struct lc_picker_frame *frame = &picker->frames[picker->depth++];
    frame->set = set;
    frame->position = 0;
    frame->total_weight = 0;
    for (size_t i = 0; i < set->task_count; i++) {
        frame->total_weight += weight_of(&set->tasks[i]);
    }
    lc_wait_init(&frame->wait, now_ns);
}

void
lc_picker_leave(struct lc_picker *picker)
{
    assert(picker->depth > 0);
    picker->depth--;
}

const struct lc_task *
lc_picker_next(struct lc_picker *picker, struct lc_random *random)
{
    struct lc_picker_frame *frame = &picker->frames[picker->depth - 1];
    uint64_t place;
    if (frame->set->is_sequential) {
        place = frame->position++;
        frame->position = frame->position == frame->total_weight ? 0 : frame->position;
    } else if (frame->total_weight == 1) {
        place = 0;
    } else {
        place = lc_random_below(random, (uint32_t)frame->total_weight);
    }
    const struct lc_task *task = frame->set->tasks;
    while (place >= weight_of(task)) {
        place -= weight_of(task++);
    }
    return task;
}

int64_t
lc_picker_wait_ns(struct lc_picker *picker, struct lc_random *random, int64_t now_ns)
{
    for (int i = picker->depth - 1; i >= 0; i--) {
        struct lc_picker_frame *frame = &picker->frames[i];
        if (frame->set->wait.kind != LCORE_WAIT_KIND_NONE) {
            return lc_wait_next_ns(&frame->set->wait, &frame->wait, random, now_ns);
        }
    }
    return 0;
}
