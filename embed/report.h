/* One finished request on its way into the statistics: straight into the table when nobody else listens to
 * `events.request`, through the event's fire() when somebody does. */
#ifndef CLOAD_REPORT_H
#define CLOAD_REPORT_H

#include "locustcore/http.h"
#include "state.h"

/* What has the phases of a request: the response of the engine, or the times of a connection that was lent to requests'
 * own code. Both NULL: they are not known. */
struct cload_timed {
    const struct lc_response *response;
    const struct lc_timings *adopted;
};

struct cload_report {
    PyObject *request_event;       /* EventHook; NULL or None: nothing is reported */
    PyObject *request_type, *name; /* str, borrowed */
    int64_t response_time_ns;
    uint64_t response_length;
    struct cload_timed timed;
    struct lc_str error_text; /* what the failures table says when `exception` is NULL; data NULL: success */
};

/* Whether the runner's own sink is the only listener, so that no event needs to be built; -1 with an exception.
 * On 1 `*stats` is where to log, and `*owner` a new reference to the table that
 * keeps it: what the failure of a request is called may be up to Python code, which can replace the table. On 2 nobody
 * listens at all. It is 0 as well where a script counts in its own way (cload__stats_counts_itself()). */
int cload_report_is_direct(struct cload_state *state, PyObject *request_event, struct lc_stats **stats,
                           PyObject **owner);
/* Logs into `stats`; -1 with an exception; 1 if it was a failure of a kind that is new there, so that
 * cload_report_keep() is to be called. */
int cload_report_log(struct cload_state *state, struct lc_stats *stats, const struct cload_report *report);
/* Keeps the exception of a new kind of failure with the Stats object; a reference is taken over. -1 with an exception.
 */
int cload_report_keep(struct cload_state *state, PyObject *stats, const struct cload_report *report,
                      PyObject *exception);

#endif
