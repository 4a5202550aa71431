/* What goes well: bytes on the wire, keep-alive, framings, splits, bodies, cookies, concurrency. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "batch.h"

/* Echoes the request as the body. */
static void
serve_echo(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        char head[128];
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nX-Index: %d\r\nContent-Length: %zu\r\n\r\n", peer->index,
                 peer->request_len);
        peer_send(peer, head);
        peer_send_bytes(peer, peer->input, peer->request_len);
    }
}

static void
expect_wire(struct client *client, const struct lc_request *request, const char *expected)
{
    struct lc_response *response = client_call(client, request);
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    char *body = strndup(response->body.data, response->body.len);
    assert_string_equal(body, expected);
    free(body);
    assert_memory_equal(response->sent_head.data, expected, response->sent_head.len);
    lc_response_free(response);
}

static void
test_wire(void **state)
{
    struct server server;
    struct client client;
    char expected[1024];
    server_start(&server, NULL, serve_echo, NULL);
    client_init(&client, &server);
    client.options.user_agent = "tester/1";
    client_open(&client);
    snprintf(expected, sizeof(expected),
             "GET /a?b=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: tester/1\r\nAccept-Encoding: gzip, deflate\r\n"
             "Accept: */*\r\nConnection: keep-alive\r\n\r\n",
             server.port);
    expect_wire(&client, &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("/a?b=1")}, expected);

    /* API-153: put behind the base verbatim, here with a quoted part and a fragment that is not sent. */
    snprintf(expected, sizeof(expected),
             "GET //x%%20y/%%C3%%A9 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: tester/1\r\nAccept-Encoding: gzip, "
             "deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n",
             server.port);
    expect_wire(&client, &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("//x y/\xc3\xa9#frag")},
                expected);

    /* Headers keep the session's place; NULL takes one away; framing is ours. */
    struct lc_header headers[] = {
        {LCORE_STR("X-New"), LCORE_STR("1")},
        {LCORE_STR("accept"), LCORE_STR("text/html")},
        {LCORE_STR("Accept-Encoding"), {0}},
        {LCORE_STR("Content-Length"), LCORE_STR("77")},
    };
    struct lc_header cookies[] = {{LCORE_STR("c"), LCORE_STR("d")}};
    snprintf(expected, sizeof(expected),
             "POST /p HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: tester/1\r\naccept: text/html\r\nConnection: "
             "keep-alive\r\nX-New: 1\r\nCookie: c=d\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
             server.port);
    expect_wire(&client,
                &(struct lc_request){.method = LCORE_STR("POST"),
                                     .url = LCORE_STR("/p"),
                                     .headers = headers,
                                     .header_count = 4,
                                     .cookies = cookies,
                                     .cookie_count = 1,
                                     .body = LCORE_STR("hello"),
                                     .content_type = LCORE_STR("text/plain")},
                expected);

    /* A method other than GET and HEAD says that it has no body; a Host of the caller's wins. */
    struct lc_header host[] = {{LCORE_STR("Host"), LCORE_STR("other.example")}};
    expect_wire(&client,
                &(struct lc_request){.method = LCORE_STR("DELETE"),
                                     .url = LCORE_STR("/p"),
                                     .headers = host,
                                     .header_count = 1,
                                     .flags = LCORE_REQUEST_NO_SESSION_HEADERS},
                "DELETE /p HTTP/1.1\r\nHost: other.example\r\nContent-Length: 0\r\n\r\n");

    assert_int_equal(lc_session_set_header(client.session, LCORE_STR("ACCEPT"), LCORE_STR("a/b")), 0);
    assert_int_equal(lc_session_set_header(client.session, LCORE_STR("user-agent"), (struct lc_str){0}), 0);
    assert_int_equal(lc_session_set_header(client.session, LCORE_STR("X"), LCORE_STR("y")), 0);
    assert_int_equal(lc_session_set_header(client.session, LCORE_STR("X"), LCORE_STR("y\r\nz: 1")), LCE_FORMAT);
    assert_int_equal(lc_session_set_header(client.session, LCORE_STR("X:"), LCORE_STR("y")), LCE_FORMAT);
    snprintf(expected, sizeof(expected),
             "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept-Encoding: gzip, deflate\r\nACCEPT: a/b\r\nConnection: "
             "keep-alive\r\nX: y\r\n\r\n",
             server.port);
    expect_wire(&client, &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("")}, expected);
    lc_session_clear_headers(client.session);
    snprintf(expected, sizeof(expected), "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", server.port);
    expect_wire(&client, &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("/")}, expected);
    assert_int_equal(server.accepted, 1);
    client_close(&client);
    server_stop(&server);
}

/* API-152: credentials of the base URL are decoded, sent as basic auth, and gone from the URL. */
static void
test_base_credentials(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_echo, NULL);
    client_init(&client, &server);
    snprintf(client.base, sizeof(client.base), "http://us%%40er:p%%3Aw@127.0.0.1:%u", server.port);
    client.options.base_url = lc_str_from(client.base);
    client_open(&client);
    struct lc_response *response = client_get(&client, "/x");
    char *body = strndup(response->body.data, response->body.len);
    assert_non_null(strstr(body, "\r\nAuthorization: Basic dXNAZXI6cDp3\r\n\r\n"));
    free(body);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", server.port);
    assert_str(response->url, url);
    lc_response_free(response);
    client_close(&client);
    server_stop(&server);
}

static void
test_bad_calls(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_echo, NULL);
    client_init(&client, &server);
    client.options.base_url = LCORE_STR("localhost:1");
    client_open(&client);
    struct lc_exchange *exchange;
    struct lc_error error = {0};
    struct lc_request request = {.method = LCORE_STR("GET"), .url = LCORE_STR("/")};
    assert_true(lc_session_start(client.session, &request, 0, NULL, NULL, &exchange, &error) < 0);
    assert_true(error.text[0] != '\0');
    request.url = LCORE_STR("http:///");
    assert_int_equal(lc_session_start(client.session, &request, 0, NULL, NULL, &exchange, &error), LCE_URL_HOST);
    request.url = LCORE_STR("http://127.0.0.1:1/");
    request.method = LCORE_STR("GE T");
    assert_int_equal(lc_session_start(client.session, &request, 0, NULL, NULL, &exchange, &error), LCE_FORMAT);
    request.method = LCORE_STR("GET");
    struct lc_header headers[] = {{LCORE_STR("A"), LCORE_STR("b\nc: d")}};
    request.headers = headers;
    request.header_count = 1;
    assert_int_equal(lc_session_start(client.session, &request, 0, NULL, NULL, &exchange, &error), LCE_FORMAT);
    request.header_count = 0;
    struct lc_header cookies[] = {{LCORE_STR("A"), LCORE_STR("b\r\nc: d")}};
    request.cookies = cookies;
    request.cookie_count = 1;
    assert_int_equal(lc_session_start(client.session, &request, 0, NULL, NULL, &exchange, &error), LCE_FORMAT);
    client_close(&client);
    server_stop(&server);
}

struct script {
    const char *answer;
    size_t len;
    size_t piece; /* bytes sent at once; 0: all */
    bool is_closing;
};

static void
serve_script(struct peer *peer, void *arg)
{
    struct script *script = arg;
    while (peer_read(peer)) {
        size_t piece = script->piece == 0 ? script->len : script->piece;
        for (size_t at = 0; at < script->len; at += piece) {
            size_t len = script->len - at < piece ? script->len - at : piece;
            peer_send_bytes(peer, script->answer + at, len);
            if (script->piece != 0 && at + len < script->len) {
                pause_ms(1);
            }
        }
        if (script->is_closing) {
            return;
        }
    }
}

static void
expect_answers(const char *method, const char *answer, const char *body, size_t piece, bool is_closing)
{
    struct script script = {answer, strlen(answer), piece, is_closing};
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_script, &script);
    client_init(&client, &server);
    client_open(&client);
    for (int i = 0; i < 2; i++) {
        struct lc_response *response =
            client_call(&client, &(struct lc_request){.method = lc_str_from(method), .url = LCORE_STR("/")});
        if (response->fail != LCORE_FAIL_NONE) {
            fail_msg("%s: %.*s", answer, (int)response->fail_text.len, response->fail_text.data);
        }
        assert_int_equal(response->status, 200);
        assert_str(response->body, body);
        assert_int_equal(response->is_kept_alive, i == 1 && !is_closing);
        struct lc_timings *t = &response->timings;
        assert_true(t->start_ns <= t->sent_ns && t->sent_ns <= t->first_byte_ns && t->first_byte_ns <= t->end_ns);
        assert_true((t->connected_ns != 0) == !response->is_kept_alive);
        lc_response_free(response);
    }
    assert_int_equal(server.accepted, is_closing ? 2 : 1);
    client_close(&client);
    server_stop(&server);
}

static void
test_framings(void **state)
{
    static const size_t pieces[] = {0, 1, 7};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        expect_answers("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", pieces[i], false);
        expect_answers("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", pieces[i], false);
        expect_answers(
            "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: v\r\n\r\n",
            "hello", pieces[i], false);
        expect_answers("GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end", pieces[i], true);
        expect_answers("GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", "ab", pieces[i], true);
        expect_answers("GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab", "ab", pieces[i],
                       true);
        expect_answers("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "", pieces[i], false);
        expect_answers("GET",
                       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
                       "OK\r\nContent-Length: 2\r\n\r\nab",
                       "ab", pieces[i], false);
    }
}

/* Bytes after the response, or while nothing was asked: the connection is of no use any more. */
static void
serve_talkative(struct peer *peer, void *arg)
{
    peer_read(peer);
    peer_answer(peer, "one");
    if (peer->index == 0) {
        peer_send(peer, "garbage");
    }
    if (peer->index == 1) {
        peer_wait_go(peer);
        peer_send(peer, "late garbage");
    }
    while (peer_read(peer)) {
        peer_answer(peer, "two");
    }
}

static void
test_unasked_bytes(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_talkative, NULL);
    client_init(&client, &server);
    client_open(&client);
    for (int i = 0; i < 3; i++) {
        struct lc_response *response = client_get(&client, "/");
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_false(response->is_kept_alive);
        assert_str(response->body, "one");
        lc_response_free(response);
        if (i == 1) {
            server_go(&server);
        }
        if (i < 2) {
            server_wait_bytes(&server);
        }
        client_run_ms(&client, 10);
    }
    struct lc_response *response = client_get(&client, "/");
    assert_true(response->is_kept_alive);
    assert_str(response->body, "two");
    lc_response_free(response);
    client_close(&client);
    server_stop(&server);
}

static void
serve_gzip(struct peer *peer, void *arg)
{
    char plain[1000], packed[2000], head[128];
    memset(plain, 'z', sizeof(plain));
    z_stream stream = {
        .next_in = (Bytef *)plain, .avail_in = sizeof(plain), .next_out = (Bytef *)packed, .avail_out = sizeof(packed)};
    deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    deflate(&stream, Z_FINISH);
    size_t len = sizeof(packed) - stream.avail_out;
    deflateEnd(&stream);
    while (peer_read(peer)) {
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", len);
        peer_send(peer, head);
        peer_send_bytes(peer, packed, len / 2);
        pause_ms(5);
        peer_send_bytes(peer, packed + len / 2, len - len / 2);
    }
}

static void
test_decoding(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_gzip, NULL);
    client_init(&client, &server);
    client_open(&client);
    struct lc_response *response = client_get(&client, "/");
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_int_equal(response->body.len, 1000);
    assert_int_equal(response->body.data[999], 'z');
    uint64_t wire = response->wire_body_bytes;
    assert_true(wire > 0 && wire < 100);
    lc_response_free(response);
    response = client_call(
        &client,
        &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("/"), .flags = LCORE_REQUEST_NO_DECODE});
    assert_int_equal(response->body.len, wire);
    lc_response_free(response);
    client_close(&client);
    server_stop(&server);
}

/* 50 MB down, in time that grows with the size only, and 3 MB up. */
static void
serve_large(struct peer *peer, void *arg)
{
    size_t size = 50 * 1000 * 1000;
    char *body = malloc(size);
    for (size_t i = 0; i < size; i++) {
        body[i] = (char)(i * 31 >> 3);
    }
    while (peer_read(peer)) {
        if (strncmp(peer->input, "POST", 4) == 0) {
            char answer[64];
            snprintf(answer, sizeof(answer), "%zu", peer->request_len);
            peer_answer(peer, answer);
        } else if (strstr(peer->input, "/chunked") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (size_t at = 0; at < size; at += 50000) {
                peer_send(peer, "c350\r\n");
                peer_send_bytes(peer, body + at, 50000);
                peer_send(peer, "\r\n");
            }
            peer_send(peer, "0\r\n\r\n");
        } else {
            peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n");
            peer_send_bytes(peer, body, size);
        }
    }
    free(body);
}

static void
test_large_bodies(void **state)
{
    static const char *const paths[] = {"/length", "/chunked"};
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_large, NULL);
    client_init(&client, &server);
    client_open(&client);
    for (int i = 0; i < 2; i++) {
        struct lc_response *response = client_get(&client, paths[i]);
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_int_equal(response->body.len, 50 * 1000 * 1000);
        for (size_t at = 0; at < response->body.len; at += 997) {
            assert_int_equal(response->body.data[at], (char)(at * 31 >> 3));
        }
        assert_int_equal(response->wire_body_bytes, response->body.len);
        lc_response_free(response);
    }
    size_t up = 3 * 1000 * 1000;
    char *body = malloc(up + 1);
    memset(body, 'u', up);
    body[up] = '\0';
    struct lc_response *response = client_post(&client, "/up", body);
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    char digits[16] = {0};
    assert_in_range(response->body.len, 1, sizeof(digits) - 1);
    memcpy(digits, response->body.data, response->body.len); /* no zero follows a body */
    size_t received = strtoul(digits, NULL, 10);
    assert_int_equal(received, response->sent_head.len + up);
    assert_true(response->is_kept_alive);
    lc_response_free(response);
    free(body);
    client_close(&client);
    server_stop(&server);
}

static void
serve_cookies(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        const char *cookie = strstr(peer->input, "Cookie: ");
        char answer[256];
        int len = cookie == NULL ? 0 : (int)strcspn(cookie, "\r");
        snprintf(answer, sizeof(answer),
                 "HTTP/1.1 200 OK\r\nSet-Cookie: sid=%d; Path=/\r\nContent-Length: %d\r\n\r\n%.*s",
                 peer->server->requests, len, len, cookie == NULL ? "" : cookie);
        peer_send(peer, answer);
    }
}

static void
test_cookies(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_cookies, NULL);
    client_init(&client, &server);
    client_open(&client);
    struct lc_response *response = client_get(&client, "/");
    assert_str(response->body, "");
    lc_response_free(response);
    response = client_get(&client, "/");
    assert_str(response->body, "Cookie: sid=1");
    lc_response_free(response);
    response = client_call(
        &client,
        &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("/"), .flags = LCORE_REQUEST_NO_COOKIES});
    assert_str(response->body, "");
    lc_response_free(response);
    response = client_get(&client, "/");
    assert_str(response->body, "Cookie: sid=2");
    lc_response_free(response);
    size_t position = 0;
    struct lc_cookie cookie;
    assert_true(lc_session_next_cookie(client.session, &position, &cookie));
    assert_str(cookie.value, "4");
    assert_int_equal(
        lc_session_remove_cookies(client.session, (struct lc_str){0}, (struct lc_str){0}, LCORE_STR("sid")), 1);
    client_close(&client);
    server_stop(&server);
}

/* So many calls of "/" at once; how many of them went over connections of their own. */
static int
count_fresh(struct client *client, int count)
{
    struct batch batch = {.client = client};
    for (int i = 0; i < count; i++) {
        batch_start(&batch, &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("/")});
    }
    client_run(client, &batch.is_done);
    int fresh = 0;
    for (int i = 0; i < count; i++) {
        struct lc_response *response = batch.responses[i];
        if (response->fail != LCORE_FAIL_NONE) {
            fail_msg("%.*s", (int)response->fail_text.len, response->fail_text.data);
        }
        fresh += !response->is_kept_alive;
    }
    batch_free(&batch);
    return fresh;
}

/* Several calls of one session at once: each has a connection; ten of them are kept. */
static void
test_concurrency(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_echo, NULL);
    client_init(&client, &server);
    client_open(&client);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(count_fresh(&client, 15), round == 0 ? 15 : 5);
    }
    lc_session_close_idle(client.session);
    struct lc_response *response = client_get(&client, "/");
    assert_false(response->is_kept_alive);
    lc_response_free(response);
    client_close(&client);
    server_stop(&server);
}

static void
serve_small(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        peer_answer(peer, "x");
    }
}

/* Default headers that a session is made with take the place of the usual ones. */
static void
test_own_headers(void **state)
{
    static const struct lc_header none[1];
    struct lc_header headers[] = {{LCORE_STR("X-One"), LCORE_STR("1")}, {LCORE_STR("Accept"), LCORE_STR("a/b")}};
    static const char *const tails[] = {"X-One: 1\r\nAccept: a/b\r\n\r\n", "\r\n"};
    struct server server;
    server_start(&server, NULL, serve_echo, NULL);
    for (size_t i = 0; i < 2; i++) {
        struct client client;
        client_init(&client, &server);
        client.options.headers = i == 0 ? headers : none;
        client.options.header_count = i == 0 ? 2 : 0;
        client_open(&client);
        /* All that have the same base share what was read from it. */
        struct lc_session *other = lc_session_new(client.http, &client.options, NULL);
        assert_non_null(other);
        struct lc_response *response = client_get(&client, "/");
        char expected[128];
        snprintf(expected, sizeof(expected), "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s", server.port, tails[i]);
        assert_str(response->body, expected);
        lc_response_free(response);
        lc_session_free(other);
        headers[1].value = LCORE_STR("a\r\nb");
        struct lc_error error = {0};
        client.options.headers = headers;
        client.options.header_count = 2;
        assert_null(lc_session_new(client.http, &client.options, &error));
        assert_int_equal(error.code, LCE_FORMAT);
        headers[1].value = LCORE_STR("a/b");
        client_close(&client);
    }
    server_stop(&server);
}

static void
test_default_port_name(void **state)
{
    /* A name is resolved once for all that start together, and none of them waits for ever. */
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_small, NULL);
    client_init(&client, &server);
    snprintf(client.base, sizeof(client.base), "http://localhost:%u", server.port);
    client.options.base_url = lc_str_from(client.base);
    client_open(&client);
    assert_int_equal(count_fresh(&client, 20), 20);
    client_close(&client);
    server_stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire),          cmocka_unit_test(test_base_credentials),
        cmocka_unit_test(test_bad_calls),     cmocka_unit_test(test_framings),
        cmocka_unit_test(test_unasked_bytes), cmocka_unit_test(test_decoding),
        cmocka_unit_test(test_large_bodies),  cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_concurrency),   cmocka_unit_test(test_default_port_name),
        cmocka_unit_test(test_own_headers),
    };
    return run_both(tests);
}
