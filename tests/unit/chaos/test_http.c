/* A session whose allocations fail: the call is refused, or its response says so; nothing hangs, nothing leaks. */
#include <stdio.h>
#include <string.h>

#include "../http/h2_peer.h"
#include "../http/scene.h"
#include "chaos.h"

static struct server server;
static enum lc_http_version version;

static void
serve(struct peer *peer, void *arg)
{
    char body[20001];
    memset(body, 'b', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    while (peer_read(peer)) {
        if (strstr(peer->input, " /moved ") != NULL) {
            peer_send(peer, "HTTP/1.1 302 Found\r\nLocation: /end\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n");
        } else {
            peer_send(peer, "HTTP/1.1 200 OK\r\nSet-Cookie: c=d\r\nTransfer-Encoding: chunked\r\n\r\n");
            peer_send(peer, "4e20\r\n");
            peer_send(peer, body);
            pause_ms(2);
            peer_send(peer, "\r\n4e20\r\n");
            peer_send(peer, body);
            peer_send(peer, "\r\n0\r\n\r\n");
        }
    }
}

static void
serve_h2(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    char piece[10001];
    memset(piece, 'b', sizeof(piece) - 1);
    piece[sizeof(piece) - 1] = '\0';
    if (!h2_begin(&h2, peer, NULL, 0)) {
        return;
    }
    while (h2_wait(&h2, H2_HEADERS)) {
        if (strcmp(h2.path, "/moved") == 0) {
            h2_headers(&h2, h2.stream, 302, "location: /end\nset-cookie: a=b\n", H2_END_STREAM);
        } else {
            h2_headers(&h2, h2.stream, 200, "set-cookie: c=d\n", 0);
            for (int i = 0; i < 4; i++) {
                h2_data(&h2, h2.stream, piece, i == 3 ? H2_END_STREAM : 0);
                pause_ms(i == 1 ? 2 : 0);
            }
        }
    }
    h2_end(&h2);
}

static void
on_response(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    *(struct lc_response **)arg = response;
}

static void
go_round(struct lc_loop *loop)
{
    lc_loop_poll(loop);
    pause_ms(1);
}

static int
call(struct lc_loop *loop, struct lc_session *session)
{
    struct lc_header headers[] = {{LCORE_STR("X"), LCORE_STR("y")}};
    struct lc_request request = {
        .method = LCORE_STR("GET"), .url = LCORE_STR("/moved"), .headers = headers, .header_count = 1};
    struct lc_response *response = NULL;
    struct lc_exchange *exchange;
    int err = lc_session_start(session, &request, 0, on_response, &response, &exchange, NULL);
    if (err < 0) {
        return err;
    }
    for (int i = 0; i < 30 && response == NULL; i++) {
        go_round(loop);
    }
    /* Without any memory not even the failure can be told; it is, when there is some again. */
    lc__alloc_fail_at(0);
    for (int i = 0; i < 2000 && response == NULL; i++) {
        go_round(loop);
    }
    assert_non_null(response);
    bool is_complete = response->fail == LCORE_FAIL_NONE;
    if (is_complete) {
        assert_int_equal(response->body.len, 40000);
        assert_int_equal(response->redirect_count, 1);
    } else {
        assert_int_equal(response->fail, LCORE_FAIL_INTERNAL);
    }
    lc_response_free(response);
    return is_complete ? 0 : LCE_NOMEM;
}

static int
work(void)
{
    struct lc_loop *loop = lc_loop_new();
    if (loop == NULL) {
        return LCE_NOMEM;
    }
    struct lc_error error = {0};
    struct lc_session_options options;
    char base[64];
    lc_session_options_init(&options);
    snprintf(base, sizeof(base), "http://user:pw@127.0.0.1:%u", server.port);
    options.base_url = lc_str_from(base);
    options.version = version;
    int err = LCE_NOMEM;
    struct lc_session *session = NULL;
    struct lc_http *http = lc_http_new(loop, &error);
    if (http == NULL) {
        assert_int_equal(error.code, LCE_NOMEM);
        goto done;
    }
    session = lc_session_new(http, &options, &error);
    if (session == NULL) {
        assert_int_equal(error.code, LCE_NOMEM);
        goto done;
    }
    err = lc_session_set_header(session, LCORE_STR("Y"), LCORE_STR("z"));
    if (err == 0) {
        err = lc_session_set_cookie(session, &(struct lc_cookie){.name = LCORE_STR("n"),
                                                                 .value = LCORE_STR("v"),
                                                                 .path = LCORE_STR("/"),
                                                                 .expires_s = INT64_MIN});
    }
    if (err == 0) {
        err = call(loop, session);
    }
done:
    lc_session_free(session);
    lc_http_free(http);
    lc_loop_free(loop);
    return err;
}

static int
work_tls(void)
{
    struct lc_error error = {0};
    struct lc_tls *tls = lc_tls_new(&(struct lc_tls_options){.size = sizeof(struct lc_tls_options)}, &error);
    lc_tls_unref(tls);
    return tls == NULL ? error.code : 0;
}

static void
test_session(void **state)
{
    server_start(&server, NULL, serve, NULL);
    run_with_every_failure(work);
    server_stop(&server);
}

static void
test_h2(void **state)
{
    version = LCORE_HTTP_2;
    server_start(&server, NULL, serve_h2, NULL);
    run_with_every_failure(work);
    server_stop(&server);
    version = LCORE_HTTP_1;
}

static void
test_tls(void **state)
{
    run_with_every_failure(work_tls);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_session), cmocka_unit_test(test_h2),
                                       cmocka_unit_test(test_tls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
