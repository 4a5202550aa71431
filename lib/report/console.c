#include "report/console.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/format.h"
#include "report/order.h"
#include "report/writer.h"
#include "stats/entry.h"

/* Space that the request table saves by its narrower columns goes to the name. */
static int
request_name_width(const struct lc_report_options *options)
{
    return options->name_width - options->type_width + 4;
}

/* As %d of a float: cut, not rounded. */
static long long
cut(double number)
{
    return number < 9e18 && number > -9e18 ? (long long)number : 0;
}

static void
request_row(struct lc_writer *writer, const struct lc_stats_entry *entry, const struct lc_stats_entry *total,
            const struct lc_report_options *options)
{
    double requests_per_s, failures_per_s;
    if (options->is_whole_run) {
        lc_stats_entry_total_rates(entry, total, &requests_per_s, &failures_per_s);
    } else {
        lc_stats_entry_current_rates(entry, total, &requests_per_s, &failures_per_s);
    }
    char fails[64];
    lc__format(fails, sizeof(fails), "%llu(%.2f%%)", (unsigned long long)entry->failure_count,
               lc_stats_entry_fail_ratio(entry) * 100);
    lc__write(writer, entry->method);
    lc__write_padded(writer, entry->method.len == 0 ? LCORE_STR("") : LCORE_STR(" "),
                     options->type_width - lc__text_width(entry->method));
    lc__write(writer, LCORE_STR(" "));
    lc__write_padded(writer, entry->name, abs(request_name_width(options)));
    lc__write_format(writer, " %7llu %12s |%7lld %7lld %7lld%7lld | %7.2f %11.2f",
                     (unsigned long long)entry->request_count, fails, cut(lc_stats_entry_average_ms(entry)),
                     entry->min_ms == INFINITY ? 0 : cut(entry->min_ms), cut(entry->max_ms),
                     cut(lc_stats_entry_locust_median_ms(entry)), requests_per_s, failures_per_s);
}

int
lc__console_request_row(struct lc_buffer *out, const struct lc_stats_entry *entry, const struct lc_stats_entry *total,
                        const struct lc_report_options *options)
{
    struct lc_writer writer = {out, 0};
    request_row(&writer, entry, total, options);
    return writer.err;
}

static void
request_rule(struct lc_writer *writer, const struct lc_report_options *options)
{
    static const int widths[] = {7, 13, 7, 7, 7, 7, 8, 11};
    lc__write_repeat(writer, '-', options->type_width);
    lc__write(writer, LCORE_STR("|"));
    lc__write_repeat(writer, '-', request_name_width(options));
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        lc__write(writer, LCORE_STR("|"));
        lc__write_repeat(writer, '-', widths[i]);
    }
    lc__write(writer, LCORE_STR("\n"));
}

int
lc__console_requests(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    size_t count;
    struct lc_stats_entry **entries = lc__order_entries(stats, true, &count);
    if (entries == NULL) {
        return LCE_NOMEM;
    }
    struct lc_writer writer = {out, 0};
    lc__write_padded(&writer, LCORE_STR("Type"), options->type_width);
    lc__write(&writer, LCORE_STR(" "));
    lc__write_padded(&writer, LCORE_STR("Name"), abs(request_name_width(options)));
    lc__write_format(&writer, " %7s %12s |%7s %7s %7s%7s | %7s %11s\n", "# reqs", "# fails", "Avg", "Min", "Max", "Med",
                     "req/s", "failures/s");
    request_rule(&writer, options);
    for (size_t i = 0; i < count; i++) {
        if (i == count - 1) {
            request_rule(&writer, options);
        }
        request_row(&writer, entries[i], entries[count - 1], options);
        lc__write(&writer, LCORE_STR("\n"));
    }
    lc__free(entries);
    return writer.err;
}

static void
percentile_row(struct lc_writer *writer, const struct lc_stats_entry *entry, const struct lc_report_options *options)
{
    lc__write_names(writer, entry->method, entry->name, options);
    for (size_t i = 0; i < options->percentile_count; i++) {
        lc__write_format(writer, i == 0 ? " %8.0f" : " %6.0f",
                         trunc(lc_stats_entry_locust_percentile_ms(entry, options->percentiles[i])));
    }
    lc__write_format(writer, options->percentile_count == 0 ? " %8llu " : " %6llu",
                     (unsigned long long)entry->request_count);
}

int
lc__console_percentile_row(struct lc_buffer *out, const struct lc_stats_entry *entry,
                           const struct lc_report_options *options)
{
    struct lc_writer writer = {out, 0};
    percentile_row(&writer, entry, options);
    return writer.err;
}

static void
percentile_rule(struct lc_writer *writer, const struct lc_report_options *options)
{
    lc__write_names_rule(writer, options);
    lc__write(writer, LCORE_STR("|--------"));
    for (size_t i = 0; i < options->percentile_count; i++) {
        lc__write(writer, LCORE_STR("|------"));
    }
    lc__write(writer, LCORE_STR("\n"));
}

static void
percentile_header(struct lc_writer *writer, const struct lc_report_options *options)
{
    lc__write(writer, LCORE_STR("Response time percentiles (approximated)\n"));
    lc__write_names(writer, LCORE_STR("Type"), LCORE_STR("Name"), options);
    for (size_t i = 0; i < options->percentile_count; i++) {
        lc__write_percent_head(writer, options->percentiles[i], i == 0 ? 8 : 6);
    }
    lc__write_format(writer, options->percentile_count == 0 ? " %8s \n" : " %6s\n", "# reqs");
    percentile_rule(writer, options);
}

static bool
is_timed(const struct lc_stats_entry *entry)
{
    struct lc_bucket bucket;
    return lc__buckets_next(&entry->buckets, &(struct lc_buckets_walk){0}, &bucket);
}

int
lc__console_percentiles(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    size_t count;
    struct lc_stats_entry **entries = lc__order_entries(stats, true, &count);
    if (entries == NULL) {
        return LCE_NOMEM;
    }
    struct lc_writer writer = {out, 0};
    percentile_header(&writer, options);
    for (size_t i = 0; i < count; i++) {
        if (i == count - 1) {
            percentile_rule(&writer, options);
        }
        if (is_timed(entries[i])) {
            percentile_row(&writer, entries[i], options);
            lc__write(&writer, LCORE_STR("\n"));
        }
    }
    lc__free(entries);
    return writer.err;
}

static void
failure_rule(struct lc_writer *writer, const struct lc_report_options *options)
{
    lc__write_repeat(writer, '-', 18);
    lc__write(writer, LCORE_STR("|"));
    lc__write_repeat(writer, '-', 80 + options->name_width - 19);
    lc__write(writer, LCORE_STR("\n"));
}

int
lc__console_failures(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    struct lc_writer writer = {out, 0};
    lc__write(&writer, LCORE_STR("Error report\n"));
    lc__write_padded(&writer, LCORE_STR("# occurrences"), 18);
    lc__write(&writer, LCORE_STR(" "));
    lc__write_padded(&writer, LCORE_STR("Error"), 100);
    lc__write(&writer, LCORE_STR("\n"));
    failure_rule(&writer, options);
    for (size_t i = 0; i < lc_stats_failure_count(stats); i++) {
        struct lc_stats_failure failure;
        lc_stats_failure_at(stats, i, &failure);
        struct lc_buffer line = {0};
        struct lc_writer liner = {&line, 0};
        lc__write(&liner, failure.method);
        lc__write(&liner, LCORE_STR(" "));
        lc__write(&liner, failure.name);
        lc__write(&liner, LCORE_STR(": "));
        lc__write_failure(&liner, failure.text, failure.is_remote);
        lc__write_format(&writer, "%-18llu ", (unsigned long long)failure.occurrences);
        lc__write_padded(&writer, (struct lc_str){line.data, line.len}, 100);
        lc__write(&writer, LCORE_STR("\n"));
        lc_buffer_fini(&line);
        if (liner.err < 0) {
            return liner.err;
        }
    }
    failure_rule(&writer, options);
    lc__write(&writer, LCORE_STR("\n"));
    return writer.err;
}
