/* How often workers report to a master that can take so many reports a second. */
#include "../support.h"

#include "base/clock.h"
#include "rpc/pace.h"

/* One worker, seen from outside: when it reports next. */
#define WORKERS 200

struct fleet {
    struct lc_pace pace;
    double due_s[WORKERS];
    double waiting; /* reports */
    double most;    /* that waited at once */
    uint64_t taken;
};

/* Seconds from `begin_s` on, in steps of 0.1 s; each worker has at most one report waiting. */
static void
play(struct fleet *fleet, int begin_s, int end_s, double reports_per_s)
{
    for (int step = 10 * begin_s; step < 10 * end_s; step++) {
        double now_s = 1 + step / 10.0;
        int64_t now_ns = (int64_t)(now_s * 1e9);
        double pause_s = (double)fleet->pace.pause_ns / 1e9;
        for (int i = 0; i < WORKERS; i++) {
            if (now_s >= fleet->due_s[i]) {
                fleet->waiting++;
                fleet->due_s[i] = now_s + (pause_s > 3 ? pause_s : 3) + fleet->waiting / reports_per_s;
            }
        }
        fleet->most = fleet->waiting > fleet->most ? fleet->waiting : fleet->most;
        double can = reports_per_s / 10;
        for (; can >= 1 && fleet->waiting >= 1; can--, fleet->waiting--, fleet->taken++) {
            lc__pace_take(&fleet->pace);
        }
        if (fleet->waiting < 1) {
            lc__pace_catch_up(&fleet->pace, now_ns);
        }
        lc__pace_look(&fleet->pace, WORKERS, 0, now_ns);
    }
}

static void
begin(struct fleet *fleet)
{
    *fleet = (struct fleet){0};
    for (int i = 0; i < WORKERS; i++) {
        fleet->due_s[i] = 1 + 3.0 * i / WORKERS;
    }
}

static void
a_fast_master_changes_nothing(void **state)
{
    struct fleet fleet;
    begin(&fleet);
    play(&fleet, 0, 60, 100);
    assert_int_equal(fleet.pace.pause_ns, 0);
    assert_true(fleet.taken > 19 * WORKERS);
}

/* It can take 20 a second, which is one of each worker in 10 s. */
static void
a_slow_master_gets_what_it_can_take(void **state)
{
    struct fleet fleet;
    begin(&fleet);
    play(&fleet, 0, 30, 20);
    assert_in_range(fleet.pace.pause_ns, 8 * LCORE_NS_PER_S, 20 * LCORE_NS_PER_S);
    fleet.most = 0;
    uint64_t before = fleet.taken;
    play(&fleet, 30, 330, 20);
    assert_in_range(fleet.pace.pause_ns, 8 * LCORE_NS_PER_S, 20 * LCORE_NS_PER_S);
    assert_true(fleet.most < WORKERS / 2);
    assert_in_range(fleet.taken - before, 300 * 20 / 2, 300 * 20);
    play(&fleet, 330, 530, 100);
    assert_int_equal(fleet.pace.pause_ns, 0);
}

/* What Locust's workers send cannot be made less, so ours have to do with what is left, but are not forgotten. */
static void
others_come_first(void **state)
{
    struct lc_pace pace = {0};
    lc__pace_catch_up(&pace, 1);
    for (int i = 0; i < 300; i++) {
        lc__pace_take(&pace);
    }
    lc__pace_look(&pace, 100, 90, 10 * LCORE_NS_PER_S);
    assert_int_equal(pace.pause_ns / LCORE_NS_PER_S, 33); /* 30 a second, of which 3 */
    assert_true(lc__pace_behind_ns(&pace, 10 * LCORE_NS_PER_S) > 9 * LCORE_NS_PER_S);
    struct lc_pace stuck = {0};
    lc__pace_catch_up(&stuck, 1);
    lc__pace_look(&stuck, 1, 0, 10 * LCORE_NS_PER_S);
    assert_int_equal(stuck.pause_ns, LCORE_MOST_PAUSE_S * LCORE_NS_PER_S);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fast_master_changes_nothing),
        cmocka_unit_test(a_slow_master_gets_what_it_can_take),
        cmocka_unit_test(others_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
