/* The report of a worker that exists only for measuring. */
#ifndef TESTS_BENCH_PLAYED_REPORT_H
#define TESTS_BENCH_PLAYED_REPORT_H

#include "rpc/node.h"

#define REQUESTS_PER_NAME 30

/* The data of a stats message: so many names, each with requests in the three seconds before unix_s. counts: the packed
 * map of users by class; empty: none. is_plain: without what only nodes of ours send. Ends the process if there is no
 * memory. */
struct lc_buffer played_report(int names, bool is_plain, const struct lc_buffer *counts, double unix_s);

#endif
