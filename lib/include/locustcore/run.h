/* Load tests written in C: classes of users with weighted tasks, and the runner that spawns and stops them.
 *
 * Tasks run in fibers and wait where they stand; a user that waits between two tasks is only a deadline. All of it
 * happens on the loop's thread. */
#ifndef LOCUSTCORE_RUN_H
#define LOCUSTCORE_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include "locustcore/error.h"
#include "locustcore/fiber.h"
#include "locustcore/http.h"
#include "locustcore/loop.h"
#include "locustcore/meter.h"
#include "locustcore/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Classes of users: constant data of the caller, which must outlive the runner. Zero-initialise what is not
 * needed.
 */

enum lc_wait_kind {
    LCORE_WAIT_KIND_NONE, /* no wait; for a set of tasks: as around it */
    LCORE_WAIT_KIND_CONSTANT,
    LCORE_WAIT_KIND_BETWEEN,
    LCORE_WAIT_KIND_PACING,
    LCORE_WAIT_KIND_THROUGHPUT,
    LCORE_WAIT_KIND_POISSON,
};
struct lc_wait_rule {
    enum lc_wait_kind kind;
    double a, b;
};
/* Seconds; initialisers of a struct lc_wait_rule. */
#define LCORE_WAIT_CONSTANT(seconds)                                                                                   \
    {                                                                                                                  \
        LCORE_WAIT_KIND_CONSTANT, (seconds), 0                                                                         \
    }
#define LCORE_WAIT_BETWEEN(least, most)                                                                                \
    {                                                                                                                  \
        LCORE_WAIT_KIND_BETWEEN, (least), (most)                                                                       \
    }
/* From the start of a task to the start of the next, whatever the task takes, if it takes less. */
#define LCORE_WAIT_PACING(seconds)                                                                                     \
    {                                                                                                                  \
        LCORE_WAIT_KIND_PACING, (seconds), 0                                                                           \
    }
/* Tasks per second of each user. */
#define LCORE_WAIT_THROUGHPUT(per_second)                                                                              \
    {                                                                                                                  \
        LCORE_WAIT_KIND_THROUGHPUT, (per_second), 0                                                                    \
    }
/* Exponentially distributed with mean 1 / rate. */
#define LCORE_WAIT_POISSON(rate)                                                                                       \
    {                                                                                                                  \
        LCORE_WAIT_KIND_POISSON, (rate), 0                                                                             \
    }

struct lc_user;

/* What a task may return besides 0 (done: wait, then the next). A negative LCE_* is an exception of the user: it is
 * counted, logged, and followed by the wait. */
enum lc_task_result {
    LCORE_TASK_DONE = 0,
    LCORE_TASK_AGAIN = 1,      /* the next task without waiting */
    LCORE_TASK_LEAVE = 2,      /* leave the set; the set around it goes on at once. In the user's own set: stop */
    LCORE_TASK_LEAVE_WAIT = 3, /* the same, but the set around it waits first */
    LCORE_TASK_STOP = 4,       /* this user ends, nobody takes its place */
};

/* Runs in a fiber, so it may call anything that waits. When the user is stopped at once its waits return LCE_CANCELED;
 * the function then tidies up and returns. */
typedef int lc_user_fn(struct lc_user *user);

struct lc_task_set;
struct lc_task {
    const char *name;              /* for log lines; NULL is fine */
    lc_user_fn *run;               /* NULL: a nested set */
    const struct lc_task_set *set; /* entered when `run` is NULL; its tasks follow until one leaves */
    uint32_t weight;               /* 0 counts as 1 */
};

enum { LCORE_TASK_DEPTH = 8 }; /* sets within sets */
struct lc_task_set {
    const struct lc_task *tasks;
    size_t task_count;
    bool is_sequential;       /* in order, each `weight` times; else at random by weight */
    struct lc_wait_rule wait; /* kind NONE: as around it */
    lc_user_fn *on_start;     /* on entering; a result other than 0 leaves again, without on_stop */
    lc_user_fn *on_stop;      /* on leaving, and when the user is stopped inside */
};
#define LCORE_TASKS(array) .tasks = (array), .task_count = sizeof(array) / sizeof((array)[0])

struct lc_user_class {
    size_t size;         /* sizeof(struct lc_user_class), that of this very version */
    const char *name;    /* unique */
    double weight;       /* 0 counts as 1 */
    int64_t fixed_count; /* above 0: that many, before all others, and the weight is ignored */
    const char *host;    /* base URL; the runner's host replaces it */
    /* What the user does. Its on_start opens the user's life (negative: an exception, and the user ends without
     * on_stop; LCORE_TASK_STOP: it ends with it), its on_stop closes it, and its wait stands between tasks. */
    struct lc_task_set set;
    const struct lc_session_options *session; /* base_url is ignored; NULL: the defaults */
    void *data;                               /* what lc_user_data() gives at first */
};

/* ---- Within a task ---- */

struct lc_runner;
LCORE_API struct lc_runner *lc_user_runner(struct lc_user *user);
LCORE_API const struct lc_user_class *lc_user_class(const struct lc_user *user);
/* Counts up from 0 with every user the runner makes. */
LCORE_API uint64_t lc_user_number(const struct lc_user *user);
LCORE_API void *lc_user_data(const struct lc_user *user);
LCORE_API void lc_user_set_data(struct lc_user *user, void *data);
/* The user's browser, made at the first call. NULL: LCE_* in error. */
LCORE_API struct lc_session *lc_user_session(struct lc_user *user, struct lc_error *error);

/* One call that is counted in the statistics under `name` (NULL: path and query as sent) and the method: as a failure
 * if the target failed or the status is 400 or above. Returns 0 also then; negative where there was no call at all,
 * which is logged with its reason. *response, if wanted, is borrowed until the user's next call or the end of the task.
 *
 * The call is counted when the next one begins, in lc_user_sleep(), or when the task ends; until then lc_user_fail()
 * and lc_user_pass() change the verdict. */
LCORE_API LCORE_YIELDS int lc_user_call(struct lc_user *user, const struct lc_request *request, const char *name,
                                        const struct lc_response **response);
LCORE_API LCORE_YIELDS int lc_user_get(struct lc_user *user, const char *url, const char *name,
                                       const struct lc_response **response);
LCORE_API LCORE_YIELDS int lc_user_post_json(struct lc_user *user, const char *url, const char *name, const char *json,
                                             const struct lc_response **response);
/* The last call failed, for the reason given (printf). Nothing happens if it was counted already. */
LCORE_API void lc_user_fail(struct lc_user *user, const char *format, ...) LCORE_PRINTF(2, 3);
/* The last call succeeded, whatever the target said. */
LCORE_API void lc_user_pass(struct lc_user *user);
/* Counts something that is not one of the calls above, as ending now. response_time_ns < 0: it has no time; error_text
 * NULL: success. LCE_NOMEM. */
LCORE_API int lc_user_count(struct lc_user *user, const char *type, const char *name, int64_t response_time_ns,
                            uint64_t content_bytes, const char *error_text);
/* Counts a call that lc_session_call() made, in another fiber perhaps, by the rules of lc_user_call(); `name` NULL too.
 * The response stays the caller's. LCE_NOMEM. */
LCORE_API int lc_user_count_response(struct lc_user *user, const struct lc_response *response, const char *name);
LCORE_API LCORE_YIELDS int lc_user_sleep(struct lc_user *user, int64_t duration_ns);

/* ---- The runner ---- */

/* What a shape wants from now on. */
struct lc_shape_tick {
    uint64_t users;
    double spawn_rate;                          /* users per second */
    const struct lc_user_class *const *classes; /* new users come from these; NULL: from all */
    size_t class_count;
};
/* Asked every second; false ends the test. Nothing changes while it answers the same. */
typedef bool lc_shape_fn(void *arg, double run_time_s, struct lc_shape_tick *tick);

#define LCORE_RUNNER_STATE_LIST(X)                                                                                     \
    X(READY, "ready")                                                                                                  \
    X(SPAWNING, "spawning")                                                                                            \
    X(RUNNING, "running")                                                                                              \
    X(STOPPING, "stopping")                                                                                            \
    X(STOPPED, "stopped")
enum lc_runner_state {
#define LCORE_RUNNER_STATE_ENUM(name, text) LCORE_RUNNER_##name,
    LCORE_RUNNER_STATE_LIST(LCORE_RUNNER_STATE_ENUM)
#undef LCORE_RUNNER_STATE_ENUM
};
LCORE_API const char *lc_runner_state_text(enum lc_runner_state state);

struct lc_runner_options {
    size_t size; /* sizeof(struct lc_runner_options) */
    const struct lc_user_class *const *classes;
    size_t class_count;
    const char *host;        /* base URL of all users; NULL: their classes' */
    int64_t stop_timeout_ns; /* how long running tasks may go on when stopped; 0: they are canceled at once */
    int64_t run_time_ns;     /* then the test stops; 0: never */
    bool is_resetting_stats; /* when all users are spawned */
    bool is_excluding_lag;   /* what was measured in seconds that the meter marks is left out of the statistics */
    const struct lc_meter_options *meter; /* limits from where on seconds are marked; NULL: the defaults */
    uint64_t seed;                        /* of all random choices; 0: another one each time */
    lc_shape_fn *shape; /* decides about users instead of lc_runner_start()'s arguments and run_time_ns */
    void *shape_arg;
    int metrics_port; /* lc_run(), lc_worker_run() only: where they serve metrics for Prometheus; 0: nowhere */
    /* Called on the loop outside of all fibers when the state has changed; may call the runner, but not free it. */
    void (*on_state)(struct lc_runner *runner, enum lc_runner_state state, void *arg);
    /* What a person should know: exceptions, users that could not be made. NULL: to stderr. */
    void (*on_log)(const char *text, void *arg);
    void *arg; /* of both */
};

/* Options are copied, what they point to is not. NULL with LCE_INVALID where a class makes no sense. */
LCORE_API struct lc_runner *lc_runner_new(struct lc_loop *loop, struct lc_http *http,
                                          const struct lc_runner_options *options, struct lc_error *error);
/* Only while it is ready or stopped. */
LCORE_API void lc_runner_free(struct lc_runner *runner);
/* Begins a test, or changes the number of users of the one that runs. With a shape the numbers are ignored.
 * LCE_INVALID: a rate of 0 or less or not finite, a shape that is at work, or the runner is stopping. */
LCORE_API int lc_runner_start(struct lc_runner *runner, uint64_t users, double spawn_rate, struct lc_error *error);
/* Ends the test; stopped when the last user is gone. Fine at any time; while stopping, it cancels the tasks that are
 * still granted time. */
LCORE_API void lc_runner_stop(struct lc_runner *runner);
LCORE_API enum lc_runner_state lc_runner_state(const struct lc_runner *runner);
/* Users that are there, of all classes or of one (by its place in the options). */
LCORE_API uint64_t lc_runner_user_count(const struct lc_runner *runner);
LCORE_API uint64_t lc_runner_class_user_count(const struct lc_runner *runner, size_t class_index);
/* What it stands on, for tasks that do more than call: sessions of their own, fibers beside their own, timers. What a
 * task makes with them it must end before it returns. */
LCORE_API struct lc_loop *lc_runner_loop(struct lc_runner *runner);
LCORE_API struct lc_http *lc_runner_http(struct lc_runner *runner);
LCORE_API struct lc_fibers *lc_runner_fibers(struct lc_runner *runner);
/* Forgotten at the start of a test. */
LCORE_API struct lc_stats *lc_runner_stats(struct lc_runner *runner);
/* How the process copes. */
LCORE_API const struct lc_meter *lc_runner_meter(const struct lc_runner *runner);
/* Exceptions of users: all of them, and one row for each distinct one (the first hundred). *position starts at 0. */
LCORE_API uint64_t lc_runner_exception_count(const struct lc_runner *runner);
struct lc_runner_exception {
    const char *user_class;
    const char *where; /* the task's name, "on_start", "on_stop", or "" */
    int code;          /* LCE_* */
    uint64_t count;
};
LCORE_API bool lc_runner_next_exception(const struct lc_runner *runner, size_t *position,
                                        struct lc_runner_exception *out);
/* 1 if a request failed or a user had an exception in this test, else 0; as Locust ends. */
LCORE_API int lc_runner_exit_code(const struct lc_runner *runner);

/* A whole test in one call: a loop of its own, tables on stdout every two seconds and at the end, SIGINT and SIGTERM
 * end it early. Returns lc_runner_exit_code(), or 1 where not all tables could be written; a negative LCE_* when it
 * could not begin. on_state must be NULL. */
LCORE_API int lc_run(const struct lc_runner_options *options, uint64_t users, double spawn_rate,
                     struct lc_error *error);

#ifdef __cplusplus
}
#endif
#endif
