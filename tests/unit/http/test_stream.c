/* Bodies that are taken piece by piece. */
#include "http/stream.h"

#include <errno.h>
#include <string.h>

#include "http/session.h"
#include "scene.h"

#define LARGE 3000000

static void
serve(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        if (strstr(peer->input, "/small") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall");
        } else if (strstr(peer->input, "/redirect") != NULL) {
            peer_send(peer, "HTTP/1.1 302 Found\r\nLocation: /pieces\r\nContent-Length: 5\r\n\r\nwa");
            pause_ms(20);
            peer_send(peer, "it!");
        } else if (strstr(peer->input, "/pieces") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
            peer_wait_go(peer);
            peer_send(peer, "3\r\ntwo\r\n");
            pause_ms(20);
            peer_send(peer, "0\r\n\r\n");
        } else if (strstr(peer->input, "/large") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
            char piece[10000];
            memset(piece, 'x', sizeof(piece));
            for (int i = 0; i < LARGE / (int)sizeof(piece); i++) {
                peer_send_bytes(peer, piece, sizeof(piece));
            }
        } else if (strstr(peer->input, "/cut") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
            peer_wait_go(peer);
            return;
        } else if (strstr(peer->input, "/bad") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
            peer_wait_go(peer);
            peer_send(peer, "nonsense\r\n");
        } else {
            peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n");
            peer_wait_go(peer);
            peer_send(peer, "this is no gzip at all");
        }
    }
}

static struct lc_response *
call(struct client *client, const char *url)
{
    struct lc_request request = {.method = LCORE_STR("GET"), .url = lc_str_from(url), .flags = LCORE_REQUEST_STREAM};
    return client_call(client, &request);
}

static void
test_pieces(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve, NULL);
    client_init(&client, &server);
    client_open(&client);
    char text[64] = "";

    /* What is all there with the head is no stream. */
    struct lc_response *response = call(&client, "/small");
    assert_null(response->stream);
    assert_str(response->body, "small");
    lc_response_free(response);

    /* Head first, in time, behind a redirect; its cookies count. */
    response = call(&client, "/redirect");
    assert_int_equal(response->status, 200);
    assert_int_equal(response->redirect_count, 1);
    assert_str(response->previous->body, "wait!");
    assert_non_null(response->stream);
    assert_int_equal(response->body.len, 0);
    server_go(&server);
    assert_int_equal(client_take(&client, response->stream, text, sizeof(text)), 6);
    assert_string_equal(text, "onetwo");
    struct lc_cookie cookie;
    size_t position = 0;
    assert_true(lc_session_next_cookie(client.session, &position, &cookie));
    lc_response_free(response);

    response = call(&client, "/large");
    assert_int_equal(client_take(&client, response->stream, text, sizeof(text)), LARGE);
    lc_response_free(response);
    /* All over one connection, which serves on. */
    response = client_get(&client, "/small");
    assert_true(response->is_kept_alive);
    lc_response_free(response);
    assert_int_equal(server.accepted, 1);

    /* Left early, it is closed. */
    response = call(&client, "/large");
    lc_response_free(response);
    response = client_get(&client, "/small");
    assert_false(response->is_kept_alive);
    lc_response_free(response);

    /* The session goes first. */
    response = call(&client, "/pieces");
    struct lc_stream *stream = response->stream;
    response->stream = NULL;
    lc_response_free(response);
    lc_session_free(client.session);
    ssize_t got;
    while ((got = lc_stream_read(stream, text, sizeof(text))) > 0) {
    }
    assert_int_equal(got, -EIO);
    lc_stream_free(stream);
    client_open(&client);
    client_close(&client);
    server_stop(&server);
}

static void
test_broken(void **state)
{
    static const struct {
        const char *path;
        enum lc_fail fail;
    } cases[] = {
        {"/cut", LCORE_FAIL_INCOMPLETE},
        {"/bad", LCORE_FAIL_BAD_CHUNK},
        {"/gzip", LCORE_FAIL_DECODE},
    };
    struct server server;
    struct client client;
    server_start(&server, NULL, serve, NULL);
    client_init(&client, &server);
    client_open(&client);
    char text[16];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lc_response *response = call(&client, cases[i].path);
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_non_null(response->stream);
        server_go(&server);
        assert_int_equal(client_take(&client, response->stream, text, sizeof(text)), -EIO);
        assert_int_equal(response->stream->fail, cases[i].fail);
        assert_int_equal(lc_stream_read(response->stream, text, 1), -EIO);
        lc_response_free(response);
    }
    client_close(&client);
    server_stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_broken),
    };
    return run_both(tests);
}
