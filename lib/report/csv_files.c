/* The CSV files on disk. Each round writes with one call per file and no buffer of stdio's, so what a failed write left
 * behind is known and the next round repairs it. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/options.h"
#include "report/csv.h"
#include "report/own.h"

enum { REQUESTS, HISTORY, FAILURES, EXCEPTIONS, PHASES, FILES };
static const char *const suffixes[FILES] = {"_stats.csv", "_stats_history.csv", "_failures.csv", "_exceptions.csv",
                                            "_phases.csv"};

struct lc_csv {
    struct lc_report_options options;
    double *percentiles;
    struct {
        int fd;
        off_t keep; /* what the next round leaves standing: the header, or all of the history */
    } files[FILES];
    char prefix[];
};

static int
fail(struct lc_error *error, const struct lc_csv *csv, int file)
{
    return lc_error_set_errno(error, LCE_SYSTEM, errno, "%s%s could not be written", csv->prefix, suffixes[file]);
}

/* Puts `text` behind what is to be kept, and ends the file there. */
static int
write_rest(struct lc_csv *csv, int file, struct lc_buffer *text, struct lc_error *error)
{
    const int fd = csv->files[file].fd;
    const off_t keep = csv->files[file].keep;
    size_t done = 0;
    while (done < text->len) {
        ssize_t written = pwrite(fd, text->data + done, text->len - done, keep + (off_t)done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            int err = fail(error, csv, file);
            (void)!ftruncate(fd, keep);
            return err;
        }
        done += (size_t)written;
    }
    return ftruncate(fd, keep + (off_t)text->len) < 0 && errno != EINVAL ? fail(error, csv, file) : 0;
}

static int
write_header(struct lc_csv *csv, int file, struct lc_error *error)
{
    struct lc_buffer text = {0};
    int err = file == REQUESTS   ? lc__csv_requests_header(&text, &csv->options)
              : file == HISTORY  ? lc__csv_history_header(&text, &csv->options)
              : file == FAILURES ? lc__csv_failures_header(&text)
              : file == PHASES   ? lc__csv_phases_header(&text)
                                 : lc__csv_exceptions_header(&text);
    if (err < 0) {
        lc_error_set(error, err, "%s", lc_error_text(err));
    } else {
        err = write_rest(csv, file, &text, error);
        csv->files[file].keep = (off_t)text.len;
    }
    lc_buffer_fini(&text);
    return err;
}

static int
open_file(struct lc_csv *csv, int file, struct lc_error *error)
{
    struct lc_buffer path = {0};
    int err = lc_buffer_append_format(&path, "%s%s", csv->prefix, suffixes[file]);
    if (err < 0) {
        return lc_error_set(error, err, "%s", lc_error_text(err));
    }
    csv->files[file].fd = open(path.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    lc_buffer_fini(&path);
    return csv->files[file].fd < 0 ? fail(error, csv, file) : write_header(csv, file, error);
}

struct lc_csv *
lc_csv_new(const char *prefix, const struct lc_report_options *given, struct lc_error *error)
{
    struct lc_report_options full;
    lc_report_options_init(&full);
    if (lc__options_take(&full, sizeof(full), given, error) < 0) {
        return NULL;
    }
    const struct lc_report_options *options = &full;
    size_t len = strlen(prefix);
    struct lc_csv *csv = lc__calloc(1, sizeof(*csv) + len + 1);
    double *percentiles = lc__alloc((options->percentile_count + 1) * sizeof(double));
    if (csv == NULL || percentiles == NULL) {
        lc__free(csv);
        lc__free(percentiles);
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        return NULL;
    }
    memcpy(csv->prefix, prefix, len);
    if (options->percentile_count > 0) {
        memcpy(percentiles, options->percentiles, options->percentile_count * sizeof(double));
    }
    csv->options = full;
    csv->options.percentiles = csv->percentiles = percentiles;
    for (int i = 0; i < FILES; i++) {
        csv->files[i].fd = -1;
    }
    for (int i = 0; i < FILES; i++) {
        if (open_file(csv, i, error) < 0) {
            lc_csv_free(csv);
            return NULL;
        }
    }
    return csv;
}

int
lc_csv_write(struct lc_csv *csv, struct lc_stats *stats, const struct lc_report_exception *exceptions,
             size_t exception_count, uint64_t user_count, double unix_s, struct lc_error *error)
{
    int first_err = 0;
    for (int file = 0; file < FILES; file++) {
        struct lc_buffer text = {0};
        int err = file == REQUESTS   ? lc__csv_requests(&text, stats, &csv->options)
                  : file == HISTORY  ? lc__csv_history(&text, stats, &csv->options, user_count, unix_s)
                  : file == FAILURES ? lc__csv_failures(&text, stats)
                  : file == PHASES   ? lc__csv_phases(&text, stats)
                                     : lc__csv_exceptions(&text, exceptions, exception_count);
        if (err < 0) {
            lc_error_set(first_err == 0 ? error : NULL, err, "%s", lc_error_text(err));
        } else {
            err = write_rest(csv, file, &text, first_err == 0 ? error : NULL);
        }
        if (err == 0 && file == HISTORY) {
            csv->files[file].keep += (off_t)text.len;
        }
        lc_buffer_fini(&text);
        first_err = first_err < 0 ? first_err : err;
    }
    return first_err;
}

void
lc_csv_free(struct lc_csv *csv)
{
    if (csv == NULL) {
        return;
    }
    for (int i = 0; i < FILES; i++) {
        if (csv->files[i].fd >= 0) {
            close(csv->files[i].fd);
        }
    }
    lc__free(csv->percentiles);
    lc__free(csv);
}
