/* Fleets: a master that tells workers which users to run, and adds up what they report. The protocol is Locust's
 * (ZeroMQ and MessagePack), so each side may be one of these, cload, or Locust itself.
 *
 * Data of messages of your own is one MessagePack item, as msgpack-c packs and unpacks it. */
#ifndef LOCUSTCORE_RPC_H
#define LOCUSTCORE_RPC_H

#include <stdbool.h>
#include <stdint.h>
#include "locustcore/error.h"
#include "locustcore/http.h"
#include "locustcore/loop.h"
#include "locustcore/run.h"
#include "locustcore/stats.h"
#include "locustcore/str.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LCORE_MASTER_PORT 5557

/* ---- Worker: runs the users a master wants ---- */

struct lc_worker;
struct lc_worker_options {
    size_t size;             /* sizeof(struct lc_worker_options) */
    const char *master_host; /* NULL: 127.0.0.1 */
    int master_port;         /* 0: LCORE_MASTER_PORT */
    const char *secret;      /* that of the master; NULL: none */
    /* A message of the user's own; borrowed. NULL: such messages are named in the log. */
    void (*on_message)(struct lc_worker *worker, struct lc_str type, struct lc_str data, void *arg);
    /* The worker has ended. result 0: the master or lc_worker_quit() said so; LCE_NOTFOUND: the master never answered,
     * or was silent for a minute. Not called from inside of the functions below. */
    void (*on_end)(struct lc_worker *worker, int result, void *arg);
    void *arg; /* of both */
};

/* A worker on a loop, with a runner of its own. It announces itself to the master at once, and spawns users when the
 * master says so. run_time_ns and shape of `runner` are ignored, since the master decides. Options are copied, what
 * they point to is not. NULL: error says why. */
LCORE_API struct lc_worker *lc_worker_new(struct lc_loop *loop, struct lc_http *http,
                                          const struct lc_runner_options *runner,
                                          const struct lc_worker_options *options, struct lc_error *error);
/* Call it after on_end, or while no users run. Waits at most 2 s until what was sent has left. */
LCORE_API void lc_worker_free(struct lc_worker *worker);
/* Ends the users, sends a last report and says goodbye; on_end follows. */
LCORE_API void lc_worker_quit(struct lc_worker *worker);
/* A message to the master. data: one MessagePack item; empty: nil. LCE_LIMIT: too many are waiting to be sent. */
LCORE_API int lc_worker_send(struct lc_worker *worker, const char *type, struct lc_str data, struct lc_error *error);
/* The number the master gave; negative: none yet. */
LCORE_API int lc_worker_index(const struct lc_worker *worker);
LCORE_API const char *lc_worker_id(const struct lc_worker *worker);
/* Its statistics begin anew with every report. */
LCORE_API struct lc_runner *lc_worker_runner(struct lc_worker *worker);
/* As lc_runner_exit_code(), over all reports of the last test. */
LCORE_API int lc_worker_exit_code(const struct lc_worker *worker);

/* A whole worker in one call, with a loop of its own: until its master says quit, or SIGINT or SIGTERM come. Returns
 * lc_worker_exit_code(), or a negative LCE_*. on_state of `runner` and on_end must be NULL. */
LCORE_API int lc_worker_run(const struct lc_runner_options *runner, const struct lc_worker_options *options,
                            struct lc_error *error);

/* ---- Master: directs workers ---- */

struct lc_master;
struct lc_master_options {
    size_t size;           /* sizeof(struct lc_master_options) */
    const char *bind_host; /* NULL: "*", all interfaces, as Locust does */
    int bind_port;         /* 0: LCORE_MASTER_PORT; negative: any, see lc_master_port() */
    const char *secret;    /* workers have to know it, and messages are encrypted; NULL: anybody may join */
    /* Names, weights and fixed counts decide who spawns what; tasks are the workers' business. */
    const struct lc_user_class *const *classes;
    size_t class_count;
    const char *host;        /* base URL of all users; NULL: the workers' */
    int64_t stop_timeout_ns; /* as in struct lc_runner_options, on all workers */
    int64_t run_time_ns;     /* then the test stops; 0: never */
    bool is_resetting_stats; /* when all users are spawned */
    bool is_rebalancing;     /* users of a missing worker go to the others at once, not after a minute */
    int metrics_port;        /* lc_master_run() only: where it serves metrics for Prometheus; 0: nowhere */
    /* As in struct lc_runner_options. Called on the loop; may call the master, but not free it. */
    void (*on_state)(struct lc_master *master, enum lc_runner_state state, void *arg);
    /* What a person should know. NULL: to stderr. */
    void (*on_log)(const char *text, void *arg);
    void (*on_message)(struct lc_master *master, const char *worker_id, struct lc_str type, struct lc_str data,
                       void *arg);
    void *arg; /* of all */
};

/* Listens for workers. NULL: error says why (LCE_SYSTEM: the port is in use). */
LCORE_API struct lc_master *lc_master_new(struct lc_loop *loop, const struct lc_master_options *options,
                                          struct lc_error *error);
/* At any time, but not from a callback. Workers are not told: see lc_master_quit(). */
LCORE_API void lc_master_free(struct lc_master *master);
LCORE_API int lc_master_port(const struct lc_master *master);
/* Begins a test, or changes the number of users of the one that runs. LCE_NOTFOUND: there is no worker. LCE_INVALID: as
 * lc_runner_start(). */
LCORE_API int lc_master_start(struct lc_master *master, uint64_t users, double spawn_rate, struct lc_error *error);
/* Ends the test; stopped when all workers said that their users are gone, or a minute after the stop timeout. */
LCORE_API void lc_master_stop(struct lc_master *master);
/* Ends the test and the workers; stopped when their last reports are in, or 5 s after the stop timeout. */
LCORE_API void lc_master_quit(struct lc_master *master);
LCORE_API enum lc_runner_state lc_master_state(const struct lc_master *master);
/* What all workers reported. */
LCORE_API struct lc_stats *lc_master_stats(struct lc_master *master);
/* Workers that are there, and users they reported, of all classes or of one (by its place in the options). */
LCORE_API size_t lc_master_worker_count(const struct lc_master *master);
LCORE_API uint64_t lc_master_user_count(const struct lc_master *master);
LCORE_API uint64_t lc_master_class_user_count(const struct lc_master *master, size_t class_index);
struct lc_master_worker {
    const char *id; /* borrowed until the loop goes on */
    int index;
    const char *state; /* "ready", "spawning", "running", "missing" */
    uint64_t user_count;
    double cpu_percent;
    uint64_t memory_bytes;
};
/* *position starts at 0. */
LCORE_API bool lc_master_next_worker(const struct lc_master *master, size_t *position, struct lc_master_worker *out);
struct lc_master_exception {
    struct lc_str message, traceback;
    uint64_t count;
};
/* Exceptions of users on all workers: how many, and by traceback. *position starts at 0. */
LCORE_API uint64_t lc_master_exception_count(const struct lc_master *master);
LCORE_API bool lc_master_next_exception(const struct lc_master *master, size_t *position,
                                        struct lc_master_exception *out);
/* A message to one worker; worker_id NULL: to all. As lc_worker_send(). */
LCORE_API int lc_master_send(struct lc_master *master, const char *worker_id, const char *type, struct lc_str data,
                             struct lc_error *error);
/* 1 if a request failed or a user had an exception in this test, else 0. */
LCORE_API int lc_master_exit_code(const struct lc_master *master);

/* A whole test in one call: waits for so many workers, then runs it with tables on stdout, and ends the workers. SIGINT
 * and SIGTERM end it early. Returns lc_master_exit_code(), or 1 where not all tables could be written; or a negative
 * LCE_*. on_state must be NULL. */
LCORE_API int lc_master_run(const struct lc_master_options *options, size_t expected_workers, uint64_t users,
                            double spawn_rate, struct lc_error *error);

#ifdef __cplusplus
}
#endif
#endif
