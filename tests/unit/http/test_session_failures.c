/* Every way a target can fail has its name. And what looks like a failure but is none: connections that went stale. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "scene.h"

struct script {
    const char *answer;
    size_t len;
    enum { THEN_CLOSE, THEN_RESET, THEN_HANG } then;
};

static void
serve_script(struct peer *peer, void *arg)
{
    struct script *script = arg;
    if (!peer_read(peer)) {
        return;
    }
    peer_send_bytes(peer, script->answer, script->len);
    if (script->then == THEN_RESET) {
        peer_wait_read(peer);
        peer_reset(peer);
    } else if (script->then == THEN_HANG) {
        peer_wait_end(peer);
    }
}

static void
expect(struct script script, enum lc_fail fail, int status)
{
    struct server server;
    struct client client;
    if (script.len == 0) {
        script.len = strlen(script.answer);
    }
    server_start(&server, NULL, serve_script, &script);
    client_init(&client, &server);
    /* Long enough for what comes at all, however late the server is. */
    client.options.read_timeout_ns = script.then != THEN_HANG   ? 15 * LCORE_NS_PER_S
                                     : script.answer[0] != '\0' ? 500 * LCORE_NS_PER_MS
                                                                : 50 * LCORE_NS_PER_MS;
    client_open(&client);
    struct lc_response *response = client_get(&client, "/");
    if (response->fail != fail) {
        fail_msg("'%.60s': expected '%s', got '%s': %.*s", script.answer, lc_fail_text(fail),
                 lc_fail_text(response->fail), (int)response->fail_text.len, response->fail_text.data);
    }
    assert_int_equal(response->status, status);
    assert_true(response->fail_text.len > 0);
    while (server.accepted == 0) {
        pause_ms(1); /* the client's patience may end first */
    }
    assert_int_equal(server.accepted, 1);
    lc_response_free(response);
    client_close(&client);
    server_stop(&server);
}

static void
test_named_failures(void **state)
{
    expect((struct script){"", 0, THEN_CLOSE}, LCORE_FAIL_CLOSED, 0);
    expect((struct script){"", 0, THEN_RESET}, LCORE_FAIL_RESET, 0);
    expect((struct script){"HTTP/1.1 2", 0, THEN_CLOSE}, LCORE_FAIL_CLOSED, 0);
    expect((struct script){"HTTP/1.1 100 Continue\r\n\r\n", 0, THEN_CLOSE}, LCORE_FAIL_CLOSED, 0);
    expect((struct script){"SSH-2.0-OpenSSH_9.2\r\n", 0, THEN_CLOSE}, LCORE_FAIL_BAD_STATUS_LINE, 0);
    expect((struct script){"HTTP/1.1 abc\r\n\r\n", 0, THEN_CLOSE}, LCORE_FAIL_BAD_STATUS_LINE, 0);
    expect((struct script){"\x16\x03\x01\x00garbage\r\n\r\n", 14, THEN_CLOSE}, LCORE_FAIL_BAD_STATUS_LINE, 0);
    expect((struct script){"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0, THEN_CLOSE}, LCORE_FAIL_INCOMPLETE,
           200);
    expect((struct script){"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0, THEN_RESET}, LCORE_FAIL_RESET, 200);
    expect((struct script){"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", 0, THEN_CLOSE},
           LCORE_FAIL_INCOMPLETE, 200);
    expect((struct script){"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc", 0, THEN_CLOSE},
           LCORE_FAIL_BAD_CHUNK, 200);
    expect((struct script){"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!", 0,
                           THEN_CLOSE},
           LCORE_FAIL_DECODE, 200);
    expect((struct script){"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", 0, THEN_CLOSE}, LCORE_FAIL_BAD_HEADER, 0);
    expect((struct script){"", 0, THEN_HANG}, LCORE_FAIL_READ_TIMEOUT, 0);
    expect((struct script){"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0, THEN_HANG}, LCORE_FAIL_READ_TIMEOUT,
           200);
}

static void
serve_endless_header(struct peer *peer, void *arg)
{
    char line[1024];
    memset(line, 'h', sizeof(line));
    memcpy(line, "X: ", 3);
    memcpy(line + sizeof(line) - 2, "\r\n", 2);
    peer_read(peer);
    peer_send(peer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 10000; i++) {
        peer_send_bytes(peer, line, sizeof(line));
    }
}

static void
test_endless_header(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_endless_header, NULL);
    client_init(&client, &server);
    client_open(&client);
    client_expect(&client, "GET", "/", LCORE_FAIL_HEADER_TOO_LARGE);
    client_close(&client);
    server_stop(&server);
}

static void
serve_interim(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        bool is_endless = strncmp(peer->input, "GET /endless", 12) == 0;
        for (int i = 0; i < (is_endless ? 2000 : 500); i++) {
            peer_send(peer, i % 2 == 0 ? "HTTP/1.1 100 Continue\r\n\r\n" : "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n");
        }
        peer_answer(peer, "ok");
    }
}

/* Each one begins the read timeout anew, so there is an end to them. */
static void
test_endless_interim_responses(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_interim, NULL);
    client_init(&client, &server);
    client_open(&client);
    client_expect(&client, "GET", "/many", LCORE_FAIL_NONE);
    client_expect(&client, "GET", "/many", LCORE_FAIL_NONE);
    client_expect(&client, "GET", "/endless", LCORE_FAIL_INTERIM);
    client_expect(&client, "GET", "/many", LCORE_FAIL_NONE);
    client_close(&client);
    server_stop(&server);
}

static void
serve_slowly(struct peer *peer, void *arg)
{
    peer_read(peer);
    peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
    for (int i = 0; i < 8; i++) {
        pause_ms(75);
        peer_send(peer, "x");
    }
    peer_wait_end(peer);
}

/* The read timeout is the longest silence, not the whole time. */
static void
test_silence(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_slowly, NULL);
    client_init(&client, &server);
    client.options.read_timeout_ns = 550 * LCORE_NS_PER_MS;
    client_open(&client);
    struct lc_response *response = client_get(&client, "/");
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_true(response->timings.end_ns - response->timings.first_byte_ns > 550 * LCORE_NS_PER_MS);
    lc_response_free(response);
    /* The call's timeout goes before the session's. */
    response = client_call(&client, &(struct lc_request){.method = LCORE_STR("GET"),
                                                         .url = LCORE_STR("/"),
                                                         .read_timeout_ns = 10 * LCORE_NS_PER_MS});
    assert_int_equal(response->fail, LCORE_FAIL_READ_TIMEOUT);
    lc_response_free(response);
    client_close(&client);
    server_stop(&server);
}

static void
test_connecting(void **state)
{
    struct client client;
    client_init(&client, NULL);
    client_open(&client);
    struct lc_response *response = client_get(&client, "http://127.0.0.1:1/");
    assert_int_equal(response->fail, LCORE_FAIL_REFUSED);
    assert_int_equal(response->fail_errno, ECONNREFUSED);
    assert_str(response->fail_text, "cannot connect to 127.0.0.1:1: Connection refused");
    lc_response_free(response);
    client_expect(&client, "GET", "http://no-such-host.invalid/", LCORE_FAIL_DNS);
    /* The zone of an address is looked for without the escape that URLs have. */
    response = client_get(&client, "http://[fe80::1%25none]:1/");
    assert_int_equal(response->fail, LCORE_FAIL_DNS);
    assert_str(response->fail_text, "fe80::1%none: Name or service not known");
    lc_response_free(response);

    /* A listener whose queue is full answers no more. */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 0), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    int fillers[4];
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, size);
    }
    /* One is in the queue; what others send from then on is dropped. */
    assert_int_equal(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 20000), 1);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
    response = client_call(&client, &(struct lc_request){.method = LCORE_STR("GET"),
                                                         .url = lc_str_from(url),
                                                         .connect_timeout_ns = 100 * LCORE_NS_PER_MS});
    assert_int_equal(response->fail, LCORE_FAIL_CONNECT_TIMEOUT);
    lc_response_free(response);
    for (int i = 0; i < 4; i++) {
        close(fillers[i]);
    }
    close(fd);
    client_close(&client);
}

static void
test_descriptors_run_out(void **state)
{
    struct client client;
    client_init(&client, NULL);
    client_open(&client);
    lc_response_free(client_get(&client, "http://127.0.0.1:1/"));
    struct rlimit saved, low;
    getrlimit(RLIMIT_NOFILE, &saved);
    int next = dup(0);
    close(next);
    low = (struct rlimit){(rlim_t)next, saved.rlim_max};
    (void)lc_loop_fd(client.loop);
    next = dup(0);
    close(next);
    low.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &low);
    struct lc_response *response = client_get(&client, "http://127.0.0.1:1/");
    setrlimit(RLIMIT_NOFILE, &saved);
    assert_int_equal(response->fail, LCORE_FAIL_INTERNAL);
    assert_int_equal(response->fail_errno, EMFILE);
    char *text = strndup(response->fail_text.data, response->fail_text.len);
    assert_non_null(strstr(text, "ulimit -n"));
    free(text);
    lc_response_free(response);
    client_close(&client);
}

static void
serve_big(struct peer *peer, void *arg)
{
    char body[5001];
    memset(body, 'b', 5000);
    body[5000] = '\0';
    while (peer_read(peer)) {
        if (strstr(peer->input, "/chunked") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n");
            peer_send(peer, body);
            peer_send(peer, "\r\n0\r\n\r\n");
        } else {
            peer_answer(peer, body);
        }
    }
}

static void
test_limit(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_big, NULL);
    client_init(&client, &server);
    client.options.max_body_bytes = 4999;
    client_open(&client);
    client_expect(&client, "GET", "/", LCORE_FAIL_TOO_LARGE);
    client_expect(&client, "GET", "/chunked", LCORE_FAIL_TOO_LARGE);
    client_expect(&client, "HEAD", "/", LCORE_FAIL_NONE);
    client_close(&client);
    server_stop(&server);
}

/* Serves one request for each connection; what happens to the second depends on `arg`. */
enum stale { STALE_IDLE_CLOSE, STALE_READ_CLOSE, STALE_READ_RESET, STALE_PARTIAL };

static void
serve_stale(struct peer *peer, void *arg)
{
    if (!peer_read(peer)) {
        return;
    }
    peer_answer(peer, "first");
    switch (*(enum stale *)arg) {
    case STALE_IDLE_CLOSE:
        return;
    case STALE_READ_CLOSE:
        peer_read(peer);
        return;
    case STALE_READ_RESET:
        if (peer_read(peer)) {
            peer_reset(peer);
        }
        return;
    case STALE_PARTIAL:
        if (peer_read(peer)) {
            peer_send(peer, "HTTP/1.1 2");
        }
        return;
    }
}

static void
expect_stale(enum stale stale, const char *method, enum lc_fail fail, int connections)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_stale, &stale);
    client_init(&client, &server);
    client_open(&client);
    client_expect(&client, method, "/", LCORE_FAIL_NONE);
    if (stale == STALE_IDLE_CLOSE) {
        server_wait_end(&server); /* it has arrived, but the loop had no turn to see it */
    }
    client_expect(&client, method, "/", fail);
    assert_int_equal(server.accepted, connections);
    client_close(&client);
    server_stop(&server);
}

static void
test_stale(void **state)
{
    static const char *const safe[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++) {
        expect_stale(STALE_READ_CLOSE, safe[i], LCORE_FAIL_NONE, 2);
    }
    expect_stale(STALE_IDLE_CLOSE, "GET", LCORE_FAIL_NONE, 2);
    expect_stale(STALE_READ_RESET, "GET", LCORE_FAIL_NONE, 2);
    expect_stale(STALE_READ_CLOSE, "POST", LCORE_FAIL_CLOSED, 1);
    expect_stale(STALE_READ_RESET, "PATCH", LCORE_FAIL_RESET, 1);
    expect_stale(STALE_PARTIAL, "GET", LCORE_FAIL_CLOSED, 1);
}

/* A server that sends a body behind the answer to HEAD, a little later. */
static void
serve_head_with_body(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        if (strncmp(peer->input, "HEAD", 4) == 0) {
            peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
            peer_wait_go(peer);
            peer_send(peer, "body");
        } else {
            peer_answer(peer, "fine");
        }
    }
}

static void
test_body_behind_head(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_head_with_body, NULL);
    client_init(&client, &server);
    client_open(&client);
    client_expect(&client, "HEAD", "/", LCORE_FAIL_NONE);
    server_go(&server);
    server_wait_bytes(&server); /* the body has arrived, but the loop had no turn to see it */
    client_expect(&client, "POST", "/", LCORE_FAIL_NONE);
    assert_int_equal(server.accepted, 2);
    client_close(&client);
    server_stop(&server);
}

/* An idle connection that the server closed a while ago is seen before a POST is trusted to it. */
static void
test_stale_post(void **state)
{
    enum stale stale = STALE_IDLE_CLOSE;
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_stale, &stale);
    client_init(&client, &server);
    client_open(&client);
    client_expect(&client, "POST", "/", LCORE_FAIL_NONE);
    server_wait_end(&server);
    pause_ms(150); /* longer than a connection is trusted unseen */
    client_expect(&client, "POST", "/", LCORE_FAIL_NONE);
    assert_int_equal(server.accepted, 2);
    client_close(&client);
    server_stop(&server);
}

static void
serve_early(struct peer *peer, void *arg)
{
    char some[1000];
    (void)!recv(peer->fd, some, sizeof(some), 0);
    peer_send(peer, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    if (arg != NULL) {
        peer_wait_end(peer);
    } else {
        shutdown(peer->fd, SHUT_WR);
        peer_wait_end(peer);
    }
}

/* The response comes before the request is all sent. */
static void
test_early_response(void **state)
{
    size_t size = 20 * 1000 * 1000;
    char *body = malloc(size + 1);
    memset(body, 'u', size);
    body[size] = '\0';
    for (int i = 0; i < 2; i++) {
        struct server server;
        struct client client;
        server_start(&server, NULL, serve_early, i == 0 ? NULL : &server);
        client_init(&client, &server);
        client_open(&client);
        struct lc_response *response = client_post(&client, "/", body);
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_int_equal(response->status, 413);
        lc_response_free(response);
        client_close(&client);
        server_stop(&server);
    }
    free(body);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_failures),
        cmocka_unit_test(test_endless_header),
        cmocka_unit_test(test_endless_interim_responses),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_connecting),
        cmocka_unit_test(test_descriptors_run_out),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_body_behind_head),
        cmocka_unit_test(test_stale_post),
        cmocka_unit_test(test_early_response),
    };
    return run_both(tests);
}
