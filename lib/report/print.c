#include "base/options.h"
#include "report/console.h"
#include "report/json.h"
#include "report/own.h"
#include "report/prometheus.h"

static int
put(FILE *out, struct lc_buffer *text, int err)
{
    if (err == 0 && fwrite(text->data, 1, text->len, out) != text->len) {
        err = LCE_SYSTEM;
    }
    lc_buffer_fini(text);
    return err;
}

typedef int write_fn(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options);

static int
print_table(FILE *out, write_fn *write, struct lc_stats *stats, const struct lc_report_options *options)
{
    struct lc_report_options full;
    lc_report_options_init(&full);
    struct lc_buffer text = {0};
    int err = lc__options_take(&full, sizeof(full), options, NULL);
    err = err < 0 ? err : write(&text, stats, &full);
    return put(out, &text, err);
}

int
lc_report_print_requests(FILE *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    return print_table(out, lc__console_requests, stats, options);
}

int
lc_report_print_percentiles(FILE *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    return print_table(out, lc__console_percentiles, stats, options);
}

int
lc_report_print_failures(FILE *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    return lc_stats_failure_count(stats) == 0 ? 0 : print_table(out, lc__console_failures, stats, options);
}

int
lc_report_print_phases(FILE *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    return print_table(out, lc__console_phases, stats, options);
}

int
lc_report_print_exact_percentiles(FILE *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    return print_table(out, lc__console_exact, stats, options);
}

int
lc_report_print_generator(FILE *out, const struct lc_meter *meter, const struct lc_stats *stats)
{
    struct lc_meter_numbers n;
    lc_meter_numbers(meter, &n);
    uint64_t requests, failures;
    lc_stats_left_out(stats, &requests, &failures);
    struct lc_buffer text = {0};
    int err = lc_buffer_append_format(
        &text,
        "Generator: CPU %.0f %% on average, %.0f %% at most; event loop late by %.1f ms on average, %.0f ms at most\n",
        100 * n.cpu_average, 100 * n.cpu_max, n.delay_average_ms, n.delay_max_ms);
    if (err == 0 && n.lagging_seconds > 0) {
        err = lc_buffer_append_format(
            &text,
            "The generator lagged in %llu of %llu seconds (delay %llu, busy %llu, starved %llu): "
            "times measured then may be too long\n",
            (unsigned long long)n.lagging_seconds, (unsigned long long)n.seconds, (unsigned long long)n.delay_seconds,
            (unsigned long long)n.busy_seconds, (unsigned long long)n.starved_seconds);
    }
    if (err == 0 && requests > 0) {
        err = lc_buffer_append_format(&text, "Left out of the statistics: %llu requests, %llu failures\n",
                                      (unsigned long long)requests, (unsigned long long)failures);
    }
    return put(out, &text, err);
}

int
lc_report_print_json(FILE *out, struct lc_stats *stats)
{
    struct lc_buffer text = {0};
    int err = lc__json_entries(&text, stats);
    if (err == 0) {
        err = lc_buffer_append(&text, "\n", 1);
    }
    return put(out, &text, err);
}

int
lc_report_print_prometheus(FILE *out, struct lc_stats *stats, const struct lc_prometheus_options *options)
{
    struct lc_prometheus_options full;
    lc_prometheus_options_init(&full);
    struct lc_buffer text = {0};
    int err = lc__options_take(&full, sizeof(full), options, NULL);
    err = err < 0 ? err : lc__prometheus(&text, stats, &full);
    return put(out, &text, err);
}
