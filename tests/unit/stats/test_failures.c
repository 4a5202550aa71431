#include "stats/failures.h"

#include <stdio.h>

#include "../support.h"
#include "base/str.h"

static const struct lc_failure once = {.occurrences = 1, .first_seen_unix_s = 10, .last_seen_unix_s = 10};

static struct lc_stats_entry *
make_entry(const char *name)
{
    struct lc_stats_entry *entry = lc__stats_entry_new(lc_str_from(name), LCORE_STR("GET"), false, 1);
    assert_non_null(entry);
    return entry;
}

/* REP-21: equal method, name and text are one row. */
static void
test_equal_texts_are_one_row(void **state)
{
    struct lc_stats_entry *a = make_entry("/a");
    struct lc_stats_entry *b = make_entry("/b");
    struct lc_stats_entry *a_again = make_entry("/a");
    struct lc_failures failures;
    lc__failures_init(&failures);
    const struct lc_failure later = {.occurrences = 2, .first_seen_unix_s = 5, .last_seen_unix_s = 30};
    assert_int_equal(lc__failures_add(&failures, a, LCORE_STR("x"), &once), 0);
    assert_int_equal(lc__failures_add(&failures, a, LCORE_STR("y"), &once), 0);
    assert_int_equal(lc__failures_add(&failures, b, LCORE_STR("x"), &once), 0);
    assert_int_equal(lc__failures_add(&failures, a, LCORE_STR("x"), &later), 0);
    assert_int_equal(lc__failures_add(&failures, a_again, LCORE_STR("x"), &once), 0);
    assert_int_equal(failures.count, 3);
    assert_int_equal(failures.rows[0].occurrences, 4);
    assert_true(failures.rows[0].first_seen_unix_s == 5 && failures.rows[0].last_seen_unix_s == 30);
    assert_ptr_equal(failures.rows[2].entry, b);
    lc__failures_fini(&failures);
    lc__stats_entry_unref(a);
    lc__stats_entry_unref(b);
    lc__stats_entry_unref(a_again);
}

static void
test_what_entries_remember_ends_with_the_table(void **state)
{
    struct lc_stats_entry *a = make_entry("/a");
    struct lc_failures failures;
    struct lc_failures other;
    lc__failures_init(&failures);
    lc__failures_init(&other);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lc__failures_add(&failures, a, LCORE_STR("x"), &once), 0);
        assert_int_equal(lc__failures_add(&failures, a, LCORE_STR("y"), &once), 0);
    }
    assert_int_equal(lc__failures_add(&other, a, LCORE_STR("y"), &once), 0);
    assert_int_equal(other.count, 1);
    lc__failures_remove(&failures, 0);
    assert_int_equal(failures.count, 1);
    assert_int_equal(lc__failures_add(&failures, a, LCORE_STR("y"), &once), 0);
    assert_int_equal(failures.rows[0].occurrences, 4);
    lc__failures_fini(&failures);
    assert_int_equal(lc__failures_add(&failures, a, LCORE_STR("y"), &once), 0);
    assert_int_equal(failures.rows[0].occurrences, 1);
    lc__failures_fini(&failures);
    lc__failures_fini(&other);
    lc__stats_entry_unref(a);
}

static void
test_distinct_texts_are_bounded(void **state)
{
    struct lc_stats_entry *entries[2] = {make_entry("/a"), make_entry("/b")};
    struct lc_failures failures;
    lc__failures_init(&failures);
    for (int i = 0; i < LCORE_FAILURES_ROWS + 500; i++) {
        char text[32];
        snprintf(text, sizeof(text), "error %d", i);
        assert_int_equal(lc__failures_add(&failures, entries[i % 2], lc_str_from(text), &once), 0);
    }
    assert_int_equal(failures.count, LCORE_FAILURES_ROWS + 2);
    assert_int_equal(failures.rows[LCORE_FAILURES_ROWS].occurrences, 250);
    assert_int_equal(failures.rows[LCORE_FAILURES_ROWS + 1].occurrences, 250);
    assert_int_equal(lc__failures_add(&failures, entries[0], LCORE_STR("error 0"), &once), 0);
    assert_int_equal(failures.rows[0].occurrences, 2);
    lc__failures_fini(&failures);
    lc__stats_entry_unref(entries[0]);
    lc__stats_entry_unref(entries[1]);
}

static void
test_bytes_of_texts_are_bounded(void **state)
{
    struct lc_stats_entry *a = make_entry("/a");
    struct lc_failures failures;
    lc__failures_init(&failures);
    static char text[LCORE_FAILURES_BYTES / 4];
    for (size_t i = 0; i < 6; i++) {
        text[0] = (char)('a' + i);
        assert_int_equal(lc__failures_add(&failures, a, (struct lc_str){text, sizeof(text)}, &once), 0);
    }
    assert_int_equal(failures.count, 5);
    assert_int_equal(failures.rows[4].occurrences, 2);
    lc__failures_fini(&failures);
    lc__stats_entry_unref(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_texts_are_one_row),
        cmocka_unit_test(test_what_entries_remember_ends_with_the_table),
        cmocka_unit_test(test_distinct_texts_are_bounded),
        cmocka_unit_test(test_bytes_of_texts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
