#include "report/prometheus.h"

#include <math.h>

#include "base/clock.h"
#include "report/writer.h"
#include "stats/table.h"

/* A text of a failure is cut there: it is a label, and kept by Prometheus as long as it keeps anything. */
#define FAILURE_TEXT_MAX 300

struct exposition {
    struct lc_writer writer;
    const struct lc_prometheus_options *options;
    struct lc__prometheus_rows rows;
};

static void
write_text(struct exposition *to, const char *text)
{
    lc__write(&to->writer, lc_str_from(text));
}

static void
write_count(struct exposition *to, uint64_t count)
{
    if (to->writer.err == 0) {
        to->writer.err = lc_buffer_append_u64(to->writer.out, count);
    }
}

/* Nine digits behind the point, less the zeros at the end. printf() takes five times longer, and there are thousands.
 */
static void
write_double(struct exposition *to, double number)
{
    if (isnan(number)) {
        write_text(to, "NaN");
        return;
    }
    if (!(number >= 0 && number < 9e9)) {
        lc__write_format(&to->writer, "%.17g", number);
        return;
    }
    uint64_t nano = (uint64_t)(number * 1e9 + 0.5);
    write_count(to, nano / 1000000000);
    uint32_t rest = (uint32_t)(nano % 1000000000);
    if (rest > 0) {
        char digits[10] = ".";
        int len = 10;
        for (int i = 9; i > 0; i--, rest /= 10) {
            digits[i] = (char)('0' + rest % 10);
        }
        while (digits[len - 1] == '0') {
            len--;
        }
        lc__write(&to->writer, (struct lc_str){digits, (size_t)len});
    }
}

/* `name` is that of the samples. In OpenMetrics the family of a counter is called so without its "_total". */
static void
write_family(struct exposition *to, const char *name, const char *type, const char *help)
{
    struct lc_str family = lc_str_from(name);
    if (to->options->is_openmetrics && type[0] == 'c') {
        family.len -= sizeof("_total") - 1;
    }
    write_text(to, "# HELP ");
    lc__write(&to->writer, family);
    write_text(to, " ");
    write_text(to, help);
    write_text(to, "\n# TYPE ");
    lc__write(&to->writer, family);
    write_text(to, " ");
    write_text(to, type);
    write_text(to, "\n");
}

static void
write_label(struct exposition *to, const char *before, struct lc_str value)
{
    write_text(to, before);
    if (to->writer.err == 0) {
        to->writer.err = lc__prometheus_append_label(to->writer.out, value);
    }
}

static void
write_single(struct exposition *to, const char *name, const char *type, const char *help, double number)
{
    write_family(to, name, type, help);
    write_text(to, name);
    write_text(to, " ");
    write_double(to, number);
    write_text(to, "\n");
}

/* ---- Of names ---- */

static void
begin_sample(struct exposition *to, const char *name, const struct lc__prometheus_row *row)
{
    write_text(to, name);
    write_text(to, "{");
    lc__write(&to->writer, (struct lc_str){to->rows.labels.data + row->labels, row->labels_len});
}

static void
write_counters(struct exposition *to, const char *name, const char *help, size_t field)
{
    write_family(to, name, "counter", help);
    for (size_t i = 0; i < to->rows.count; i++) {
        uint64_t count;
        memcpy(&count, (const char *)&to->rows.rows[i] + field, sizeof(count));
        begin_sample(to, name, &to->rows.rows[i]);
        write_text(to, "} ");
        write_count(to, count);
        write_text(to, "\n");
    }
}

static void
write_histogram(struct exposition *to)
{
#define TEXT(bound) #bound,
    static const char *const bounds[] = {LCORE_PROMETHEUS_BOUND_LIST(TEXT)};
#undef TEXT
    write_family(to, "cload_response_time_seconds", "histogram", "Response times, as users saw them.");
    for (size_t i = 0; i < to->rows.count; i++) {
        const struct lc__prometheus_row *row = &to->rows.rows[i];
        uint64_t below = 0;
        for (size_t bound = 0; bound <= LC__PROMETHEUS_BOUNDS; bound++) {
            bool is_last = bound == LC__PROMETHEUS_BOUNDS;
            below = is_last ? row->timed_count : below + row->buckets[bound];
            begin_sample(to, "cload_response_time_seconds_bucket", row);
            write_text(to, ",le=\"");
            write_text(to, is_last ? "+Inf" : bounds[bound]);
            write_text(to, "\"} ");
            write_count(to, below);
            write_text(to, "\n");
        }
        begin_sample(to, "cload_response_time_seconds_sum", row);
        write_text(to, "} ");
        write_double(to, row->total_ms / 1000);
        write_text(to, "\n");
        begin_sample(to, "cload_response_time_seconds_count", row);
        write_text(to, "} ");
        write_count(to, row->timed_count);
        write_text(to, "\n");
    }
}

static void
write_phases(struct exposition *to)
{
    write_family(to, "cload_phase_seconds", "summary",
                 "Phases of requests: dns, connect, tls, queue (our own), first_byte, transfer.");
    for (size_t i = 0; i < to->rows.count; i++) {
        const struct lc__prometheus_row *row = &to->rows.rows[i];
        for (int phase = 0; phase < LCORE_PHASE_COUNT; phase++) {
            const struct lc_phase_sum *sum = &row->phases[phase];
            for (int is_count = 0; is_count < 2 && sum->count > 0; is_count++) {
                begin_sample(to, is_count ? "cload_phase_seconds_count" : "cload_phase_seconds_sum", row);
                write_text(to, ",phase=\"");
                write_text(to, lc_phase_text((enum lc_phase)phase));
                write_text(to, "\"} ");
                if (is_count) {
                    write_count(to, sum->count);
                } else {
                    write_double(to, (double)sum->total_ns / 1e9);
                }
                write_text(to, "\n");
            }
        }
    }
}

/* ---- Of the run ---- */

/* One series for each, 1 for what is. */
static void
write_state(struct exposition *to)
{
    static const char *const states[] = {"ready", "spawning", "running", "cleanup", "stopping", "stopped", "missing"};
    write_family(to, "cload_state", "gauge", "State of the runner: 1 for the one it is in.");
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        write_text(to, "cload_state{state=\"");
        write_text(to, states[i]);
        write_text(to, lc_str_equal(to->options->state, lc_str_from(states[i])) ? "\"} 1\n" : "\"} 0\n");
    }
}

static void
write_users(struct exposition *to)
{
    write_family(to, "cload_users", "gauge", "Users that are there, by class.");
    for (size_t i = 0; i < to->options->users_count; i++) {
        write_label(to, "cload_users{user_class=\"", to->options->users[i].user_class);
        write_text(to, "\"} ");
        write_count(to, to->options->users[i].count);
        write_text(to, "\n");
    }
}

static uint64_t
count_workers(const struct lc_prometheus_options *options, const char *state)
{
    uint64_t count = 0;
    for (size_t i = 0; i < options->worker_count; i++) {
        count += lc_str_equal(options->workers[i].state, lc_str_from(state));
    }
    return count;
}

static void
write_workers(struct exposition *to)
{
    static const char *const states[] = {"ready", "spawning", "running", "missing"};
    write_family(to, "cload_workers", "gauge", "Workers of this master, by state.");
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        write_text(to, "cload_workers{state=\"");
        write_text(to, states[i]);
        write_text(to, "\"} ");
        write_count(to, count_workers(to->options, states[i]));
        write_text(to, "\n");
    }
}

static void
write_generator(struct exposition *to)
{
    const struct lc_prometheus_generator *generator = to->options->generator;
    if (generator == NULL) {
        return;
    }
    write_single(to, "cload_generator_cpu_cores", "gauge", "CPU time this process uses, in cores.", generator->cpu);
    write_single(to, "cload_generator_starved_ratio", "gauge",
                 "Share of the last second in which this process waited for a core.", generator->starved);
    write_single(to, "cload_generator_delay_seconds", "gauge",
                 "By how much the event loop was late at most in the last ten seconds.", generator->delay_s);
    write_single(to, "cload_generator_lagging", "gauge",
                 "1: the generator is too slow, so that response times may be too long.", generator->is_lagging);
    write_single(to, "cload_generator_seconds_total", "counter", "Seconds of the test.", (double)generator->seconds);
    write_single(to, "cload_generator_lagging_seconds_total", "counter",
                 "Seconds of the test in which the generator was too slow, on this node or a worker.",
                 (double)generator->lagging_seconds);
}

/* Percentiles of about the last ten seconds, of all requests; nothing where none are kept. */
static bool
find_recent(struct lc_stats *stats, const double *fractions, size_t count, double *out_ms)
{
    return lc__stats_entry_recent_percentiles_ms(lc_stats_total(stats), lc_clock_realtime_ns() / LCORE_NS_PER_S,
                                                 stats->config->recent_s, fractions, count, out_ms);
}

static void
write_recent(struct exposition *to, struct lc_stats *stats)
{
    static const char *const names[] = {"50", "90", "95", "99"};
    static const double fractions[] = {0.5, 0.9, 0.95, 0.99};
    double ms[4];
    write_family(to, "cload_recent_response_time_seconds", "gauge",
                 "Percentiles of all requests of the last ten seconds, in Locust's rounding.");
    bool is_known = find_recent(stats, fractions, 4, ms);
    for (size_t i = 0; i < 4 && is_known; i++) {
        write_text(to, "cload_recent_response_time_seconds{percentile=\"");
        write_text(to, names[i]);
        write_text(to, "\"} ");
        write_double(to, ms[i] / 1000.0);
        write_text(to, "\n");
    }
}

/* ---- Those of the exporter for Locust ---- */

static void
write_locust_named(struct exposition *to, const char *name, const char *help, size_t field, bool is_count)
{
    write_family(to, name, "gauge", help);
    for (size_t i = 0; i <= to->rows.count; i++) {
        const struct lc__prometheus_row *row = i < to->rows.count ? &to->rows.rows[i] : &to->rows.total;
        const char *at = (const char *)row + field;
        uint64_t count;
        double number;
        begin_sample(to, name, row);
        write_text(to, "} ");
        if (is_count) {
            memcpy(&count, at, sizeof(count));
            write_count(to, count);
        } else {
            memcpy(&number, at, sizeof(number));
            write_double(to, number);
        }
        write_text(to, "\n");
    }
}

static void
write_locust_names(struct exposition *to)
{
#define FIELD(name) offsetof(struct lc__prometheus_row, name)
    write_locust_named(to, "locust_requests_num_requests", "Requests.", FIELD(request_count), true);
    write_locust_named(to, "locust_requests_num_failures", "Failures.", FIELD(failure_count), true);
    write_locust_named(to, "locust_requests_avg_response_time", "Average, ms.", FIELD(average_ms), false);
    write_locust_named(to, "locust_requests_min_response_time", "Minimum, ms.", FIELD(min_ms), false);
    write_locust_named(to, "locust_requests_max_response_time", "Maximum, ms.", FIELD(max_ms), false);
    write_locust_named(to, "locust_requests_median_response_time", "Median, ms.", FIELD(median_ms), false);
    write_locust_named(to, "locust_requests_current_rps", "Requests per second.", FIELD(current_rps), false);
    write_locust_named(to, "locust_requests_current_fail_per_sec", "Failures per second.",
                       FIELD(current_failures_per_s), false);
    write_locust_named(to, "locust_requests_avg_content_length", "Bytes per response.", FIELD(average_bytes), false);
#undef FIELD
}

/* Whole UTF-8 characters. */
static struct lc_str
shorten(struct lc_str text)
{
    size_t len = FAILURE_TEXT_MAX;
    while (len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80) {
        len--;
    }
    return (struct lc_str){text.data, len};
}

static void
write_locust_errors(struct exposition *to, struct lc_stats *stats)
{
    struct lc_buffer text = {0};
    write_family(to, "locust_errors", "gauge", "Failures by their text; the first ones.");
    for (size_t i = 0; i < lc_stats_failure_count(stats) && i < to->options->failure_limit; i++) {
        struct lc_stats_failure failure;
        lc_stats_failure_at(stats, i, &failure);
        text.len = 0;
        struct lc_writer plain = {&text, 0};
        lc__write_failure(&plain, failure.text, failure.is_remote);
        write_label(to, "locust_errors{method=\"", failure.method);
        write_label(to, "\",name=\"", failure.name);
        struct lc_str label = {text.data, text.len};
        write_label(to, "\",error=\"", label.len > FAILURE_TEXT_MAX ? shorten(label) : label);
        if (label.len > FAILURE_TEXT_MAX) {
            /* Two texts that begin alike stay two series. */
            lc__write_format(&to->writer, "... (%zu)", i + 1);
        }
        write_text(to, "\"} ");
        write_count(to, failure.occurrences);
        write_text(to, "\n");
        to->writer.err = to->writer.err < 0 ? to->writer.err : plain.err;
    }
    lc_buffer_fini(&text);
}

static void
write_locust_workers(struct exposition *to)
{
    const struct lc_prometheus_options *options = to->options;
    write_single(to, "locust_workers_count", "gauge", "Workers.", (double)options->worker_count);
    write_single(to, "locust_workers_running_count", "gauge", "Workers that run.",
                 (double)count_workers(options, "running"));
    write_single(to, "locust_workers_hatching_count", "gauge", "Workers that spawn.",
                 (double)count_workers(options, "spawning"));
    write_single(to, "locust_workers_missing_count", "gauge", "Workers that are missing.",
                 (double)count_workers(options, "missing"));
    write_family(to, "locust_worker_detail", "gauge", "Users of each worker.");
    for (size_t i = 0; i < options->worker_count; i++) {
        write_label(to, "locust_worker_detail{id=\"", options->workers[i].id);
        write_label(to, "\",state=\"", options->workers[i].state);
        write_text(to, "\"} ");
        write_count(to, options->workers[i].user_count);
        write_text(to, "\n");
    }
}

static void
write_locust(struct exposition *to, struct lc_stats *stats)
{
    static const double fractions[] = {0.5, 0.95};
    const struct lc_prometheus_options *options = to->options;
    bool is_spawning = lc_str_equal(options->state, LCORE_STR("spawning"));
    double recent_ms[2] = {0, 0};
    (void)find_recent(stats, fractions, 2, recent_ms);
    write_single(to, "locust_up", "gauge", "1.", 1);
    write_single(to, "locust_running", "gauge", "0: no test, 1: users are spawned, 2: running.",
                 is_spawning                                          ? 1
                 : lc_str_equal(options->state, LCORE_STR("running")) ? 2
                                                                      : 0);
    write_single(to, "locust_users", "gauge", "Users.", (double)options->user_count);
    write_single(to, "locust_requests_fail_ratio", "gauge", "Failures per request.",
                 lc_stats_entry_fail_ratio(lc_stats_total(stats)));
    write_single(to, "locust_requests_current_response_time_percentile_50", "gauge",
                 "Median of the last ten seconds, ms.", recent_ms[0]);
    write_single(to, "locust_requests_current_response_time_percentile_95", "gauge",
                 "95 % of the last ten seconds, ms.", recent_ms[1]);
    if (options->is_master) {
        write_locust_workers(to);
    }
    write_locust_names(to);
    write_locust_errors(to, stats);
}

static void
write_requests(struct exposition *to, struct lc_stats *stats)
{
    write_counters(to, "cload_requests_total", "Requests, failed ones too.",
                   offsetof(struct lc__prometheus_row, request_count));
    write_counters(to, "cload_failures_total", "Failed requests.", offsetof(struct lc__prometheus_row, failure_count));
    write_counters(to, "cload_response_bytes_total", "Bytes of responses, without heads.",
                   offsetof(struct lc__prometheus_row, content_bytes));
    write_histogram(to);
    write_phases(to);
    write_recent(to, stats);
}

int
lc__prometheus(struct lc_buffer *out, struct lc_stats *stats, const struct lc_prometheus_options *options)
{
    struct exposition to = {.writer = {out, 0}, .options = options};
    to.writer.err = lc__prometheus_rows_init(&to.rows, stats, options->name_limit);
    write_family(&to, "cload_build_info", "gauge", "1; the version is the label.");
    write_text(&to, "cload_build_info{version=\"" LCORE_VERSION "\"} 1\n");
    write_single(&to, "cload_start_time_seconds", "gauge",
                 "When the statistics begin (start of the test, or its last reset), Unix time.",
                 lc_stats_total(stats)->start_unix_s);
    write_state(&to);
    write_users(&to);
    if (options->is_master) {
        write_workers(&to);
    }
    if (!options->is_worker) {
        write_requests(&to, stats);
    }
    write_single(&to, "cload_exceptions_total", "counter", "Exceptions of users' code.",
                 (double)options->exception_count);
    write_generator(&to);
    if (!options->is_worker) {
        write_locust(&to, stats);
    }
    if (options->is_openmetrics) {
        write_text(&to, "# EOF\n");
    }
    lc__prometheus_rows_fini(&to.rows);
    return to.writer.err;
}

void
lc_prometheus_options_init(struct lc_prometheus_options *options)
{
    *options = (struct lc_prometheus_options){
        .size = sizeof(*options),
        .name_limit = 1000,
        .failure_limit = 100,
        .state = LCORE_STR("ready"),
    };
}
