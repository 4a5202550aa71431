/* What waits are made of: parking the running fiber and waking it with a value. */
#ifndef LCORE_FIBER_FIBER_H
#define LCORE_FIBER_FIBER_H

#include "locustcore/fiber.h"

/* Whether the running fiber may wait now: LCE_INVALID outside of a fiber, LCE_CANCELED when it is canceled, else 0. */
int lc__fiber_check(void);
/* Leaves the running fiber until it is woken; returns the value, or LCE_CANCELED when it was canceled meanwhile.
 * Whoever would wake it must then be told not to. Only after lc__fiber_check() said 0. */
LCORE_YIELDS int lc__fiber_park(void);
/* Goes on in a parked fiber until its next wait or end. */
LCORE_YIELDS void lc__fiber_wake(struct lc_fiber *fiber, int value);
/* That of the running fiber, of which there must be one. */
struct lc_loop *lc__fiber_loop(void);
/* How often the running fiber was parked, wrapping around; 0 outside of any. */
unsigned lc__fiber_park_count(void);
/* The running fiber's waits work again. */
void lc__fiber_uncancel(void);

#endif
