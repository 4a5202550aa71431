/* Plays many workers at once against one master, ours or Locust's: each beats every second and reports every three,
 * with so many request names in each report.
 *
 *     players PORT WORKERS NAMES [plain]
 *
 * plain: as Locust's workers do it. Others wait until a report is confirmed, and as long as the master wants them to;
 * what they measure until then is not played. On SIGTERM it says what it sent, and on another one it ends; or once the
 * master has told the last one to quit. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "base/clock.h"
#include "played_report.h"
#include "rpc/pace.h"

struct player {
    void *socket;
    char id[64];
    const char *state;
    struct lc_buffer counts; /* the packed map of the last spawn message */
    bool has_quit, is_own_master;
    uint64_t number, confirmed; /* reports */
    int64_t reported_ns, pause_ns, transit_pause_ns;
};

static volatile sig_atomic_t is_over;
static bool is_plain;

static void
on_signal(int number)
{
    is_over++;
}

static void
check(bool is_fine, const char *what)
{
    if (!is_fine) {
        fprintf(stderr, "players: %s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

static void
send_message(struct player *player, const char *type, struct lc_str data)
{
    struct lc_buffer frame = {0};
    check(lc__node_frame(&frame, type, data, lc_str_from(player->id)) == 0, "memory");
    zmq_send(player->socket, frame.data, frame.len, ZMQ_DONTWAIT);
    lc_buffer_fini(&frame);
}

static void
send_heartbeat(struct player *player)
{
    struct lc_buffer data = {0};
    int err = lc_pack_map(&data, player->is_own_master ? 5 : 3);
    err |= lc_pack_str(&data, LCORE_STR("state"));
    err |= lc_pack_str(&data, lc_str_from(player->state));
    err |= lc_pack_str(&data, LCORE_STR("current_cpu_usage"));
    err |= lc_pack_float(&data, 12.5);
    err |= lc_pack_str(&data, LCORE_STR("current_memory_usage"));
    err |= lc_pack_int(&data, 50000000);
    if (player->is_own_master) {
        err |= lc_pack_str(&data, LCORE_STR(LCORE_OWN_KEY));
        err |= lc_pack_int(&data, 1);
        err |= lc_pack_str(&data, LCORE_STR(LCORE_BEAT_KEY));
        err |= lc_pack_int(&data, lc_clock_monotonic_ns() / LCORE_NS_PER_US);
    }
    check(err == 0, "memory");
    send_message(player, "heartbeat", (struct lc_str){data.data, data.len});
    lc_buffer_fini(&data);
}

static void
take_spawn(struct player *player, struct lc_str data)
{
    struct lc_pack_reader value, end;
    if (!lc__node_find(data, "user_classes_count", &value)) {
        return;
    }
    end = value;
    lc_pack_skip(&end);
    player->counts.len = 0;
    check(lc_buffer_append(&player->counts, value.at, (size_t)(end.at - value.at)) == 0, "memory");
    send_message(player, "spawning", (struct lc_str){0});
    struct lc_buffer answer = {0};
    int err = lc_pack_map(&answer, 2);
    err |= lc_pack_str(&answer, LCORE_STR("user_classes_count"));
    err |= lc_buffer_append(&answer, player->counts.data, player->counts.len);
    err |= lc_pack_str(&answer, LCORE_STR("user_count"));
    err |= lc_pack_int(&answer, 1);
    check(err == 0, "memory");
    send_message(player, "spawning_complete", (struct lc_str){answer.data, answer.len});
    lc_buffer_fini(&answer);
    player->state = "running";
}

/* The report of this round, with a number of its own if the master is one of ours. */
static void
send_report(struct player *player, const struct lc_buffer *report)
{
    struct lc_pack_reader reader = lc_pack_reader_from((struct lc_str){report->data, report->len});
    struct lc_pack_item head;
    struct lc_buffer data = {0};
    check(lc_pack_read(&reader, &head) == 0, "report");
    int err = lc_pack_map(&data, head.count + (player->is_own_master ? 1 : 0));
    if (player->is_own_master) {
        err |= lc_pack_str(&data, LCORE_STR(LCORE_REPORT_NUMBER_KEY));
        err |= lc_pack_uint(&data, ++player->number);
    }
    err |= lc_buffer_append(&data, (const char *)reader.at, (size_t)(reader.end - reader.at));
    check(err == 0, "memory");
    send_message(player, "stats", (struct lc_str){data.data, data.len});
    lc_buffer_fini(&data);
}

static bool
may_report(const struct player *player, int64_t now_ns)
{
    return !player->is_own_master ||
           (player->confirmed == player->number && now_ns - player->reported_ns >= player->pause_ns &&
            now_ns - player->reported_ns >= player->transit_pause_ns);
}

/* Whether it plays on. */
static bool
listen_to_master(struct player *player)
{
    char bytes[65536];
    int len;
    while ((len = zmq_recv(player->socket, bytes, sizeof(bytes), ZMQ_DONTWAIT)) >= 0) {
        struct lc_message message;
        if (len > (int)sizeof(bytes) || lc_message_read((struct lc_str){bytes, (size_t)len}, &message) < 0) {
            continue;
        }
        struct lc_pack_reader value;
        uint64_t pause_ms = 0;
        if (lc_str_equal(message.type, LCORE_STR("spawn"))) {
            take_spawn(player, message.data);
        } else if (lc_str_equal(message.type, LCORE_STR("ack")) && !is_plain) {
            player->is_own_master = lc__node_find(message.data, LCORE_OWN_KEY, &value);
        } else if (lc_str_equal(message.type, LCORE_STR("heartbeat"))) {
            uint64_t before = player->confirmed;
            lc__node_find_count(message.data, LCORE_REPORT_NUMBER_KEY, &player->confirmed);
            if (player->confirmed > before) {
                player->transit_pause_ns = 2 * (lc_clock_monotonic_ns() - player->reported_ns - LCORE_NS_PER_S);
            }
            lc__node_find_count(message.data, LCORE_PAUSE_KEY, &pause_ms);
            player->pause_ns = (int64_t)pause_ms * LCORE_NS_PER_MS;
        } else if (lc_str_equal(message.type, LCORE_STR("stop"))) {
            send_message(player, "client_stopped", (struct lc_str){0});
            send_message(player, "client_ready",
                         LCORE_STR("\xa6"
                                   "2.47.0"));
            player->state = "ready";
        } else if (lc_str_equal(message.type, LCORE_STR("quit"))) {
            send_message(player, "quit", (struct lc_str){0});
            return false;
        }
    }
    return true;
}

int
main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: players PORT WORKERS NAMES [plain]\n");
        return 2;
    }
    int count = atoi(argv[2]), names = atoi(argv[3]), left = count;
    is_plain = argc > 4 && strcmp(argv[4], "plain") == 0;
    signal(SIGTERM, on_signal);
    void *context = zmq_ctx_new();
    check(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, count + 10) == 0, "sockets");
    struct player *players = calloc((size_t)count, sizeof(*players));
    char address[64];
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%s", argv[1]);
    for (int i = 0; i < count; i++) {
        struct player *player = &players[i];
        player->state = "ready";
        snprintf(player->id, sizeof(player->id), "host%d_%032x", i % 100, i);
        player->socket = zmq_socket(context, ZMQ_DEALER);
        check(player->socket != NULL, "socket (ulimit -n)");
        int linger_ms = 1000;
        zmq_setsockopt(player->socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
        check(zmq_setsockopt(player->socket, ZMQ_ROUTING_ID, player->id, strlen(player->id)) == 0 &&
                  zmq_connect(player->socket, address) == 0,
              address);
        send_message(player, "client_ready",
                     LCORE_STR("\xa6"
                               "2.47.0"));
    }
    /* Spread evenly over the seconds, as workers of different machines are. */
    int64_t begin_ns = lc_clock_monotonic_ns();
    int64_t *beats = calloc((size_t)count, sizeof(*beats)), *reports = calloc((size_t)count, sizeof(*reports));
    for (int i = 0; i < count; i++) {
        beats[i] = begin_ns + LCORE_NS_PER_S * i / count;
        reports[i] = begin_ns + 3 * LCORE_NS_PER_S * i / count;
    }
    struct lc_buffer report = {0};
    int64_t made_ns = 0;
    unsigned long long sent = 0;
    while (left > 0 && !is_over) {
        int64_t now_ns = lc_clock_monotonic_ns();
        for (int i = 0; i < count; i++) {
            struct player *player = &players[i];
            if (player->has_quit) {
                continue;
            }
            if (!listen_to_master(player)) {
                player->has_quit = true;
                left--;
                continue;
            }
            if (now_ns >= beats[i]) {
                beats[i] += LCORE_NS_PER_S;
                send_heartbeat(player);
            }
            if (now_ns >= reports[i] && may_report(player, now_ns)) {
                reports[i] += 3 * LCORE_NS_PER_S;
                reports[i] = reports[i] < now_ns ? now_ns + 3 * LCORE_NS_PER_S : reports[i];
                if (strcmp(player->state, "running") == 0) {
                    if (now_ns - made_ns > LCORE_NS_PER_S) {
                        lc_buffer_fini(&report);
                        report = played_report(names, is_plain, &player->counts, (double)lc_clock_realtime_ns() / 1e9);
                        made_ns = now_ns;
                    }
                    send_report(player, &report);
                    player->reported_ns = now_ns;
                    sent++;
                }
            }
        }
        usleep(20000);
    }
    printf("%llu reports of %zu bytes, %llu requests\n", sent, report.len,
           sent * (unsigned long long)names * REQUESTS_PER_NAME);
    fflush(stdout);
    /* A socket that is closed while something comes in takes along what it has not sent yet. */
    while (left > 0 && is_over == 1) {
        for (int i = 0; i < count; i++) {
            listen_to_master(&players[i]);
        }
        usleep(20000);
    }
    for (int i = 0; i < count; i++) {
        zmq_close(players[i].socket);
        lc_buffer_fini(&players[i].counts);
    }
    zmq_ctx_term(context);
    lc_buffer_fini(&report);
    free(players);
    free(beats);
    free(reports);
    return 0;
}
