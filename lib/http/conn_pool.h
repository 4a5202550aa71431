/* Kept-alive connections and how many there may be: a session's own, or those that several sessions share. A limit is
 * held by places: one for each connection of our own that is in use, per origin. Whoever gets none waits in line. */
#ifndef LCORE_HTTP_CONN_POOL_H
#define LCORE_HTTP_CONN_POOL_H

#include "base/list.h"
#include "locustcore/http.h"

struct lc_conn;
struct lc_exchange;
struct lc_origin;
struct lc_place;

struct lc_conn_pool {
    unsigned refs;       /* 0: part of a session */
    int max_connections; /* to one origin, in use at a time; 0: no limit */
    int max_idle;        /* of one origin */
    int max_idle_in_all;
    int idle_count;
    struct lc_list idle;     /* kept-alive connections, the last used one first */
    struct lc_place *places; /* of origins in use, and of the last one */
};

/* The places of one origin. */
struct lc_place {
    struct lc_place *next;
    struct lc_conn_pool *pool;
    struct lc_origin *origin; /* referenced */
    int used;
    struct lc_list waiting; /* exchanges, by their `turn` */
};

/* max_connections: 0 for no limit. */
void lc__conn_pool_init(struct lc_conn_pool *pool, int max_connections, int max_idle, int max_idle_in_all);
/* Nothing may be in use. */
void lc__conn_pool_fini(struct lc_conn_pool *pool);
void lc__conn_pool_close_idle(struct lc_conn_pool *pool);
/* Among the idle ones; the longest unused one gives way, of the same origin if that has too many. */
void lc__conn_pool_keep(struct lc_conn_pool *pool, struct lc_conn *conn);
void lc__conn_pool_drop(struct lc_conn_pool *pool, struct lc_conn *conn);

/* A place for the exchange in the pool of its session, which has a limit. 1: it has one; 0: it waits, and
 * lc__direct_go() is called with it when it has one; LCE_NOMEM. is_forced: never waits, since its connection is there
 * already. */
int lc__place_take(struct lc_exchange *exchange, bool is_forced);
/* Gives exchange->place back, or leaves the line. Fine without one. */
void lc__place_leave(struct lc_exchange *exchange);
/* Gives a place back: who waits longest has it. NULL is fine. */
void lc__place_free(struct lc_place *place);

/* Begins the hop of an exchange that has its place; in direct.c. */
void lc__direct_go(struct lc_exchange *exchange);

#endif
