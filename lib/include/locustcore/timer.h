/* A deadline. */
#ifndef LOCUSTCORE_TIMER_H
#define LOCUSTCORE_TIMER_H

#include <stdint.h>

/* The memory is the caller's; zero-initialise. lc_timer_start() and lc_timer_stop() are in loop.h. */
struct lc_timer {
    int64_t deadline_ns; /* CLOCK_MONOTONIC */
    uint32_t index;      /* place in the heap + 1; 0 = not started */
    void (*fn)(struct lc_timer *timer);
};

#endif
