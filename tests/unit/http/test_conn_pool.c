/* Limits of connections, and connections that sessions share. */
#include "http/conn_pool.h"

#include <stdio.h>
#include <string.h>

#include "http/session.h"
#include "http/stream.h"
#include "http/wire.h"
#include "scene.h"

#define CALLS 12

static void
serve(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        if (strstr(peer->input, "/again") != NULL) {
            peer_send(peer, "HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n");
        } else if (strstr(peer->input, "/piece") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npiece");
            peer_wait_end(peer); /* the rest never comes */
        } else if (strstr(peer->input, "/never") == NULL) {
            pause_ms(5);
            peer_answer(peer, "fine");
        }
    }
}

struct calls {
    struct lc_exchange *exchanges[CALLS];
    int started, done;
    int order[CALLS];
    bool is_done;
};

static void
on_end(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct calls *calls = arg;
    assert_int_equal(response->status, 200);
    lc_response_free(response);
    for (int i = 0; i < calls->started; i++) {
        if (calls->exchanges[i] == exchange) {
            calls->exchanges[i] = NULL;
            calls->order[calls->done++] = i;
            break;
        }
    }
    calls->is_done = calls->done == calls->started;
}

static void
start(struct calls *calls, struct lc_session *session, const char *url)
{
    struct lc_request request = {.method = LCORE_STR("GET"), .url = lc_str_from(url)};
    struct lc_exchange **out = &calls->exchanges[calls->started++];
    assert_int_equal(lc_session_start(session, &request, 0, on_end, calls, out, NULL), 0);
    calls->is_done = false;
}

static int
used_places(const struct lc_conn_pool *pool)
{
    int used = 0;
    for (const struct lc_place *place = pool->places; place != NULL; place = place->next) {
        used += place->used;
    }
    return used;
}

static void
open_limited(struct server *server, struct client *client, int max_connections)
{
    server_start(server, NULL, serve, NULL);
    client_init(client, server);
    client->options.max_connections = max_connections;
    client_open(client);
}

/* The pool of the client's session; the reference is the caller's. */
static struct lc_conn_pool *
open_sharing(struct server *server, struct client *client, int max_connections, int max_idle)
{
    server_start(server, NULL, serve, NULL);
    client_init(client, server);
    client->options.pool = lc_conn_pool_new(max_connections, max_idle);
    client_open(client);
    return client->options.pool;
}

static void
close_both(struct server *server, struct client *client)
{
    client_close(client);
    server_stop(server);
}

static void
test_limit(void **state)
{
    struct server server;
    struct client client;
    open_limited(&server, &client, 3);
    struct calls calls = {0};
    for (int i = 0; i < CALLS; i++) {
        start(&calls, client.session, i % 4 == 0 ? "/again" : "/end");
    }
    assert_int_equal(used_places(client.session->pool), 3);
    client_run(&client, &calls.is_done);
    assert_int_equal(server.accepted, 3);
    assert_int_equal(client.session->pool->idle_count, 3);
    assert_int_equal(used_places(client.session->pool), 0);
    close_both(&server, &client);
}

static void
test_in_turn(void **state)
{
    struct server server;
    struct client client;
    open_limited(&server, &client, 1);
    struct calls calls = {0};
    for (int i = 0; i < CALLS; i++) {
        start(&calls, client.session, "/end");
    }
    client_run(&client, &calls.is_done);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(calls.order[i], i);
    }
    assert_int_equal(server.accepted, 1);
    close_both(&server, &client);
}

/* Who waits does not wait for a place for ever where another is canceled, whether it had a place or not. */
static void
test_cancel(void **state)
{
    struct server server;
    struct client client;
    open_limited(&server, &client, 1);
    struct calls never = {0}, calls = {0};
    start(&never, client.session, "/never");
    start(&never, client.session, "/never");
    start(&calls, client.session, "/end");
    client_run_ms(&client, 20);
    lc_exchange_cancel(never.exchanges[1]);
    lc_exchange_cancel(never.exchanges[0]);
    client_run(&client, &calls.is_done);
    assert_int_equal(never.done, 0);
    assert_int_equal(used_places(client.session->pool), 0);

    /* Freed with all of it under way. */
    struct calls left = {0};
    for (int i = 0; i < CALLS; i++) {
        start(&left, client.session, "/never");
    }
    client_run_ms(&client, 10);
    client_close(&client);
    assert_int_equal(left.done, 0);
    server_stop(&server);
}

/* A limit is for each server. */
static void
test_two_servers(void **state)
{
    struct server one, two;
    struct client client;
    server_start(&one, NULL, serve, NULL);
    server_start(&two, NULL, serve, NULL);
    client_init(&client, &one);
    client.options.max_connections = 1;
    client_open(&client);
    char there[64];
    snprintf(there, sizeof(there), "http://127.0.0.1:%u/end", two.port);
    struct calls never = {0}, calls = {0};
    start(&never, client.session, "/never");
    start(&never, client.session, "/never");
    for (int i = 0; i < 3; i++) {
        start(&calls, client.session, there);
    }
    client_run(&client, &calls.is_done);
    assert_int_equal(one.accepted, 1);
    assert_int_equal(two.accepted, 1);
    lc_exchange_cancel(never.exchanges[1]);
    lc_exchange_cancel(never.exchanges[0]);
    /* The last one stays, for the next call. */
    assert_int_equal(used_places(client.session->pool), 0);
    assert_non_null(client.session->pool->places);
    assert_null(client.session->pool->places->next);
    client_close(&client);
    server_stop(&one);
    server_stop(&two);
}

/* Sessions share the limit and the connections; one that goes leaves both to the other. */
static void
test_shared(void **state)
{
    struct server server;
    struct client client;
    struct lc_conn_pool *pool = open_sharing(&server, &client, 1, 4);
    struct lc_session *other = lc_session_new(client.http, &client.options, NULL);
    assert_non_null(other);
    lc_conn_pool_unref(pool);
    struct calls calls = {0};
    for (int i = 0; i < 6; i++) {
        start(&calls, i % 2 == 0 ? client.session : other, "/end");
    }
    client_run(&client, &calls.is_done);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(calls.order[i], i);
    }
    assert_int_equal(server.accepted, 1);

    struct calls never = {0}, after = {0};
    start(&never, other, "/never");
    start(&never, other, "/never");
    start(&after, client.session, "/end");
    client_run_ms(&client, 20);
    lc_session_free(other);
    client_run(&client, &after.is_done);
    assert_int_equal(never.done, 0);

    lc_session_close_idle(client.session);
    assert_int_equal(client.session->pool->idle_count, 0);
    lc_response_free(client_get(&client, "/end"));
    assert_int_equal(client.session->pool->idle_count, 1);
    close_both(&server, &client);
}

/* The most recent ones are kept. */
static void
test_max_idle(void **state)
{
    struct server server;
    struct client client;
    struct lc_conn_pool *pool = open_sharing(&server, &client, 0, 2);
    struct calls calls = {0};
    for (int i = 0; i < 5; i++) {
        start(&calls, client.session, "/end");
    }
    client_run(&client, &calls.is_done);
    assert_int_equal(server.accepted, 5);
    assert_int_equal(pool->idle_count, 2);
    lc_conn_pool_close_idle(pool);
    assert_int_equal(pool->idle_count, 0);
    client_close(&client);
    assert_int_equal(pool->refs, 1);
    lc_conn_pool_unref(pool);
    server_stop(&server);
}

static void
count_event(struct lc_wire *wire, void *arg)
{
    *(bool *)arg = true;
}

/* What is lent out counts until it is given back. */
static void
test_lent(void **state)
{
    struct server server;
    struct client client;
    open_limited(&server, &client, 1);
    struct lc_request request = {.url = lc_str_from(client.base)};
    struct lc_wire *wire = NULL;
    bool has_event = false;
    assert_int_equal(lc_wire_open(client.session, &request, count_event, &has_event, &wire, NULL), 0);
    client_run(&client, &has_event);
    struct calls calls = {0};
    start(&calls, client.session, "/end");
    client_run_ms(&client, 40);
    assert_int_equal(calls.done, 0);
    lc_wire_close(wire, true);
    client_run(&client, &calls.is_done);
    assert_int_equal(server.accepted, 1);

    request =
        (struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("/piece"), .flags = LCORE_REQUEST_STREAM};
    struct lc_response *response = client_call(&client, &request);
    assert_non_null(response->stream);
    start(&calls, client.session, "/end");
    client_run_ms(&client, 20);
    assert_int_equal(calls.done, 1);
    lc_response_free(response);
    client_run(&client, &calls.is_done);
    assert_int_equal(server.accepted, 2);

    /* Never given back. */
    has_event = false;
    request = (struct lc_request){.url = lc_str_from(client.base)};
    assert_int_equal(lc_wire_open(client.session, &request, count_event, &has_event, &wire, NULL), 0);
    client_run(&client, &has_event);
    struct calls left = {0};
    start(&left, client.session, "/never");
    client_close(&client);
    assert_int_equal(left.done, 0);
    lc_wire_close(wire, false);
    server_stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),       cmocka_unit_test(test_in_turn), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_two_servers), cmocka_unit_test(test_shared),  cmocka_unit_test(test_max_idle),
        cmocka_unit_test(test_lent),
    };
    return run_both(tests);
}
