/* Built twice: with the assembly of this machine and with ucontext. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "locustcore/error.h"
#include "fiber/context.h"
#include "fiber/stack.h"

static struct lc_context outside, inside;
static int steps;
static double product;

static void
entry(void)
{
    lc__context_entered(&outside);
    for (;;) {
        /* Uses the stack and floating point across switches. */
        volatile char memory[4096];
        memset((char *)memory, steps, sizeof(memory));
        double factor = 1.5 * steps;
        steps++;
        lc__context_switch(&inside, &outside);
        product = factor * memory[17];
        steps++;
        lc__context_switch(&inside, &outside);
    }
}

static void
test_switching(void **state)
{
    struct lc_stack stack;
    assert_int_equal(lc__stack_init(&stack, lc__stack_round(65536)), 0);
    memset(&outside, 0, sizeof(outside));
    lc__context_make(&inside, stack.bottom, stack.size, entry);
    for (int i = 0; i < 1000; i++) {
        double kept = 0.25 * i;
        lc__context_switch(&outside, &inside);
        assert_int_equal(steps, i + 1);
        if (i % 2 == 1) {
            assert_true(product == 1.5 * (i - 1) * (char)(i - 1));
        }
        assert_true(kept == 0.25 * i);
    }
    lc__context_fini(&inside);
    lc__stack_fini(&stack);
    lc__stack_fini(&stack);
}

static void
test_stack_sizes(void **state)
{
    assert_int_equal(lc__stack_round(0), 16384);
    assert_int_equal(lc__stack_round(65537) % 4096, 0);
    assert_true(lc__stack_round(65537) > 65537);
    struct lc_stack stack;
    assert_int_equal(lc__stack_init(&stack, lc__stack_round(SIZE_MAX)), LCE_NOMEM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_switching),
        cmocka_unit_test(test_stack_sizes),
    };
    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
