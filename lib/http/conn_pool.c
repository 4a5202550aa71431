#include "http/conn_pool.h"

#include <limits.h>

#include "base/alloc.h"
#include "http/conn.h"

/* Of how many a shared pool keeps all that it may, as in urllib3. */
#define SERVERS 10

void
lc__conn_pool_init(struct lc_conn_pool *pool, int max_connections, int max_idle, int max_idle_in_all)
{
    *pool = (struct lc_conn_pool){
        .max_connections = max_connections, .max_idle = max_idle, .max_idle_in_all = max_idle_in_all};
    lc_list_init(&pool->idle);
}

static void
remove_place(struct lc_place *place)
{
    struct lc_place **at = &place->pool->places;
    while (*at != place) {
        at = &(*at)->next;
    }
    *at = place->next;
    lc__origin_unref(place->origin);
    lc__free(place);
}

void
lc__conn_pool_fini(struct lc_conn_pool *pool)
{
    lc__conn_pool_close_idle(pool);
    while (pool->places != NULL) {
        remove_place(pool->places);
    }
}

struct lc_conn_pool *
lc_conn_pool_new(int max_connections, int max_idle)
{
    struct lc_conn_pool *pool = lc__alloc(sizeof(*pool));
    if (pool != NULL) {
        max_idle = max_idle < 0 ? 0 : max_idle > INT_MAX / SERVERS ? INT_MAX / SERVERS : max_idle;
        lc__conn_pool_init(pool, max_connections < 0 ? 0 : max_connections, max_idle, max_idle * SERVERS);
        pool->refs = 1;
    }
    return pool;
}

struct lc_conn_pool *
lc_conn_pool_ref(struct lc_conn_pool *pool)
{
    pool->refs++;
    return pool;
}

void
lc_conn_pool_unref(struct lc_conn_pool *pool)
{
    if (pool != NULL && --pool->refs == 0) {
        lc__conn_pool_fini(pool);
        lc__free(pool);
    }
}

void
lc_conn_pool_close_idle(struct lc_conn_pool *pool)
{
    lc__conn_pool_close_idle(pool);
}

void
lc__conn_pool_close_idle(struct lc_conn_pool *pool)
{
    while (!lc_list_is_empty(&pool->idle)) {
        lc__conn_close(LCORE_CONTAINER(pool->idle.next, struct lc_conn, link));
    }
}

void
lc__conn_pool_keep(struct lc_conn_pool *pool, struct lc_conn *conn)
{
    lc_list_prepend(&pool->idle, &conn->link);
    pool->idle_count++;
    if (pool->idle_count <= pool->max_idle) {
        return;
    }
    int count = 0;
    struct lc_conn *oldest = NULL;
    for (struct lc_list *link = pool->idle.next; link != &pool->idle; link = link->next) {
        struct lc_conn *other = LCORE_CONTAINER(link, struct lc_conn, link);
        if (other->origin == conn->origin) {
            oldest = other;
            count++;
        }
    }
    if (count > pool->max_idle) {
        lc__conn_close(oldest);
    } else if (pool->idle_count > pool->max_idle_in_all) {
        lc__conn_close(LCORE_CONTAINER(pool->idle.prev, struct lc_conn, link));
    }
}

void
lc__conn_pool_drop(struct lc_conn_pool *pool, struct lc_conn *conn)
{
    lc_list_remove(&conn->link);
    pool->idle_count--;
}

/* ---- places ---- */

static struct lc_place *
find_place(struct lc_conn_pool *pool, struct lc_origin *origin)
{
    for (struct lc_place *place = pool->places; place != NULL; place = place->next) {
        if (place->origin == origin) {
            return place;
        }
    }
    struct lc_place *place = lc__alloc(sizeof(*place));
    if (place == NULL) {
        return NULL;
    }
    struct lc_place *last = pool->places;
    *place = (struct lc_place){.next = last, .pool = pool, .origin = lc__origin_ref(origin)};
    lc_list_init(&place->waiting);
    pool->places = place;
    if (last != NULL && last->used == 0) {
        remove_place(last);
    }
    return place;
}

int
lc__place_take(struct lc_exchange *exchange, bool is_forced)
{
    struct lc_conn_pool *pool = exchange->session->pool;
    struct lc_place *place = find_place(pool, exchange->origin);
    if (place == NULL) {
        return LCE_NOMEM;
    }
    exchange->place = place;
    if (place->used >= pool->max_connections && !is_forced) {
        lc_list_append(&place->waiting, &exchange->turn);
        return 0;
    }
    place->used++;
    return 1;
}

void
lc__place_leave(struct lc_exchange *exchange)
{
    struct lc_place *place = exchange->place;
    if (place == NULL) {
        return;
    }
    exchange->place = NULL;
    if (lc_list_is_linked(&exchange->turn)) {
        lc_list_remove(&exchange->turn);
    } else {
        lc__place_free(place);
    }
}

void
lc__place_free(struct lc_place *place)
{
    if (place == NULL) {
        return;
    }
    struct lc_list *turn = place->used <= place->pool->max_connections ? lc_list_pop(&place->waiting) : NULL;
    if (turn != NULL) {
        lc__direct_go(LCORE_CONTAINER(turn, struct lc_exchange, turn));
        return;
    }
    place->used--;
    if (place->used == 0 && place->pool->places != place) {
        remove_place(place);
    }
}
