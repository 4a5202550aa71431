/* The connector against listeners of this process: how it tries addresses, what it says of failures, what it leaves. */
#include "../support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "http/connector.h"
#include "http/dial.h"
#include "http/resolver.h"
#include "loop/io.h"
#include "loop/loop.h"

/* LOT, SHARE: IDLE_MAX and BUSY_SHARE of connector.c. */
enum { CROWD = 500, LOT = 16, SHARE = 8 };

/* Listens on the loopback address of the family, on the port or a free one; -1: the machine has no such address. */
static int
listen_on(int family, int backlog, union lc_address *address)
{
    union lc_address any = {.any.sa_family = (sa_family_t)family};
    if (family == AF_INET) {
        any.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        any.v6.sin6_addr = in6addr_loopback;
    }
    socklen_t size = family == AF_INET ? sizeof(any.v4) : sizeof(any.v6);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &any.any, size) < 0 || listen(fd, backlog) < 0 || getsockname(fd, &any.any, &size) < 0) {
        close(fd);
        return -1;
    }
    *address = any;
    return fd;
}

static uint16_t
port_of(const union lc_address *address)
{
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

/* An address where nobody listens. */
static bool
find_closed(int family, union lc_address *address)
{
    int fd = listen_on(family, 1, address);
    close(fd);
    return fd >= 0;
}

static int
count_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

/* ---- one connection by its name or address ---- */

struct attempt {
    struct lc_loop *loop;
    struct lc_connector *connector;
    struct lc_connect *connect;
    struct lc_timer limit;
    struct lc_connect_result result;
    char text[300];
    int calls;
};

static void
on_limit(struct lc_timer *timer)
{
    lc_loop_stop(LCORE_CONTAINER(timer, struct attempt, limit)->loop);
}

static void
attempt_run(struct attempt *attempt, int limit_ms)
{
    assert_int_equal(
        lc_timer_start(attempt->loop, &attempt->limit, lc_clock_monotonic_ns() + limit_ms * LCORE_NS_PER_MS, on_limit),
        0);
    lc_loop_run(attempt->loop);
    lc_timer_stop(attempt->loop, &attempt->limit);
}

static void
on_attempt(void *arg, const struct lc_connect_result *result)
{
    struct attempt *attempt = arg;
    attempt->calls++;
    attempt->result = *result;
    snprintf(attempt->text, sizeof(attempt->text), "%s", result->text == NULL ? "" : result->text);
    lc_loop_stop(attempt->loop);
}

static void
attempt_init(struct attempt *attempt)
{
    *attempt = (struct attempt){.loop = lc_loop_new()};
    attempt->connector = lc_connector_new(attempt->loop);
    assert_non_null(attempt->connector);
}

static void
attempt_fini(struct attempt *attempt)
{
    lc_connector_free(attempt->connector);
    lc_loop_free(attempt->loop);
}

static void
attempt_start(struct attempt *attempt, const char *host, uint16_t port)
{
    assert_int_equal(lc_connector_start(attempt->connector, lc_str_from(host), port, NULL, lc_clock_monotonic_ns(),
                                        on_attempt, attempt, &attempt->connect),
                     0);
}

static void
attempt_make(struct attempt *attempt, const char *host, uint16_t port)
{
    int before = attempt->calls;
    attempt_start(attempt, host, port);
    assert_int_equal(attempt->calls, before);
    attempt_run(attempt, 20000);
    assert_int_equal(attempt->calls, before + 1);
}

static void
test_connection(void **state)
{
    union lc_address address;
    int listener = listen_on(AF_INET, 16, &address);
    struct attempt attempt;
    attempt_init(&attempt);
    static const char *const hosts[] = {"127.0.0.1", "localhost", "localhost", "what.ever.localhost", "LOCALHOST."};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        int64_t start_ns = lc_clock_monotonic_ns();
        attempt_make(&attempt, hosts[i], port_of(&address));
        const struct lc_connect_result *result = &attempt.result;
        assert_string_equal(attempt.text, "");
        assert_true(result->fd >= 0 && result->fail == LCORE_FAIL_NONE);
        assert_true(start_ns <= result->dns_ns && result->dns_ns <= result->connected_ns);
        int value = 0;
        socklen_t size = sizeof(value);
        assert_int_equal(getsockopt(result->fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
        assert_int_not_equal(value, 0);
        assert_int_equal(getsockopt(result->fd, SOL_SOCKET, SO_TIMESTAMPING, &value, &size), 0);
        assert_int_not_equal(value, 0);
        assert_int_not_equal(fcntl(result->fd, F_GETFL) & O_NONBLOCK, 0);
        assert_int_not_equal(fcntl(result->fd, F_GETFD) & FD_CLOEXEC, 0);
        close(result->fd);
    }
    attempt_fini(&attempt);
    close(listener);
}

static void
expect_failure(struct attempt *attempt, const char *host, uint16_t port, enum lc_fail fail, int errnum,
               const char *text)
{
    attempt_make(attempt, host, port);
    assert_int_equal(attempt->result.fd, -1);
    assert_string_equal(attempt->text, text);
    assert_int_equal(attempt->result.fail, fail);
    assert_int_equal(attempt->result.errnum, errnum);
}

static void
test_failures(void **state)
{
    struct attempt attempt;
    union lc_address closed;
    char text[128];
    assert_true(find_closed(AF_INET, &closed));
    unsigned port = port_of(&closed);
    attempt_init(&attempt);
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "cannot connect to %s:%u: Connection refused", hosts[i], port);
        expect_failure(&attempt, hosts[i], port_of(&closed), LCORE_FAIL_REFUSED, ECONNREFUSED, text);
        assert_int_not_equal(attempt.result.dns_ns, 0);
    }
    /* TCP knows no broadcast, and the kernel says so at once. */
    snprintf(text, sizeof(text), "cannot connect to 255.255.255.255:%u: Network is unreachable", port);
    expect_failure(&attempt, "255.255.255.255", port_of(&closed), LCORE_FAIL_CONNECT, ENETUNREACH, text);
    int before = count_descriptors();
    attempt_make(&attempt, "no-such-host.invalid", 80);
    assert_int_equal(attempt.result.fail, LCORE_FAIL_DNS);
    assert_int_equal(attempt.result.dns_ns, 0);
    /* What the resolver of this machine says of it: that the name is unknown, or that it has no server to ask. */
    assert_true(attempt.result.errnum == EAI_NONAME || attempt.result.errnum == EAI_AGAIN);
    snprintf(text, sizeof(text), "no-such-host.invalid: %s", gai_strerror(attempt.result.errnum));
    assert_string_equal(attempt.text, text);
    assert_int_equal(count_descriptors(), before);
    attempt_fini(&attempt);
}

static void
test_no_descriptors(void **state)
{
    struct attempt attempt;
    attempt_init(&attempt);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
    static const char text[] = "Too many open files: raise the open-file limit (ulimit -n)";
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        attempt_start(&attempt, i == 0 ? "127.0.0.1" : "localhost", 1);
        attempt_run(&attempt, 20000);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(attempt.calls, i + 1);
        assert_string_equal(attempt.text, text);
        assert_int_equal(attempt.result.fail, LCORE_FAIL_INTERNAL);
    }
    attempt_fini(&attempt);
}

/* At any moment of an attempt; nothing is called or left open. */
static void
test_cancel(void **state)
{
    union lc_address address;
    int listener = listen_on(AF_INET, 64, &address);
    static const char *const hosts[] = {"127.0.0.1", "localhost", "no-such-host.invalid"};
    struct attempt attempt;
    attempt_init(&attempt);
    attempt_make(&attempt, "some.localhost", port_of(&address)); /* makes what lookups need */
    close(attempt.result.fd);
    int before = count_descriptors();
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        for (int rounds = 0; rounds < 2; rounds++) {
            attempt.calls = 0;
            attempt_start(&attempt, hosts[i], i == 2 ? 80 : port_of(&address));
            for (int round = 0; round < rounds && attempt.calls == 0; round++) {
                attempt_run(&attempt, 0);
            }
            if (attempt.calls == 0) {
                lc_connector_cancel(attempt.connect);
            } else {
                close(attempt.result.fd);
            }
            attempt.calls = 0;
            attempt_run(&attempt, 5);
            assert_int_equal(attempt.calls, 0);
        }
    }
    /* Those that are begun, and those that queue behind them. */
    struct lc_connect *many[12 * LOT];
    for (int i = 0; i < 12 * LOT; i++) {
        attempt_start(&attempt, "127.0.0.1", port_of(&address));
        many[i] = attempt.connect;
    }
    for (int i = 0; i < 12 * LOT; i++) {
        lc_connector_cancel(many[i]);
    }
    attempt_run(&attempt, 5);
    assert_int_equal(attempt.calls, 0);
    attempt_fini(&attempt);
    assert_true(count_descriptors() < before);
    close(listener);
}

/* ---- a name that is asked for by many ---- */

struct asked {
    struct lc_loop *loop;
    struct lc_lookup lookups[8];
    struct lc_addresses *answer;
    int answered;
};

static void
on_answer(struct lc_lookup *lookup, struct lc_addresses *addresses)
{
    struct asked *asked = LCORE_CONTAINER(lookup, struct asked, lookups[0]);
    assert_true(asked->answer == NULL || asked->answer == addresses);
    lc_addresses_unref(asked->answer);
    asked->answer = addresses;
    asked->answered++;
    lc_lookup_cancel(&asked->lookups[7]);
    lc_loop_stop(asked->loop);
}

static void
on_other_answer(struct lc_lookup *lookup, struct lc_addresses *addresses)
{
    lc_addresses_unref(addresses);
    assert_true(!"canceled");
}

static void
test_lookup_is_shared(void **state)
{
    struct asked asked = {.loop = lc_loop_new()};
    struct lc_resolver *resolver = lc_resolver_new(asked.loop);
    struct lc_addresses *known = NULL;
    asked.lookups[0].done = on_answer;
    for (int i = 1; i < 8; i++) {
        asked.lookups[i].done = on_other_answer;
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(lc_resolver_find(resolver, LCORE_STR("localhost"), 81, &asked.lookups[i], &known), 0);
        assert_null(known);
    }
    for (int i = 1; i < 7; i++) {
        lc_lookup_cancel(&asked.lookups[i]);
    }
    lc_loop_run(asked.loop);
    assert_int_equal(asked.answered, 1);
    assert_int_equal(asked.answer->error, 0);
    assert_string_equal(asked.answer->host, "localhost");
    assert_int_equal(port_of(&asked.answer->list[0]), 81);
    /* From here on it is known, to that port only. */
    assert_int_equal(lc_resolver_find(resolver, LCORE_STR("localhost"), 81, &asked.lookups[0], &known), 0);
    assert_ptr_equal(known, asked.answer);
    lc_addresses_unref(known);
    assert_int_equal(lc_resolver_find(resolver, LCORE_STR("localhost"), 82, &asked.lookups[0], &known), 0);
    assert_null(known);
    lc_lookup_cancel(&asked.lookups[0]);
    /* Addresses are no names. */
    static const char *const literals[] = {"127.0.0.1", "::1", "127.1", "0x7f.1"};
    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        assert_int_equal(lc_resolver_find(resolver, lc_str_from(literals[i]), 83, &asked.lookups[0], &known), 0);
        assert_non_null(known);
        assert_int_equal(known->count, 1);
        lc_addresses_unref(known);
    }
    lc_addresses_unref(asked.answer);
    /* With a thread still under way. */
    lc_resolver_free(resolver);
    lc_loop_free(asked.loop);
}

/* ---- several addresses ---- */

struct dialing {
    struct lc_dial dial;
    struct lc_loop *loop;
    int fd, errnum, calls;
};

static void
on_dialed(struct lc_dial *dial, int fd, int errnum)
{
    struct dialing *dialing = LCORE_CONTAINER(dial, struct dialing, dial);
    dialing->fd = fd;
    dialing->errnum = errnum;
    dialing->calls++;
    lc_loop_stop(dialing->loop);
}

/* Dials; which address it reached, or -errno. */
static int
dial(struct lc_addresses *addresses)
{
    struct dialing dialing = {.loop = lc_loop_new()};
    int before = count_descriptors();
    lc_dial_start(&dialing.dial, dialing.loop, addresses, 0, lc_clock_monotonic_ns(), on_dialed);
    assert_int_equal(dialing.calls, 0);
    lc_loop_run(dialing.loop);
    assert_int_equal(dialing.calls, 1);
    lc_loop_free(dialing.loop);
    if (dialing.fd < 0) {
        return -dialing.errnum;
    }
    /* That of the loop is gone, the connection is there, and nothing of the other addresses. */
    close(dialing.fd);
    assert_true(count_descriptors() < before);
    return (int)addresses->first;
}

static void
test_order_of_addresses(void **state)
{
    union lc_address open_v4, closed_v4, closed_v6;
    int listener = listen_on(AF_INET, 16, &open_v4);
    assert_true(find_closed(AF_INET, &closed_v4));
    bool has_v6 = find_closed(AF_INET6, &closed_v6);
    union lc_address list[3] = {has_v6 ? closed_v6 : closed_v4, closed_v4, open_v4};
    struct lc_addresses addresses = {.refs = 1, .count = 3, .list = list};
    assert_int_equal(dial(&addresses), 2);
    /* The one that answered is tried first from then on. */
    close(listener);
    assert_int_equal(dial(&addresses), -ECONNREFUSED);
    assert_int_equal(addresses.first, 0);
    /* No way to an address says less than a refusal, whichever comes last. */
    union lc_address nowhere = closed_v4;
    nowhere.v4.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    for (int i = 0; i < 2; i++) {
        union lc_address two[2] = {i == 0 ? nowhere : closed_v4, i == 0 ? closed_v4 : nowhere};
        struct lc_addresses both = {.refs = 1, .count = 2, .list = two};
        assert_int_equal(dial(&both), -ECONNREFUSED);
    }
    struct lc_addresses only = {.refs = 1, .count = 1, .list = &nowhere};
    assert_int_equal(dial(&only), -ENETUNREACH);
}

/* One family of addresses that does not answer gives way to the other. */
static void
test_happy_eyeballs(void **state)
{
    union lc_address silent, answering;
    int answering_listener = listen_on(AF_INET6, 16, &answering);
    int silent_listener = listen_on(AF_INET, 0, &silent);
    if (answering_listener < 0) {
        close(silent_listener);
        skip();
    }
    /* Nobody accepts: when its queue is full, the kernel drops what knocks. */
    int knocking[4];
    for (int i = 0; i < 4; i++) {
        knocking[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(knocking[i], &silent.any, sizeof(silent.v4));
    }
    union lc_address list[2] = {silent, answering};
    struct lc_addresses addresses = {.refs = 1, .count = 2, .list = list};
    int64_t start_ns = lc_clock_monotonic_ns();
    assert_int_equal(dial(&addresses), 1);
    assert_true(lc_clock_monotonic_ns() - start_ns >= 200 * LCORE_NS_PER_MS);
    /* It need not be waited for again. */
    assert_int_equal(dial(&addresses), 1);
    for (int i = 0; i < 4; i++) {
        close(knocking[i]);
    }
    close(answering_listener);
    close(silent_listener);
}

/* ---- many ---- */

struct crowd {
    struct lc_loop *loop;
    struct lc_timer timer;
    struct lc_io busy[2 * SHARE];
    int fds[CROWD];
    int connected;
    int connected_before; /* the last round */
    int most;             /* connected in a round */
    int64_t first_ns;     /* when the first one was connected */
    int64_t last_ns;      /* when the last one began */
    int rounds;
};

struct member {
    struct crowd *crowd;
    int number;
};

static void
on_round(struct lc_timer *timer)
{
    struct crowd *crowd = LCORE_CONTAINER(timer, struct crowd, timer);
    int count = crowd->connected - crowd->connected_before;
    crowd->most = count > crowd->most ? count : crowd->most;
    crowd->connected_before = crowd->connected;
    crowd->rounds++;
    assert_int_equal(lc_timer_start(crowd->loop, timer, 0, on_round), 0);
}

static void
on_connected(void *arg, const struct lc_connect_result *result)
{
    struct member *member = arg;
    struct crowd *crowd = member->crowd;
    assert_true(result->fd >= 0);
    /* First come, first served, but for the order in which the kernel tells of those that began together. */
    assert_in_range(member->number - crowd->connected + LOT, 0, 2 * LOT);
    assert_true(result->begin_ns <= result->dns_ns && result->dns_ns <= result->connected_ns);
    crowd->first_ns = crowd->connected == 0 ? result->connected_ns : crowd->first_ns;
    crowd->last_ns = result->begin_ns;
    crowd->fds[crowd->connected++] = result->fd;
    if (crowd->connected == CROWD) {
        lc_loop_stop(crowd->loop);
    }
}

static void
stay_ready(struct lc_io *io, int events)
{
}

/* All at once, while `busy_count` descriptors have something for the loop all the time. */
static void
gather(struct crowd *crowd, const char *host, int busy_count)
{
    union lc_address address;
    int listener = listen_on(AF_INET, CROWD, &address);
    *crowd = (struct crowd){.loop = lc_loop_new()};
    struct lc_connector *connector = lc_connector_new(crowd->loop);
    for (int i = 0; i < busy_count; i++) {
        lc_io_init(&crowd->busy[i], stay_ready, eventfd(1, EFD_CLOEXEC), EV_READ, NULL);
        lc_io_start(crowd->loop, &crowd->busy[i]);
    }
    /* So that it knows how busy it is. */
    lc_loop_poll(crowd->loop);
    static struct member members[CROWD];
    for (int i = 0; i < CROWD; i++) {
        members[i] = (struct member){crowd, i};
        struct lc_connect *connect;
        assert_int_equal(lc_connector_start(connector, lc_str_from(host), port_of(&address), NULL,
                                            lc_clock_monotonic_ns(), on_connected, &members[i], &connect),
                         0);
    }
    on_round(&crowd->timer);
    lc_loop_run(crowd->loop);
    for (int i = 0; i < CROWD; i++) {
        close(crowd->fds[i]);
    }
    for (int i = 0; i < busy_count; i++) {
        lc_io_stop(crowd->loop, &crowd->busy[i]);
        close(crowd->busy[i].fd);
    }
    lc_timer_stop(crowd->loop, &crowd->timer);
    lc_connector_free(connector);
    lc_loop_free(crowd->loop);
    close(listener);
}

/* A crowd that arrives at once does not keep the loop from its other work until all of it is connected. */
static void
test_crowd(void **state)
{
    static struct crowd crowd;
    gather(&crowd, "127.0.0.1", 0);
    /* The first lot began before the first round, and the last one ends the run. */
    assert_true(crowd.rounds >= CROWD / LOT - 1);
    assert_in_range(crowd.most, 1, LOT);
}

/* Where the loop has work, what is begun is brought to its end before more begins; but more does begin. */
static void
test_busy_crowd(void **state)
{
    static struct crowd crowd;
    gather(&crowd, "localhost", 2 * SHARE);
    /* Those that connect are ready, too. */
    int most = (2 * SHARE + LOT + SHARE - 1) / SHARE;
    /* Two lots where the name became known: that of the answer, and the first one from the queue. */
    assert_in_range(crowd.most, 1, 2 * most);
    assert_true(crowd.rounds >= CROWD / most - 2);
    /* Waiting for a turn is no part of looking up or connecting. */
    assert_true(crowd.last_ns > crowd.first_ns);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection),       cmocka_unit_test(test_failures),
        cmocka_unit_test(test_no_descriptors),   cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_lookup_is_shared), cmocka_unit_test(test_order_of_addresses),
        cmocka_unit_test(test_happy_eyeballs),   cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_busy_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
