#include "report/own.h"

#include <math.h>

#include "base/alloc.h"
#include "report/csv.h"
#include "report/order.h"
#include "report/writer.h"
#include "stats/entry.h"

static void
rule(struct lc_writer *writer, const struct lc_report_options *options)
{
    lc__write_names_rule(writer, options);
    for (size_t i = 0; i < options->percentile_count; i++) {
        lc__write(writer, LCORE_STR("|----------"));
    }
    lc__write(writer, LCORE_STR("|----------\n"));
}

static void
header(struct lc_writer *writer, const struct lc_report_options *options)
{
    lc__write(writer, LCORE_STR("Response time percentiles (ms, true to 0.1 %)\n"));
    lc__write_names(writer, LCORE_STR("Type"), LCORE_STR("Name"), options);
    for (size_t i = 0; i < options->percentile_count; i++) {
        lc__write_percent_head(writer, options->percentiles[i], 10);
    }
    lc__write_format(writer, " %10s\n", "# reqs");
    rule(writer, options);
}

int
lc__console_exact(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    size_t count;
    struct lc_stats_entry **entries = lc__order_entries(stats, true, &count);
    if (entries == NULL) {
        return LCE_NOMEM;
    }
    struct lc_writer writer = {out, 0};
    header(&writer, options);
    for (size_t i = 0; i < count; i++) {
        if (i == count - 1) {
            rule(&writer, options);
        }
        if (entries[i]->min_ms == INFINITY) {
            continue;
        }
        lc__write_names(&writer, entries[i]->method, entries[i]->name, options);
        for (size_t j = 0; j < options->percentile_count; j++) {
            lc__write_format(&writer, " %10.3f", lc_stats_entry_percentile_ms(entries[i], options->percentiles[j]));
        }
        lc__write_format(&writer, " %10llu\n", (unsigned long long)entries[i]->request_count);
    }
    lc__free(entries);
    return writer.err;
}

int
lc__csv_exact_header(struct lc_buffer *out, const struct lc_report_options *options)
{
    struct lc_writer writer = {out, 0};
    lc__write(&writer, LCORE_STR("Type,Name"));
    lc__csv_percent_heads(&writer, options);
    lc__write(&writer, LCORE_STR("\r\n"));
    return writer.err;
}

int
lc__csv_exact(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    size_t count;
    struct lc_stats_entry **entries = lc__order_entries(stats, true, &count);
    if (entries == NULL) {
        return LCE_NOMEM;
    }
    struct lc_writer writer = {out, 0};
    for (size_t i = 0; i < count; i++) {
        lc__csv_names(&writer, entries[i]->method, entries[i]->name);
        for (size_t j = 0; j < options->percentile_count; j++) {
            lc__write(&writer, LCORE_STR(","));
            if (entries[i]->min_ms == INFINITY) {
                lc__write(&writer, LCORE_STR("N/A"));
            } else {
                lc__write_format(&writer, "%.3f", lc_stats_entry_percentile_ms(entries[i], options->percentiles[j]));
            }
        }
        lc__write(&writer, LCORE_STR("\r\n"));
    }
    lc__free(entries);
    return writer.err;
}
