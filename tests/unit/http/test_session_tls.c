/* TLS on connections of our own: whom is trusted, what is said when not, resumption, large bodies, odd servers. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "certificate.h"
#include "http/conn.h"
#include "scene.h"

static char directory[] = "/tmp/lcore-tls-XXXXXX";
static char cert_path[64], client_path[64], client_key_path[64];

static void
serve(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        if (strstr(peer->input, "/large") != NULL) {
            size_t size = 20 * 1000 * 1000;
            char *body = malloc(size);
            memset(body, 'L', size);
            peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n");
            peer_send_bytes(peer, body, size);
            free(body);
        } else if (strncmp(peer->input, "POST", 4) == 0) {
            char answer[32];
            snprintf(answer, sizeof(answer), "%zu", peer->request_len);
            peer_answer(peer, answer);
        } else if (strstr(peer->input, "/abrupt") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\n\r\nno goodbye");
            shutdown(peer->fd, SHUT_RDWR);
            return;
        } else {
            peer_answer(peer, SSL_session_reused(peer->ssl) ? "resumed" : "full");
        }
    }
}

static struct lc_tls *
make_tls(const char *ca_file, bool is_insecure, bool has_cert)
{
    struct lc_error error = {0};
    struct lc_tls *tls = lc_tls_new(&(struct lc_tls_options){.size = sizeof(struct lc_tls_options),
                                                             .is_insecure = is_insecure,
                                                             .ca_file = ca_file,
                                                             .cert_file = has_cert ? client_path : NULL,
                                                             .key_file = has_cert ? client_key_path : NULL},
                                    &error);
    if (tls == NULL) {
        fail_msg("%s", error.text);
    }
    return tls;
}

static void
open_client(struct client *client, struct server *server, struct lc_tls *tls, const char *host)
{
    client_init(client, server);
    snprintf(client->base, sizeof(client->base), "https://%s:%u", host, server->port);
    client->options.base_url = lc_str_from(client->base);
    client->options.tls = tls;
    client_open(client);
    lc_tls_unref(tls);
}

static void
test_trust(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, certificate_make("DNS:localhost,IP:127.0.0.1", cert_path, NULL), serve, NULL);

    open_client(&client, &server, make_tls(cert_path, false, false), "localhost");
    for (int i = 0; i < 2; i++) {
        struct lc_response *response = client_get(&client, "/");
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_str(response->body, "full");
        assert_int_equal(response->is_kept_alive, i);
        struct lc_timings *t = &response->timings;
        assert_true(i == 1 || (t->dns_ns <= t->connected_ns && t->connected_ns < t->tls_ns && t->tls_ns <= t->sent_ns));
        assert_true(t->sent_ns < t->first_byte_ns && t->first_byte_ns <= t->end_ns);
        lc_response_free(response);
        client_run_ms(&client, 20); /* tickets arrive while idle, the connection stays */
    }
    /* A new connection of the same user resumes. */
    lc_session_close_idle(client.session);
    struct lc_response *response = client_get(&client, "/");
    assert_str(response->body, "resumed");
    lc_response_free(response);
    client_close(&client);

    open_client(&client, &server, make_tls(cert_path, false, false), "127.0.0.1");
    client_expect(&client, "GET", "/", LCORE_FAIL_NONE);
    client_close(&client);

    open_client(&client, &server, NULL, "localhost");
    response = client_get(&client, "/");
    assert_int_equal(response->fail, LCORE_FAIL_TLS_UNTRUSTED);
    assert_non_null(memmem(response->fail_text.data, response->fail_text.len, "self-signed certificate", 23));
    lc_response_free(response);
    /* The call's own options go before the session's. */
    struct lc_tls *insecure = make_tls(NULL, true, false);
    response =
        client_call(&client, &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("/"), .tls = insecure});
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    lc_response_free(response);
    client_expect(&client, "GET", "/", LCORE_FAIL_TLS_UNTRUSTED);
    lc_tls_unref(insecure);
    client_close(&client);
    server_stop(&server);
}

/* What the handshake needed is given back; what resumption needs stays, also in the tickets that come later. */
static void
test_little_is_kept(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int i = 0; i < 2; i++) {
        struct server server;
        struct client client;
        SSL_CTX *context = certificate_make("DNS:localhost", cert_path, NULL);
        SSL_CTX_set_max_proto_version(context, versions[i]);
        server_start(&server, context, serve, NULL);
        open_client(&client, &server, make_tls(cert_path, false, false), "localhost");
        for (int round = 0; round < 3; round++) {
            struct lc_response *response = client_get(&client, "/");
            assert_int_equal(response->fail, LCORE_FAIL_NONE);
            assert_str(response->body, round == 0 ? "full" : "resumed");
            lc_response_free(response);
            client_run_ms(&client, 20);
            SSL *ssl = LCORE_CONTAINER(client.session->pool->idle.next, struct lc_conn, link)->ssl;
            assert_int_equal(SSL_version(ssl), versions[i]);
            assert_int_equal(SSL_get_verify_result(ssl), X509_V_OK);
            assert_non_null(SSL_get_current_cipher(ssl));
            assert_null(SSL_SESSION_get0_peer(SSL_get_session(ssl)));
            assert_null(SSL_SESSION_get0_peer(client.session->resumption));
            assert_true(sk_X509_num(SSL_get_peer_cert_chain(ssl)) <= 0);
            assert_true(sk_X509_num(SSL_get0_verified_chain(ssl)) <= 0);
            lc_session_close_idle(client.session);
        }
        client_close(&client);
        server_stop(&server);
    }
}

static void
test_wrong_host(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, certificate_make("DNS:example.com", cert_path, NULL), serve, NULL);
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    for (int i = 0; i < 2; i++) {
        open_client(&client, &server, make_tls(cert_path, false, false), hosts[i]);
        struct lc_response *response = client_get(&client, "/");
        assert_int_equal(response->fail, LCORE_FAIL_TLS_UNTRUSTED);
        assert_non_null(memmem(response->fail_text.data, response->fail_text.len, "mismatch", 8));
        lc_response_free(response);
        client_close(&client);
    }
    open_client(&client, &server, make_tls(NULL, true, false), "localhost");
    client_expect(&client, "GET", "/", LCORE_FAIL_NONE);
    client_close(&client);
    server_stop(&server);
}

static void
test_bodies(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, certificate_make("DNS:localhost", cert_path, NULL), serve, NULL);
    open_client(&client, &server, make_tls(cert_path, false, false), "localhost");
    struct lc_response *response = client_get(&client, "/large");
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_int_equal(response->body.len, 20 * 1000 * 1000);
    assert_int_equal(response->body.data[response->body.len - 1], 'L');
    lc_response_free(response);
    size_t up = 3 * 1000 * 1000;
    char *body = malloc(up + 1);
    memset(body, 'u', up);
    body[up] = '\0';
    response = client_post(&client, "/", body);
    free(body);
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    uint64_t received;
    assert_true(lc_str_to_u64(response->body, &received));
    assert_int_equal(received, up + response->sent_head.len);
    assert_true(response->is_kept_alive);
    lc_response_free(response);
    response = client_get(&client, "/abrupt");
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_str(response->body, "no goodbye");
    lc_response_free(response);
    client_close(&client);
    server_stop(&server);
}

static void
test_client_certificate(void **state)
{
    struct server server;
    struct client client;
    SSL_CTX_free(certificate_make("DNS:client", client_path, client_key_path));
    SSL_CTX *context = certificate_make("DNS:localhost", cert_path, NULL);
    SSL_CTX_load_verify_locations(context, client_path, NULL);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"t", 1);
    server_start(&server, context, serve, NULL);
    open_client(&client, &server, make_tls(cert_path, false, true), "localhost");
    client_expect(&client, "GET", "/", LCORE_FAIL_NONE);
    client_close(&client);
    open_client(&client, &server, make_tls(cert_path, false, false), "localhost");
    client_expect(&client, "GET", "/", LCORE_FAIL_TLS);
    client_close(&client);
    server_stop(&server);
}

static void
serve_plain(struct peer *peer, void *arg)
{
    char byte[64];
    (void)!recv(peer->fd, byte, sizeof(byte), 0);
    const char *what = arg;
    if (strcmp(what, "hang") == 0) {
        peer_wait_end(peer);
    } else {
        peer_send(peer, what);
    }
}

static void
test_no_tls_there(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_plain, "HTTP/1.1 400 Bad Request\r\n\r\n");
    open_client(&client, &server, make_tls(NULL, true, false), "127.0.0.1");
    client_expect(&client, "GET", "/", LCORE_FAIL_TLS);
    client_close(&client);
    server_stop(&server);
    server_start(&server, NULL, serve_plain, "");
    open_client(&client, &server, make_tls(NULL, true, false), "127.0.0.1");
    client_expect(&client, "GET", "/", LCORE_FAIL_TLS);
    client_close(&client);
    server_stop(&server);
    server_start(&server, NULL, serve_plain, "hang");
    open_client(&client, &server, make_tls(NULL, true, false), "127.0.0.1");
    struct lc_response *response = client_call(
        &client, &(struct lc_request){
                     .method = LCORE_STR("GET"), .url = LCORE_STR("/"), .connect_timeout_ns = 50 * LCORE_NS_PER_MS});
    assert_int_equal(response->fail, LCORE_FAIL_CONNECT_TIMEOUT);
    lc_response_free(response);
    client_close(&client);
    server_stop(&server);
}

static void
test_bad_options(void **state)
{
    struct lc_error error = {0};
    struct lc_tls_options options = {.size = sizeof(options), .ca_file = "/no/such/file"};
    assert_null(lc_tls_new(&options, &error));
    assert_int_equal(error.code, LCE_TLS);
    assert_non_null(strstr(error.text, "/no/such/file"));
    options = (struct lc_tls_options){.size = sizeof(options), .cert_file = "/no/such/cert"};
    assert_null(lc_tls_new(&options, &error));
    assert_non_null(strstr(error.text, "/no/such/cert"));
    lc_tls_unref(NULL);
}

/* Says goodbye in the packet of its response, and goes on to hold the connection. */
static void
serve_goodbye(struct peer *peer, void *arg)
{
    if (!peer_read(peer)) {
        return;
    }
    if (peer->index % 2 == 1) {
        peer_answer(peer, "after it");
        peer_wait_end(peer);
        return;
    }
    bool is_streamed = strstr(peer->input, "/stream") != NULL;
    if (is_streamed) {
        peer_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        pause_ms(20);
    }
    setsockopt(peer->fd, IPPROTO_TCP, TCP_CORK, &(int){1}, sizeof(int));
    peer_send(peer, is_streamed ? "hello" : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    SSL_shutdown(peer->ssl);
    setsockopt(peer->fd, IPPROTO_TCP, TCP_CORK, &(int){0}, sizeof(int));
    peer_wait_end(peer);
}

/* The next request, which may not be repeated, does not go where the server has said that it takes no more. */
static void
test_goodbye(void **state)
{
    static const char *const urls[] = {"/", "/stream"};
    struct server server;
    struct client client;
    server_start(&server, certificate_make("DNS:localhost", cert_path, NULL), serve_goodbye, NULL);
    open_client(&client, &server, make_tls(cert_path, false, false), "localhost");
    for (int i = 0; i < 2; i++) {
        struct lc_request request = {.method = LCORE_STR("GET"),
                                     .url = lc_str_from(urls[i]),
                                     .read_timeout_ns = 5 * LCORE_NS_PER_S,
                                     .flags = LCORE_REQUEST_STREAM};
        struct lc_response *response = client_call(&client, &request);
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        if (response->stream != NULL) {
            assert_int_equal(client_take(&client, response->stream, NULL, 0), 5);
        }
        lc_response_free(response);
        request = (struct lc_request){.method = LCORE_STR("POST"),
                                      .url = LCORE_STR("/"),
                                      .body = LCORE_STR("once"),
                                      .read_timeout_ns = 5 * LCORE_NS_PER_S};
        response = client_call(&client, &request);
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_str(response->body, "after it");
        lc_response_free(response);
        lc_session_close_idle(client.session);
    }
    assert_int_equal(server.accepted, 4);
    client_close(&client);
    server_stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_little_is_kept),
        cmocka_unit_test(test_wrong_host),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_no_tls_there),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_goodbye),
    };
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", directory);
    snprintf(client_path, sizeof(client_path), "%s/client.pem", directory);
    snprintf(client_key_path, sizeof(client_key_path), "%s/client.key", directory);
    int failed = run_both(tests);
    unlink(cert_path);
    unlink(client_path);
    unlink(client_key_path);
    rmdir(directory);
    return failed;
}
