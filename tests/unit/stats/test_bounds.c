/* Endless names and texts: the table stops to grow, and its sums are those of all. */
#include <malloc.h>
#include <stdio.h>

#include "../support.h"
#include "stats/table.h"

enum { ENDLESS = 2000000 };

static struct lc_str
numbered(char *text, size_t size, const char *word, int number)
{
    return (struct lc_str){text, (size_t)snprintf(text, size, "%s%d", word, number)};
}

static void
log_one(struct lc_stats *stats, int number)
{
    char name[32], error[64];
    struct lc_stats_entry *entry = lc_stats_entry(stats, numbered(name, sizeof(name), "/", number), LCORE_STR("GET"));
    assert_non_null(entry);
    assert_int_equal(lc_stats_log_request(stats, entry, 1000000, 1, 1000), 0);
    assert_int_equal(
        lc_stats_log_failure(stats, entry, numbered(error, sizeof(error), "no such thing: ", number), 1000), 0);
}

static void
test_two_million_names_and_texts(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    for (int i = 0; i < 100000; i++) {
        log_one(stats, i);
    }
    size_t rows = lc_stats_count(stats);
    size_t failures = lc_stats_failure_count(stats);
    size_t used = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (int i = 100000; i < ENDLESS; i++) {
        log_one(stats, i);
    }
    size_t grown = mallinfo2().uordblks + mallinfo2().hblkhd - used;
    assert_true(grown < 65536 || grown > SIZE_MAX / 2);
    assert_int_equal(lc_stats_count(stats), rows);
    assert_int_equal(rows, LCORE_STATS_NAMES + 1);
    assert_int_equal(lc_stats_failure_count(stats), failures);
    struct lc_stats_entry *further = lc_stats_entry(stats, LCORE_STR(LCORE_STATS_FURTHER), LCORE_STR("GET"));
    assert_int_equal(further->request_count, ENDLESS - LCORE_STATS_NAMES);
    assert_int_equal(further->failure_count, ENDLESS - LCORE_STATS_NAMES);
    assert_int_equal(lc_stats_total(stats)->request_count, ENDLESS);
    uint64_t occurrences = 0;
    for (size_t i = 0; i < failures; i++) {
        struct lc_stats_failure failure;
        lc_stats_failure_at(stats, i, &failure);
        occurrences += failure.occurrences;
    }
    assert_int_equal(occurrences, ENDLESS);
    /* What was there before is still found. */
    assert_int_equal(lc_stats_entry(stats, LCORE_STR("/7"), LCORE_STR("GET"))->request_count, 1);
    lc_stats_free(stats);
}

static void
test_endless_methods(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    char text[32];
    for (int i = 0; i < LCORE_STATS_NAMES + 1000; i++) {
        struct lc_str method = numbered(text, sizeof(text), "M", i);
        assert_int_equal(lc_stats_log_request(stats, lc_stats_entry(stats, LCORE_STR("/"), method), 1000000, 1, 1000),
                         0);
    }
    assert_true(lc_stats_count(stats) <= LCORE_STATS_NAMES + 65);
    assert_int_equal(lc_stats_entry(stats, LCORE_STR(LCORE_STATS_FURTHER), LCORE_STR(""))->request_count, 1000 - 64);
    lc_stats_free(stats);
}

/* A master with workers whose names are all different. */
static void
test_merging_is_bounded(void **state)
{
    struct lc_stats *master = lc_stats_new();
    uint64_t logged = 0;
    for (int worker = 0; worker < 3; worker++) {
        struct lc_stats *stats = lc_stats_new();
        for (int i = 0; i < 15000; i++, logged++) {
            log_one(stats, worker * 100000 + i);
        }
        assert_int_equal(lc_stats_merge(master, stats), 0);
        lc_stats_free(stats);
    }
    assert_int_equal(lc_stats_count(master), LCORE_STATS_NAMES + 1);
    uint64_t requests = 0;
    for (size_t i = 0; i < lc_stats_count(master); i++) {
        requests += lc_stats_at(master, i)->request_count;
    }
    assert_int_equal(requests, logged);
    assert_int_equal(lc_stats_total(master)->request_count, logged);
    lc_stats_free(master);
}

/* Many names that are all busy for hours: each keeps its last seconds, the aggregate all. */
static void
test_seconds_of_many_names(void **state)
{
    enum { NAMES = 10000, HOURS_S = 2000 };
    struct lc_stats *stats = lc__stats_new(NULL, false);
    struct lc_stats *master = lc__stats_new(NULL, false);
    char text[32];
    for (int i = 0; i < NAMES; i++) {
        assert_non_null(lc_stats_entry(stats, numbered(text, sizeof(text), "/", i), LCORE_STR("GET")));
    }
    for (int second = 0; second < HOURS_S; second++) {
        for (int i = 0; i < 10; i++) {
            assert_int_equal(lc_stats_log_request(stats, lc_stats_at(stats, (size_t)i), 1000000, 1, 1000 + second), 0);
        }
    }
    assert_int_equal(lc_stats_merge(master, stats), 0);
    const struct lc_stats *both[] = {stats, master};
    for (size_t i = 0; i < 2; i++) {
        const struct lc_stats_entry *entry = both[i]->entries[0];
        size_t kept = lc__window_count(&entry->window);
        assert_in_range(kept, 120, 700);
        assert_int_equal(lc__window_get(&entry->window, kept - 1).unix_s, 1000 + HOURS_S - 1);
        assert_int_equal(entry->request_count, HOURS_S);
        assert_int_equal(lc__window_count(&both[i]->total->window), HOURS_S);
    }
    lc_stats_free(master);
    lc_stats_free(stats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_million_names_and_texts),
        cmocka_unit_test(test_endless_methods),
        cmocka_unit_test(test_merging_is_bounded),
        cmocka_unit_test(test_seconds_of_many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
