/* A user's life: made, on_start, tasks and waits, on_stop, gone. While it waits it is only a timer. */
#ifndef LCORE_RUN_USER_H
#define LCORE_RUN_USER_H

#include "base/list.h"
#include "locustcore/run.h"
#include "run/picker.h"

enum lc_user_phase {
    LCORE_USER_NEW,     /* on_start is due */
    LCORE_USER_WAITING, /* between two tasks: a timer, no fiber */
    LCORE_USER_BUSY,    /* in on_start or a task */
    LCORE_USER_LEAVING, /* in on_stop */
    LCORE_USER_GONE,
};

/* The last call, until it is counted. */
struct lc_user_record {
    bool is_pending;
    bool is_failed;
    struct lc_stats_entry *entry;
    uint64_t generation;          /* of the statistics when the entry was looked up */
    struct lc_response *response; /* kept for the task until its next call */
    char *failure;                /* the task's own words; NULL: what the response says */
};

struct lc_user {
    struct lc_runner *runner;
    uint32_t class_index;
    enum lc_user_phase phase;
    bool is_stopping;
    bool is_counted;       /* among the users that are there */
    struct lc_list node;   /* of the runner's list for the phase it is in */
    struct lc_timer timer; /* waiting: the next task; busy and stopping: when patience ends */
    struct lc_fiber *fiber;
    struct lc_picker picker;
    struct lc_session *session;
    struct lc_user_record record;
    uint64_t number;
    void *data;
};

/* Begins at the loop's next round. LCE_NOMEM. */
int lc__user_begin(struct lc_user *user);
/* Stops it by the rules of compat API-93..API-95: at once where it waits, else after its task, which is canceled after
 * patience_ns. Fine if it is stopping already. */
LCORE_YIELDS void lc__user_stop(struct lc_user *user, int64_t patience_ns);
/* Counts the last call, if there is one, and forgets its response. */
void lc__user_settle(struct lc_user *user);
/* Closes the session; the user is in no fiber and waits for nothing. */
void lc__user_fini(struct lc_user *user);

#endif
