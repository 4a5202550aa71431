/* What other parts of the library see of the loop beyond its public header. */
#ifndef LCORE_LOOP_LOOP_H
#define LCORE_LOOP_LOOP_H

#include "locustcore/loop.h"

struct ev_loop;

/* The libev loop underneath; borrowed. */
struct ev_loop *lc__loop_ev(struct lc_loop *loop);
/* Makes sure that a round follows soon, also when a foreign loop hosts this one and waits for lc_loop_fd(). One
 * system call at most between two rounds, none from inside a round. On the loop's thread only. */
void lc__loop_kick(struct lc_loop *loop);

#endif
