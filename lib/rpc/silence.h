/* How fast a master counts the time in which workers were not heard of. Silence is no worker's fault while the master
 * is behind, since heartbeats may be among what it has not read, nor while many are silent at once but connected: then
 * the master or the network to it is the reason. Time counts on all the same, but slowly, for they may be dead. */
#ifndef LCORE_RPC_SILENCE_H
#define LCORE_RPC_SILENCE_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised: nobody else was to blame. */
struct lc_silence {
    unsigned excused_s; /* in a row */
};

/* More than this of so many workers have to be silent at once, and connected, to be many. */
double lc__silence_limit(size_t worker_count);
/* To be called every second: whether it counts. are_many: see there. */
bool lc__silence_counts(struct lc_silence *silence, bool is_behind, bool are_many);

#endif
