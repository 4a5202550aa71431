/* Names, methods and failures as a script or a server make them up, in every report: what is written must be read again
 * by whoever knows the format. First byte: how many bytes a text has; the rest is cut into texts. */
#include <jansson.h>
#include <string.h>

#include "fuzz.h"
#include "report/console.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/own.h"
#include "locustcore/prometheus.h"
#include "stats/table.h"

#define UNIX_S 1795234975.0
#define NAME "abcdefghijklmnopqrstuvwxyz_0123456789" /* what names of metrics and labels are made of */

/* Rows of a CSV file (RFC 4180), each with the same number of fields. */
static size_t
csv_rows(const struct lc_buffer *text)
{
    size_t rows = 0, columns = 0, fields = 1, at = 0;
    while (at < text->len) {
        if (text->data[at] == '"') {
            for (at++;; at++) {
                FUZZ_CHECK(at < text->len);
                if (text->data[at] == '"' && (at + 1 == text->len || text->data[++at] != '"')) {
                    break;
                }
            }
        } else {
            while (at < text->len && memchr(",\"\r\n", text->data[at], 4) == NULL) {
                at++;
            }
        }
        FUZZ_CHECK(at < text->len && (text->data[at] == ',' || text->data[at] == '\r'));
        if (text->data[at++] == ',') {
            fields++;
            continue;
        }
        FUZZ_CHECK(at < text->len && text->data[at++] == '\n');
        FUZZ_CHECK(rows == 0 || fields == columns);
        columns = fields;
        fields = 1;
        rows++;
    }
    return rows;
}

static void
check_csv(struct lc_stats *stats, const struct lc_report_options *options, struct lc_buffer *out)
{
    size_t count = lc_stats_count(stats);
    FUZZ_CHECK(lc__csv_requests_header(out, options) == 0 && lc__csv_requests(out, stats, options) == 0);
    FUZZ_CHECK(csv_rows(out) == count + 2);
    out->len = 0;
    FUZZ_CHECK(lc__csv_history_header(out, options) == 0 && lc__csv_history(out, stats, options, 3, UNIX_S) == 0);
    FUZZ_CHECK(csv_rows(out) == count + 2);
    out->len = 0;
    FUZZ_CHECK(lc__csv_failures_header(out) == 0 && lc__csv_failures(out, stats) == 0);
    FUZZ_CHECK(csv_rows(out) == lc_stats_failure_count(stats) + 1);
    out->len = 0;
    FUZZ_CHECK(lc__csv_phases_header(out) == 0 && lc__csv_phases(out, stats) == 0);
    csv_rows(out);
    out->len = 0;
    FUZZ_CHECK(lc__csv_exact_header(out, options) == 0 && lc__csv_exact(out, stats, options) == 0);
    csv_rows(out);
    out->len = 0;
}

static void
check_json(struct lc_stats *stats, struct lc_buffer *out)
{
    FUZZ_CHECK(lc__json_entries(out, stats) == 0);
    json_t *list = json_loadb(out->data, out->len, JSON_ALLOW_NUL, NULL);
    FUZZ_CHECK(json_is_array(list) && json_array_size(list) == lc_stats_count(stats));
    json_decref(list);
    out->len = 0;
}

/* Lines: a comment, or a name, perhaps labels with quoted values, and a number. */
static void
check_prometheus_line(const char *line, size_t len)
{
    FUZZ_CHECK(len > 0);
    if (line[0] == '#') {
        return;
    }
    size_t at = strspn(line, NAME);
    FUZZ_CHECK(at > 0);
    if (line[at] == '{') {
        do {
            at += 1 + strspn(line + at + 1, NAME);
            FUZZ_CHECK(at + 1 < len && line[at] == '=' && line[at + 1] == '"');
            for (at += 2; at < len && line[at] != '"'; at++) {
                if (line[at] == '\\') {
                    at++;
                    FUZZ_CHECK(at < len && (line[at] == '\\' || line[at] == '"' || line[at] == 'n'));
                }
            }
            at++;
        } while (at < len && line[at] == ',');
        FUZZ_CHECK(at < len && line[at++] == '}');
    }
    FUZZ_CHECK(at < len && line[at++] == ' ');
    char *end;
    strtod(line + at, &end);
    FUZZ_CHECK(end > line + at && end == line + len);
}

static void
check_prometheus(struct lc_stats *stats, bool is_openmetrics, struct lc_str name)
{
    struct lc_prometheus_options options;
    lc_prometheus_options_init(&options);
    options.is_openmetrics = is_openmetrics;
    options.is_master = true;
    const struct lc_prometheus_users users = {name, 7};
    const struct lc_prometheus_worker worker = {.id = name, .state = name, .user_count = 7};
    options.users = &users;
    options.users_count = 1;
    options.workers = &worker;
    options.worker_count = 1;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    FUZZ_CHECK(file != NULL && lc_report_print_prometheus(file, stats, &options) == 0);
    fclose(file);
    for (char *line = text, *end; line < text + size; line = end + 1) {
        end = memchr(line, '\n', size - (size_t)(line - text));
        FUZZ_CHECK(end != NULL);
        *end = '\0';
        check_prometheus_line(line, (size_t)(end - line));
    }
    free(text);
}

static void
check_console(struct lc_stats *stats, const struct lc_report_options *options, struct lc_buffer *out)
{
    FUZZ_CHECK(lc__console_requests(out, stats, options) == 0 && lc__console_percentiles(out, stats, options) == 0 &&
               lc__console_failures(out, stats, options) == 0 && lc__console_phases(out, stats, options) == 0 &&
               lc__console_exact(out, stats, options) == 0);
    FUZZ_CHECK(out->len > 0 && out->data[out->len - 1] == '\n');
    out->len = 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    size_t len = data[0] % 61, left = size - 1;
    const char *at = (const char *)data + 1;
    struct lc_stats *stats = lc_stats_new();
    FUZZ_CHECK(stats != NULL);
    lc_stats_clear(stats, UNIX_S - 10);
    struct lc_str texts[3] = {{"", 0}, {"", 0}, {"", 0}};
    for (int i = 0; i < 60 && left > 0; i++) {
        struct lc_str text = {at, left < len + 1 ? left : len + 1};
        at += text.len;
        left -= text.len;
        texts[i % 3] = text;
        struct lc_stats_entry *entry = lc_stats_entry(stats, texts[0], texts[1]);
        FUZZ_CHECK(entry != NULL);
        int64_t time_ns = (int64_t)((uint64_t)(unsigned char)text.data[0] << (i % 56));
        FUZZ_CHECK(lc_stats_log_request(stats, entry, time_ns, text.len, UNIX_S) == 0);
        if (i % 3 == 2) {
            FUZZ_CHECK(lc_stats_log_failure(stats, entry, text, UNIX_S) == 0);
        }
    }
    static const double percentiles[] = {0, 0.5, 0.9999, 1};
    struct lc_report_options options;
    lc_report_options_init(&options);
    options.is_every_row = true;
    options.percentiles = percentiles;
    options.percentile_count = 4;
    struct lc_buffer out = {0};
    check_csv(stats, &options, &out);
    check_json(stats, &out);
    check_console(stats, &options, &out);
    check_prometheus(stats, (data[0] & 1) != 0, texts[0]);
    lc_buffer_fini(&out);
    lc_stats_free(stats);
    return 0;
}
