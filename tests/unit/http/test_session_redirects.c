/* Redirects by the rules of requests: history, methods, cookies of each hop, what must not follow to another host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

struct hosts {
    uint16_t other_port;
};

static void
redirect(struct peer *peer, const char *status, const char *location)
{
    char answer[512];
    snprintf(answer, sizeof(answer), "HTTP/1.1 %s\r\nLocation: %s\r\nContent-Length: 5\r\n\r\nmoved", status, location);
    peer_send(peer, answer);
}

static bool
asks_for(struct peer *peer, const char *path)
{
    const char *at = strchr(peer->input, ' ') + 1;
    return strncmp(at, path, strlen(path)) == 0 && at[strlen(path)] == ' ';
}

static void
serve(struct peer *peer, void *arg)
{
    struct hosts *hosts = arg;
    char location[128];
    while (peer_read(peer)) {
        if (asks_for(peer, "/301")) {
            redirect(peer, "301 Moved", "/end?x=1");
        } else if (asks_for(peer, "/302")) {
            redirect(peer, "302 Found", "end");
        } else if (asks_for(peer, "/303")) {
            redirect(peer, "303 See Other", "/end");
        } else if (asks_for(peer, "/307")) {
            redirect(peer, "307 Temporary Redirect", "/end");
        } else if (asks_for(peer, "/loop")) {
            redirect(peer, "302 Found", "/loop");
        } else if (asks_for(peer, "/ftp")) {
            redirect(peer, "302 Found", "ftp://127.0.0.1/x");
        } else if (asks_for(peer, "/empty")) {
            redirect(peer, "302 Found", "");
        } else if (asks_for(peer, "/other")) {
            snprintf(location, sizeof(location), "http://127.0.0.1:%u/end", hosts->other_port);
            redirect(peer, "302 Found", location);
        } else if (asks_for(peer, "/dead")) {
            redirect(peer, "302 Found", "http://127.0.0.1:1/gone");
        } else if (asks_for(peer, "/chain")) {
            peer_send(peer, "HTTP/1.1 302 Found\r\nSet-Cookie: a=1\r\nLocation: /chain2\r\nContent-Length: 0\r\n\r\n");
        } else if (asks_for(peer, "/chain2")) {
            peer_send(
                peer,
                "HTTP/1.1 302 Found\r\nSet-Cookie: b=2\r\nLocation: /end\r\nConnection: close\r\n\r\nuntil close");
            return;
        } else if (asks_for(peer, "/broken")) {
            peer_send(
                peer,
                "HTTP/1.1 302 Found\r\nContent-Encoding: gzip\r\nLocation: /end\r\nContent-Length: 4\r\n\r\nabcd");
        } else {
            char head[64];
            snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", peer->request_len);
            peer_send(peer, head);
            peer_send_bytes(peer, peer->input, peer->request_len);
        }
    }
}

struct stage {
    struct server server, other;
    struct client client;
    struct hosts hosts;
};

static int
set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    server_start(&stage->other, NULL, serve, NULL);
    stage->hosts.other_port = stage->other.port;
    server_start(&stage->server, NULL, serve, &stage->hosts);
    client_init(&stage->client, &stage->server);
    client_open(&stage->client);
    *state = stage;
    return 0;
}

static int
tear_down(void **state)
{
    struct stage *stage = *state;
    client_close(&stage->client);
    server_stop(&stage->server);
    server_stop(&stage->other);
    free(stage);
    return 0;
}

static bool
has(struct lc_str text, const char *part)
{
    return memmem(text.data, text.len, part, strlen(part)) != NULL;
}

static struct lc_response *
post(struct client *client, const char *url)
{
    struct lc_header headers[] = {{LCORE_STR("Authorization"), LCORE_STR("Bearer t")},
                                  {LCORE_STR("X"), LCORE_STR("y")}};
    return client_call(client, &(struct lc_request){.method = LCORE_STR("POST"),
                                                    .url = lc_str_from(url),
                                                    .headers = headers,
                                                    .header_count = 2,
                                                    .body = LCORE_STR("body"),
                                                    .content_type = LCORE_STR("text/plain")});
}

static void
test_methods(void **state)
{
    struct stage *stage = *state;
    static const char *const paths[] = {"/301", "/302", "/303"};
    for (int i = 0; i < 3; i++) {
        struct lc_response *response = post(&stage->client, paths[i]);
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_str(response->method, "GET");
        assert_int_equal(response->redirect_count, 1);
        assert_non_null(response->previous);
        assert_str(response->previous->method, "POST");
        assert_str(response->previous->body, "moved");
        assert_null(response->previous->previous);
        assert_true(has(response->body, "GET /end"));
        assert_false(has(response->body, "Content-"));
        assert_true(has(response->body, "X: y\r\n"));
        assert_true(has(response->body, "Authorization: Bearer t\r\n"));
        assert_true(response->timings.start_ns <= response->previous->timings.end_ns);
        assert_true(response->is_kept_alive);
        lc_response_free(response);
    }
    struct lc_response *response = post(&stage->client, "/307");
    assert_str(response->method, "POST");
    assert_true(has(response->body, "Content-Length: 4\r\nContent-Type: text/plain\r\n"));
    assert_true(has(response->body, "\r\n\r\nbody"));
    lc_response_free(response);
    assert_int_equal(stage->server.accepted, 1);
}

static void
test_other_host(void **state)
{
    struct stage *stage = *state;
    struct lc_response *response = post(&stage->client, "/other");
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_false(has(response->body, "Authorization"));
    char host[64];
    snprintf(host, sizeof(host), "Host: 127.0.0.1:%u\r\n", stage->other.port);
    assert_true(has(response->body, host));
    assert_int_equal(stage->other.accepted, 1);
    lc_response_free(response);
}

static void
test_cookies_of_hops(void **state)
{
    struct stage *stage = *state;
    struct lc_response *response = client_get(&stage->client, "/chain#part");
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_int_equal(response->redirect_count, 2);
    assert_true(has(response->body, "Cookie: a=1; b=2\r\n"));
    assert_true(has(response->url, "/end#part"));
    assert_str(response->previous->body, "until close");
    assert_true(has(response->previous->sent_head, "Cookie: a=1\r\n"));
    assert_int_equal(response->previous->redirect_count, 1);
    assert_int_equal(response->previous->previous->redirect_count, 0);
    lc_response_free(response);
}

static void
test_limits(void **state)
{
    struct stage *stage = *state;
    struct lc_response *response = client_get(&stage->client, "/loop");
    assert_int_equal(response->fail, LCORE_FAIL_TOO_MANY_REDIRECTS); /* API-167 */
    assert_int_equal(response->redirect_count, 30);
    assert_int_equal(response->status, 302);
    assert_int_equal(stage->server.requests, 31);
    lc_response_free(response);
    struct lc_request request = {.method = LCORE_STR("GET"), .url = LCORE_STR("/301"), .max_redirects = -1};
    response = client_call(&stage->client, &request);
    assert_int_equal(response->fail, LCORE_FAIL_TOO_MANY_REDIRECTS);
    lc_response_free(response);
    request.flags = LCORE_REQUEST_NO_REDIRECT;
    response = client_call(&stage->client, &request);
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_int_equal(response->status, 301);
    lc_response_free(response);
}

static void
test_bad_ones(void **state)
{
    struct stage *stage = *state;
    client_expect(&stage->client, "GET", "/ftp", LCORE_FAIL_BAD_REDIRECT);
    client_expect(&stage->client, "GET", "/empty", LCORE_FAIL_NONE);
    client_expect(&stage->client, "GET", "/broken", LCORE_FAIL_NONE);
    struct lc_response *response = client_get(&stage->client, "/dead");
    assert_int_equal(response->fail, LCORE_FAIL_REFUSED);
    assert_str(response->url, "http://127.0.0.1:1/gone");
    assert_int_equal(response->previous->status, 302);
    lc_response_free(response);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_methods, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cookies_of_hops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_ones, set_up, tear_down),
    };
    return run_both(tests);
}
