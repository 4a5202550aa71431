/* Which reports of a worker were taken. Between nodes of our own reports are numbered from 1 and sent again until the
 * master says that it has them, so none is lost with a connection or a master, and none is counted twice.
 *
 * On the wire: a master of ours puts "cload" into its acks; from then on reports carry their number as their first key,
 * LCORE_REPORT_NUMBER_KEY, and the master's heartbeats say under the same key up to where it has them all. Until then a
 * worker sends no other report, except when users end: it adds up what it measures. So it needs no more memory while
 * its master does not read, and of each worker one report can be waiting. */
#ifndef LCORE_RPC_TAKEN_H
#define LCORE_RPC_TAKEN_H

#include <stdbool.h>
#include <stdint.h>

/* In heartbeats and acks: this node is one of ours. */
#define LCORE_OWN_KEY "cload"
/* In an ack: the master goes on with the test that the worker is in. */
#define LCORE_KEEP_KEY "cload_keep"
/* And: another process will go on with its run, should it die, so last reports wait for that. */
#define LCORE_STATE_KEY "cload_state"
#define LCORE_REPORT_NUMBER_KEY "cload_report"
/* In a worker's heartbeat: requests since its last report, for a master that has to say what goes with it. */
#define LCORE_PENDING_KEY "cload_pending"
/* And the names of its statistics: how large its last report may be, and so how long it may take over a slow link. */
#define LCORE_NAMES_KEY "cload_names"
#define LCORE_NAME_BYTES 300
#define LCORE_SLOWEST_LINK 50000 /* bytes per second that a link is thought to carry at least */
#define LCORE_MOST_TRANSIT_S 60
/* In a worker's heartbeat: its clock, in microseconds. The answer says the same: what was sent before that and is not
 * confirmed by it was lost. */
#define LCORE_BEAT_KEY "cload_beat"
/* A master asks a worker of ours that it does not know to announce itself. */
#define LCORE_REGISTER_TYPE "cload_register"

#define LCORE_TAKEN_EARLY 32

/* Zero-initialised: nothing is known; the first number that comes is where counting begins. */
struct lc_taken {
    uint64_t last;                     /* this one and all before */
    uint64_t early[LCORE_TAKEN_EARLY]; /* that came before others; ascending */
    int early_count;
};

/* Whether a report is new, and notes that it was taken. */
bool lc__taken_note(struct lc_taken *taken, uint64_t number);

#endif
