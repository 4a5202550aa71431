#include "report/csv.h"

#include <math.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "report/order.h"
#include "report/writer.h"
#include "stats/entry.h"

static const struct lc_str end_of_row = {"\r\n", 2};

/* What is no UTF-8 becomes U+FFFD: one such byte would keep programs from reading the file. */
static void
write_text(struct lc_writer *writer, struct lc_str text)
{
    size_t begin = 0, at = 0;
    while (at < text.len) {
        uint32_t point;
        struct lc_str rest = {text.data + at, text.len - at};
        size_t len = (unsigned char)rest.data[0] < 0x80 ? 1 : lc_utf8_decode(rest, &point);
        if (len == 0) {
            lc__write(writer, (struct lc_str){text.data + begin, at - begin});
            lc__write(writer, LCORE_STR("\xef\xbf\xbd"));
            begin = ++at;
        } else {
            at += len;
        }
    }
    if (at > begin) {
        lc__write(writer, (struct lc_str){text.data + begin, at - begin});
    }
}

/* A field, quoted where it must be. */
static void
write_field(struct lc_writer *writer, struct lc_str text)
{
    bool is_quoted = false;
    for (size_t i = 0; i < text.len && !is_quoted; i++) {
        is_quoted = text.data[i] == ',' || text.data[i] == '"' || text.data[i] == '\r' || text.data[i] == '\n';
    }
    if (!is_quoted) {
        write_text(writer, text);
        return;
    }
    lc__write(writer, LCORE_STR("\""));
    while (text.len > 0) {
        const char *quote = memchr(text.data, '"', text.len);
        size_t len = quote == NULL ? text.len : (size_t)(quote - text.data) + 1;
        write_text(writer, (struct lc_str){text.data, len});
        if (quote != NULL) {
            lc__write(writer, LCORE_STR("\""));
        }
        text = (struct lc_str){text.data + len, text.len - len};
    }
    lc__write(writer, LCORE_STR("\""));
}

void
lc__csv_names(struct lc_writer *writer, struct lc_str method, struct lc_str name)
{
    write_field(writer, method);
    lc__write(writer, LCORE_STR(","));
    write_field(writer, name);
}

void
lc__csv_percent_heads(struct lc_writer *writer, const struct lc_report_options *options)
{
    for (size_t i = 0; i < options->percentile_count; i++) {
        lc__write(writer, LCORE_STR(","));
        lc__write_percent(writer, options->percentiles[i]);
    }
}

int
lc__csv_requests_header(struct lc_buffer *out, const struct lc_report_options *options)
{
    struct lc_writer writer = {out, 0};
    lc__write(&writer, LCORE_STR("Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,"
                                 "Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s"));
    lc__csv_percent_heads(&writer, options);
    lc__write(&writer, end_of_row);
    return writer.err;
}

/* Percentiles of the whole run, or, if is_recent, of the last seconds (0 while nothing is known of then). */
static void
write_percentiles(struct lc_writer *writer, const struct lc_stats_entry *entry, bool is_recent, double unix_s,
                  const struct lc_report_options *options)
{
    /* In pieces, so that any number of them needs no memory. */
    enum { PIECE = 16 };
    for (size_t done = 0; done < options->percentile_count; done += PIECE) {
        double ms[PIECE] = {0};
        size_t count = options->percentile_count - done < PIECE ? options->percentile_count - done : PIECE;
        if (is_recent) {
            lc__stats_entry_recent_percentiles_ms(entry, (int64_t)unix_s, options->recent_s,
                                                  options->percentiles + done, count, ms);
        } else {
            lc__stats_entry_percentiles_ms(entry, options->percentiles + done, count, ms);
        }
        for (size_t i = 0; i < count; i++) {
            if (entry->request_count == 0) {
                lc__write(writer, LCORE_STR(",N/A"));
            } else {
                lc__write_format(writer, ",%lu", (unsigned long)ms[i]);
            }
        }
    }
}

/* Requests, failures, median, average, minimum, maximum, average size. */
static void
write_numbers(struct lc_writer *writer, const struct lc_stats_entry *entry)
{
    lc__write_format(writer, ",%llu,%llu,", (unsigned long long)entry->request_count,
                     (unsigned long long)entry->failure_count);
    lc__write_ms(writer, lc_stats_entry_locust_median_ms(entry), lc__stats_entry_is_median_whole(entry));
    lc__write(writer, LCORE_STR(","));
    lc__write_double(writer, lc_stats_entry_average_ms(entry));
    lc__write(writer, LCORE_STR(","));
    lc__write_ms(writer, entry->min_ms == INFINITY ? 0 : entry->min_ms, entry->is_min_whole);
    lc__write(writer, LCORE_STR(","));
    lc__write_ms(writer, entry->max_ms, entry->is_max_whole);
    lc__write(writer, LCORE_STR(","));
    if (entry->request_count == 0) {
        lc__write(writer, LCORE_STR("0"));
    } else {
        lc__write_double(writer, (double)(int64_t)entry->content_bytes / (double)entry->request_count);
    }
}

int
lc__csv_requests(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options)
{
    size_t count;
    struct lc_stats_entry **entries = lc__order_entries(stats, true, &count);
    if (entries == NULL) {
        return LCE_NOMEM;
    }
    struct lc_writer writer = {out, 0};
    for (size_t i = 0; i < count; i++) {
        double requests_per_s, failures_per_s;
        lc_stats_entry_total_rates(entries[i], entries[count - 1], &requests_per_s, &failures_per_s);
        lc__csv_names(&writer, entries[i]->method, entries[i]->name);
        write_numbers(&writer, entries[i]);
        lc__write(&writer, LCORE_STR(","));
        lc__write_double(&writer, requests_per_s);
        lc__write(&writer, LCORE_STR(","));
        lc__write_double(&writer, failures_per_s);
        write_percentiles(&writer, entries[i], false, 0, options);
        lc__write(&writer, end_of_row);
    }
    lc__free(entries);
    return writer.err;
}

int
lc__csv_history_header(struct lc_buffer *out, const struct lc_report_options *options)
{
    struct lc_writer writer = {out, 0};
    lc__write(&writer, LCORE_STR("Timestamp,User Count,Type,Name,Requests/s,Failures/s"));
    lc__csv_percent_heads(&writer, options);
    lc__write(&writer, LCORE_STR(",Total Request Count,Total Failure Count,Total Median Response Time,"
                                 "Total Average Response Time,Total Min Response Time,Total Max Response Time,"
                                 "Total Average Content Size"));
    lc__write(&writer, end_of_row);
    return writer.err;
}

int
lc__csv_history(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options,
                uint64_t user_count, double unix_s)
{
    size_t count;
    struct lc_stats_entry **entries = lc__order_entries(stats, true, &count);
    if (entries == NULL) {
        return LCE_NOMEM;
    }
    struct lc_writer writer = {out, 0};
    for (size_t i = options->is_every_row ? 0 : count - 1; i < count; i++) {
        double requests_per_s, failures_per_s;
        lc_stats_entry_current_rates(entries[i], entries[count - 1], &requests_per_s, &failures_per_s);
        lc__write_format(&writer, "%lld,%llu,", (long long)unix_s, (unsigned long long)user_count);
        lc__csv_names(&writer, entries[i]->method, entries[i]->name);
        lc__write_format(&writer, ",%f,%f", requests_per_s, failures_per_s);
        write_percentiles(&writer, entries[i], options->is_every_row && entries[i]->is_keeping_recent, unix_s, options);
        write_numbers(&writer, entries[i]);
        lc__write(&writer, end_of_row);
    }
    lc__free(entries);
    return writer.err;
}

int
lc__csv_failures_header(struct lc_buffer *out)
{
    return lc_buffer_append_str(out, LCORE_STR("Method,Name,Error,Occurrences,First Seen,Last Seen\r\n"));
}

int
lc__csv_failures(struct lc_buffer *out, struct lc_stats *stats)
{
    size_t *order = lc__order_failures(stats);
    if (order == NULL) {
        return LCE_NOMEM;
    }
    struct lc_writer writer = {out, 0};
    for (size_t i = 0; i < lc_stats_failure_count(stats); i++) {
        struct lc_stats_failure failure;
        lc_stats_failure_at(stats, order[i], &failure);
        write_field(&writer, failure.method);
        lc__write(&writer, LCORE_STR(","));
        write_field(&writer, failure.name);
        lc__write(&writer, LCORE_STR(","));
        write_field(&writer, failure.text);
        lc__write_format(&writer, ",%llu,", (unsigned long long)failure.occurrences);
        if (isfinite(failure.first_seen_unix_s)) {
            lc__write_time(&writer, failure.first_seen_unix_s);
        }
        lc__write(&writer, LCORE_STR(","));
        if (isfinite(failure.last_seen_unix_s)) {
            lc__write_time(&writer, failure.last_seen_unix_s);
        }
        lc__write(&writer, end_of_row);
    }
    lc__free(order);
    return writer.err;
}

int
lc__csv_exceptions_header(struct lc_buffer *out)
{
    return lc_buffer_append_str(out, LCORE_STR("Count,Message,Traceback,Nodes\r\n"));
}

int
lc__csv_exceptions(struct lc_buffer *out, const struct lc_report_exception *exceptions, size_t count)
{
    struct lc_writer writer = {out, 0};
    for (size_t i = 0; i < count; i++) {
        lc__write_format(&writer, "%llu,", (unsigned long long)exceptions[i].count);
        write_field(&writer, exceptions[i].message);
        lc__write(&writer, LCORE_STR(","));
        write_field(&writer, exceptions[i].traceback);
        lc__write(&writer, LCORE_STR(","));
        struct lc_buffer nodes = {0};
        struct lc_writer joiner = {&nodes, 0};
        for (size_t j = 0; j < exceptions[i].node_count; j++) {
            lc__write(&joiner, j == 0 ? LCORE_STR("") : LCORE_STR(", "));
            lc__write(&joiner, exceptions[i].nodes[j]);
        }
        write_field(&writer, (struct lc_str){nodes.data, nodes.len});
        lc_buffer_fini(&nodes);
        lc__write(&writer, end_of_row);
        if (joiner.err < 0) {
            return joiner.err;
        }
    }
    return writer.err;
}
