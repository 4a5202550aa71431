#include "report/console.h"
#include "report/json.h"

static int
put(FILE *out, struct lc_buffer *text, int err)
{
    if (err == 0 && fwrite(text->data, 1, text->len, out) != text->len) {
        err = LCE_SYSTEM;
    }
    lc_buffer_fini(text);
    return err;
}

int
lc_report_print_requests(FILE *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    struct lc_buffer text = {0};
    int err = lc__console_requests(&text, stats, options);
    return put(out, &text, err);
}

int
lc_report_print_percentiles(FILE *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    struct lc_buffer text = {0};
    int err = lc__console_percentiles(&text, stats, options);
    return put(out, &text, err);
}

int
lc_report_print_failures(FILE *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    struct lc_buffer text = {0};
    int err = lc_stats_failure_count(stats) == 0 ? 0 : lc__console_failures(&text, stats, options);
    return text.len == 0 ? err : put(out, &text, err);
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
