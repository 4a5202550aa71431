/* The transport that speaks HTTP/1.1 itself: an idle connection of the session, or a new one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/conn.h"
#include "http/connector.h"
#include "http/http.h"
#include "loop/loop.h"

/* How long ago the loop may have asked the kernel about all connections to know how an idle one is. */
#define TRUSTED_LOOK_NS (1 * LCORE_NS_PER_MS)

static void
on_connected(void *arg, const struct lc_connect_result *result)
{
    struct lc_exchange *exchange = arg;
    exchange->connect = NULL;
    if (result->begin_ns > exchange->active_ns) {
        exchange->timings.begin_ns += result->begin_ns - exchange->active_ns; /* our own queue */
    }
    exchange->timings.dns_ns = result->dns_ns;
    exchange->timings.connected_ns = result->connected_ns;
    if (result->fd < 0) {
        lc_timer_stop(exchange->session->http->loop, &exchange->timer);
        struct lc_hop hop = {.fail = result->fail, .errnum = result->errnum, .text = lc_str_from(result->text)};
        char text[512];
        if (exchange->origin->route == LCORE_ROUTE_FORWARD && result->fail != LCORE_FAIL_INTERNAL) {
            /* The same words that tunnel.c has for proxies that make tunnels. */
            bool is_refused = result->fail == LCORE_FAIL_REFUSED || result->fail == LCORE_FAIL_CONNECT;
            const struct lc_origin *origin = exchange->origin;
            snprintf(text, sizeof(text), "cannot connect to proxy %.*s:%u: %s", (int)origin->connect_host.len,
                     origin->connect_host.data, origin->connect_port,
                     is_refused && result->errnum != 0 ? strerror(result->errnum) : result->text);
            hop.fail = LCORE_FAIL_PROXY;
            hop.text = lc_str_from(text);
        }
        lc__exchange_finish(exchange, &hop);
        return;
    }
    if (exchange->origin->tls == NULL) {
        /* With TLS the time limit covers the handshake too. */
        lc_timer_stop(exchange->session->http->loop, &exchange->timer);
    }
    int err = lc__conn_open(exchange, result->fd);
    if (err < 0) {
        close(result->fd);
        lc_timer_stop(exchange->session->http->loop, &exchange->timer);
        lc__exchange_finish(exchange, &(struct lc_hop){.fail = err == LCE_TLS ? LCORE_FAIL_TLS : LCORE_FAIL_INTERNAL});
    }
}

static void
connect_anew(struct lc_exchange *exchange)
{
    struct lc_http *http = exchange->session->http;
    struct lc_origin *origin = exchange->origin;
    const char *proxy = origin->route == LCORE_ROUTE_FORWARD ? NULL : origin->proxy;
    int64_t now_ns = lc_clock_monotonic_ns();
    if (exchange->timings.begin_ns == 0) {
        exchange->timings.begin_ns = now_ns;
    }
    exchange->active_ns = now_ns;
    int err = lc_connector_start(http->connector, origin->connect_host, origin->connect_port, proxy, now_ns,
                                 on_connected, exchange, &exchange->connect);
    if (err < 0) {
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
        return;
    }
    lc__exchange_limit_connect(exchange);
}

static bool
is_trusted(const struct lc_exchange *exchange, const struct lc_conn *conn)
{
    if (exchange->request.wire != NULL || conn->idle_since_ns == 0) {
        /* A request on a lent connection cannot be sent again. One without an idle time is suspect:
         * lc__conn_give_back(). */
        return false;
    }
    int64_t now_ns = exchange->start_ns;
    return now_ns - conn->idle_since_ns <= LCORE_TRUSTED_IDLE_NS ||
           (now_ns - lc__loop_asked_ns(conn->session->http->loop) <= TRUSTED_LOOK_NS &&
            !lc_list_is_linked(&conn->read_io.link));
}

/* Servers that close without a word (uWSGI, Erlang's httpd) do it while the next request is on its way. What cannot be
 * asked for again stays away from connections that may be about to end; one that lived on shows that they do not. */
static bool
may_end(const struct lc_exchange *exchange, const struct lc_conn *conn)
{
    if (!conn->origin->is_abrupt || lc__exchange_is_idempotent(exchange)) {
        return false;
    }
    if (exchange->start_ns - conn->idle_since_ns > LCORE_TRUSTED_IDLE_NS && !lc__conn_is_dropped(conn)) {
        conn->origin->is_abrupt = false;
    }
    return conn->origin->is_abrupt;
}

static struct lc_conn *
take_idle(struct lc_exchange *exchange)
{
    const struct lc_list *idle = &exchange->session->pool->idle;
    struct lc_list *link = idle->next;
    while (link != idle) {
        struct lc_conn *conn = LCORE_CONTAINER(link, struct lc_conn, link);
        link = link->next;
        if (conn->origin != exchange->origin) {
            continue;
        }
        if (!is_trusted(exchange, conn) && lc__conn_is_dropped(conn)) {
            lc__conn_close(conn);
            continue;
        }
        if (may_end(exchange, conn)) {
            continue;
        }
        return conn;
    }
    return NULL;
}

void
lc__direct_go(struct lc_exchange *exchange)
{
    struct lc_conn *conn = take_idle(exchange);
    if (conn != NULL) {
        lc__conn_reuse(conn, exchange);
    } else {
        connect_anew(exchange);
    }
}

static void
direct_start(struct lc_exchange *exchange)
{
    int got = exchange->session->pool->max_connections == 0 ? 1 : lc__place_take(exchange, false);
    if (got > 0) {
        lc__direct_go(exchange);
    } else if (got < 0) {
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
    } else {
        /* The call waits for a connection. That counts as the server's time, since the server keeps the others busy. */
        exchange->timings.begin_ns = lc_clock_monotonic_ns();
    }
}

static void
direct_cancel(struct lc_exchange *exchange)
{
    lc_timer_stop(exchange->session->http->loop, &exchange->timer);
    if (exchange->connect != NULL) {
        lc_connector_cancel(exchange->connect);
        exchange->connect = NULL;
    }
    if (exchange->conn != NULL) {
        lc__conn_close(exchange->conn);
    }
    lc__place_leave(exchange);
}

void
lc__direct_fail(struct lc_exchange *exchange, struct lc_hop *hop, bool is_reused)
{
    /* Servers close idle connections, perhaps while our request is on its way: that is no failure of theirs. */
    bool is_gone = hop->fail == LCORE_FAIL_CLOSED || hop->fail == LCORE_FAIL_RESET || hop->fail == LCORE_FAIL_SEND;
    if (is_gone && is_reused && lc__exchange_may_retry(exchange)) {
        exchange->is_retried = true;
        lc__exchange_forget_try(exchange);
        connect_anew(exchange);
        return;
    }
    lc__exchange_finish(exchange, hop);
}

const struct lc_transport lc__transport_direct = {direct_start, direct_cancel};
