/* Clocks in nanoseconds. */
#ifndef LCORE_BASE_CLOCK_H
#define LCORE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define LCORE_NS_PER_S INT64_C(1000000000)
#define LCORE_NS_PER_MS INT64_C(1000000)
#define LCORE_NS_PER_US INT64_C(1000)

static inline int64_t
lc_clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * LCORE_NS_PER_S + now.tv_nsec;
}

static inline int64_t
lc_clock_realtime_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * LCORE_NS_PER_S + now.tv_nsec;
}

#endif
