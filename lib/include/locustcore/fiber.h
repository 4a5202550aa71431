/* Fibers: tasks written in C that wait where they stand while the loop goes on. A fiber has a stack of its own; it runs
 * until it waits in a LCORE_YIELDS function or returns. All fibers of a loop share its thread.
 *
 * Cancellation is an error return: from then on every wait of the fiber returns LCE_CANCELED at once, so it unwinds by
 * returning. */
#ifndef LOCUSTCORE_FIBER_H
#define LOCUSTCORE_FIBER_H

#include <stdbool.h>
#include <stdint.h>
#include "locustcore/error.h"
#include "locustcore/http.h"
#include "locustcore/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Starts fibers and keeps the stacks of those that ended. */
struct lc_fibers;
struct lc_fiber;
typedef int lc_fiber_fn(void *arg);

/* stack_bytes 0: 256 KB, of which only what is touched costs memory; rounded up to whole pages, at least 16 KB. A guard
 * page below each stack turns an overflow into a crash. With it a stack is two mappings, so Linux's usual limit of
 * 65530 (vm.max_map_count) allows some 32,000 fibers at a time. NULL: out of memory. */
LCORE_API struct lc_fibers *lc_fibers_new(struct lc_loop *loop, size_t stack_bytes);
/* Every fiber must have ended, and those that can be joined must have been. */
LCORE_API void lc_fibers_free(struct lc_fibers *fibers);

/* Begins fn(arg) at once and returns at its first wait or end. With `out` NULL nobody learns the result; else the fiber
 * must be given to lc_fiber_join() and *out is valid until then. LCE_NOMEM: no memory for another stack. */
LCORE_API LCORE_YIELDS int lc_fiber_start(struct lc_fibers *fibers, lc_fiber_fn *fn, void *arg, struct lc_fiber **out);
/* The running fiber; NULL outside of any. */
LCORE_API struct lc_fiber *lc_fiber_self(void);
/* Whether the running fiber was canceled; false outside of any. */
LCORE_API bool lc_fiber_is_canceled(void);
/* A fiber that waits runs to its next wait or end before this returns. Fine on one that has ended or is canceled. */
LCORE_API LCORE_YIELDS void lc_fiber_cancel(struct lc_fiber *fiber);

/* The following functions wait, so they must be called from a fiber: else LCE_INVALID. LCE_CANCELED: see the top. */

/* A duration of 0 or less lets the loop go round once. */
LCORE_API LCORE_YIELDS int lc_fiber_sleep(int64_t duration_ns);
/* Waits until a descriptor of the caller's own (a socket, a pipe, an eventfd that another thread writes to, ...) can be
 * read or written, so that a task may speak any protocol. Make it non-blocking. events: LCORE_FD_*. timeout_ns begins
 * now; negative: none. Returns the events that came, or 0 when the timeout is over. If the other side hung up, or there
 * is an error for the next call to tell, all events are returned. LCE_INVALID also for a bad descriptor, and for no or
 * unknown events; LCE_NOMEM. The descriptor must not be closed meanwhile, and only one fiber at a time may wait for it.
 */
enum { LCORE_FD_READ = 1 << 0, LCORE_FD_WRITE = 1 << 1 };
LCORE_API LCORE_YIELDS int lc_fiber_wait_fd(int fd, unsigned events, int64_t timeout_ns);
/* Waits for the end of `fiber` and stores what its function returned. When canceled, the fiber can still be joined.
 * LCE_INVALID: somebody else is joining it, or it is the running one. Outside of a fiber only one that has ended can be
 * joined. */
LCORE_API LCORE_YIELDS int lc_fiber_join(struct lc_fiber *fiber, int *result);
/* One call from start to response, which is the caller's to free. Else the codes of lc_session_start(); when canceled,
 * the exchange is too. */
LCORE_API LCORE_YIELDS int lc_session_call(struct lc_session *session, const struct lc_request *request,
                                           struct lc_response **response, struct lc_error *error);

#ifdef __cplusplus
}
#endif
#endif
