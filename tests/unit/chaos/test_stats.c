#include <stdio.h>

#include "chaos.h"
#include "stats/failure_key.h"
#include "stats/table.h"

/* Requests of the aggregate are those of all entries, whatever failed in between. */
static void
check_sums(struct lc_stats *stats)
{
    uint64_t requests = 0;
    uint64_t failures = 0;
    for (size_t i = 0; i < lc_stats_count(stats); i++) {
        requests += lc_stats_at(stats, i)->request_count;
        failures += lc_stats_at(stats, i)->failure_count;
    }
    assert_int_equal(lc_stats_total(stats)->request_count, requests);
    assert_int_equal(lc_stats_total(stats)->failure_count, failures);
    uint64_t rows = 0;
    for (size_t i = 0; i < lc_stats_failure_count(stats); i++) {
        struct lc_stats_failure failure;
        lc_stats_failure_at(stats, i, &failure);
        rows += failure.occurrences;
    }
    assert_int_equal(rows, failures);
}

static int
fill(struct lc_stats *stats)
{
    int err = 0;
    for (int i = 0; err == 0 && i < 120; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "/%d", i % 20);
        struct lc_str text = {name, (size_t)len};
        struct lc_stats_entry *entry = lc_stats_entry(stats, text, LCORE_STR("GET"));
        if (entry == NULL) {
            return LCE_NOMEM;
        }
        err = lc_stats_log_request(stats, entry, (int64_t)i * i * 7000000, 1, 1000 + i / 4);
        if (err == 0) {
            err = lc_stats_log_failure(stats, entry, text, 1000 + i / 3);
        }
    }
    return err;
}

static int
log_everything(void)
{
    struct lc_stats *stats = lc_stats_new();
    if (stats == NULL) {
        return LCE_NOMEM;
    }
    int err = fill(stats);
    check_sums(stats);
    if (err == 0) {
        lc_stats_reset(stats, 5);
        err = fill(stats);
        check_sums(stats);
    }
    lc_stats_clear(stats, 5);
    lc_stats_free(stats);
    return err;
}

static void
test_logging(void **state)
{
    run_with_every_failure(log_everything);
}

static struct lc_stats *source;

static int
merge(void)
{
    struct lc_stats *stats = lc_stats_new();
    if (stats == NULL) {
        return LCE_NOMEM;
    }
    int err = lc_stats_merge(stats, source);
    if (err == 0) {
        err = lc__stats_remove(stats, lc_stats_at(stats, 0));
    }
    if (err == 0) {
        err = lc__stats_adopt(stats, lc_stats_at(source, 0));
    }
    lc_stats_free(stats);
    return err;
}

static void
test_merging(void **state)
{
    source = lc_stats_new();
    assert_non_null(source);
    assert_int_equal(fill(source), 0);
    run_with_every_failure(merge);
    lc_stats_free(source);
}

static int
make_key(void)
{
    char key[LCORE_FAILURE_KEY_SIZE];
    return lc__failure_key(LCORE_STR("GET"), LCORE_STR("/a"), LCORE_STR("it's\n\xc3\xa9\xff"), key);
}

static void
test_failure_key(void **state)
{
    run_with_every_failure(make_key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logging),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_failure_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
