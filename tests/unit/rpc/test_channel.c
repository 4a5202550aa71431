/* Two channels on one loop, over the real network stack. */
#include "../support.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "rpc/channel.h"

struct scene {
    struct lc_channel_options options;
    struct lc_loop *loop;
    struct lc_rpc *rpc;
    struct lc_channel *server, *client;
    struct lc_timer limit;
    int server_count, client_count, wanted;
    bool is_echoing, is_over_time;
    char last[64];
};

static void
on_limit(struct lc_timer *timer)
{
    struct scene *scene = (struct scene *)((char *)timer - offsetof(struct scene, limit));
    scene->is_over_time = true;
    lc_loop_stop(scene->loop);
}

static void
check_done(struct scene *scene)
{
    if (scene->server_count + scene->client_count >= scene->wanted) {
        lc_loop_stop(scene->loop);
    }
}

static void
on_server(struct lc_channel *channel, void *arg)
{
    struct scene *scene = arg;
    struct lc_frame frame;
    while (lc_channel_receive(channel, &frame, NULL) == 1) {
        assert_false(frame.is_odd);
        assert_int_equal(frame.from.len, 2);
        assert_memory_equal(frame.from.data, "me", 2);
        snprintf(scene->last, sizeof(scene->last), "%.*s", (int)frame.body.len, frame.body.data);
        scene->server_count++;
        if (scene->is_echoing) {
            assert_int_equal(lc_channel_send(channel, frame.from, frame.body, NULL), 0);
        }
    }
    check_done(scene);
}

static void
on_client(struct lc_channel *channel, void *arg)
{
    struct scene *scene = arg;
    struct lc_frame frame;
    while (lc_channel_receive(channel, &frame, NULL) == 1) {
        assert_int_equal(frame.from.len, 0);
        scene->client_count++;
    }
    check_done(scene);
}

static void
run_until(struct scene *scene, int wanted)
{
    scene->wanted = wanted;
    scene->is_over_time = false;
    lc_timer_start(scene->loop, &scene->limit, lc_clock_monotonic_ns() + 10 * LCORE_NS_PER_S, on_limit);
    lc_loop_run(scene->loop);
    lc_timer_stop(scene->loop, &scene->limit);
    assert_false(scene->is_over_time);
}

static int
begin(void **state, const char *server_secret, const char *client_secret)
{
    static struct scene scene;
    scene = (struct scene){.loop = lc_loop_new()};
    scene.rpc = lc_rpc_new(scene.loop);
    struct lc_error error = {0};
    struct lc_channel_options listening = {
        .host = "127.0.0.1", .secret = server_secret, .fn = on_server, .arg = &scene};
    assert_int_equal(lc_channel_listen(scene.rpc, &listening, &scene.server, &error), 0);
    assert_true(lc_channel_port(scene.server) > 0);
    scene.options = (struct lc_channel_options){.host = "127.0.0.1",
                                                .port = lc_channel_port(scene.server),
                                                .secret = client_secret,
                                                .fn = on_client,
                                                .arg = &scene};
    assert_int_equal(lc_channel_connect(scene.rpc, &scene.options, LCORE_STR("me"), &scene.client, &error), 0);
    *state = &scene;
    return 0;
}

static int
set_up(void **state)
{
    return begin(state, NULL, NULL);
}

static int
set_up_with_secret(void **state)
{
    return begin(state, "open sesame", "open sesame");
}

static int
set_up_with_wrong_secret(void **state)
{
    return begin(state, "open sesame", "open barley");
}

static int
set_up_without_secret(void **state)
{
    return begin(state, "open sesame", NULL);
}

static int
set_up_with_needless_secret(void **state)
{
    return begin(state, NULL, "open sesame");
}

static int
tear_down(void **state)
{
    struct scene *scene = *state;
    lc_channel_free(scene->client);
    lc_channel_free(scene->server);
    lc_rpc_free(scene->rpc);
    lc_loop_free(scene->loop);
    return 0;
}

/* DST-4, DST-5. Every send may swallow what the descriptor would have said of a message that came. */
static void
messages_go_both_ways(void **state)
{
    struct scene *scene = *state;
    scene->is_echoing = true;
    for (int round = 1; round <= 50; round++) {
        for (int i = 0; i < 10; i++) {
            assert_int_equal(lc_channel_send(scene->client, (struct lc_str){0}, LCORE_STR("hello"), NULL), 0);
        }
        run_until(scene, round * 20);
    }
    assert_int_equal(scene->server_count, 500);
    assert_int_equal(scene->client_count, 500);
    assert_string_equal(scene->last, "hello");
}

/* DST-1: what is sent before the other side is there waits for it; DST-31: a socket of the same name takes over. */
static void
a_new_socket_takes_the_name_over(void **state)
{
    struct scene *scene = *state;
    scene->is_echoing = true;
    lc_channel_send(scene->client, (struct lc_str){0}, LCORE_STR("one"), NULL);
    run_until(scene, 2);
    struct lc_channel *old = scene->client;
    assert_int_equal(lc_channel_connect(scene->rpc, &scene->options, LCORE_STR("me"), &scene->client, NULL), 0);
    lc_channel_send(scene->client, (struct lc_str){0}, LCORE_STR("two"), NULL);
    run_until(scene, 4);
    assert_string_equal(scene->last, "two");
    assert_int_equal(scene->client_count, 2);
    lc_channel_free(old);
}

static void
a_port_in_use_is_told(void **state)
{
    struct scene *scene = *state;
    struct lc_channel *second = NULL;
    struct lc_error error = {0};
    assert_int_equal(lc_channel_listen(scene->rpc, &scene->options, &second, &error), LCE_SYSTEM);
    assert_non_null(strstr(error.text, "in use"));
}

/* A master that follows another one in the same process. */
static void
a_port_is_free_at_once(void **state)
{
    struct scene *scene = *state;
    lc_channel_send(scene->client, (struct lc_str){0}, LCORE_STR("here"), NULL);
    run_until(scene, 1);
    struct lc_channel_options listening = scene->options;
    listening.fn = on_server;
    for (int i = 0; i < 200; i++) {
        struct lc_error error = {0};
        lc_channel_free(scene->server);
        scene->server = NULL;
        assert_int_equal(lc_channel_listen(scene->rpc, &listening, &scene->server, &error), 0);
    }
}

static void
a_message_for_nobody_is_dropped(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(lc_channel_send(scene->server, LCORE_STR("nobody"), LCORE_STR("hello"), NULL), LCE_NOTFOUND);
}

/* Both sides are told once, and nothing is delivered. */
static void
who_does_not_fit_is_refused(void **state)
{
    struct scene *scene = *state;
    lc_channel_send(scene->client, (struct lc_str){0}, LCORE_STR("let me in"), NULL);
    const char *at_server = NULL, *at_client = NULL;
    int64_t deadline_ns = lc_clock_monotonic_ns() + 10 * LCORE_NS_PER_S;
    while ((at_server == NULL || at_client == NULL) && lc_clock_monotonic_ns() < deadline_ns) {
        lc_loop_poll(scene->loop);
        at_server = at_server == NULL ? lc_channel_take_refusal(scene->server) : at_server;
        at_client = at_client == NULL ? lc_channel_take_refusal(scene->client) : at_client;
    }
    assert_non_null(at_server);
    assert_non_null(at_client);
    assert_non_null(strstr(at_server, "secret"));
    assert_non_null(strstr(at_client, "secret"));
    assert_int_equal(scene->server_count + scene->client_count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_go_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_go_both_ways, set_up_with_secret, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_fit_is_refused, set_up_with_wrong_secret, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_fit_is_refused, set_up_without_secret, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_fit_is_refused, set_up_with_needless_secret, tear_down),
        cmocka_unit_test_setup_teardown(a_new_socket_takes_the_name_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_port_in_use_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_port_is_free_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_for_nobody_is_dropped, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
