#include "report/rows.h"

#include <math.h>

#include "report/writer.h"
#include "stats/entry.h"

static void
write_number(struct lc_writer *writer, double number)
{
    lc__write_format(writer, ",%.6g", isfinite(number) ? number : 0);
}

static void
write_percentiles(struct lc_writer *writer, const struct lc_stats_entry *entry, const struct lc_report_options *options)
{
    /* In pieces, so that any number of them needs no memory. */
    enum { PIECE = 16 };
    const char *before = ",[";
    for (size_t done = 0; done < options->percentile_count; done += PIECE) {
        double ms[PIECE] = {0};
        size_t count = options->percentile_count - done < PIECE ? options->percentile_count - done : PIECE;
        lc__stats_entry_percentiles_ms(entry, options->percentiles + done, count, ms);
        for (size_t i = 0; i < count; i++) {
            lc__write_format(writer, "%s%.10g", before, ms[i]);
            before = ",";
        }
    }
    lc__write(writer, options->percentile_count == 0 ? LCORE_STR(",[]") : LCORE_STR("]"));
}

static void
write_phases(struct lc_writer *writer, const struct lc_stats_entry *entry)
{
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        struct lc_phase_numbers phase;
        lc_stats_entry_phase(entry, (enum lc_phase)i, &phase);
        lc__write(writer, i == 0 ? LCORE_STR(",[") : LCORE_STR(","));
        if (phase.count == 0) {
            lc__write(writer, LCORE_STR("null"));
        } else {
            lc__write_format(writer, "[%.4g,%.4g]", phase.average_ms, phase.max_ms);
        }
    }
    lc__write(writer, LCORE_STR("]"));
}

static void
write_row(struct lc_writer *writer, const struct lc_stats_entry *entry, const struct lc_stats_entry *total,
          const struct lc_report_options *options)
{
    double current[2], whole[2];
    lc_stats_entry_current_rates(entry, total, &current[0], &current[1]);
    lc_stats_entry_total_rates(entry, total, &whole[0], &whole[1]);
    lc__write(writer, LCORE_STR("["));
    lc__write_json_string(writer, entry->method);
    lc__write(writer, LCORE_STR(","));
    lc__write_json_string(writer, entry->name);
    lc__write_format(writer, ",%llu,%llu", (unsigned long long)entry->request_count,
                     (unsigned long long)entry->failure_count);
    const double numbers[] = {
        lc_stats_entry_locust_median_ms(entry),
        lc_stats_entry_average_ms(entry),
        entry->min_ms == INFINITY ? 0 : entry->min_ms,
        entry->max_ms,
        entry->request_count == 0 ? 0 : (double)(int64_t)entry->content_bytes / (double)entry->request_count,
        current[0],
        current[1],
        whole[0],
        whole[1],
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        write_number(writer, numbers[i]);
    }
    write_percentiles(writer, entry, options);
    write_phases(writer, entry);
    lc__write(writer, LCORE_STR("]"));
}

int
lc__json_rows(struct lc_buffer *out, struct lc_stats *stats, size_t first, size_t end,
              const struct lc_report_options *options)
{
    struct lc_writer writer = {out, 0};
    const struct lc_stats_entry *total = lc_stats_total(stats);
    size_t count = lc_stats_count(stats);
    for (size_t place = first; place < end && place <= count; place++) {
        if (place > first) {
            lc__write(&writer, LCORE_STR(","));
        }
        write_row(&writer, place < count ? lc_stats_at(stats, place) : total, total, options);
    }
    return writer.err;
}
