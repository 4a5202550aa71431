/* Streams of an HTTP/2 connection that are lent out: HTTP/1.1 on our side, frames on the server's, piece by piece both
 * ways, ended at every moment. */
#include "http/h2_wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "h2_peer.h"
#include "http/session.h"
#include "http/stream.h"

#define UPLOAD 400000
/* More than the window of a stream. */
#define DOWNLOAD (8 * 1024 * 1024)

static void
grant(struct h2_peer *h2, uint32_t stream, size_t len)
{
    uint8_t room[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    h2_frame(h2, H2_WINDOW_UPDATE, 0, 0, room, 4);
    h2_frame(h2, H2_WINDOW_UPDATE, 0, stream, room, 4);
}

static void
count_upload(struct h2_peer *h2)
{
    size_t size = 0;
    uint32_t stream = h2->stream;
    char said[64], fields[32] = "";
    snprintf(fields, sizeof(fields), "x-length: %d\n", strstr(h2->fields, "content-length: ") != NULL);
    while ((h2->stream != stream || (h2->flags & H2_END_STREAM) == 0) && h2_wait(h2, H2_DATA)) {
        size += h2->stream == stream ? h2->len : 0;
        if (h2->len > 0) {
            grant(h2, h2->stream, h2->len);
        }
    }
    snprintf(said, sizeof(said), "%zu", size);
    h2_headers(h2, stream, 103, "link: </style.css>\n", 0);
    h2_headers(h2, stream, 200, fields, 0);
    h2_data(h2, stream, said, H2_END_STREAM);
}

/* Sends as much as it is allowed, which is told by x-most at the end of the test. */
static void
send_much(struct h2_peer *h2, atomic_int *unasked)
{
    static char piece[16384];
    uint32_t stream = h2->stream;
    int64_t room = 6 * 1024 * 1024;
    memset(piece, 'd', sizeof(piece));
    h2_headers(h2, stream, 200, "content-length: 8388608\n", 0);
    for (size_t sent = 0; sent < DOWNLOAD; sent += sizeof(piece)) {
        while (room < (int64_t)sizeof(piece)) {
            atomic_store(unasked, (int)sent);
            do {
                if (!h2_wait(h2, H2_WINDOW_UPDATE)) {
                    return;
                }
            } while (h2->stream != stream);
            room += h2->payload[0] << 24 | h2->payload[1] << 16 | h2->payload[2] << 8 | h2->payload[3];
        }
        h2_frame(h2, H2_DATA, sent + sizeof(piece) == DOWNLOAD ? H2_END_STREAM : 0, stream, piece, sizeof(piece));
        room -= sizeof(piece);
    }
}

static atomic_int canceled; /* calls of /hang */
static atomic_int unasked;

static void
serve(struct peer *peer, void *arg)
{
    struct h2_peer h2;
    if (!h2_begin(&h2, peer, NULL, 0)) {
        peer_read(peer);
        peer_answer(peer, "plain");
        return;
    }
    uint32_t hung = 0;
    while (h2_read(&h2)) {
        if (h2.type == H2_RST_STREAM && h2.stream == hung) {
            canceled++;
        }
        if (h2.type != H2_HEADERS) {
            continue;
        }
        if (strcmp(h2.path, "/up") == 0) {
            count_upload(&h2);
        } else if (strcmp(h2.path, "/down") == 0) {
            send_much(&h2, &unasked);
        } else if (strcmp(h2.path, "/pieces") == 0) {
            h2_headers(&h2, h2.stream, 200, "set-cookie: a=1\n", 0);
            h2_data(&h2, h2.stream, "one", 0);
            peer_wait_read(peer);
            pause_ms(20);
            h2_data(&h2, h2.stream, "two", H2_END_STREAM);
        } else if (strcmp(h2.path, "/late-reset") == 0) {
            h2_headers(&h2, h2.stream, 200, NULL, 0);
            h2_data(&h2, h2.stream, "part", 0);
            peer_wait_read(peer);
            pause_ms(20);
            h2_reset(&h2, h2.stream, 2);
        } else if (strcmp(h2.path, "/goodbye") == 0) {
            h2_goaway(&h2, 0, 0, "maintenance");
        } else if (strcmp(h2.path, "/cut") == 0) {
            h2_headers(&h2, h2.stream, 200, "content-length: 100\n", 0);
            h2_data(&h2, h2.stream, "part", 0);
            peer_wait_read(peer);
            pause_ms(20);
            break;
        } else if (strcmp(h2.path, "/lines") == 0) {
            for (int i = 0; i < 300; i++) {
                memcpy(h2.fields + i * 5, "a: b\n", 6);
            }
            h2_headers(&h2, h2.stream, 200, h2.fields, H2_END_STREAM);
        } else if (strcmp(h2.path, "/hang") == 0) {
            hung = h2.stream;
        } else {
            h2_answer(&h2, h2.stream, "hello");
        }
    }
    h2_end(&h2);
}

/* What a server does that is about to restart, or has too much to do. */
struct refusal {
    bool is_goaway, is_closing;
    int most;     /* refusals; then it answers */
    size_t after; /* bytes of the request's body */
    atomic_int count;
    atomic_size_t got; /* of the last one's body */
};

static void
serve_refusing(struct peer *peer, void *arg)
{
    struct refusal *refusal = arg;
    struct h2_peer h2;
    bool is_gone = false;
    bool is_h2 = h2_begin(&h2, peer, NULL, 0);
    while (is_h2 && !is_gone && h2_read(&h2)) {
        if (h2.type == H2_DATA && h2.len > 0) {
            grant(&h2, h2.stream, h2.len); /* was under way when it was refused */
        }
        if (h2.type != H2_HEADERS) {
            continue;
        }
        uint32_t stream = h2.stream;
        if (strcmp(h2.path, "/") != 0 && refusal->count < refusal->most) {
            refusal->count++;
            for (refusal->got = 0; refusal->got < refusal->after && h2_wait(&h2, H2_DATA); refusal->got += h2.len) {
                grant(&h2, stream, h2.len == 0 ? 1 : h2.len);
            }
            if (refusal->is_goaway) {
                h2_goaway(&h2, stream > 1 ? stream - 2 : 0, 0, "restart");
                is_gone = refusal->is_closing;
            } else {
                h2_reset(&h2, stream, 7);
            }
        } else if (strcmp(h2.path, "/up") == 0) {
            count_upload(&h2);
        } else {
            h2_answer(&h2, stream, "hello");
        }
    }
    h2_end(&h2);
}

static void
serve_old(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        peer_answer(peer, "plain");
    }
}

/* ---- the borrower ---- */

struct borrower {
    struct client client;
    struct lc_wire *wire;
    bool has_event;
};

static void
on_event(struct lc_wire *wire, void *arg)
{
    ((struct borrower *)arg)->has_event = true;
}

static void
open_client(struct borrower *self, const struct server *server)
{
    client_init(&self->client, server);
    self->client.options.version = LCORE_HTTP_2;
    self->client.options.read_timeout_ns = 15 * LCORE_NS_PER_S;
    client_open(&self->client);
}

static void
borrow(struct borrower *self)
{
    self->has_event = false;
    struct lc_request request = {.url = lc_str_from(self->client.base)};
    assert_int_equal(lc_wire_open(self->client.session, &request, on_event, self, &self->wire, NULL), 0);
    if (!lc_wire_is_open(self->wire)) {
        client_run(&self->client, &self->has_event);
    }
    assert_int_equal(self->wire->fail, LCORE_FAIL_NONE);
}

static void
write_all(struct borrower *self, const char *data, size_t len)
{
    while (len > 0) {
        self->has_event = false;
        ssize_t sent = lc_wire_write(self->wire, data, len);
        if (sent == -EAGAIN) {
            client_run(&self->client, &self->has_event);
            continue;
        }
        assert_true(sent > 0);
        data += sent;
        len -= (size_t)sent;
    }
}

static void
ask(struct borrower *self, const char *path)
{
    char head[128];
    snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: here\r\nConnection: keep-alive\r\n\r\n", path);
    /* In two pieces, cut in the middle of the blank line. */
    write_all(self, head, strlen(head) - 1);
    write_all(self, head + strlen(head) - 1, 1);
}

/* Size until the end or, negative, what ended it; the first bytes are in text. */
static ssize_t
read_all(struct borrower *self, char *text, size_t size)
{
    static char piece[10000];
    size_t total = 0;
    memset(text, 0, size);
    for (;;) {
        self->has_event = false;
        ssize_t got = lc_wire_read(self->wire, piece, sizeof(piece));
        if (got == -EAGAIN) {
            client_run(&self->client, &self->has_event);
            continue;
        }
        if (got <= 0) {
            return got < 0 ? got : (ssize_t)total;
        }
        for (size_t i = 0; i < (size_t)got && total + i + 1 < size; i++) {
            text[total + i] = piece[i];
        }
        total += (size_t)got;
    }
}

static void
give_back(struct borrower *self)
{
    lc_wire_close(self->wire, true);
    self->wire = NULL;
}

static void
test_request_and_response(void **state)
{
    struct server server;
    struct borrower self = {0};
    char text[256];
    server_start(&server, NULL, serve, NULL);
    open_client(&self, &server);
    for (int i = 0; i < 3; i++) {
        borrow(&self);
        assert_int_equal(self.wire->is_reused, i > 0);
        ask(&self, "/");
        assert_true(read_all(&self, text, sizeof(text)) > 0);
        assert_string_equal(text, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        assert_true(self.wire->timings.sent_ns > 0 && self.wire->timings.first_byte_ns >= self.wire->timings.sent_ns);
        assert_true(self.wire->timings.end_ns >= self.wire->timings.first_byte_ns);
        give_back(&self);
        client_expect(&self.client, "GET", "/", LCORE_FAIL_NONE);
    }
    borrow(&self);
    ask(&self, "/pieces");
    read_all(&self, text, sizeof(text));
    assert_string_equal(text, "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\n\r\nonetwo");
    give_back(&self);
    assert_int_equal(server.accepted, 1);
    client_close(&self.client);
    server_stop(&server);
}

static void
test_uploads(void **state)
{
    struct server server;
    struct borrower self = {0};
    char text[256], head[160], *body = malloc(UPLOAD);
    memset(body, 'u', UPLOAD);
    server_start(&server, NULL, serve, NULL);
    open_client(&self, &server);
    borrow(&self);
    snprintf(head, sizeof(head), "POST /up HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\nuuu", UPLOAD);
    write_all(&self, head, strlen(head));
    write_all(&self, body, UPLOAD - 3);
    read_all(&self, text, sizeof(text));
    assert_string_equal(text, "HTTP/1.1 200 OK\r\nx-length: 1\r\n\r\n400000");
    give_back(&self);

    borrow(&self);
    const char *chunked = "PUT /up HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n";
    write_all(&self, chunked, strlen(chunked));
    client_run_ms(&self.client, 20); /* nghttp2 goes to sleep over it */
    for (int i = 0; i < 4; i++) {
        write_all(&self, "186a0\r\n", 7);
        write_all(&self, body, 100000);
        write_all(&self, "\r\n", 2);
    }
    write_all(&self, "0\r\n\r\n", 5);
    read_all(&self, text, sizeof(text));
    assert_string_equal(text, "HTTP/1.1 200 OK\r\nx-length: 0\r\n\r\n400000");
    give_back(&self);

    /* Nobody needs to end what he began. */
    borrow(&self);
    write_all(&self, head, strlen(head));
    client_run_ms(&self.client, 20);
    give_back(&self);
    borrow(&self);
    assert_int_equal(lc_wire_write(self.wire, "nonsense\r\n\r\n", 12), -EINVAL);
    give_back(&self);
    static const char *const lines[] = {"GET / H\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "GET /HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        borrow(&self);
        assert_int_equal(lc_wire_write(self.wire, lines[i], strlen(lines[i])), -EINVAL);
        give_back(&self);
    }
    free(body);
    client_close(&self.client);
    server_stop(&server);
}

static void
test_slow_reader(void **state)
{
    struct server server;
    struct borrower self = {0};
    char text[64];
    server_start(&server, NULL, serve, NULL);
    open_client(&self, &server);
    borrow(&self);
    atomic_store(&unasked, 0);
    ask(&self, "/down");
    for (int i = 0; i < 2000 && atomic_load(&unasked) == 0; i++) {
        client_run_ms(&self.client, 10);
    }
    /* The server stands still, others on the connection do not need to. */
    assert_int_equal(atomic_load(&unasked), 6 * 1024 * 1024);
    client_run_ms(&self.client, 30);
    assert_true(self.wire->h2->in.len <= 6 * 1024 * 1024 + 200);
    ssize_t size = read_all(&self, text, sizeof(text));
    assert_int_equal(size, DOWNLOAD + (ssize_t)strlen("HTTP/1.1 200 OK\r\ncontent-length: 8388608\r\n\r\n"));
    give_back(&self);
    client_expect(&self.client, "GET", "/", LCORE_FAIL_NONE);
    assert_int_equal(server.accepted, 1);
    client_close(&self.client);
    server_stop(&server);
}

static void
test_early_ends(void **state)
{
    static const char *const paths[] = {"/late-reset", "/cut", "/goodbye", "/lines"};
    struct server server;
    struct borrower self = {0};
    char text[256];
    server_start(&server, NULL, serve, NULL);
    open_client(&self, &server);
    for (int i = 0; i < 4; i++) {
        borrow(&self);
        ask(&self, paths[i]);
        int err = (int)-read_all(&self, text, sizeof(text));
        assert_int_equal(err, i == 3 ? EMSGSIZE : ECONNRESET);
        assert_true(i > 1 || strstr(text, "\r\n\r\npart") != NULL);
        assert_int_equal(lc_wire_read(self.wire, text, 1), -err);
        assert_true(lc_wire_write(self.wire, "x", 1) < 0);
        give_back(&self);
        client_expect(&self.client, "GET", "/", LCORE_FAIL_NONE);
    }
    /* Ours: at once, after the head was sent, in the middle of the answer. */
    canceled = 0;
    borrow(&self);
    give_back(&self);
    borrow(&self);
    ask(&self, "/hang");
    client_run_ms(&self.client, 20);
    give_back(&self);
    client_expect(&self.client, "GET", "/", LCORE_FAIL_NONE);
    assert_int_equal(canceled, 1);
    struct lc_request request = {.url = lc_str_from(self.client.base)};
    assert_int_equal(lc_wire_open(self.client.session, &request, on_event, &self, &self.wire, NULL), 0);
    give_back(&self);
    /* The session goes first. */
    borrow(&self);
    ask(&self, "/hang");
    struct lc_session *session = self.client.session;
    self.client.session = NULL;
    lc_session_free(session);
    assert_int_equal(lc_wire_read(self.wire, text, 1), -ECONNABORTED);
    give_back(&self);
    client_close(&self.client);
    server_stop(&server);
}

static const char large[] = "POST /up HTTP/1.1\r\nContent-Length: 400000\r\n\r\n";

static void
upload(struct borrower *self, size_t size)
{
    char head[128];
    char *data = calloc(1, size);
    assert_non_null(data);
    snprintf(head, sizeof(head), "POST /up HTTP/1.1\r\nHost: here\r\nContent-Length: %zu\r\n\r\n", size);
    write_all(self, head, strlen(head));
    write_all(self, data, size);
    free(data);
}

/* What the server did not look at goes again: on the connection, or on another one if that is ending. */
static void
test_refusals(void **state)
{
    static const struct {
        struct refusal refusal;
        bool is_served_before; /* by a call that was not lent */
        size_t size;           /* of what is sent */
        int errnum, accepted;
    } cases[] = {
        {{.most = 1}, false, 0, 0, 1},
        {{.most = 5}, true, 0, 0, 1},
        {{.most = 99}, true, 0, ECONNRESET, 1},
        {{.most = 1, .is_goaway = true}, true, 0, 0, 2},
        {{.most = 2, .is_goaway = true, .is_closing = true}, true, 0, 0, 3},
        {{.most = 1}, true, 200000, 0, 1},
        {{.most = 1, .after = 100000}, true, 200000, 0, 1},
        {{.most = 2, .after = 100000, .is_goaway = true}, true, 200000, 0, 3},
        /* No longer all here. */
        {{.most = 1, .after = 300000}, true, 400000, ECONNRESET, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server server;
        struct refusal refusal = cases[i].refusal;
        struct borrower self = {0};
        char text[256], said[32];
        server_start(&server, NULL, serve_refusing, &refusal);
        open_client(&self, &server);
        if (cases[i].is_served_before) {
            client_expect(&self.client, "GET", "/", LCORE_FAIL_NONE);
        }
        borrow(&self);
        if (cases[i].size == 0) {
            ask(&self, "/pieces");
        } else if (cases[i].errnum == 0) {
            upload(&self, cases[i].size);
        } else {
            char *data = calloc(1, cases[i].size);
            assert_non_null(data);
            write_all(&self, large, strlen(large));
            write_all(&self, data, cases[i].size / 2);
            while (refusal.got < cases[i].size / 2) {
                client_run_ms(&self.client, 10);
            }
            write_all(&self, data, cases[i].size / 2);
            free(data);
        }
        int64_t start_ns = self.wire->timings.start_ns;
        ssize_t got = read_all(&self, text, sizeof(text));
        if (cases[i].errnum != 0) {
            assert_int_equal(got, -cases[i].errnum);
        } else {
            snprintf(said, sizeof(said), "\r\n\r\n%zu", cases[i].size);
            assert_non_null(strstr(text, cases[i].size == 0 ? "\r\n\r\nhello" : said));
            assert_int_equal(self.wire->timings.start_ns, start_ns);
            assert_true(self.wire->timings.first_byte_ns >= self.wire->timings.sent_ns);
        }
        assert_true(cases[i].errnum != 0 || refusal.count == cases[i].refusal.most);
        give_back(&self);
        client_expect(&self.client, "GET", "/", LCORE_FAIL_NONE);
        assert_int_equal(server.accepted, cases[i].accepted);
        client_close(&self.client);
        server_stop(&server);
    }
}

/* Whoever waits for the answer goes away, at each moment of a request that goes again. */
static void
test_refusals_that_nobody_waits_for(void **state)
{
    for (int wait_ms = 0; wait_ms < 24; wait_ms += 2) {
        struct server server;
        struct refusal refusal = {.most = 4, .is_goaway = wait_ms % 4 == 0};
        struct borrower self = {0};
        char byte;
        server_start(&server, NULL, serve_refusing, &refusal);
        open_client(&self, &server);
        borrow(&self);
        ask(&self, "/pieces");
        if (lc_wire_read(self.wire, &byte, 1) == -EAGAIN) {
            client_run_ms(&self.client, wait_ms);
        }
        give_back(&self);
        client_run_ms(&self.client, 5);
        client_expect(&self.client, "GET", "/", LCORE_FAIL_NONE);
        client_close(&self.client);
        server_stop(&server);
    }
}

/* The connection goes before the request was begun: nothing was lost. */
static void
test_connection_that_goes_first(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct server server;
        struct borrower self = {0};
        char text[256];
        server_start(&server, NULL, serve, NULL);
        open_client(&self, &server);
        client_expect(&self.client, "GET", "/", LCORE_FAIL_NONE);
        borrow(&self);
        client_expect(&self.client, "GET", i == 0 ? "/goodbye" : "/cut",
                      i == 0 ? LCORE_FAIL_STREAM : LCORE_FAIL_INCOMPLETE);
        client_run_ms(&self.client, 30);
        ask(&self, "/");
        assert_true(read_all(&self, text, sizeof(text)) > 0);
        assert_string_equal(text, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        give_back(&self);
        client_close(&self.client);
        server_stop(&server);
    }
}

static void
test_server_without_h2(void **state)
{
    struct server server;
    struct borrower self = {0};
    char text[256];
    server_start(&server, NULL, serve_old, NULL);
    open_client(&self, &server);
    borrow(&self);
    assert_null(self.wire->h2);
    ask(&self, "/");
    size_t len = 0;
    while (len < strlen("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")) {
        self.has_event = false;
        ssize_t got = lc_wire_read(self.wire, text + len, sizeof(text) - 1 - len);
        assert_true(got > 0 || got == -EAGAIN);
        if (got == -EAGAIN) {
            client_run(&self.client, &self.has_event);
        } else {
            len += (size_t)got;
        }
    }
    text[len] = '\0';
    assert_string_equal(text, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain");
    give_back(&self);
    client_close(&self.client);
    server_stop(&server);
}

/* ---- LCORE_REQUEST_STREAM ---- */

static void
test_streamed_bodies(void **state)
{
    static const struct {
        const char *path;
        ssize_t size;
    } cases[] = {{"/pieces", 6}, {"/down", DOWNLOAD}, {"/cut", -EIO}, {"/late-reset", -EIO}, {"/", 5}};
    struct server server;
    struct borrower self = {0};
    server_start(&server, NULL, serve, NULL);
    open_client(&self, &server);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lc_response *response = client_call(&self.client, &(struct lc_request){.method = LCORE_STR("GET"),
                                                                                      .url = lc_str_from(cases[i].path),
                                                                                      .flags = LCORE_REQUEST_STREAM});
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        assert_int_equal(response->status, 200);
        assert_int_equal(response->http_major, 2);
        /* Without a stream it was all there at once. */
        ssize_t total = response->stream == NULL ? (ssize_t)response->body.len
                                                 : client_take(&self.client, response->stream, NULL, 0);
        assert_int_equal(total, cases[i].size);
        assert_true(strcmp(cases[i].path, "/") == 0 || response->stream != NULL);
        lc_response_free(response);
        client_expect(&self.client, "GET", "/", LCORE_FAIL_NONE);
    }
    client_close(&self.client);
    server_stop(&server);
}

/* /part answers in part; /more has more of it come; two of /pair are answered in one packet; /die ends all. */
static void
serve_many(struct peer *peer, void *arg)
{
    static char more[20000];
    struct h2_peer h2;
    uint32_t part = 0, pair = 0;
    memset(more, 's', sizeof(more) - 1);
    bool is_h2 = h2_begin(&h2, peer, NULL, 0);
    while (is_h2 && h2_wait(&h2, H2_HEADERS) && strcmp(h2.path, "/die") != 0) {
        if (strcmp(h2.path, "/part") == 0) {
            part = h2.stream;
            h2_headers(&h2, part, 200, NULL, 0);
            h2_data(&h2, part, "part", 0);
        } else if (strcmp(h2.path, "/more") == 0) {
            more[16000] = '\0';
            h2_data(&h2, part, more, 0);
            h2_answer(&h2, h2.stream, "more");
        } else if (strcmp(h2.path, "/pair") == 0 && pair == 0) {
            pair = h2.stream;
        } else if (strcmp(h2.path, "/pair") == 0) {
            setsockopt(peer->fd, IPPROTO_TCP, TCP_CORK, &(int){1}, sizeof(int));
            h2_answer(&h2, pair, "first of both");
            h2_answer(&h2, h2.stream, "second of both");
            setsockopt(peer->fd, IPPROTO_TCP, TCP_CORK, &(int){0}, sizeof(int));
        }
    }
    h2_end(&h2);
}

/* A streamed response, and what is done with it in the callback of another call. */
struct reader {
    struct client client;
    struct lc_response *part, *response;
    bool is_reading, is_freeing;
    bool is_done;
    ssize_t got;
};

static void
on_response(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct reader *self = arg;
    static char piece[65536];
    (void)exchange;
    while (self->is_reading && (self->got = lc_stream_read(self->part->stream, piece, sizeof(piece))) > 0) {
    }
    if (self->is_freeing) {
        lc_response_free(self->part);
        self->part = NULL;
    }
    self->is_reading = self->is_freeing = false;
    lc_response_free(self->response);
    self->response = response;
    self->is_done = true;
}

static void
begin(struct reader *self, const char *url)
{
    struct lc_request request = {.method = LCORE_STR("GET"), .url = lc_str_from(url)};
    struct lc_exchange *exchange;
    self->is_done = false;
    assert_int_equal(lc_session_start(self->client.session, &request, 0, on_response, self, &exchange, NULL), 0);
}

static void
open_reader(struct reader *self, const struct server *server, const char *before)
{
    *self = (struct reader){0};
    client_init(&self->client, server);
    self->client.options.version = LCORE_HTTP_2;
    self->client.options.read_timeout_ns = 15 * LCORE_NS_PER_S;
    client_open(&self->client);
    if (before != NULL) {
        begin(self, before);
    }
    struct lc_request request = {.method = LCORE_STR("GET"), .url = LCORE_STR("/part"), .flags = LCORE_REQUEST_STREAM};
    self->part = client_call(&self->client, &request);
    assert_non_null(self->part->stream);
}

static void
close_reader(struct reader *self)
{
    lc_response_free(self->part);
    lc_response_free(self->response);
    client_close(&self->client);
}

/* Who hears that the connection broke reads or drops what came by another stream of it. */
static void
test_streams_of_a_broken_connection(void **state)
{
    struct server server;
    struct reader self;
    server_start(&server, NULL, serve_many, NULL);
    for (int i = 1; i <= 3; i++) {
        open_reader(&self, &server, "/hang");
        self.is_reading = (i & 1) != 0;
        self.is_freeing = (i & 2) != 0;
        client_expect(&self.client, "GET", "/die", LCORE_FAIL_CLOSED);
        client_run(&self.client, &self.is_done);
        assert_int_equal(self.response->fail, LCORE_FAIL_CLOSED);
        assert_true((i & 1) == 0 || self.got == -EIO);
        close_reader(&self);
    }
    server_stop(&server);
}

/* Responses that came together are told one after the other, and who hears of the first one may read a stream. */
static void
test_stream_is_read_between_responses(void **state)
{
    struct server server;
    struct reader self;
    server_start(&server, NULL, serve_many, NULL);
    open_reader(&self, &server, NULL);
    client_expect(&self.client, "GET", "/more", LCORE_FAIL_NONE);
    self.is_reading = true;
    begin(&self, "/pair");
    struct lc_response *second = client_get(&self.client, "/pair");
    assert_true(self.is_done);
    assert_int_equal(self.got, -EAGAIN);
    assert_str(self.response->body, "first of both");
    assert_str(second->body, "second of both");
    lc_response_free(second);
    close_reader(&self);
    server_stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_and_response),
        cmocka_unit_test(test_uploads),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_early_ends),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refusals_that_nobody_waits_for),
        cmocka_unit_test(test_connection_that_goes_first),
        cmocka_unit_test(test_server_without_h2),
        cmocka_unit_test(test_streamed_bodies),
        cmocka_unit_test(test_streams_of_a_broken_connection),
        cmocka_unit_test(test_stream_is_read_between_responses),
    };
    return run_both(tests);
}
