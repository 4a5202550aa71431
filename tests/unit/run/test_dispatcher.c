#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "run/dispatcher_state.h"
#include "run/mix.h"

static struct lc_dispatcher *
make(const struct lc_dispatch_class *classes, size_t class_count, const char *const *ids, size_t id_count)
{
    struct lc_str texts[16];
    for (size_t i = 0; i < id_count; i++) {
        texts[i] = lc_str_from(ids[i]);
    }
    struct lc_error error = {0};
    struct lc_dispatcher *dispatcher = lc_dispatcher_new(classes, class_count, texts, id_count, &error);
    if (dispatcher == NULL) {
        fail_msg("%s", error.text);
    }
    return dispatcher;
}

/* The counts as compat/distributed.md prints them: "w1 A1 C1 | w2 B1"; class i is called 'A' + i. */
static void
show(const struct lc_dispatcher *dispatcher, struct lc_buffer *out)
{
    for (size_t row = 0; row < lc_dispatcher_worker_count(dispatcher); row++) {
        struct lc_str id = lc_dispatcher_worker_id(dispatcher, row);
        assert_int_equal(lc_buffer_append_format(out, row == 0 ? "%.*s" : " | %.*s", (int)id.len, id.data), 0);
        const uint32_t *counts = lc_dispatcher_counts(dispatcher, row);
        for (size_t i = 0; i < dispatcher->class_count; i++) {
            if (counts[i] > 0) {
                assert_int_equal(lc_buffer_append_format(out, " %c%u", 'A' + (int)i, counts[i]), 0);
            }
        }
    }
}

/* Runs a dispatch to its end and compares all steps, each with the pause that follows in ms, with `expected`. */
static void
check_ramp_of(struct lc_dispatcher *dispatcher, uint64_t target, double rate, const uint32_t *classes, size_t count,
              const char *expected)
{
    assert_int_equal(lc_dispatcher_start(dispatcher, target, rate, classes, count, NULL), 0);
    struct lc_buffer steps = {0};
    for (;;) {
        int64_t pause_ns;
        int state = lc_dispatcher_next(dispatcher, &pause_ns);
        if (state == LCORE_DISPATCH_DONE) {
            break;
        }
        if (state == LCORE_DISPATCH_PAUSE) {
            if (pause_ns > 0) {
                assert_int_equal(lc_buffer_append_format(&steps, " (%d) ", (int)(pause_ns / LCORE_NS_PER_MS)), 0);
            }
            continue;
        }
        show(dispatcher, &steps);
    }
    assert_int_equal(lc_buffer_append(&steps, "", 1), 0);
    assert_string_equal(steps.data, expected);
    lc_buffer_fini(&steps);
}

static void
check_ramp(struct lc_dispatcher *dispatcher, uint64_t target, double rate, const char *expected)
{
    check_ramp_of(dispatcher, target, rate, NULL, 0, expected);
}

static void
check_mix(const double *weights, size_t count, const char *expected)
{
    struct lc_mix_item items[8];
    struct lc_mix mix = {.items = items};
    for (size_t i = count; i-- > 0;) {
        lc_mix_add(&mix, (uint32_t)i, (uint32_t)i, weights[i]);
    }
    for (const char *letter = expected; *letter != '\0'; letter++) {
        assert_int_equal(lc_mix_next(&mix), *letter - 'A');
    }
}

/* DST-67 */
static void
test_weighted_sequences(void **state)
{
    check_mix((double[]){5, 1}, 2, "AABAAAAABAAA");
    check_mix((double[]){1, 1, 1}, 3, "ABCABCABC");
    check_mix((double[]){3, 2, 1}, 3, "ABCABAABCABA");
    check_mix((double[]){2, 2, 1}, 3, "ABCABABCAB");
    check_mix((double[]){1, 9}, 2, "BBBBABBBBBBBBBABBBBB");
    check_mix((double[]){0.5, 1.5}, 2, "BABBBABB");
    check_mix((double[]){10, 5, 3, 1}, 4, "ABACABADACBAABACABA");
    struct lc_mix_item item;
    struct lc_mix empty = {.items = &item};
    lc_mix_add(&empty, 0, 0, 0);
    lc_mix_add(&empty, 1, 1, -1);
    assert_int_equal(lc_mix_next(&empty), UINT32_MAX);
}

static const struct lc_dispatch_class ABC[] = {{{"A", 1}, 1, 0}, {{"B", 1}, 1, 0}, {{"C", 1}, 1, 0}};
static const char *const TWO[] = {"w1", "w2"};

/* DST-62, DST-63, DST-64, DST-69, DST-70, DST-72 */
static void
test_ramps(void **state)
{
    struct lc_dispatcher *dispatcher = make(ABC, 3, TWO, 2);
    check_ramp(dispatcher, 6, 2, "w1 A1 | w2 B1 (1000) w1 A1 C1 | w2 A1 B1 (1000) w1 A1 B1 C1 | w2 A1 B1 C1");
    check_ramp(dispatcher, 3, 1, "w1 A1 B1 C1 | w2 A1 B1 (1000) w1 A1 C1 | w2 A1 B1 (1000) w1 A1 C1 | w2 B1");
    check_ramp(dispatcher, 5, 2, "w1 A2 C1 | w2 B2");
    check_ramp(dispatcher, 5, 2, "w1 A2 C1 | w2 B2");
    check_ramp(dispatcher, 0, 100, "w1 | w2");
    lc_dispatcher_free(dispatcher);

    const struct lc_dispatch_class weighted[] = {{LCORE_STR("A"), 3, 0}, {LCORE_STR("B"), 1, 0}};
    dispatcher = make(weighted, 2, TWO, 2);
    check_ramp(dispatcher, 4, 1.5, "w1 A1 | w2 (666) w1 A1 | w2 B1 (666) w1 A2 | w2 B1 (666) w1 A2 | w2 A1 B1");
    lc_dispatcher_free(dispatcher);
}

/* DST-66, DST-68 */
static void
test_fixed_counts(void **state)
{
    const struct lc_dispatch_class classes[] = {{LCORE_STR("A"), 3, 0}, {LCORE_STR("F"), 1, 3}, {LCORE_STR("G"), 1, 1}};
    struct lc_dispatcher *dispatcher = make(classes, 3, TWO, 2);
    check_ramp(dispatcher, 6, 10, "w1 A1 B2 | w2 A1 B1 C1");
    check_ramp(dispatcher, 2, 10, "w1 B1 | w2 C1");
    check_ramp(dispatcher, 6, 10, "w1 A1 B2 | w2 A1 B1 C1");
    lc_dispatcher_free(dispatcher);
    dispatcher = make(classes + 1, 1, TWO, 1);
    check_ramp(dispatcher, 5, 10, "w1 A3 (1000) ");
    check_ramp(dispatcher, UINT32_MAX, 1e300, "w1 A3 (1000) ");
    lc_dispatcher_free(dispatcher);
    dispatcher = make(classes, 2, TWO, 1);
    check_ramp(dispatcher, 2, 10, "w1 B2");
    lc_dispatcher_free(dispatcher);
}

/* DST-65 */
static void
test_machines_alternate(void **state)
{
    struct lc_dispatcher *dispatcher = make(ABC, 1, (const char *const[]){"h1_b", "h1_a", "h2_c"}, 3);
    check_ramp(dispatcher, 3, 1,
               "h1_b | h1_a A1 | h2_c (1000) h1_b | h1_a A1 | h2_c A1 (1000) h1_b A1 | h1_a A1 | h2_c A1");
    lc_dispatcher_free(dispatcher);
}

/* DST-55, DST-59 */
static void
test_workers_come_and_go(void **state)
{
    struct lc_dispatcher *dispatcher = make(ABC, 2, TWO, 2);
    check_ramp(dispatcher, 4, 10, "w1 A2 | w2 B2");
    assert_int_equal(lc_dispatcher_add_worker(dispatcher, LCORE_STR("w3")), 0);
    check_ramp(dispatcher, 4, 10, "w1 A1 B1 | w2 B1 | w3 A1");
    assert_int_equal(lc_dispatcher_remove_worker(dispatcher, LCORE_STR("w1")), 0);
    check_ramp(dispatcher, 4, 10, "w2 A2 | w3 B2");
    assert_false(lc_dispatcher_is_dispatching(dispatcher));
    assert_int_equal(lc_dispatcher_add_worker(dispatcher, LCORE_STR("w3")), 0);
    assert_int_equal(lc_dispatcher_remove_worker(dispatcher, LCORE_STR("w2")), 0);
    assert_int_equal(lc_dispatcher_remove_worker(dispatcher, LCORE_STR("w3")), 0);
    assert_int_equal(lc_dispatcher_worker_count(dispatcher), 1);
    assert_int_equal(lc_dispatcher_add_worker(dispatcher, LCORE_STR("x")), 0);
    check_ramp(dispatcher, 4, 10, "x A2 B2");
    assert_int_equal(lc_dispatcher_add_worker(dispatcher, (struct lc_str){"a\0b", 3}), LCE_FORMAT);
    lc_dispatcher_free(dispatcher);
}

/* DST-60: a worker that comes within a step is told of by an update, then the ramp goes on. */
static void
test_worker_comes_within_a_ramp(void **state)
{
    struct lc_dispatcher *dispatcher = make(ABC, 1, TWO, 1);
    int64_t pause_ns;
    assert_int_equal(lc_dispatcher_start(dispatcher, 4, 2, NULL, 0, NULL), 0);
    assert_int_equal(lc_dispatcher_next(dispatcher, &pause_ns), LCORE_DISPATCH_STEP);
    assert_true(lc_dispatcher_is_dispatching(dispatcher));
    assert_int_equal(lc_dispatcher_add_worker(dispatcher, LCORE_STR("w2")), 0);
    assert_int_equal(lc_dispatcher_next(dispatcher, &pause_ns), LCORE_DISPATCH_UPDATE);
    assert_int_equal(lc_dispatcher_counts(dispatcher, 1)[0], 1);
    assert_int_equal(lc_dispatcher_next(dispatcher, &pause_ns), LCORE_DISPATCH_PAUSE);
    assert_int_equal(pause_ns, LCORE_NS_PER_S);
    assert_int_equal(lc_dispatcher_next(dispatcher, &pause_ns), LCORE_DISPATCH_STEP);
    assert_int_equal(lc_dispatcher_user_count(dispatcher), 4);
    assert_int_equal(lc_dispatcher_next(dispatcher, &pause_ns), LCORE_DISPATCH_PAUSE);
    assert_int_equal(pause_ns, 0);
    assert_int_equal(lc_dispatcher_next(dispatcher, &pause_ns), LCORE_DISPATCH_DONE);
    assert_int_equal(lc_dispatcher_next(dispatcher, &pause_ns), LCORE_DISPATCH_DONE);
    lc_dispatcher_free(dispatcher);
}

/* DST-71 */
static void
test_other_classes(void **state)
{
    struct lc_dispatcher *dispatcher = make(ABC, 3, TWO, 1);
    check_ramp_of(dispatcher, 2, 10, (const uint32_t[]){0}, 1, "w1 A2");
    check_ramp_of(dispatcher, 4, 10, (const uint32_t[]){1, 0}, 2, "w1 A3 B1");
    check_ramp_of(dispatcher, 4, 10, (const uint32_t[]){2}, 1, "w1 A3 B1");
    check_ramp_of(dispatcher, 6, 10, (const uint32_t[]){2}, 1, "w1 A3 B1 C2");
    assert_int_equal(lc_dispatcher_start(dispatcher, 1, 1, (const uint32_t[]){3}, 1, NULL), LCE_INVALID);
    assert_int_equal(lc_dispatcher_start(dispatcher, 1, 1, (const uint32_t[]){0, 0}, 2, NULL), LCE_INVALID);
    lc_dispatcher_free(dispatcher);
}

/* DST-61 */
static void
test_bad_arguments(void **state)
{
    struct lc_error error;
    const struct lc_dispatch_class twins[] = {{LCORE_STR("A"), 1, 0}, {LCORE_STR("A"), 1, 0}};
    const struct lc_dispatch_class odd = {LCORE_STR("A"), NAN, 0};
    const struct lc_str ids[] = {LCORE_STR("w"), LCORE_STR("w")};
    assert_null(lc_dispatcher_new(NULL, 0, ids, 1, &error));
    assert_null(lc_dispatcher_new(twins, 2, ids, 1, &error));
    assert_null(lc_dispatcher_new(&odd, 1, ids, 1, &error));
    assert_null(lc_dispatcher_new(twins, 1, ids, 2, &error));
    assert_int_equal(error.code, LCE_INVALID);
    struct lc_dispatcher *dispatcher = lc_dispatcher_new(twins, 1, NULL, 0, &error);
    assert_non_null(dispatcher);
    assert_int_equal(lc_dispatcher_start(dispatcher, 1, 0, NULL, 0, &error), LCE_INVALID);
    assert_int_equal(lc_dispatcher_start(dispatcher, 1, -1, NULL, 0, &error), LCE_INVALID);
    assert_int_equal(lc_dispatcher_start(dispatcher, 1, NAN, NULL, 0, &error), LCE_INVALID);
    assert_int_equal(lc_dispatcher_start(dispatcher, 1, INFINITY, NULL, 0, &error), LCE_INVALID);
    assert_int_equal(lc_dispatcher_start(dispatcher, UINT64_MAX, 1, NULL, 0, &error), LCE_INVALID);
    assert_int_equal(lc_dispatcher_start(dispatcher, 1, 1e-300, NULL, 0, &error), 0);
    int64_t pause_ns;
    assert_int_equal(lc_dispatcher_next(dispatcher, &pause_ns), LCE_INVALID);
    lc_dispatcher_free(dispatcher);
    lc_dispatcher_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weighted_sequences),  cmocka_unit_test(test_ramps),
        cmocka_unit_test(test_fixed_counts),        cmocka_unit_test(test_machines_alternate),
        cmocka_unit_test(test_workers_come_and_go), cmocka_unit_test(test_worker_comes_within_a_ramp),
        cmocka_unit_test(test_other_classes),       cmocka_unit_test(test_bad_arguments),
    };
    return cmocka_run_group_tests_name("dispatcher", tests, NULL, NULL);
}
