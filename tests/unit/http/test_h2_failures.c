/* HTTP/2 with servers that refuse, reset, say goodbye, stall, or make no sense: never a crash or a hang, and always a
 * text that says what happened. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "batch.h"
#include "h2_peer.h"

static void
start(struct batch *batch, const char *method, const char *url)
{
    batch_start(batch, &(struct lc_request){.method = lc_str_from(method), .url = lc_str_from(url)});
}

static void
open_client(struct client *client, const struct server *server)
{
    client_init(client, server);
    client->options.version = LCORE_HTTP_2;
    client->options.read_timeout_ns = 15 * LCORE_NS_PER_S; /* whatever hangs is a failure of these tests */
    client_open(client);
}

static void
expect(struct client *client, const char *method, const char *url, enum lc_fail fail, const char *text)
{
    struct lc_response *response =
        client_call(client, &(struct lc_request){.method = lc_str_from(method), .url = lc_str_from(url)});
    if (response->fail != fail ||
        (text != NULL && memmem(response->fail_text.data, response->fail_text.len, text, strlen(text)) == NULL)) {
        fail_msg("%s %s: %d %.*s", method, url, response->fail, (int)response->fail_text.len, response->fail_text.data);
    }
    lc_response_free(response);
}

/* ---- RST_STREAM ---- */

/* /CODE resets with that code; /late/CODE after the head and some of the body; /once refuses every other request. */
static void
serve_resets(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    int seen = 0;
    if (!h2_begin(&h2, peer, NULL, 0)) {
        /* The second try in HTTP/1.1. */
        peer_read(peer);
        peer_answer(peer, "plain");
        return;
    }
    while (h2_wait(&h2, H2_HEADERS)) {
        if (strncmp(h2.path, "/late/", 6) == 0) {
            h2_headers(&h2, h2.stream, 200, "content-length: 100\n", 0);
            h2_data(&h2, h2.stream, "some", 0);
            h2_reset(&h2, h2.stream, (uint32_t)atoi(h2.path + 6));
        } else if (strcmp(h2.path, "/once") == 0 && seen++ % 2 == 0) {
            h2_reset(&h2, h2.stream, 7);
        } else if (strcmp(h2.path, "/once") == 0 || strcmp(h2.path, "/fine") == 0) {
            h2_answer(&h2, h2.stream, "fine");
        } else {
            h2_reset(&h2, h2.stream, (uint32_t)atoi(h2.path + 1));
        }
    }
    h2_end(&h2);
}

static void
test_resets(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_resets, NULL);
    open_client(&client, &server);
    expect(&client, "GET", "/0", LCORE_FAIL_STREAM, "NO_ERROR (0)");
    expect(&client, "GET", "/1", LCORE_FAIL_STREAM, "PROTOCOL_ERROR (1)");
    expect(&client, "POST", "/2", LCORE_FAIL_STREAM, "stream reset by the server: INTERNAL_ERROR (2)");
    for (int code = 3; code <= 12; code++) {
        char url[16];
        snprintf(url, sizeof(url), "/%d", code);
        expect(&client, "GET", url, LCORE_FAIL_STREAM, "stream reset by the server: ");
        snprintf(url, sizeof(url), "/late/%d", code);
        expect(&client, "GET", url, LCORE_FAIL_INCOMPLETE, "after 4 bytes, 96 more were announced: stream reset");
    }
    expect(&client, "GET", "/4000000", LCORE_FAIL_STREAM, "unknown error code (4000000)");
    expect(&client, "GET", "/late/0", LCORE_FAIL_INCOMPLETE, "NO_ERROR");
    /* Refused: once more, also what is not idempotent, but not for ever. */
    int before = server.requests;
    expect(&client, "POST", "/once", LCORE_FAIL_NONE, NULL);
    assert_int_equal(server.requests - before, 2);
    before = server.requests;
    expect(&client, "POST", "/7", LCORE_FAIL_STREAM, "REFUSED_STREAM (7)");
    assert_in_range(server.requests - before, 2, 10);
    assert_int_equal(server.accepted, 1);
    expect(&client, "GET", "/fine", LCORE_FAIL_NONE, NULL);
    client_close(&client);
    server_stop(&server);
}

static void
serve_h1_required(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    if (peer->index > 0) {
        while (peer_read(peer)) {
            peer_answer(peer, "plain");
        }
        return;
    }
    h2_begin(&h2, peer, NULL, 0);
    while (h2_wait(&h2, H2_HEADERS)) {
        h2_reset(&h2, h2.stream, 13);
    }
    h2_end(&h2);
}

static void
test_h1_required(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_h1_required, NULL);
    open_client(&client, &server);
    struct lc_response *response = client_get(&client, "/");
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_int_equal(response->http_major, 1);
    assert_str(response->body, "plain");
    lc_response_free(response);
    client_close(&client);
    server_stop(&server);
}

/* ---- GOAWAY ---- */

/* The first connection answers one request of four and has not looked at the others; the second answers all. */
static void
serve_goodbye(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    uint32_t streams[4];
    assert_true(h2_begin(&h2, peer, NULL, 0));
    if (peer->index == 0) {
        for (int i = 0; i < 4; i++) {
            if (!h2_wait(&h2, H2_HEADERS)) {
                break;
            }
            streams[i] = h2.stream;
        }
        h2_goaway(&h2, streams[0], 0, "");
        h2_answer(&h2, streams[0], "first");
    } else {
        while (h2_wait(&h2, H2_HEADERS)) {
            h2_answer(&h2, h2.stream, "second");
        }
    }
    peer_wait_end(peer);
    h2_end(&h2);
}

static void
test_goaway(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_goodbye, NULL);
    open_client(&client, &server);
    struct batch batch = {.client = &client};
    for (int i = 0; i < 4; i++) {
        start(&batch, "POST", "/");
    }
    client_run(&client, &batch.is_done);
    int firsts = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(batch.responses[i]->fail, LCORE_FAIL_NONE);
        firsts += batch.responses[i]->body.len == 5;
    }
    assert_int_equal(firsts, 1);
    assert_int_equal(server.accepted, 2);
    batch_free(&batch);
    client_close(&client);
    server_stop(&server);
}

static void
serve_anger(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    assert_true(h2_begin(&h2, peer, NULL, 0));
    if (h2_wait(&h2, H2_HEADERS)) {
        h2_goaway(&h2, h2.stream, 11, "slow\tdown");
    }
    h2_end(&h2);
}

static void
test_goaway_with_error(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_anger, NULL);
    open_client(&client, &server);
    expect(&client, "GET", "/", LCORE_FAIL_PROTOCOL, "server ended the connection: ENHANCE_YOUR_CALM (slow?down)");
    expect(&client, "POST", "/", LCORE_FAIL_PROTOCOL, "ENHANCE_YOUR_CALM");
    client_close(&client);
    server_stop(&server);
}

/* Never looks at anything. */
static void
serve_goodbye_always(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    assert_true(h2_begin(&h2, peer, NULL, 0));
    if (h2_wait(&h2, H2_HEADERS)) {
        h2_goaway(&h2, 0, 0, "");
    }
    peer_wait_end(peer);
    h2_end(&h2);
}

static void
test_goaway_for_ever(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_goodbye_always, NULL);
    open_client(&client, &server);
    expect(&client, "GET", "/", LCORE_FAIL_STREAM, "REFUSED_STREAM");
    assert_in_range(server.accepted, 2, 10);
    client_close(&client);
    server_stop(&server);
}

/* ---- connections that end ---- */

/* /close closes, /half after half of the body, /reset with RST; an idle connection is closed after /last. */
static void
serve_ends(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    assert_true(h2_begin(&h2, peer, NULL, 0));
    while (h2_wait(&h2, H2_HEADERS)) {
        if (strcmp(h2.path, "/half") == 0) {
            h2_headers(&h2, h2.stream, 200, "content-length: 10\n", 0);
            h2_data(&h2, h2.stream, "12345", 0);
        } else if (strcmp(h2.path, "/reset") == 0) {
            peer_reset(peer);
        } else if (strcmp(h2.path, "/second") == 0 && peer->index > *(int *)arg) {
            h2_answer(&h2, h2.stream, "second");
            continue;
        } else if (strcmp(h2.path, "/fine") == 0 || strcmp(h2.path, "/last") == 0) {
            h2_answer(&h2, h2.stream, "fine");
            if (strcmp(h2.path, "/fine") == 0) {
                continue;
            }
        }
        break;
    }
    h2_end(&h2);
}

static void
test_ends(void **state)
{
    struct server server;
    struct client client;
    int first = 0;
    server_start(&server, NULL, serve_ends, &first);
    open_client(&client, &server);
    expect(&client, "GET", "/fine", LCORE_FAIL_NONE, NULL);
    expect(&client, "GET", "/half", LCORE_FAIL_INCOMPLETE, "body ended early after 5 bytes, 5 more were announced");
    expect(&client, "POST", "/close", LCORE_FAIL_CLOSED, "closed without a response");
    expect(&client, "POST", "/reset", LCORE_FAIL_RESET, NULL);
    /* A kept-alive connection that ends before anything came is tried once more, if that does no harm. */
    expect(&client, "GET", "/fine", LCORE_FAIL_NONE, NULL);
    first = server.accepted - 1;
    int before = server.accepted;
    expect(&client, "GET", "/second", LCORE_FAIL_NONE, NULL);
    assert_int_equal(server.accepted - before, 1);
    expect(&client, "GET", "/fine", LCORE_FAIL_NONE, NULL);
    expect(&client, "POST", "/close", LCORE_FAIL_CLOSED, NULL);
    for (int i = 0; i < 2; i++) {
        expect(&client, "POST", "/last", LCORE_FAIL_NONE, NULL);
        server_wait_end(&server);
        client_run_ms(&client, 30);
        expect(&client, "POST", "/last", LCORE_FAIL_NONE, NULL);
        server_wait_end(&server);
        pause_ms(150); /* closed, and the loop had no occasion to see it */
    }
    client_close(&client);
    server_stop(&server);
}

/* ---- what makes no sense ---- */

struct nonsense {
    const char *path;
    uint8_t type, flags;
    uint32_t stream; /* 0xff: that of the request */
    const char *payload;
    size_t len;
};

static const struct nonsense nonsenses[] = {
    {"/data-on-0", H2_DATA, 0, 0, "x", 1},
    {"/headers-on-0", H2_HEADERS, H2_END_HEADERS, 0, "\x88", 1},
    {"/data-before-headers", H2_DATA, 0, 0xff, "x", 1},
    {"/bad-index", H2_HEADERS, H2_END_HEADERS, 0xff, "\xff\xff\xff\xff\x0f", 5},
    {"/bad-huffman", H2_HEADERS, H2_END_HEADERS, 0xff, "\x08\x83\xff\xff\xff", 5},
    {"/index-0", H2_HEADERS, H2_END_HEADERS, 0xff, "\x80", 1},
    {"/truncated-block", H2_HEADERS, H2_END_HEADERS, 0xff,
     "\x08\x03"
     "20",
     4},
    {"/table-update", H2_HEADERS, H2_END_HEADERS, 0xff, "\x3f\xff\xff\xff\x0f", 5},
    {"/padding", H2_HEADERS, H2_END_HEADERS | H2_PADDED, 0xff, "\x09\x88", 2},
    {"/push", H2_PUSH_PROMISE, H2_END_HEADERS, 0xff, "\0\0\0\2\x82\x84\x86\x41\x01h", 10},
    {"/settings-length", H2_SETTINGS, 0, 0, "12345", 5},
    {"/settings-stream", H2_SETTINGS, 0, 0xff, "", 0},
    {"/settings-frame-size", H2_SETTINGS, 0, 0, "\0\5\0\0\0\1", 6},
    {"/settings-window", H2_SETTINGS, 0, 0, "\0\4\xff\xff\xff\xff", 6},
    {"/ping-length", H2_PING, 0, 0, "123", 3},
    {"/ping-stream", H2_PING, 0, 0xff, "12345678", 8},
    {"/window-0", H2_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4},
    {"/window-overflow", H2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4},
    {"/window-length", H2_WINDOW_UPDATE, 0, 0, "12", 2},
    {"/goaway-length", H2_GOAWAY, 0, 0, "12", 2},
    {"/rst-idle", H2_RST_STREAM, 0, 7777, "\0\0\0\0", 4},
    {"/rst-length", H2_RST_STREAM, 0, 0xff, "12", 2},
    {"/continuation", H2_CONTINUATION, H2_END_HEADERS, 0xff, "\x88", 1},
    {"/even-stream", H2_HEADERS, H2_END_HEADERS, 2, "\x88", 1},
    {"/no-status", H2_HEADERS, H2_END_HEADERS, 0xff, "", 0},
    {"/upper-case", H2_HEADERS, H2_END_HEADERS, 0xff, "\x88\0\1X\1y", 6},
    {"/connection", H2_HEADERS, H2_END_HEADERS, 0xff, "\x88\0\nconnection\1y", 15},
    {"/line-break", H2_HEADERS, H2_END_HEADERS, 0xff, "\x88\0\1x\4a\r\nb", 9},
    {"/request-pseudo", H2_HEADERS, H2_END_HEADERS, 0xff, "\x88\x82", 2},
    {"/status-101", H2_HEADERS, H2_END_HEADERS, 0xff,
     "\x08\x03"
     "101",
     5},
    {"/status-abc", H2_HEADERS, H2_END_HEADERS, 0xff,
     "\x08\x03"
     "abc",
     5},
    {"/content-length", H2_HEADERS, H2_END_HEADERS, 0xff, "\x88\x0f\x0d\3-10", 7},
};

static void
serve_nonsense(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    const struct nonsense *one = arg;
    assert_true(h2_begin(&h2, peer, NULL, 0));
    while (h2_wait(&h2, H2_HEADERS)) {
        uint32_t stream = one->stream == 0xff ? h2.stream : one->stream;
        h2_frame(&h2, one->type, one->flags, stream, one->payload, one->len);
    }
    h2_end(&h2);
}

static void
test_nonsense(void **state)
{
    for (size_t i = 0; i < sizeof(nonsenses) / sizeof(nonsenses[0]); i++) {
        struct server server;
        struct client client;
        server_start(&server, NULL, serve_nonsense, (void *)&nonsenses[i]);
        open_client(&client, &server);
        expect(&client, "GET", nonsenses[i].path, LCORE_FAIL_PROTOCOL, "malformed HTTP/2: ");
        client_close(&client);
        server_stop(&server);
    }
}

/* Answers that are well formed but are not what they say. */
static void
serve_lies(struct peer *peer, void *arg)
{
    static char large[60000];
    struct h2_peer h2;
    assert_true(h2_begin(&h2, peer, NULL, 0));
    while (h2_wait(&h2, H2_HEADERS)) {
        uint32_t stream = h2.stream;
        if (strcmp(h2.path, "/short") == 0) {
            h2_headers(&h2, stream, 200, "content-length: 10\n", 0);
            h2_data(&h2, stream, "12345", H2_END_STREAM);
        } else if (strcmp(h2.path, "/long") == 0) {
            h2_headers(&h2, stream, 200, "content-length: 3\n", 0);
            h2_data(&h2, stream, "12345", H2_END_STREAM);
        } else if (strcmp(h2.path, "/twice") == 0) {
            h2_headers(&h2, stream, 200, NULL, 0);
            h2_headers(&h2, stream, 200, NULL, 0);
        } else if (strcmp(h2.path, "/trailer-open") == 0) {
            h2_headers(&h2, stream, 200, NULL, 0);
            uint8_t block[32];
            h2_frame(&h2, H2_HEADERS, H2_END_HEADERS, stream, block, h2_block(block, 0, "x: y\n"));
        } else if (strcmp(h2.path, "/gzip") == 0) {
            h2_headers(&h2, stream, 200, "content-encoding: gzip\n", 0);
            h2_data(&h2, stream, "this is not gzip", H2_END_STREAM);
        } else if (strcmp(h2.path, "/bomb") == 0) {
            /* One large field in the table, named again and again: 1 MB for 270 bytes. */
            uint8_t block[5000];
            block[0] = 0x88;
            block[1] = 0x40;
            block[2] = 1;
            block[3] = 'x';
            block[4] = 127;
            block[5] = (uint8_t)(((3900 - 127) & 127) | 128);
            block[6] = (uint8_t)((3900 - 127) >> 7);
            memset(block + 7, 'v', 3900);
            memset(block + 3907, 0xbe, 250);
            h2_frame(&h2, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, stream, block, 3907 + 250);
        } else if (strcmp(h2.path, "/fields") == 0) {
            uint8_t block[4096];
            block[0] = 0x88;
            for (int i = 0; i < 300; i++) {
                memcpy(block + 1 + i * 5, "\0\1x\1y", 5);
            }
            h2_frame(&h2, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, stream, block, 1501);
        } else if (strcmp(h2.path, "/endless") == 0) {
            memset(large, 0, sizeof(large));
            h2_frame(&h2, H2_HEADERS, 0, stream, "\x88", 1);
            for (int i = 0; i < 16000; i += 4) {
                memcpy(large + i, "\0\1x\0", 4);
            }
            for (int i = 0; i < 2000; i++) {
                h2_frame(&h2, H2_CONTINUATION, 0, stream, large, 16000);
            }
        } else if (strcmp(h2.path, "/large-head") == 0) {
            uint8_t block[16384];
            memset(large, 'v', 15000);
            memcpy(large, "x: ", 3);
            large[15000] = '\n';
            large[15001] = '\0';
            size_t len = h2_block(block, 0, large);
            h2_frame(&h2, H2_HEADERS, 0, stream, "\x88", 1);
            for (int i = 0; i < 13; i++) {
                h2_frame(&h2, H2_CONTINUATION, i == 12 ? H2_END_HEADERS : 0, stream, block, len);
            }
            h2_data(&h2, stream, "fits", H2_END_STREAM);
        } else {
            h2_answer(&h2, stream, "fine");
        }
    }
    h2_end(&h2);
}

static void
test_lies(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_lies, NULL);
    open_client(&client, &server);
    expect(&client, "GET", "/short", LCORE_FAIL_INCOMPLETE, "body ended early after 5 bytes, 5 more were announced");
    expect(&client, "GET", "/long", LCORE_FAIL_INCOMPLETE, "malformed HTTP/2");
    expect(&client, "GET", "/twice", LCORE_FAIL_INCOMPLETE, "malformed HTTP/2");
    expect(&client, "GET", "/trailer-open", LCORE_FAIL_INCOMPLETE, "malformed HTTP/2");
    expect(&client, "GET", "/gzip", LCORE_FAIL_DECODE, NULL);
    expect(&client, "GET", "/fine", LCORE_FAIL_NONE, NULL);
    expect(&client, "GET", "/bomb", LCORE_FAIL_HEADER_TOO_LARGE, NULL);
    expect(&client, "GET", "/fields", LCORE_FAIL_HEADER_TOO_LARGE, NULL);
    struct lc_response *response = client_get(&client, "/large-head");
    assert_int_equal(response->fail, LCORE_FAIL_NONE);
    assert_in_range(response->head.len, 190000, 200000);
    lc_response_free(response);
    response = client_get(&client, "/endless");
    assert_true(response->fail == LCORE_FAIL_HEADER_TOO_LARGE || response->fail == LCORE_FAIL_PROTOCOL);
    lc_response_free(response);
    expect(&client, "GET", "/fine", LCORE_FAIL_NONE, NULL);
    client_close(&client);
    server_stop(&server);
}

/* Bytes that are no frames, after the first frame was one. */
static void
serve_garbage(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    assert_true(h2_begin(&h2, peer, NULL, 0));
    if (h2_wait(&h2, H2_HEADERS)) {
        char garbage[4000];
        unsigned seed = (unsigned)(intptr_t)arg;
        for (size_t i = 0; i < sizeof(garbage); i++) {
            seed = seed * 1103515245 + 12345;
            garbage[i] = (char)(seed >> 16);
        }
        peer_send_bytes(peer, garbage, sizeof(garbage));
    }
    h2_end(&h2);
}

static void
test_garbage(void **state)
{
    for (intptr_t seed = 1; seed < 20; seed++) {
        struct server server;
        struct client client;
        server_start(&server, NULL, serve_garbage, (void *)seed);
        open_client(&client, &server);
        struct lc_response *response =
            client_call(&client, &(struct lc_request){.method = LCORE_STR("POST"), .url = LCORE_STR("/")});
        assert_true(response->fail == LCORE_FAIL_PROTOCOL || response->fail == LCORE_FAIL_CLOSED ||
                    response->fail == LCORE_FAIL_RESET);
        lc_response_free(response);
        client_close(&client);
        server_stop(&server);
    }
}

/* ---- slow servers, and callers who have had enough ---- */

/* /never is not answered, /drip a byte each 40 ms, others at once. */
static void
serve_slowly(struct peer *peer, void *arg)
{
    const uint32_t settings[][2] = {{H2_MAX_STREAMS, 2}};
    struct h2_peer h2;
    assert_true(h2_begin(&h2, peer, settings, 1));
    while (h2_wait(&h2, H2_HEADERS)) {
        if (strcmp(h2.path, "/drip") == 0) {
            uint32_t stream = h2.stream;
            h2_headers(&h2, stream, 200, NULL, 0);
            for (int i = 0; i < 15; i++) {
                pause_ms(40);
                h2_data(&h2, stream, ".", i == 14 ? H2_END_STREAM : 0);
            }
        } else if (strcmp(h2.path, "/never") != 0) {
            h2_answer(&h2, h2.stream, "fine");
        }
    }
    h2_end(&h2);
}

static void
test_timeouts(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_slowly, NULL);
    client_init(&client, &server);
    client.options.version = LCORE_HTTP_2;
    client.options.read_timeout_ns = 500 * LCORE_NS_PER_MS;
    client_open(&client);
    expect(&client, "GET", "/fine", LCORE_FAIL_NONE, NULL);
    struct batch batch = {.client = &client};
    start(&batch, "GET", "/never");
    start(&batch, "GET", "/never");
    start(&batch, "GET", "/never");
    client_run(&client, &batch.is_done);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(batch.responses[i]->fail, LCORE_FAIL_READ_TIMEOUT);
        assert_non_null(strstr(batch.responses[i]->fail_text.data, "read timed out (0.5 s without a byte"));
    }
    batch_free(&batch);
    /* Bytes come, if slowly. The connection is as good as before. */
    expect(&client, "GET", "/drip", LCORE_FAIL_NONE, NULL);
    assert_int_equal(server.accepted, 1);
    client_close(&client);
    server_stop(&server);
}

static void
serve_silence(struct peer *peer, void *arg)
{
    peer_wait_end(peer);
}

static void
test_silent_server(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve_silence, NULL);
    client_init(&client, &server);
    client.options.version = LCORE_HTTP_2;
    client.options.read_timeout_ns = 100 * LCORE_NS_PER_MS;
    client_open(&client);
    expect(&client, "GET", "/", LCORE_FAIL_READ_TIMEOUT, NULL);
    client_close(&client);
    server_stop(&server);

    client_init(&client, NULL);
    client.options.version = LCORE_HTTP_2;
    client_open(&client);
    expect(&client, "GET", "http://127.0.0.1:1/", LCORE_FAIL_REFUSED, NULL);
    client_close(&client);
}

struct canceling {
    struct client *client;
    struct lc_exchange *others[8];
    int response_count;
    bool is_freeing, is_done;
};

static void
on_response_cancel(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct canceling *canceling = arg;
    canceling->response_count++;
    lc_response_free(response);
    if (canceling->is_freeing) {
        lc_session_free(canceling->client->session);
        canceling->client->session = NULL;
    } else {
        for (int i = 1; i < 8; i++) {
            lc_exchange_cancel(canceling->others[i]);
        }
    }
    canceling->is_done = true;
    lc_loop_stop(canceling->client->loop);
}

static void
serve_first(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    uint32_t first = 0;
    if (!h2_begin(&h2, peer, NULL, 0)) {
        return; /* canceled before it said anything */
    }
    for (int i = 0; i < 8 && h2_wait(&h2, H2_HEADERS); i++) {
        first = i == 0 ? h2.stream : first;
    }
    h2_answer(&h2, first, "first");
    h2_answer(&h2, first + 2, "second");
    while (h2_wait(&h2, H2_HEADERS)) {
        h2_answer(&h2, h2.stream, "later");
    }
    h2_end(&h2);
}

static void
test_canceling(void **state)
{
    for (int is_freeing = 0; is_freeing < 2; is_freeing++) {
        struct server server;
        struct client client;
        server_start(&server, NULL, serve_first, NULL);
        open_client(&client, &server);
        struct canceling canceling = {.client = &client, .is_freeing = is_freeing};
        for (int i = 0; i < 8; i++) {
            struct lc_request request = {.method = LCORE_STR("GET"), .url = LCORE_STR("/")};
            assert_int_equal(lc_session_start(client.session, &request, 0, on_response_cancel, &canceling,
                                              &canceling.others[i], NULL),
                             0);
        }
        client_run(&client, &canceling.is_done);
        assert_int_equal(canceling.response_count, 1);
        if (!is_freeing) {
            expect(&client, "GET", "/", LCORE_FAIL_NONE, NULL);
            assert_int_equal(server.accepted, 1);
            /* Before there is a connection. */
            lc_session_close_idle(client.session);
            struct lc_exchange *exchange;
            struct lc_request request = {.method = LCORE_STR("GET"), .url = LCORE_STR("/")};
            assert_int_equal(
                lc_session_start(client.session, &request, 0, on_response_cancel, &canceling, &exchange, NULL), 0);
            lc_exchange_cancel(exchange);
            client_run_ms(&client, 20);
        }
        client_close(&client);
        server_stop(&server);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resets),          cmocka_unit_test(test_h1_required),
        cmocka_unit_test(test_goaway),          cmocka_unit_test(test_goaway_with_error),
        cmocka_unit_test(test_goaway_for_ever), cmocka_unit_test(test_ends),
        cmocka_unit_test(test_nonsense),        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_garbage),         cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_silent_server),   cmocka_unit_test(test_canceling),
    };
    return run_both(tests);
}
