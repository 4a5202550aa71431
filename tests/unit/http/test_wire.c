/* Connections that are lent out: opened anew, taken from the idle ones, given back, dropped at every moment. */
#include "http/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certificate.h"
#include "http/session.h"
#include "scene.h"

static void
serve(struct peer *peer, void *arg)
{
    while (peer_read(peer)) {
        if (strstr(peer->input, "/late") != NULL) {
            pause_ms(60);
        }
        peer_answer(peer, strstr(peer->input, "/ticks") != NULL ? "tick" : "hello");
    }
}

static void
count_event(struct lc_wire *wire, void *arg)
{
    (*(int *)arg)++;
}

/* Waits for the next event. */
static void
wait_event(struct client *client, int *events)
{
    int before = *events;
    for (int i = 0; i < 4000 && *events == before; i++) {
        client_run_ms(client, 5);
    }
    assert_true(*events > before);
}

static struct lc_wire *
open_wire(struct client *client, int *events)
{
    struct lc_request request = {.url = lc_str_from(client->base)};
    struct lc_wire *wire = NULL;
    assert_int_equal(lc_wire_open(client->session, &request, count_event, events, &wire, NULL), 0);
    assert_int_equal(*events, 0);
    if (lc_wire_is_open(wire)) {
        assert_true(wire->is_reused);
        client_run_ms(client, 5);
        assert_int_equal(*events, 0);
    } else {
        wait_event(client, events);
        assert_false(wire->is_reused);
        assert_true(lc_wire_is_open(wire));
    }
    return wire;
}

static void
write_all(struct client *client, struct lc_wire *wire, int *events, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t sent = lc_wire_write(wire, text, len);
        if (sent == -EAGAIN) {
            wait_event(client, events);
            continue;
        }
        assert_true(sent > 0);
        text += sent;
        len -= (size_t)sent;
    }
}

/* What comes until `end` is seen. */
static void
read_until(struct client *client, struct lc_wire *wire, int *events, const char *end)
{
    char text[512] = "";
    size_t len = 0;
    while (strstr(text, end) == NULL) {
        ssize_t got = lc_wire_read(wire, text + len, sizeof(text) - 1 - len);
        if (got == -EAGAIN) {
            wait_event(client, events);
            continue;
        }
        assert_true(got > 0);
        len += (size_t)got;
        text[len] = '\0';
    }
}

struct stage {
    struct server server;
    struct client client;
    char certificate[32];
    struct lc_tls *tls;
};

static void
stage_open(struct stage *stage, bool is_tls)
{
    strcpy(stage->certificate, "/tmp/lcore-cert-XXXXXX");
    close(mkstemp(stage->certificate));
    server_start(&stage->server, is_tls ? certificate_make("DNS:localhost", stage->certificate, NULL) : NULL, serve,
                 NULL);
    client_init(&stage->client, &stage->server);
    stage->tls = lc_tls_new(&(struct lc_tls_options){.size = sizeof(struct lc_tls_options), .is_insecure = true}, NULL);
    stage->client.options.tls = stage->tls;
    client_open(&stage->client);
}

static void
stage_close(struct stage *stage)
{
    client_close(&stage->client);
    lc_tls_unref(stage->tls);
    server_stop(&stage->server);
    unlink(stage->certificate);
}

static void
talk(bool is_tls)
{
    struct stage stage;
    stage_open(&stage, is_tls);
    struct client *client = &stage.client;
    int events = 0;
    struct lc_wire *wire = open_wire(client, &events);
    assert_int_equal(wire->fail, LCORE_FAIL_NONE);
    assert_false(wire->is_reused);
    for (int i = 0; i < 2; i++) {
        write_all(client, wire, &events, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
        read_until(client, wire, &events, "hello");
    }
    assert_true(wire->timings.end_ns >= wire->timings.first_byte_ns + 50000000);
    assert_true(wire->timings.connected_ns > 0);
    assert_true(is_tls == (wire->timings.tls_ns > 0));

    /* Given back, it serves the session's own calls, and is lent out again. */
    lc_wire_close(wire, true);
    struct lc_response *response = client_get(client, "/ticks");
    assert_str(response->body, "tick");
    assert_true(response->is_kept_alive);
    lc_response_free(response);
    events = 0;
    wire = open_wire(client, &events);
    assert_true(wire->is_reused);
    assert_int_equal(stage.server.accepted, 1);

    /* Not given back in a clean state, it is closed. */
    lc_wire_close(wire, false);
    lc_response_free(client_get(client, "/ticks"));
    assert_int_equal(stage.server.accepted, 2);
    stage_close(&stage);
}

static void
test_talk(void **state)
{
    talk(false);
}

static void
test_talk_tls(void **state)
{
    talk(true);
}

static void
test_ends(void **state)
{
    struct stage stage;
    stage_open(&stage, false);
    struct client *client = &stage.client;
    int events = 0;
    struct lc_request request = {.url = lc_str_from(client->base)};
    struct lc_wire *wire = NULL;

    /* While it is being opened. */
    assert_int_equal(lc_wire_open(client->session, &request, count_event, &events, &wire, NULL), 0);
    lc_wire_close(wire, false);
    client_run_ms(client, 30);
    assert_int_equal(events, 0);

    /* Its session goes first. */
    events = 0;
    wire = open_wire(client, &events);
    struct lc_wire *opening = NULL;
    assert_int_equal(lc_wire_open(client->session, &request, count_event, &events, &opening, NULL), 0);
    lc_session_free(client->session);
    char byte;
    assert_int_equal(lc_wire_read(wire, &byte, 1), -ECONNABORTED);
    assert_int_equal(lc_wire_write(opening, "x", 1), -ECONNABORTED);
    lc_wire_close(wire, true);
    lc_wire_close(opening, true);
    client_open(client);
    stage_close(&stage);
}

static void
test_failures(void **state)
{
    struct stage stage;
    stage_open(&stage, false);
    struct client *client = &stage.client;
    int events = 0;
    struct lc_wire *wire = NULL;
    struct lc_request request = {.url = LCORE_STR("http://127.0.0.1:1/")};
    assert_int_equal(lc_wire_open(client->session, &request, count_event, &events, &wire, NULL), 0);
    wait_event(client, &events);
    assert_int_equal(wire->fail, LCORE_FAIL_REFUSED);
    assert_int_equal(wire->fail_errno, ECONNREFUSED);
    assert_true(wire->fail_text[0] != '\0');
    char byte;
    assert_int_equal(lc_wire_read(wire, &byte, 1), -ECONNABORTED);
    lc_wire_close(wire, false);

    struct lc_error error = {0};
    request.url = LCORE_STR("http://[::1");
    assert_true(lc_wire_open(client->session, &request, count_event, &events, &wire, &error) < 0);
    assert_true(error.text[0] != '\0');
    stage_close(&stage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_talk_tls),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_failures),
    };
    return run_both(tests);
}
