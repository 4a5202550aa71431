#include "report/own.h"

#include "base/alloc.h"
#include "report/csv.h"
#include "report/order.h"
#include "report/writer.h"
#include "stats/entry.h"

static const char *const titles[LCORE_PHASE_COUNT] = {"DNS", "Connect", "TLS", "Queue", "First byte", "Transfer"};

static bool
has_phases(const struct lc_stats_entry *entry)
{
    uint64_t count = 0;
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        count += entry->phases[i].count;
    }
    return count > 0;
}

static void
rule(struct lc_writer *writer, const struct lc_report_options *options)
{
    lc__write_names_rule(writer, options);
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        lc__write(writer, LCORE_STR("|-------------------"));
    }
    lc__write(writer, LCORE_STR("\n"));
}

static void
row(struct lc_writer *writer, const struct lc_stats_entry *entry, const struct lc_report_options *options)
{
    lc__write_names(writer, entry->method, entry->name, options);
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        struct lc_phase_numbers numbers;
        lc_stats_entry_phase(entry, (enum lc_phase)i, &numbers);
        if (numbers.count == 0) {
            lc__write_format(writer, " %9s %9s", "-", "-");
        } else {
            lc__write_format(writer, " %9.2f %9.2f", numbers.average_ms, numbers.max_ms);
        }
    }
    lc__write(writer, LCORE_STR("\n"));
}

int
lc__console_phases(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    size_t count;
    struct lc_stats_entry **entries = lc__order_entries(stats, true, &count);
    if (entries == NULL) {
        return LCE_NOMEM;
    }
    struct lc_writer writer = {out, 0};
    lc__write(&writer, LCORE_STR("Phases of requests (ms, average and largest)\n"));
    lc__write_names(&writer, LCORE_STR("Type"), LCORE_STR("Name"), options);
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        lc__write_format(&writer, " %10s %8s", titles[i], "max");
    }
    lc__write(&writer, LCORE_STR("\n"));
    rule(&writer, options);
    for (size_t i = 0; i < count; i++) {
        if (i == count - 1) {
            rule(&writer, options);
        }
        if (has_phases(entries[i])) {
            row(&writer, entries[i], options);
        }
    }
    lc__free(entries);
    return writer.err;
}

int
lc__csv_phases_header(struct lc_buffer *out)
{
    struct lc_writer writer = {out, 0};
    lc__write(&writer, LCORE_STR("Type,Name"));
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        lc__write_format(&writer, ",%s Count,%s Average,%s Max", titles[i], titles[i], titles[i]);
    }
    lc__write(&writer, LCORE_STR("\r\n"));
    return writer.err;
}

int
lc__csv_phases(struct lc_buffer *out, struct lc_stats *stats)
{
    size_t count;
    struct lc_stats_entry **entries = lc__order_entries(stats, true, &count);
    if (entries == NULL) {
        return LCE_NOMEM;
    }
    struct lc_writer writer = {out, 0};
    for (size_t i = 0; i < count; i++) {
        lc__csv_names(&writer, entries[i]->method, entries[i]->name);
        for (int j = 0; j < LCORE_PHASE_COUNT; j++) {
            struct lc_phase_numbers numbers;
            lc_stats_entry_phase(entries[i], (enum lc_phase)j, &numbers);
            lc__write_format(&writer, ",%llu,", (unsigned long long)numbers.count);
            lc__write_double(&writer, numbers.average_ms);
            lc__write(&writer, LCORE_STR(","));
            lc__write_double(&writer, numbers.max_ms);
        }
        lc__write(&writer, LCORE_STR("\r\n"));
    }
    lc__free(entries);
    return writer.err;
}
