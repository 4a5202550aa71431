#include "fiber/fiber.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "fiber/context.h"
#include "fiber/stack.h"

#define DEFAULT_STACK_BYTES (256 * 1024)

enum fiber_state { FIBER_RUNNING, FIBER_PARKED, FIBER_ENDED };

/* Lives at the top of its own stack, so a fiber is one mapping and nothing else. It never leaves its main function:
 * when fn has returned, the stack waits in the pool for the next. */
struct lc_fiber {
    struct lc_fibers *fibers;
    struct lc_fiber *resumer; /* who switched here and gets control back; NULL: the thread itself */
    struct lc_context context;
    struct lc_stack stack;
    struct lc_list pool_node;
    struct lc_timer timer;
    lc_fiber_fn *fn;
    void *arg;
    struct lc_fiber *joiner;
    enum fiber_state state;
    int value; /* of the wake-up; in the end, the result */
    unsigned park_count;
    bool is_joinable;
    bool is_canceled;
};

struct lc_fibers {
    struct lc_loop *loop;
    size_t stack_bytes;
    size_t live_count;
    struct lc_list pool;
};

/* The running fiber and where the thread stood when it went into one. One for all loops of a thread, so that a task
 * need not carry its fiber around. */
static _Thread_local struct thread_state {
    struct lc_fiber *running;
    struct lc_context outside;
} thread;

static struct lc_context *
context_of(struct lc_fiber *fiber)
{
    return fiber == NULL ? &thread.outside : &fiber->context;
}

static void
leave(struct lc_fiber *fiber)
{
    thread.running = fiber->resumer;
    lc__context_switch(&fiber->context, context_of(fiber->resumer));
}

static void
fiber_main(void)
{
    struct lc_fiber *self = thread.running;
    lc__context_entered(context_of(self->resumer));
    for (;;) {
        self->value = self->fn(self->arg);
        self->state = FIBER_ENDED;
        leave(self);
    }
}

static void
recycle(struct lc_fiber *fiber)
{
    fiber->fibers->live_count--;
    lc_list_prepend(&fiber->fibers->pool, &fiber->pool_node);
}

static void
resume(struct lc_fiber *fiber)
{
    fiber->state = FIBER_RUNNING;
    fiber->resumer = thread.running;
    thread.running = fiber;
    lc__context_switch(context_of(fiber->resumer), &fiber->context);
    if (fiber->state == FIBER_ENDED) {
        if (!fiber->is_joinable) {
            recycle(fiber);
        } else if (fiber->joiner != NULL) {
            lc__fiber_wake(fiber->joiner, 0);
        }
    }
}

static struct lc_fiber *
fiber_new(struct lc_fibers *fibers)
{
    struct lc_stack stack;
    if (lc__stack_init(&stack, fibers->stack_bytes) < 0) {
        return NULL;
    }
    size_t own_bytes = (sizeof(struct lc_fiber) + 63) / 64 * 64;
    struct lc_fiber *fiber = (struct lc_fiber *)(stack.bottom + stack.size - own_bytes);
    memset(fiber, 0, sizeof(*fiber));
    fiber->fibers = fibers;
    fiber->stack = stack;
    lc__context_make(&fiber->context, stack.bottom, stack.size - own_bytes, fiber_main);
    return fiber;
}

struct lc_fibers *
lc_fibers_new(struct lc_loop *loop, size_t stack_bytes)
{
    struct lc_fibers *fibers = lc__calloc(1, sizeof(struct lc_fibers));
    if (fibers != NULL) {
        fibers->loop = loop;
        fibers->stack_bytes = lc__stack_round(stack_bytes == 0 ? DEFAULT_STACK_BYTES : stack_bytes);
        lc_list_init(&fibers->pool);
    }
    return fibers;
}

void
lc_fibers_free(struct lc_fibers *fibers)
{
    if (fibers == NULL) {
        return;
    }
    assert(fibers->live_count == 0);
    for (struct lc_list *node; (node = lc_list_pop(&fibers->pool)) != NULL;) {
        struct lc_fiber *fiber = LCORE_CONTAINER(node, struct lc_fiber, pool_node);
        struct lc_stack stack = fiber->stack;
        lc__context_fini(&fiber->context);
        lc__stack_fini(&stack);
    }
    lc__free(fibers);
}

int
lc_fiber_start(struct lc_fibers *fibers, lc_fiber_fn *fn, void *arg, struct lc_fiber **out)
{
    struct lc_list *node = lc_list_pop(&fibers->pool);
    struct lc_fiber *fiber = node != NULL ? LCORE_CONTAINER(node, struct lc_fiber, pool_node) : fiber_new(fibers);
    if (fiber == NULL) {
        return LCE_NOMEM;
    }
    fibers->live_count++;
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->joiner = NULL;
    fiber->is_joinable = out != NULL;
    fiber->is_canceled = false;
    if (out != NULL) {
        *out = fiber;
    }
    resume(fiber);
    return 0;
}

struct lc_fiber *
lc_fiber_self(void)
{
    return thread.running;
}

bool
lc_fiber_is_canceled(void)
{
    return thread.running != NULL && thread.running->is_canceled;
}

void
lc_fiber_cancel(struct lc_fiber *fiber)
{
    if (fiber->state == FIBER_ENDED || fiber->is_canceled) {
        return;
    }
    fiber->is_canceled = true;
    if (fiber->state == FIBER_PARKED) {
        lc__fiber_wake(fiber, LCE_CANCELED);
    }
}

int
lc__fiber_check(void)
{
    if (thread.running == NULL) {
        return LCE_INVALID;
    }
    return thread.running->is_canceled ? LCE_CANCELED : 0;
}

int
lc__fiber_park(void)
{
    struct lc_fiber *self = thread.running;
    self->state = FIBER_PARKED;
    self->park_count++;
    leave(self);
    return self->value;
}

void
lc__fiber_wake(struct lc_fiber *fiber, int value)
{
    assert(fiber->state == FIBER_PARKED);
    fiber->value = value;
    resume(fiber);
}

struct lc_loop *
lc__fiber_loop(void)
{
    return thread.running->fibers->loop;
}

unsigned
lc__fiber_park_count(void)
{
    return thread.running == NULL ? 0 : thread.running->park_count;
}

void
lc__fiber_uncancel(void)
{
    if (thread.running != NULL) {
        thread.running->is_canceled = false;
    }
}

static void
wake_sleeper(struct lc_timer *timer)
{
    lc__fiber_wake(LCORE_CONTAINER(timer, struct lc_fiber, timer), 0);
}

int
lc_fiber_sleep(int64_t duration_ns)
{
    int err = lc__fiber_check();
    if (err < 0) {
        return err;
    }
    struct lc_fiber *self = thread.running;
    struct lc_loop *loop = self->fibers->loop;
    int64_t now_ns = lc_loop_now_ns(loop);
    int64_t deadline_ns = now_ns;
    if (duration_ns > 0) {
        /* The round's time may be old by now, and a sleep must not end early. */
        now_ns = lc_clock_monotonic_ns();
        deadline_ns = duration_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + duration_ns;
    }
    err = lc_timer_start(loop, &self->timer, deadline_ns, wake_sleeper);
    if (err < 0) {
        return err;
    }
    int value = lc__fiber_park();
    lc_timer_stop(loop, &self->timer);
    return value;
}

int
lc_fiber_join(struct lc_fiber *fiber, int *result)
{
    if (fiber == thread.running || fiber->joiner != NULL) {
        return LCE_INVALID;
    }
    if (fiber->state != FIBER_ENDED) {
        int err = lc__fiber_check();
        if (err < 0) {
            return err;
        }
        fiber->joiner = thread.running;
        int value = lc__fiber_park();
        fiber->joiner = NULL;
        if (value < 0) {
            return value;
        }
    }
    if (result != NULL) {
        *result = fiber->value;
    }
    recycle(fiber);
    return 0;
}
