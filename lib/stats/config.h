/* What user code may tune while it runs; several tables may share one. */
#ifndef LCORE_STATS_CONFIG_H
#define LCORE_STATS_CONFIG_H

#include <stdint.h>
#include "locustcore/error.h"

#define LCORE_STATS_RECENT_S 10

struct lc_stats_config {
    /* A rounding rule in place of Locust's (compat REP-7); NULL: Locust's. What it
     * makes is from 0 to below UINT32_MAX, and need not be whole. A negative code is what logging returns. */
    int (*bucket_fn)(double response_time_ms, double *bucket_ms, void *arg);
    void *arg;
    /* How far back "current" percentiles look; a moment of each busy second is kept for this and 10 s more. */
    int64_t recent_s;
};

/* Locust's. */
extern const struct lc_stats_config lc__stats_default_config;

#endif
