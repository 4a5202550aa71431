#include "../support.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/connector.h"
#include "loop/loop.h"

enum { CROWD = 500, LOT = 64 };

struct crowd {
    struct lc_loop *loop;
    struct lc_timer timer;
    int fds[CROWD];
    int connected;
    int rounds;
};

static void
on_round(struct lc_timer *timer)
{
    struct crowd *crowd = LCORE_CONTAINER(timer, struct crowd, timer);
    crowd->rounds++;
    assert_int_equal(lc_timer_start(crowd->loop, timer, 0, on_round), 0);
}

static void
on_connected(void *arg, const struct lc_connect_result *result)
{
    struct crowd *crowd = arg;
    assert_true(result->fd >= 0);
    crowd->fds[crowd->connected++] = result->fd;
    if (crowd->connected == CROWD) {
        lc_loop_stop(crowd->loop);
    }
}

/* A crowd that arrives at once does not keep the loop from its other work until all of it is connected. */
static void
test_crowd(void **state)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, CROWD), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    static struct crowd crowd;
    crowd = (struct crowd){.loop = lc_loop_new()};
    struct lc_connector *connector = lc_connector_new(crowd.loop);
    for (int i = 0; i < CROWD; i++) {
        struct lc_connect *connect;
        assert_int_equal(lc_connector_start(connector, LCORE_STR("127.0.0.1"), ntohs(address.sin_port), NULL,
                                            on_connected, &crowd, &connect),
                         0);
    }
    on_round(&crowd.timer);
    lc_loop_run(crowd.loop);
    assert_true(crowd.rounds > CROWD / LOT);
    for (int i = 0; i < CROWD; i++) {
        close(crowd.fds[i]);
    }
    lc_timer_stop(crowd.loop, &crowd.timer);
    lc_connector_free(connector);
    lc_loop_free(crowd.loop);
    close(listener);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crowd)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
