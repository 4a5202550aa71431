/* Writing the pieces that reports are made of. A writer keeps its first error and then does nothing more, so that it is
 * asked once at the end. Widths of columns count characters, not bytes. */
#ifndef LCORE_REPORT_WRITER_H
#define LCORE_REPORT_WRITER_H

#include "base/buffer.h"
#include "locustcore/report.h"

struct lc_writer {
    struct lc_buffer *out;
    int err;
};

void lc__write(struct lc_writer *writer, struct lc_str text);
void lc__write_format(struct lc_writer *writer, const char *format, ...) LCORE_PRINTF(2, 3);
void lc__write_repeat(struct lc_writer *writer, char c, int count);
/* How many characters a text has. */
int lc__text_width(struct lc_str text);
/* Padded on the right up to `width` characters. */
void lc__write_padded(struct lc_writer *writer, struct lc_str text, int width);
/* The first two columns of a console table, of the options' widths. */
void lc__write_names(struct lc_writer *writer, struct lc_str method, struct lc_str name,
                     const struct lc_report_options *options);
/* The rule below or above them. */
void lc__write_names_rule(struct lc_writer *writer, const struct lc_report_options *options);
/* As Python's repr() of a float: the shortest digits that read back the same. */
void lc__write_double(struct lc_writer *writer, double number);
/* The same, but without a fraction if is_whole or 0: Locust's sums of whole numbers are whole. */
void lc__write_ms(struct lc_writer *writer, double ms, bool is_whole);
/* "50%", "99.9%" (compat REP-27). */
void lc__write_percent(struct lc_writer *writer, double fraction);
/* The same as the head of a column: a space, and padded on the left up to `width` characters. */
void lc__write_percent_head(struct lc_writer *writer, double fraction, int width);
/* UTC, "2026-11-21T04:11:16Z". */
void lc__write_time(struct lc_writer *writer, double unix_s);
/* In double quotes, all but ASCII escaped; what is no UTF-8 becomes U+FFFD. */
void lc__write_json_string(struct lc_writer *writer, struct lc_str text);
/* The text of a failure for people (compat CLI-104): without the CatchResponseError(...) around it; what was logged
 * here also without its quotes and escapes. */
void lc__write_failure(struct lc_writer *writer, struct lc_str text, bool is_remote);

#endif
