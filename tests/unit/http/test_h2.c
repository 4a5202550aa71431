/* HTTP/2 with a server that behaves: what a request and a response look like, many streams on one connection, bodies in
 * both directions, servers that speak HTTP/1.1 after all, TLS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "batch.h"
#include "certificate.h"
#include "h2_peer.h"

static char directory[] = "/tmp/lcore-h2-XXXXXX";
static char cert_path[64];

/* All at once; the responses are in the order in which they came. */
static void
call_all(struct client *client, struct batch *batch, const struct lc_request *request, int count)
{
    *batch = (struct batch){.client = client};
    for (int i = 0; i < count; i++) {
        batch_start(batch, request);
    }
    client_run(client, &batch->is_done);
}

static void
open_client(struct client *client, const struct server *server)
{
    client_init(client, server);
    client->options.version = LCORE_HTTP_2;
    if (server->tls != NULL) {
        struct lc_error error = {0};
        client->options.tls =
            lc_tls_new(&(struct lc_tls_options){.size = sizeof(struct lc_tls_options), .ca_file = cert_path}, &error);
        assert_non_null(client->options.tls);
    }
    client_open(client);
    lc_tls_unref(client->options.tls);
}

static SSL_CTX *make_certificate(const char *alpn);

/* ---- one call ---- */

static void
serve_one(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    assert_true(h2_begin(&h2, peer, NULL, 0));
    while (h2_wait(&h2, H2_HEADERS)) {
        if (strcmp(h2.path, "/fields") == 0) {
            h2_headers(&h2, h2.stream, 200, NULL, 0);
            h2_data(&h2, h2.stream, h2.fields, H2_END_STREAM);
        } else if (strcmp(h2.path, "/moved") == 0) {
            h2_headers(&h2, h2.stream, 302, "location: /fields\nset-cookie: a=b\n", H2_END_STREAM);
        } else if (strcmp(h2.path, "/interim") == 0) {
            h2_headers(&h2, h2.stream, 100, NULL, 0);
            h2_headers(&h2, h2.stream, 103, "link: </style.css>\n", 0);
            h2_headers(&h2, h2.stream, 200, "x-real: yes\n", 0);
            h2_data(&h2, h2.stream, "body", 0);
            uint8_t block[64];
            h2_frame(&h2, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, h2.stream, block,
                     h2_block(block, 0, "x-trailer: t\n"));
        } else if (strcmp(h2.path, "/padded") == 0) {
            h2_headers(&h2, h2.stream, 200, "content-length: 4\n", 0);
            h2_frame(&h2, H2_DATA, H2_PADDED, h2.stream,
                     "\x03"
                     "half\0\0\0",
                     8);
            h2_frame(&h2, H2_DATA, H2_END_STREAM, h2.stream, NULL, 0);
        } else if (strcmp(h2.path, "/pieces") == 0) {
            uint8_t block[512];
            size_t len = h2_block(block, 200, "x-first: 1\nx-second: 2\n");
            h2_frame(&h2, H2_HEADERS, 0, h2.stream, block, 3);
            for (size_t i = 3; i < len; i += 5) {
                h2_frame(&h2, H2_CONTINUATION, i + 5 < len ? 0 : H2_END_HEADERS, h2.stream, block + i,
                         i + 5 < len ? 5 : len - i);
            }
            h2_frame(&h2, H2_PING, 0, 0, "12345678", 8);
            h2_data(&h2, h2.stream, "a", 0);
            h2_frame(&h2, 0xbe, 0, 0, "unknown", 7); /* to be passed over */
            h2_data(&h2, h2.stream, "b", 0);
            h2_data(&h2, h2.stream, "c", H2_END_STREAM);
        } else if (strcmp(h2.path, "/missing") == 0) {
            h2_headers(&h2, h2.stream, 404, "content-length: 0\n", H2_END_STREAM);
        } else if (strcmp(h2.path, "/head") == 0) {
            h2_headers(&h2, h2.stream, 200, "content-length: 1000\n", H2_END_STREAM);
        } else {
            h2_answer(&h2, h2.stream, "hello");
        }
    }
    h2_end(&h2);
}

static void
test_one_call(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_one, NULL);
    open_client(&client, &server);
    for (int i = 0; i < 2; i++) {
        struct lc_response *response = client_get(&client, "/");
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_int_equal(response->status, 200);
        assert_int_equal(response->http_major, 2);
        assert_str(response->reason, "OK");
        assert_str(response->body, "hello");
        assert_str(response->head, "content-length: 5\r\n");
        assert_int_equal(response->wire_body_bytes, 5);
        assert_int_equal(response->is_kept_alive, i);
        const struct lc_timings *t = &response->timings;
        assert_true((t->connected_ns != 0) == (i == 0));
        assert_true(t->start_ns <= t->sent_ns && t->sent_ns <= t->first_byte_ns && t->first_byte_ns <= t->end_ns);
        assert_true(t->end_ns <= lc_clock_monotonic_ns());
        lc_response_free(response);
    }

    struct lc_header headers[] = {{LCORE_STR("X-Mixed"), LCORE_STR("Case")},
                                  {LCORE_STR("Upgrade"), LCORE_STR("nothing")},
                                  {LCORE_STR("TE"), LCORE_STR("gzip")}};
    struct lc_response *response = client_call(
        &client, &(struct lc_request){
                     .method = LCORE_STR("GET"), .url = LCORE_STR("/moved"), .headers = headers, .header_count = 3});
    char wanted[512];
    snprintf(
        wanted, sizeof(wanted),
        ":method: GET\n:scheme: http\n:authority: 127.0.0.1:%u\n:path: /fields\nuser-agent: locustcore/" LCORE_VERSION
        "\naccept-encoding: gzip, deflate\naccept: */*\nx-mixed: Case\ncookie: a=b\n",
        server.port);
    assert_str(response->body, wanted);
    assert_int_equal(response->redirect_count, 1);
    assert_str(response->previous->reason, "Found");
    lc_response_free(response);

    response = client_get(&client, "/interim");
    assert_int_equal(response->status, 200);
    assert_str(response->head, "x-real: yes\r\n");
    assert_str(response->body, "body");
    lc_response_free(response);
    response = client_get(&client, "/padded");
    assert_str(response->body, "half");
    lc_response_free(response);
    response = client_get(&client, "/pieces");
    assert_str(response->head, "x-first: 1\r\nx-second: 2\r\n");
    assert_str(response->body, "abc");
    lc_response_free(response);
    response = client_get(&client, "/missing");
    assert_int_equal(response->status, 404);
    assert_str(response->reason, "Not Found");
    assert_int_equal(response->body.len, 0);
    lc_response_free(response);
    response = client_call(&client, &(struct lc_request){.method = LCORE_STR("HEAD"), .url = LCORE_STR("/head")});
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_int_equal(response->body.len, 0);
    lc_response_free(response);
    assert_int_equal(server.accepted, 1);
    client_close(&client);
    server_stop(&server);
}

/* ---- many ---- */

/* Collects `arg` requests before it answers any, the last one first. */
static void
serve_backwards(struct peer *peer, void *arg)
{
    const uint32_t settings[][2] = {{H2_MAX_STREAMS, 0x7fffffff}};
    struct h2_peer h2;
    uint32_t streams[256];
    int wanted = *(int *)arg;
    assert_true(h2_begin(&h2, peer, settings, 1));
    for (int count = 0; count < wanted; count++) {
        if (!h2_wait(&h2, H2_HEADERS)) {
            break;
        }
        streams[count] = h2.stream;
    }
    for (int i = wanted; i-- > 0;) {
        h2_answer(&h2, streams[i], "many");
    }
    while (h2_read(&h2)) {
    }
    h2_end(&h2);
}

static void
test_many_streams(void **state)
{
    struct server server;
    struct client client;
    struct batch batch;
    int count = 80;
    server_start(&server, NULL, serve_backwards, &count);
    open_client(&client, &server);
    call_all(&client, &batch, &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("/")}, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(batch.responses[i]->fail, LCORE_FAIL_NONE);
        assert_str(batch.responses[i]->body, "many");
    }
    assert_int_equal(server.accepted, 1);
    batch_free(&batch);
    client_close(&client);
    server_stop(&server);
}

/* Allows three at once, and checks that there are no more. */
static void
serve_three(struct peer *peer, void *arg)
{
    const uint32_t settings[][2] = {{H2_MAX_STREAMS, 3}};
    struct h2_peer h2;
    uint32_t open[4];
    int count = 0;
    bool is_known = false;
    assert_true(h2_begin(&h2, peer, settings, 1));
    while (h2_read(&h2)) {
        is_known |= h2.type == H2_SETTINGS && (h2.flags & H2_ACK) != 0;
        if (h2.type != H2_HEADERS) {
            continue;
        }
        if (!is_known) {
            h2_reset(&h2, h2.stream, 7);
            continue;
        }
        *(int *)arg += count >= 3;
        open[count++] = h2.stream;
        if (count == 3) {
            while (count > 0) {
                h2_answer(&h2, open[--count], "three");
            }
        }
    }
    h2_end(&h2);
}

static void
test_stream_limit(void **state)
{
    struct server server;
    struct client client;
    struct batch batch;
    int excess = 0;
    server_start(&server, NULL, serve_three, &excess);
    open_client(&client, &server);
    struct lc_request request = {.method = LCORE_STR("POST"), .url = LCORE_STR("/")};
    call_all(&client, &batch, &request, 30);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(batch.responses[i]->fail, LCORE_FAIL_NONE);
        assert_str(batch.responses[i]->body, "three");
    }
    /* What the server makes them wait is the server's. */
    const struct lc_response *first = batch.responses[0], *last = batch.responses[29];
    assert_true(lc_response_time_ns(last) > last->timings.end_ns - first->timings.end_ns);
    assert_int_equal(excess, 0);
    assert_int_equal(server.accepted, 1);
    batch_free(&batch);
    client_close(&client);
    server_stop(&server);
}

/* ---- bodies ---- */

#define LARGE ((size_t)20 * 1000 * 1000)

/* A small window each way: uploads wait for it, downloads keep to what the client grants. */
static void
serve_bodies(struct peer *peer, void *arg)
{
    const uint32_t settings[][2] = {{H2_INITIAL_WINDOW, 10000}};
    struct h2_peer h2;
    assert_true(h2_begin(&h2, peer, settings, 1));
    int64_t window = 65535, stream_window = 6 * 1024 * 1024;
    uint64_t received = 0;
    bool is_sum_right = true;
    char path[1024] = "";
    while (h2_read(&h2)) {
        uint32_t stream = h2.stream;
        if (h2.type == H2_HEADERS) {
            snprintf(path, sizeof(path), "%s", h2.path);
            received = 0;
        }
        if (h2.type == H2_WINDOW_UPDATE && h2.stream == 0) {
            window += (int64_t)h2.payload[0] << 24 | h2.payload[1] << 16 | h2.payload[2] << 8 | h2.payload[3];
        }
        if (h2.type == H2_DATA) {
            for (size_t i = 0; i < h2.len; i++) {
                is_sum_right &= h2.payload[i] == (uint8_t)((received + i) % 251);
            }
            received += h2.len;
            if (strcmp(path, "/enough") == 0) {
                h2_answer(&h2, stream, "enough");
                path[0] = '\0';
                continue;
            }
            if (h2.len > 0 && path[0] != '\0') {
                uint8_t more[4] = {0, 0, (uint8_t)(h2.len >> 8), (uint8_t)h2.len};
                h2_frame(&h2, H2_WINDOW_UPDATE, 0, stream, more, 4);
                h2_frame(&h2, H2_WINDOW_UPDATE, 0, 0, more, 4);
            }
        }
        if ((h2.type != H2_HEADERS && h2.type != H2_DATA) || (h2.flags & H2_END_STREAM) == 0 || path[0] == '\0') {
            continue;
        }
        if (strcmp(path, "/up") == 0) {
            char text[64];
            snprintf(text, sizeof(text), "%llu %s", (unsigned long long)received, is_sum_right ? "right" : "wrong");
            h2_answer(&h2, stream, text);
        } else if (strcmp(path, "/down") == 0) {
            static char block[16384];
            memset(block, 'd', sizeof(block));
            h2_headers(&h2, stream, 200, "content-length: 20000000\n", 0);
            stream_window = 6 * 1024 * 1024;
            for (size_t left = LARGE; left > 0;) {
                size_t len = left < sizeof(block) ? left : sizeof(block);
                while (window < (int64_t)len || stream_window < (int64_t)len) {
                    if (!h2_wait(&h2, H2_WINDOW_UPDATE)) {
                        goto done;
                    }
                    int64_t more =
                        (int64_t)h2.payload[0] << 24 | h2.payload[1] << 16 | h2.payload[2] << 8 | h2.payload[3];
                    *(h2.stream == 0 ? &window : &stream_window) += more;
                }
                h2_frame(&h2, H2_DATA, left == len ? H2_END_STREAM : 0, stream, block, len);
                left -= len;
                window -= (int64_t)len;
                stream_window -= (int64_t)len;
            }
        } else {
            h2_answer(&h2, stream, "other");
        }
    }
done:
    h2_end(&h2);
}

static void
test_bodies(void **state)
{
    struct server server;
    struct client client;
    for (int is_tls = 0; is_tls < 2; is_tls++) {
        server_start(&server, is_tls ? make_certificate("\x02h2") : NULL, serve_bodies, NULL);
        open_client(&client, &server);
        char *body = malloc(1000003);
        for (size_t i = 0; i < 1000003; i++) {
            body[i] = (char)(i % 251);
        }
        struct lc_request request = {.method = LCORE_STR("POST"), .url = LCORE_STR("/up"), .body = {body, 1000003}};
        struct lc_response *response = client_call(&client, &request);
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_str(response->body, "1000003 right");
        lc_response_free(response);
        /* The answer comes before all of the body went: what is left is not sent. */
        request.url = LCORE_STR("/enough");
        response = client_call(&client, &request);
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_str(response->body, "enough");
        lc_response_free(response);
        response = client_get(&client, "/down");
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_int_equal(response->body.len, LARGE);
        assert_int_equal(response->body.data[LARGE - 1], 'd');
        lc_response_free(response);
        assert_int_equal(server.accepted, 1);
        free(body);
        client_close(&client);
        server_stop(&server);
    }
}

static void
test_body_limit(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_bodies, NULL);
    client_init(&client, &server);
    client.options.version = LCORE_HTTP_2;
    client.options.max_body_bytes = 100000;
    client_open(&client);
    client_expect(&client, "GET", "/down", LCORE_FAIL_TOO_LARGE);
    client_close(&client);
    server_stop(&server);
}

/* ---- no HTTP/2 ---- */

static void
serve_h1(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        if (strncmp(peer->input, "PRI ", 4) == 0) {
            if (*(const char *)arg != '\0') {
                peer_send(peer, arg);
            }
            return;
        }
        peer_answer(peer, "one");
    }
}

static void
test_server_without_h2(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                                          "<html>what?</html>", ""};
    for (size_t i = 0; i < 3; i++) {
        struct server server;
        struct client client;
        struct batch batch;
        server_start(&server, NULL, serve_h1, (void *)answers[i]);
        open_client(&client, &server);
        call_all(&client, &batch, &(struct lc_request){.method = LCORE_STR("POST"), .url = LCORE_STR("/")}, 3);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(batch.responses[k]->fail, LCORE_FAIL_NONE);
            assert_int_equal(batch.responses[k]->http_major, 1);
            assert_str(batch.responses[k]->body, "one");
        }
        batch_free(&batch);
        assert_int_equal(server.accepted, 4);
        /* It is remembered: no more prefaces. */
        struct lc_response *response = client_get(&client, "/");
        assert_str(response->body, "one");
        assert_int_equal(response->is_kept_alive, 1);
        lc_response_free(response);
        assert_int_equal(server.accepted, 4);
        client_close(&client);
        server_stop(&server);
    }
}

static int
choose(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
    const unsigned char *wanted = arg;
    for (unsigned at = 0; at < in_len; at += in[at] + 1u) {
        if (in[at] == wanted[0] && memcmp(in + at + 1, wanted + 1, wanted[0]) == 0) {
            *out = in + at + 1;
            *out_len = in[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *
make_certificate(const char *alpn)
{
    SSL_CTX *tls = certificate_make("DNS:localhost,IP:127.0.0.1", cert_path, NULL);
    if (alpn != NULL) {
        SSL_CTX_set_alpn_select_cb(tls, choose, (void *)alpn);
    }
    return tls;
}

static void
test_tls(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, make_certificate("\x02h2"), serve_one, NULL);
    open_client(&client, &server);
    for (int i = 0; i < 3; i++) {
        struct lc_response *response = client_get(&client, "/");
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_int_equal(response->http_major, 2);
        assert_str(response->body, "hello");
        assert_true((response->timings.tls_ns != 0) == (i == 0));
        lc_response_free(response);
    }
    assert_int_equal(server.accepted, 1);
    client_close(&client);
    server_stop(&server);

    static const char *const alpns[] = {"\x08http/1.1", NULL};
    for (int i = 0; i < 2; i++) {
        struct batch batch;
        server_start(&server, make_certificate(alpns[i]), serve_h1, NULL);
        open_client(&client, &server);
        call_all(&client, &batch, &(struct lc_request){.method = LCORE_STR("POST"), .url = LCORE_STR("/")}, 3);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(batch.responses[k]->fail, LCORE_FAIL_NONE);
            assert_int_equal(batch.responses[k]->http_major, 1);
            assert_true(batch.responses[k]->timings.tls_ns != 0);
        }
        batch_free(&batch);
        assert_int_equal(server.accepted, 3); /* the first connection is used, too */
        client_close(&client);
        server_stop(&server);
    }

    /* Not trusted: all that wait hear of it. */
    struct batch batch;
    server_start(&server, make_certificate("\x02h2"), serve_one, NULL);
    client_init(&client, &server);
    client.options.version = LCORE_HTTP_2;
    client_open(&client);
    call_all(&client, &batch, &(struct lc_request){.method = LCORE_STR("GET"), .url = LCORE_STR("/")}, 3);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(batch.responses[k]->fail, LCORE_FAIL_TLS_UNTRUSTED);
    }
    batch_free(&batch);
    client_close(&client);
    server_stop(&server);
}

static void
test_versions(void **state)
{
    struct lc_error error = {0};
    assert_int_equal(lc_http_check_version(LCORE_HTTP_1, &error), 0);
    assert_int_equal(lc_http_check_version(LCORE_HTTP_2, &error), 0);
    assert_int_equal(lc_http_check_version((enum lc_http_version)7, &error), LCE_INVALID);
    int err = lc_http_check_version(LCORE_HTTP_3, &error);
    if (err < 0) {
        assert_int_equal(err, LCE_UNSUPPORTED);
        assert_non_null(strstr(error.text, "without HTTP/3"));
        struct client client;
        client_init(&client, NULL);
        client.options.version = LCORE_HTTP_3;
        assert_null(lc_session_new(client.http, &client.options, &error));
        assert_int_equal(error.code, LCE_UNSUPPORTED);
        client_close(&client);
    }
}

int
main(void)
{
    assert_non_null(mkdtemp(directory));
    snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", directory);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_call), cmocka_unit_test(test_many_streams), cmocka_unit_test(test_stream_limit),
        cmocka_unit_test(test_bodies),   cmocka_unit_test(test_body_limit),   cmocka_unit_test(test_server_without_h2),
        cmocka_unit_test(test_tls),      cmocka_unit_test(test_versions),
    };
    int failed = run_both(tests);
    unlink(cert_path);
    rmdir(directory);
    return failed;
}
