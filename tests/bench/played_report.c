#include "played_report.h"

#include <stdio.h>
#include <stdlib.h>

static void
check(bool is_fine)
{
    if (!is_fine) {
        fprintf(stderr, "no memory for a report\n");
        exit(1);
    }
}

/* What all report in this round; times spread over some milliseconds as those of one server are. */
static struct lc_stats *
make_stats(int names, double now_s)
{
    struct lc_stats *stats = lc_stats_new();
    check(stats != NULL);
    lc_stats_clear(stats, now_s - 3);
    for (int i = 0; i < names; i++) {
        char name[32];
        int len = snprintf(name, sizeof(name), "/service/%d/resource", i);
        struct lc_stats_entry *entry = lc_stats_entry(stats, (struct lc_str){name, (size_t)len}, LCORE_STR("GET"));
        check(entry != NULL);
        for (int j = 0; j < REQUESTS_PER_NAME; j++) {
            int64_t time_ns = 5000000 + (int64_t)i * 200000 + (int64_t)j * j * 90000;
            check(lc_stats_log_request(stats, entry, time_ns, 600, now_s - 3 + j / 10.0) == 0);
        }
    }
    return stats;
}

struct lc_buffer
played_report(int names, bool is_plain, const struct lc_buffer *counts, double unix_s)
{
    struct lc_stats *stats = make_stats(names, unix_s);
    if (is_plain) {
        for (size_t i = 0; i < lc_stats_count(stats); i++) {
            lc__histogram_fini(&lc_stats_at(stats, i)->histogram);
        }
        lc__histogram_fini(&lc_stats_total(stats)->histogram);
    }
    struct lc_buffer data = {0};
    int err = lc_pack_map(&data, LCORE_REPORT_KEYS + 2);
    err |= lc_report_write(&data, stats);
    err |= lc_pack_str(&data, LCORE_STR("user_classes_count"));
    err |= counts->len > 0 ? lc_buffer_append(&data, counts->data, counts->len) : lc_pack_map(&data, 0);
    err |= lc_pack_str(&data, LCORE_STR("user_count"));
    err |= lc_pack_int(&data, 1);
    check(err == 0);
    lc_stats_free(stats);
    return data;
}
