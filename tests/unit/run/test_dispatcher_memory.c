/* The dispatcher with every one of its allocations failing in turn: it says so, leaks nothing, and stays as it was.
 * Built from the sources with an allocator of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "run/dispatcher.h"

static long fail_at; /* 0: never */
static long blocks;

static bool
is_failing(void)
{
    return fail_at > 0 && (fail_at == 1 || fail_at-- == 1);
}

void *
lc__alloc(size_t size)
{
    void *memory = is_failing() ? NULL : malloc(size);
    blocks += memory != NULL;
    return memory;
}

void *
lc__calloc(size_t count, size_t size)
{
    void *memory = is_failing() ? NULL : calloc(count, size);
    blocks += memory != NULL;
    return memory;
}

void *
lc__realloc(void *memory, size_t size)
{
    if (is_failing()) {
        return NULL;
    }
    void *moved = realloc(memory, size);
    blocks += memory == NULL && moved != NULL;
    return moved;
}

void
lc__free(void *memory)
{
    blocks -= memory != NULL;
    free(memory);
}

void
lc__alloc_fail_at(long nth)
{
    fail_at = nth;
}

static const struct lc_dispatch_class CLASSES[] = {{{"A", 1}, 1, 0}, {{"B", 1}, 2, 3}};
static const struct lc_str WORKERS[] = {{"h1_a", 4}, {"h1_b", 4}, {"h2_c", 4}};

static struct lc_dispatcher *
make(struct lc_error *error)
{
    return lc_dispatcher_new(CLASSES, 2, WORKERS, 3, error);
}

static void
test_new(void **state)
{
    for (long nth = 1;; nth++) {
        struct lc_error error = {0};
        lc__alloc_fail_at(nth);
        struct lc_dispatcher *dispatcher = make(&error);
        lc__alloc_fail_at(0);
        if (dispatcher != NULL) {
            assert_true(nth > 10);
            lc_dispatcher_free(dispatcher);
            assert_int_equal(blocks, 0);
            return;
        }
        assert_int_equal(error.code, LCE_NOMEM);
        assert_int_equal(blocks, 0);
    }
}

static int
finish(struct lc_dispatcher *dispatcher)
{
    int64_t pause_ns;
    int result;
    while ((result = lc_dispatcher_next(dispatcher, &pause_ns)) > LCORE_DISPATCH_DONE) {
    }
    return result;
}

static int
act(struct lc_dispatcher *dispatcher, int action)
{
    switch (action) {
    case 0:
        return lc_dispatcher_start(dispatcher, 5, 2, (const uint32_t[]){0, 1}, 2, NULL);
    case 1:
        return finish(dispatcher);
    case 2:
        return lc_dispatcher_add_worker(dispatcher, (struct lc_str){"h3_d", 4});
    default:
        return lc_dispatcher_remove_worker(dispatcher, (struct lc_str){"h1_a", 4});
    }
}

static void
test_actions(void **state)
{
    struct lc_dispatcher *dispatcher = make(NULL);
    for (int action = 0; action < 4; action++) {
        long nth = 1;
        for (;; nth++) {
            size_t workers = lc_dispatcher_worker_count(dispatcher);
            long before = blocks;
            lc__alloc_fail_at(nth);
            int err = act(dispatcher, action);
            lc__alloc_fail_at(0);
            if (err == 0) {
                break;
            }
            assert_int_equal(err, LCE_NOMEM);
            assert_int_equal(lc_dispatcher_worker_count(dispatcher), workers);
            /* The steps that went well keep their placements. */
            assert_true(blocks == before || action == 1);
        }
        assert_true(nth > 1);
    }
    assert_int_equal(finish(dispatcher), 0);
    assert_int_equal(lc_dispatcher_user_count(dispatcher), 5);
    lc_dispatcher_free(dispatcher);
    assert_int_equal(blocks, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_actions),
    };
    return cmocka_run_group_tests_name("dispatcher_memory", tests, NULL, NULL);
}
