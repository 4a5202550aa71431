/* Failures by (name, method, text). At most LCORE_FAILURES_ROWS distinct rows and LCORE_FAILURES_BYTES of their texts
 * are kept; what comes after that is counted in one more row per entry, whose text says so. */
#ifndef LCORE_STATS_FAILURES_H
#define LCORE_STATS_FAILURES_H

#include "stats/entry.h"

#define LCORE_FAILURES_ROWS 10000
#define LCORE_FAILURES_BYTES (64u << 20)

struct lc_failure {
    struct lc_stats_entry *entry; /* referenced; gives name and method */
    struct lc_str text;           /* owned */
    uint64_t hash;
    uint64_t occurrences;
    double first_seen_unix_s, last_seen_unix_s;
    bool is_remote; /* came in a worker's report */
};

struct lc_failures {
    struct lc_failure *rows; /* in order of first occurrence */
    size_t count, capacity;
    uint32_t *index; /* open addressing: row + 1; 0: free */
    size_t index_size;
    size_t text_bytes;
    uint64_t epoch; /* row numbers that entries remember count only if they are of this epoch */
};

void lc__failures_init(struct lc_failures *failures);
/* Leaves it empty. */
void lc__failures_fini(struct lc_failures *failures);
/* Adds to the row of entry and text, which is made if missing; `more` without the row's owner. */
int lc__failures_add(struct lc_failures *failures, struct lc_stats_entry *entry, struct lc_str text,
                     const struct lc_failure *more);
/* Row numbers behind it go down by one. */
void lc__failures_remove(struct lc_failures *failures, size_t row);

#endif
