/* Reports of the statistics in Locust's forms: tables for the console, JSON, and CSV files; and of what Locust does not
 * know: phases, exact percentiles, how the generator coped. */
#ifndef LOCUSTCORE_REPORT_H
#define LOCUSTCORE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "locustcore/error.h"
#include "locustcore/meter.h"
#include "locustcore/stats.h"
#include "locustcore/str.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What users' code raised. Borrowed by the calls that take it. */
struct lc_report_exception {
    uint64_t count;
    struct lc_str message, traceback;
    const struct lc_str *nodes; /* where it happened */
    size_t node_count;
};

struct lc_report_options {
    size_t size;               /* sizeof(struct lc_report_options) */
    int name_width;            /* of the console tables; longer names are not cut */
    int type_width;            /* of their method column */
    bool is_whole_run;         /* console: rates of the whole run, not of the last seconds */
    bool is_every_row;         /* CSV history: rows for every entry, with current percentiles, not only the aggregate */
    int64_t recent_s;          /* CSV history: how far "current" percentiles look back */
    const double *percentiles; /* fractions; borrowed as long as the options are used */
    size_t percentile_count;
};
/* Locust's widths and percentiles. */
LCORE_API void lc_report_options_init(struct lc_report_options *options);

/* Console tables: requests (entries by name and method, then the aggregate), percentiles, failures in the order of
 * occurrence (nothing if there are none), phases. LCE_SYSTEM where `out` could not be written. */
LCORE_API int lc_report_print_requests(FILE *out, struct lc_stats *stats, const struct lc_report_options *options);
LCORE_API int lc_report_print_percentiles(FILE *out, struct lc_stats *stats, const struct lc_report_options *options);
LCORE_API int lc_report_print_failures(FILE *out, struct lc_stats *stats, const struct lc_report_options *options);
LCORE_API int lc_report_print_phases(FILE *out, struct lc_stats *stats, const struct lc_report_options *options);
/* The options' percentiles, not in Locust's rounding but as lc_stats_entry_percentile_ms() tells them. */
LCORE_API int lc_report_print_exact_percentiles(FILE *out, struct lc_stats *stats,
                                                const struct lc_report_options *options);
/* One line; more if there were seconds in which times may be wrong, or that were left out. */
LCORE_API int lc_report_print_generator(FILE *out, const struct lc_meter *meter, const struct lc_stats *stats);
/* A list of all entries that were used, in order of first use. */
LCORE_API int lc_report_print_json(FILE *out, struct lc_stats *stats);

/* PREFIX_stats.csv, PREFIX_stats_history.csv, PREFIX_failures.csv, PREFIX_exceptions.csv, PREFIX_phases.csv. */
struct lc_csv;
/* Makes the files, emptying old ones, and writes their headers. The options' percentiles are copied. */
LCORE_API struct lc_csv *lc_csv_new(const char *prefix, const struct lc_report_options *options,
                                    struct lc_error *error);
/* Rewrites four files and appends to the history; call it each second and once more at the end. On failure (disk full)
 * what could be written is, and the next call tries again. */
LCORE_API int lc_csv_write(struct lc_csv *csv, struct lc_stats *stats, const struct lc_report_exception *exceptions,
                           size_t exception_count, uint64_t user_count, double unix_s, struct lc_error *error);
LCORE_API void lc_csv_free(struct lc_csv *csv); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
