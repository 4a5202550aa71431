/* Ends at every moment: cancel and free in each stage and from callbacks, and many connections at once. */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "certificate.h"
#include "scene.h"

enum stage { AT_ONCE, BEFORE_HEAD, IN_HEAD, IN_BODY, AFTER_REDIRECT, STAGES };

static void
serve_stage(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        switch (*(enum stage *)arg) {
        case AT_ONCE:
        case BEFORE_HEAD:
            break;
        case IN_HEAD:
            peer_send(peer, "HTTP/1.1 200 OK\r\nX");
            break;
        case IN_BODY:
            peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n\x1f\x8b");
            break;
        default:
            if (strstr(peer->input, "/next") == NULL) {
                peer_send(peer, "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n");
            }
            break;
        }
    }
}

static void
never_called(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    fail_msg("called though canceled");
}

static struct lc_exchange *
start(struct client *client, const char *method, const char *url, struct lc_str body, lc_exchange_fn *fn, void *arg)
{
    struct lc_exchange *exchange = NULL;
    struct lc_request request = {.method = lc_str_from(method), .url = lc_str_from(url), .body = body};
    assert_int_equal(lc_session_start(client->session, &request, 0, fn, arg, &exchange, NULL), 0);
    return exchange;
}

static void
cancel_in_stages(bool is_tls, bool is_freed)
{
    for (enum stage stage = AT_ONCE; stage < STAGES; stage++) {
        struct server server;
        struct client client;
        char path[] = "/tmp/lcore-cert-XXXXXX";
        int fd = mkstemp(path);
        server_start(&server, is_tls ? certificate_make("DNS:localhost", path, NULL) : NULL, serve_stage, &stage);
        client_init(&client, &server);
        struct lc_tls *tls =
            lc_tls_new(&(struct lc_tls_options){.size = sizeof(struct lc_tls_options), .is_insecure = true}, NULL);
        client.options.tls = tls;
        client_open(&client);
        struct lc_exchange *exchange = start(&client, "GET", "/", (struct lc_str){0}, never_called, NULL);
        if (stage != AT_ONCE) {
            client_run_ms(&client, 40);
        }
        if (is_freed) {
            lc_session_free(client.session);
            client_open(&client);
        } else {
            lc_exchange_cancel(exchange);
        }
        client_run_ms(&client, 10);
        client_close(&client);
        lc_tls_unref(tls);
        server_stop(&server);
        close(fd);
        unlink(path);
    }
}

static void
test_cancel(void **state)
{
    cancel_in_stages(false, false);
    cancel_in_stages(true, false);
}

static void
test_free_in_flight(void **state)
{
    cancel_in_stages(false, true);
    cancel_in_stages(true, true);
}

static void
on_perhaps(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    lc_response_free(response);
    *(struct lc_exchange **)arg = NULL;
}

static void
serve_nothing(struct peer *peer, void *arg)
{
    pause_ms(2000);
}

/* While names are looked up, connections made, handshakes awaited, and bytes do not go out. */
static void
test_cancel_early(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_nothing, NULL);
    client_init(&client, &server);
    client_open(&client);
    static const char *const urls[] = {"http://no-such-host.invalid/", "http://no-such-host.invalid/x",
                                       "http://127.0.0.1:1/", "http://192.0.2.1/", "http://localhost:1/"};
    for (int delay_ms = 0; delay_ms < 4; delay_ms++) {
        struct lc_exchange *exchanges[5];
        for (int i = 0; i < 5; i++) {
            /* Answers that come before the cancel are fine. */
            exchanges[i] = start(&client, "GET", urls[i], (struct lc_str){0}, on_perhaps, &exchanges[i]);
        }
        client_run_ms(&client, delay_ms);
        for (int i = 0; i < 5; i++) {
            if (exchanges[i] != NULL) {
                lc_exchange_cancel(exchanges[i]);
            }
        }
        client_run_ms(&client, 1);
    }
    size_t size = 30 * 1000 * 1000;
    char *body = calloc(1, size);
    struct lc_exchange *exchange = start(&client, "POST", "/", (struct lc_str){body, size}, never_called, NULL);
    client_run_ms(&client, 50);
    lc_exchange_cancel(exchange);
    free(body);
    snprintf(client.base, sizeof(client.base), "https://127.0.0.1:%u", server.port);
    exchange = start(&client, "GET", client.base, (struct lc_str){0}, never_called, NULL);
    client_run_ms(&client, 50);
    lc_exchange_cancel(exchange);
    client_run_ms(&client, 10);
    client_close(&client);
    server_stop(&server);
}

static void
serve_answers(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        peer_answer(peer, "ok");
    }
}

struct ender {
    struct client *client;
    struct lc_exchange *others[3];
    int calls;
    bool is_done;
    bool is_canceling;
};

static void
on_ender(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct ender *ender = arg;
    lc_response_free(response);
    ender->calls++;
    if (ender->is_canceling) {
        for (int i = 0; i < 3; i++) {
            if (ender->others[i] != exchange) {
                lc_exchange_cancel(ender->others[i]);
            }
        }
    } else {
        lc_session_free(ender->client->session);
        ender->client->session = NULL;
    }
    ender->is_done = true;
    lc_loop_stop(ender->client->loop);
}

/* From the callback of one call, the others are canceled, or the whole session is freed. */
static void
test_end_in_callback(void **state)
{
    static const char *const urls[] = {"/", "http://127.0.0.1:1/", "http://no-such-host.invalid/"};
    struct server server;
    server_start(&server, NULL, serve_answers, NULL);
    for (int kind = 0; kind < 3; kind++) {
        for (int is_canceling = 0; is_canceling < 2; is_canceling++) {
            struct client client;
            client_init(&client, &server);
            client_open(&client);
            struct ender ender = {.client = &client, .is_canceling = is_canceling};
            for (int i = 0; i < 3; i++) {
                ender.others[i] = start(&client, "GET", urls[kind], (struct lc_str){0}, on_ender, &ender);
            }
            client_run(&client, &ender.is_done);
            client_run_ms(&client, 10);
            assert_int_equal(ender.calls, 1);
            client_close(&client);
        }
    }
    server_stop(&server);
}

struct chain {
    struct client *client;
    int left;
    bool is_done;
};

static void
on_chain(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct chain *chain = arg;
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    lc_response_free(response);
    if (--chain->left > 0) {
        start(chain->client, "GET", "/", (struct lc_str){0}, on_chain, chain);
    } else {
        chain->is_done = true;
        lc_loop_stop(chain->client->loop);
    }
}

/* The next call starts in the callback of the last one, on the same connection. */
static void
test_start_in_callback(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_answers, NULL);
    client_init(&client, &server);
    client_open(&client);
    struct chain chain = {&client, 500, false};
    start(&client, "GET", "/", (struct lc_str){0}, on_chain, &chain);
    client_run(&client, &chain.is_done);
    assert_int_equal(server.accepted, 1);
    assert_int_equal(server.requests, 500);
    client_close(&client);
    server_stop(&server);
}

#define MANY 2000

struct crowd {
    int fd;
    uint16_t port;
};

/* One thread for all connections: answers whatever comes. */
static void *
serve_crowd(void *arg)
{
    struct crowd *crowd = arg;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct pollfd *watched = calloc(MANY + 1, sizeof(*watched));
    nfds_t count = 1;
    watched[0] = (struct pollfd){crowd->fd, POLLIN, 0};
    while (poll(watched, count, -1) > 0) {
        for (nfds_t i = 1; i < count; i++) {
            char request[4096];
            if (watched[i].revents != 0 && recv(watched[i].fd, request, sizeof(request), 0) > 0) {
                (void)!send(watched[i].fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
            } else if (watched[i].revents != 0) {
                close(watched[i].fd);
                watched[i].fd = -1;
            }
        }
        if (watched[0].revents != 0) {
            int fd = accept(crowd->fd, NULL, NULL);
            if (fd < 0) {
                break;
            }
            watched[count++] = (struct pollfd){fd, POLLIN, 0};
        }
    }
    for (nfds_t i = 1; i < count; i++) {
        if (watched[i].fd >= 0) {
            close(watched[i].fd);
        }
    }
    free(watched);
    return NULL;
}

struct counted {
    struct client *client;
    int left;
    int fresh;
    bool is_done;
};

static void
on_counted(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct counted *counted = arg;
    if (response->fail != LCORE_FAIL_NONE) {
        fail_msg("%.*s", (int)response->fail_text.len, response->fail_text.data);
    }
    counted->fresh += !response->is_kept_alive;
    lc_response_free(response);
    if (--counted->left == 0) {
        counted->is_done = true;
        lc_loop_stop(counted->client->loop);
    }
}

/* Two thousand users, each with a connection of its own, all starting at the same moment. */
static void
test_many(void **state)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 3 * MANY ? limit.rlim_max : 3 * MANY;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 2 * MANY + 100) {
        skip();
    }
    struct crowd crowd = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(crowd.fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(crowd.fd, 4096), 0);
    getsockname(crowd.fd, (struct sockaddr *)&address, &size);
    pthread_t thread;
    pthread_create(&thread, NULL, serve_crowd, &crowd);

    struct client client;
    client_init(&client, NULL);
    snprintf(client.base, sizeof(client.base), "http://localhost:%u", ntohs(address.sin_port));
    client.options.base_url = lc_str_from(client.base);
    struct lc_session **sessions = calloc(MANY, sizeof(*sessions));
    for (int i = 0; i < MANY; i++) {
        client_open(&client);
        sessions[i] = client.session;
    }
    for (int round = 0; round < 2; round++) {
        struct counted counted = {&client, MANY, 0, false};
        for (int i = 0; i < MANY; i++) {
            client.session = sessions[i];
            start(&client, "GET", "/", (struct lc_str){0}, on_counted, &counted);
        }
        client_run(&client, &counted.is_done);
        assert_int_equal(counted.fresh, round == 0 ? MANY : 0);
    }
    for (int i = 0; i < MANY; i++) {
        lc_session_free(sessions[i]);
    }
    client.session = NULL;
    free(sessions);
    client_close(&client);
    shutdown(crowd.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(crowd.fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_free_in_flight),
        cmocka_unit_test(test_cancel_early),
        cmocka_unit_test(test_end_in_callback),
        cmocka_unit_test(test_start_in_callback),
        cmocka_unit_test(test_many),
    };
    return run_both(tests);
}
