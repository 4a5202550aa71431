/* Response times while the loop is held up again and again: they end when the server answered, and begin no earlier.
 * The server says when it answered, so that its own lateness does not count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "certificate.h"
#include "loop/loop.h"
#include "scene.h"

#define HELD_UP_MS 30
#define CALLS 5

static char directory[] = "/tmp/lcore-times-XXXXXX";
static char cert_path[64];
static _Atomic int64_t answered_ns;

struct burden {
    struct lc_loop *loop;
    struct lc_timer timer;
};

static void
hold_up(struct lc_timer *timer)
{
    struct burden *burden = LCORE_CONTAINER(timer, struct burden, timer);
    pause_ms(HELD_UP_MS);
    lc_timer_start(burden->loop, timer, lc_clock_monotonic_ns() + LCORE_NS_PER_MS, hold_up);
}

static void
serve(struct peer *peer, void *arg)
{
    (void)arg;
    while (peer_read(peer)) {
        pause_ms(3); /* so that the loop is held up meanwhile */
        answered_ns = lc_clock_monotonic_ns();
        if (strstr(peer->input, "/ends") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\n\r\nhello");
            return;
        }
        if (strstr(peer->input, "/late-end") != NULL) {
            peer_send(peer, "HTTP/1.1 200 OK\r\n\r\nhello");
            pause_ms(60);
            return;
        }
        peer_answer(peer, "hello");
    }
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The median, in ms, of how much longer response times are than from the call to the server's answer. */
static double
excess_of(struct client *client, const char *url, bool is_new)
{
    double excesses[CALLS];
    for (int i = 0; i < CALLS; i++) {
        if (is_new) {
            lc_session_close_idle(client->session);
        }
        int64_t start_ns = lc_clock_monotonic_ns();
        struct lc_response *response = client_get(client, url);
        assert_int_equal(response->fail, LCORE_FAIL_NONE);
        struct lc_phases phases;
        lc_timings_phases(&response->timings, &phases);
        int64_t sum_ns = 0;
        for (int phase = 0; phase < LCORE_PHASE_COUNT; phase++) {
            sum_ns += phase == LCORE_PHASE_QUEUE || phases.ns[phase] < 0 ? 0 : phases.ns[phase];
        }
        assert_int_equal(sum_ns, lc_response_time_ns(response));
        assert_true(sum_ns > 0 && phases.ns[LCORE_PHASE_QUEUE] >= 0);
        assert_true((phases.ns[LCORE_PHASE_CONNECT] >= 0) == !response->is_kept_alive);
        excesses[i] = (double)(sum_ns - (answered_ns - start_ns)) / (double)LCORE_NS_PER_MS;
        lc_response_free(response);
    }
    qsort(excesses, CALLS, sizeof(excesses[0]), compare);
    return excesses[CALLS / 2];
}

static void
check_held_up(SSL_CTX *tls)
{
    struct server server;
    struct client client;
    server_start(&server, tls, serve, NULL);
    client_init(&client, &server);
    struct lc_error error = {0};
    if (tls != NULL) {
        snprintf(client.base, sizeof(client.base), "https://localhost:%u", server.port);
        client.options.base_url = lc_str_from(client.base);
        client.options.tls =
            lc_tls_new(&(struct lc_tls_options){.size = sizeof(struct lc_tls_options), .is_insecure = true}, &error);
        assert_non_null(client.options.tls);
    }
    client_open(&client);
    lc_tls_unref(client.options.tls);
    struct burden burden = {.loop = client.loop};
    assert_int_equal(lc_timer_start(client.loop, &burden.timer, lc_clock_monotonic_ns(), hold_up), 0);
    client_run_ms(&client, 1);
    assert_true(excess_of(&client, "/", false) < 5);
    assert_true(excess_of(&client, "/", true) < 5);
    assert_true(excess_of(&client, "/ends", true) < 5);
    lc_timer_stop(client.loop, &burden.timer);
    client_close(&client);
    server_stop(&server);
}

static void
test_held_up(void **state)
{
    check_held_up(NULL);
}

static void
test_held_up_over_tls(void **state)
{
    check_held_up(certificate_make("DNS:localhost", cert_path, NULL));
}

/* The end of the connection is the end of the response, also when it comes later than the last byte. */
static void
test_late_end(void **state)
{
    struct server server;
    struct client client;
    server_start(&server, NULL, serve, NULL);
    client_init(&client, &server);
    client_open(&client);
    struct lc_response *response = client_get(&client, "/late-end");
    assert_str(response->body, "hello");
    assert_true(lc_response_time_ns(response) >= 60 * LCORE_NS_PER_MS);
    lc_response_free(response);
    client_close(&client);
    server_stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_up),
        cmocka_unit_test(test_held_up_over_tls),
        cmocka_unit_test(test_late_end),
    };
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", directory);
    int failed = run_both(tests);
    unlink(cert_path);
    rmdir(directory);
    return failed;
}
