/* Proxies: forwarding, tunnels, SOCKS, one reached over TLS (a whole libcurl transfer), credentials, failures, and what
 * the environment says. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "certificate.h"
#include "h2_peer.h"
#include "scene.h"

static char cert_path[] = "/tmp/lcore-proxy-XXXXXX";

static void
serve(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        char head[128];
        if (strstr(peer->input, "/leads-on") != NULL) {
            snprintf(head, sizeof(head),
                     "HTTP/1.1 302 Found\r\nLocation: https://us%%65r:pass@127.0.0.1:%u/\r\nContent-Length: 0\r\n\r\n",
                     peer->server->port);
            peer_send(peer, head);
            continue;
        }
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nSet-Cookie: seen=1\r\nContent-Length: %zu\r\n\r\n",
                 peer->request_len);
        peer_send(peer, head);
        peer_send_bytes(peer, peer->input, peer->request_len);
    }
}

static int
connect_local(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Bytes both ways until one side ends. */
static void
relay(struct peer *peer, int fd)
{
    char data[16384];
    struct pollfd watched[2] = {{peer->fd, POLLIN, 0}, {fd, POLLIN, 0}};
    for (;;) {
        bool is_pending = peer->ssl != NULL && SSL_pending(peer->ssl) > 0;
        if (poll(watched, 2, is_pending ? 0 : -1) < 0) {
            break;
        }
        if (is_pending || watched[0].revents != 0) {
            ssize_t got =
                peer->ssl != NULL ? SSL_read(peer->ssl, data, sizeof(data)) : recv(peer->fd, data, sizeof(data), 0);
            if (got <= 0 || send(fd, data, (size_t)got, MSG_NOSIGNAL) != got) {
                break;
            }
        }
        if (watched[1].revents != 0) {
            ssize_t got = recv(fd, data, sizeof(data), 0);
            if (got <= 0) {
                break;
            }
            peer_send_bytes(peer, data, (size_t)got);
        }
    }
    close(fd);
}

/* CONNECT makes a tunnel, anything else is echoed. With `arg` it wants "user:pass". */
static void
serve_proxy(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        if (arg != NULL && strstr(peer->input, "\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n") == NULL) {
            peer_send(peer,
                      "HTTP/1.1 407 Authenticate\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n");
            continue;
        }
        if (strncmp(peer->input, "CONNECT ", 8) != 0) {
            char head[64];
            snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", peer->request_len);
            peer_send(peer, head);
            peer_send_bytes(peer, peer->input, peer->request_len);
            continue;
        }
        int fd = connect_local((unsigned)atoi(strchr(peer->input, ':') + 1));
        if (fd < 0) {
            peer_send(peer, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
            continue;
        }
        peer_send(peer, "HTTP/1.1 200 Connected\r\n\r\n");
        relay(peer, fd);
        return;
    }
}

static void
serve_socks5(struct peer *peer, void *arg)
{
    unsigned char data[512];
    if (recv(peer->fd, data, sizeof(data), 0) < 3 || data[0] != 5) {
        return;
    }
    peer_send_bytes(peer, "\x05\x00", 2);
    ssize_t got = recv(peer->fd, data, sizeof(data), 0);
    if (got < 10) {
        return;
    }
    int fd = connect_local((unsigned)data[got - 2] << 8 | data[got - 1]);
    peer_send_bytes(peer, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10);
    relay(peer, fd);
}

struct stage {
    struct server server, proxy;
    struct client client;
    struct lc_tls *tls;
    char proxy_url[96];
};

static void
stage_open(struct stage *stage, bool is_https, server_fn *proxy, void *proxy_arg, bool is_proxy_tls, const char *form)
{
    SSL_CTX *context = certificate_make("DNS:localhost,IP:127.0.0.1", cert_path, NULL);
    SSL_CTX_up_ref(context);
    server_start(&stage->server, is_https ? context : NULL, serve, NULL);
    server_start(&stage->proxy, is_proxy_tls ? context : NULL, proxy, proxy_arg);
    stage->tls =
        lc_tls_new(&(struct lc_tls_options){.size = sizeof(struct lc_tls_options), .ca_file = cert_path}, NULL);
    assert_non_null(stage->tls);
    if (!is_https) {
        SSL_CTX_free(context);
    }
    if (!is_proxy_tls) {
        SSL_CTX_free(context);
    }
    client_init(&stage->client, &stage->server);
    snprintf(stage->proxy_url, sizeof(stage->proxy_url), form, stage->proxy.port);
    stage->client.options.proxy = stage->proxy_url;
    stage->client.options.tls = stage->tls;
    client_open(&stage->client);
}

static void
stage_close(struct stage *stage)
{
    client_close(&stage->client);
    lc_tls_unref(stage->tls);
    server_stop(&stage->server);
    server_stop(&stage->proxy);
}

static bool
has(struct lc_str text, const char *part)
{
    return memmem(text.data, text.len, part, strlen(part)) != NULL;
}

static void
test_forwarding(void **state)
{
    static const char *const forms[] = {"http://user:pass@127.0.0.1:%u", "user:pass@127.0.0.1:%u/"};
    for (int i = 0; i < 2; i++) {
        struct stage stage;
        stage_open(&stage, false, serve_proxy, "auth", false, forms[i]);
        for (int kept = 0; kept < 2; kept++) {
            struct lc_response *response = client_get(&stage.client, "/a?b#c");
            assert_int_equal(response->fail, LCORE_FAIL_NONE);
            char line[96];
            snprintf(line, sizeof(line), "GET http://127.0.0.1:%u/a?b HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n",
                     stage.server.port, stage.server.port);
            assert_true(has(response->body, line));
            assert_int_equal(response->is_kept_alive, kept);
            lc_response_free(response);
        }
        assert_int_equal(stage.server.accepted, 0);
        /* The call's "none" goes before the session's proxy. */
        struct lc_response *response = client_call(
            &stage.client, &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("/"), .proxy = ""});
        assert_true(has(response->body, "GET / HTTP/1.1\r\n"));
        assert_false(has(response->body, "Proxy-Authorization"));
        lc_response_free(response);
        assert_int_equal(stage.server.accepted, 1);
        stage_close(&stage);
    }
}

static void
expect_tunnel(struct stage *stage)
{
    for (int i = 0; i < 2; i++) {
        struct lc_response *response = client_get(&stage->client, "/t");
        if (response->fail != LCORE_FAIL_NONE) {
            fail_msg("%.*s", (int)response->fail_text.len, response->fail_text.data);
        }
        assert_true(has(response->body, "GET /t HTTP/1.1\r\n"));
        assert_false(has(response->body, "Proxy-"));
        assert_int_equal(has(response->body, "Cookie: seen=1\r\n"), i);
        lc_response_free(response);
    }
    assert_int_equal(stage->server.accepted, 1);
    assert_int_equal(stage->proxy.accepted, 1);
    struct lc_response *response = client_post(&stage->client, "/p", "posted");
    assert_true(has(response->body, "Content-Length: 6\r\n"));
    assert_true(has(response->body, "\r\n\r\nposted"));
    lc_response_free(response);
    response = client_call(&stage->client, &(struct lc_request){.method = LCORE_STR("HEAD"), .url = LCORE_STR("/h")});
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_int_equal(response->status, 200);
    assert_int_equal(response->body.len, 0);
    lc_response_free(response);
}

static void
test_tunnels(void **state)
{
    struct stage stage;
    stage_open(&stage, true, serve_proxy, "auth", false, "http://user:pass@127.0.0.1:%u");
    expect_tunnel(&stage);
    stage_close(&stage);
    stage_open(&stage, false, serve_socks5, NULL, false, "socks5h://127.0.0.1:%u");
    expect_tunnel(&stage);
    stage_close(&stage);
    stage_open(&stage, true, serve_socks5, NULL, false, "socks5://127.0.0.1:%u");
    expect_tunnel(&stage);
    stage_close(&stage);
}

/* Of a URL's credentials those count that the session takes: not the ones of a redirect, as in requests. */
static void
expect_credentials_of_the_call(struct stage *stage)
{
    char with_credentials[96];
    snprintf(with_credentials, sizeof(with_credentials), "https://user:pass@127.0.0.1:%u/", stage->server.port);
    static const char *const proxies[] = {"", NULL};
    lc_session_close_idle(stage->client.session);
    for (int i = 0; i < 2; i++) {
        struct lc_request request = {.method = LCORE_STR("GET"), .proxy = proxies[i]};
        request.url = lc_str_from(with_credentials);
        struct lc_response *response = client_call(&stage->client, &request);
        assert_true(has(response->body, "\r\nAuthorization: Basic dXNlcjpwYXNz\r\n"));
        lc_response_free(response);
        request.url = LCORE_STR("/leads-on");
        response = client_call(&stage->client, &request);
        assert_int_equal(response->redirect_count, 1);
        assert_true(has(response->body, "GET / HTTP/1.1\r\n"));
        assert_false(has(response->body, "Authorization"));
        lc_response_free(response);
    }
}

/* API-172: the session does not know which transport serves it. */
static void
test_proxy_over_tls(void **state)
{
    struct stage stage;
    stage_open(&stage, true, serve_proxy, "auth", true, "https://user:pass@127.0.0.1:%u");
    expect_tunnel(&stage);
    expect_credentials_of_the_call(&stage);
    stage_close(&stage);
    stage_open(&stage, false, serve_proxy, "auth", true, "https://user:pass@127.0.0.1:%u");
    struct lc_response *response = client_get(&stage.client, "/f");
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_true(has(response->body, "GET http://127.0.0.1:"));
    assert_true(response->timings.end_ns >= response->timings.first_byte_ns);
    lc_response_free(response);
    stage_close(&stage);
}

/* ---- HTTP/2 ---- */

static int
choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
          void *arg)
{
    for (unsigned at = 0; at < in_len; at += in[at] + 1u) {
        if (in[at] == 2 && memcmp(in + at + 1, "h2", 2) == 0) {
            *out = in + at + 1;
            *out_len = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* Says in which version it was asked, and for what. */
static void
serve_h2(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    assert_true(h2_begin(&h2, peer, NULL, 0));
    while (h2_wait(&h2, H2_HEADERS)) {
        if (strcmp(h2.path, "/missing") == 0) {
            h2_headers(&h2, h2.stream, 404, NULL, H2_END_STREAM);
            continue;
        }
        uint32_t stream = h2.stream;
        while ((h2.flags & H2_END_STREAM) == 0 && h2_wait(&h2, H2_DATA)) {
        }
        h2_headers(&h2, stream, 200, NULL, 0);
        h2_data(&h2, stream, h2.fields, H2_END_STREAM);
    }
    h2_end(&h2);
}

/* Behind a tunnel HTTP/2 is spoken, whoever made the tunnel; also by libcurl where the proxy is reached over TLS. */
static void
test_http2(void **state)
{
    static const struct {
        server_fn *proxy;
        bool is_proxy_tls;
        const char *form;
    } ways[] = {
        {serve_proxy, false, "http://user:pass@127.0.0.1:%u"},
        {serve_socks5, false, "socks5h://127.0.0.1:%u"},
        {serve_proxy, true, "https://user:pass@127.0.0.1:%u"},
    };
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct stage stage;
        stage_open(&stage, true, ways[i].proxy, ways[i].proxy == serve_proxy ? "auth" : NULL, ways[i].is_proxy_tls,
                   ways[i].form);
        SSL_CTX_set_alpn_select_cb(stage.server.tls, choose_h2, NULL);
        stage.server.fn = serve_h2;
        lc_session_free(stage.client.session);
        stage.client.options.version = LCORE_HTTP_2;
        client_open(&stage.client);
        for (int kept = 0; kept < 2; kept++) {
            struct lc_response *response = client_post(&stage.client, "/t", "posted");
            if (response->fail != LCORE_FAIL_NONE) {
                fail_msg("%s: %.*s", ways[i].form, (int)response->fail_text.len, response->fail_text.data);
            }
            assert_int_equal(response->http_major, 2);
            assert_str(response->reason, "OK");
            assert_true(has(response->body, ":method: POST\n"));
            assert_true(has(response->body, ":path: /t\n"));
            assert_true(has(response->body, "content-length: 6\n"));
            assert_false(has(response->body, "connection: "));
            assert_int_equal(response->is_kept_alive, kept);
            assert_true((response->timings.connected_ns != 0) == !kept);
            lc_response_free(response);
        }
        struct lc_response *response = client_get(&stage.client, "/missing");
        assert_int_equal(response->status, 404);
        assert_str(response->reason, "Not Found");
        lc_response_free(response);
        assert_int_equal(stage.server.accepted, 1);
        stage_close(&stage);
    }
    /* A proxy that forwards is spoken to in HTTP/1.1. */
    struct stage stage;
    stage_open(&stage, false, serve_proxy, NULL, false, "http://127.0.0.1:%u");
    lc_session_free(stage.client.session);
    stage.client.options.version = LCORE_HTTP_2;
    client_open(&stage.client);
    struct lc_response *response = client_get(&stage.client, "/f");
    assert_int_equal(response->http_major, 1);
    assert_true(has(response->body, "GET http://127.0.0.1:"));
    lc_response_free(response);
    stage_close(&stage);
}

static void
serve_hang(struct peer *peer, void *arg)
{
    peer_wait_end(peer);
}

static void
never_called(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    fail_msg("called though canceled");
}

static void
test_failures(void **state)
{
    struct stage stage;
    stage_open(&stage, true, serve_proxy, "auth", false, "http://127.0.0.1:%u");
    client_expect(&stage.client, "GET", "/", LCORE_FAIL_PROXY); /* 407 */
    client_expect(&stage.client, "GET", "https://127.0.0.1:1/", LCORE_FAIL_PROXY);
    stage_close(&stage);
    stage_open(&stage, true, serve_proxy, NULL, false, "http://127.0.0.1:1/%u");
    client_expect(&stage.client, "GET", "/", LCORE_FAIL_PROXY);
    stage_close(&stage);
    stage_open(&stage, true, serve_proxy, "auth", true, "https://127.0.0.1:%u");
    client_expect(&stage.client, "GET", "/", LCORE_FAIL_PROXY);
    stage_close(&stage);
    stage_open(&stage, true, serve_hang, NULL, true, "https://127.0.0.1:%u");
    struct lc_response *response =
        client_call(&stage.client, &(struct lc_request){.method = LCORE_STR("GET"),
                                                        .url = LCORE_STR("/"),
                                                        .connect_timeout_ns = 50 * LCORE_NS_PER_MS});
    assert_int_equal(response->fail, LCORE_FAIL_CONNECT_TIMEOUT);
    lc_response_free(response);
    struct lc_exchange *exchange;
    struct lc_request request = {.method = LCORE_STR("GET"), .url = LCORE_STR("/")};
    assert_int_equal(lc_session_start(stage.client.session, &request, 0, never_called, NULL, &exchange, NULL), 0);
    client_run_ms(&stage.client, 30);
    lc_exchange_cancel(exchange);
    assert_int_equal(lc_session_start(stage.client.session, &request, 0, never_called, NULL, &exchange, NULL), 0);
    client_run_ms(&stage.client, 30);
    stage_close(&stage);
    stage_open(&stage, false, serve_hang, NULL, true, "https://127.0.0.1:%u");
    response = client_call(&stage.client, &(struct lc_request){.method = LCORE_STR("GET"),
                                                               .url = LCORE_STR("/"),
                                                               .read_timeout_ns = 50 * LCORE_NS_PER_MS});
    assert_int_equal(response->fail, LCORE_FAIL_READ_TIMEOUT);
    lc_response_free(response);
    stage_close(&stage);
}

static void
test_environment(void **state)
{
    struct stage stage;
    stage_open(&stage, false, serve_proxy, NULL, false, "http://127.0.0.1:%u");
    setenv("http_proxy", stage.proxy_url, 1);
    lc_session_free(stage.client.session);
    stage.client.options.proxy = NULL;
    client_open(&stage.client);
    client_expect(&stage.client, "GET", "/", LCORE_FAIL_NONE);
    assert_int_equal(stage.proxy.accepted, 0);
    lc_session_free(stage.client.session);
    stage.client.options.is_using_env_proxy = true;
    client_open(&stage.client);
    client_expect(&stage.client, "GET", "/", LCORE_FAIL_NONE);
    assert_int_equal(stage.proxy.accepted, 1);
    static const char *const exempt[] = {"*", "127.0.0.1", "10.0.0.0/8, 127.0.0.0/8"};
    for (int i = 0; i < 3; i++) {
        setenv("no_proxy", exempt[i], 1);
        client_expect(&stage.client, "GET", "/", LCORE_FAIL_NONE);
        assert_int_equal(stage.proxy.accepted, 1);
    }
    setenv("no_proxy", "example.com,10.0.0.0/8", 1);
    client_expect(&stage.client, "GET", "/", LCORE_FAIL_NONE);
    assert_int_equal(stage.proxy.requests, 2);
    unsetenv("no_proxy");
    unsetenv("http_proxy");
    stage_close(&stage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forwarding), cmocka_unit_test(test_tunnels),  cmocka_unit_test(test_proxy_over_tls),
        cmocka_unit_test(test_http2),      cmocka_unit_test(test_failures), cmocka_unit_test(test_environment),
    };
    int fd = mkstemp(cert_path);
    if (fd < 0) {
        return 1;
    }
    close(fd);
    int failed = run_both(tests);
    unlink(cert_path);
    return failed;
}
