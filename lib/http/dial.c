#include "http/dial.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define HEAD_START_NS (200 * LCORE_NS_PER_MS)

bool
lc__is_short_of_descriptors(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE;
}

int
lc__descriptor_shortage(void)
{
    int probe = dup(STDERR_FILENO);
    if (probe >= 0) {
        close(probe);
        return 0;
    }
    return lc__is_short_of_descriptors(errno) ? errno : 0;
}

int
lc__socket_open(int family, int type, int protocol, uint32_t ports)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return -1;
    }
    int stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps));
#ifdef IP_LOCAL_PORT_RANGE
    /* Left to itself, connect() tries every second port before the others: from the 14,117th connection to a server on,
     * that costs it 700 us of CPU instead of 22. With a range of the socket's own it tries them all alike. */
    if (ports != 0) {
        setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &ports, sizeof(ports));
    }
#endif
    return fd;
}

/* What tells most: that a server refused says more than that this machine has no way to its other address. */
static void
note_failure(struct lc_dial *dial, int errnum)
{
    bool is_of_way = errnum == ENETUNREACH || errnum == EHOSTUNREACH || errnum == EADDRNOTAVAIL ||
                     errnum == EAFNOSUPPORT || errnum == ENETDOWN;
    if (dial->errnum == 0 || (!is_of_way && !lc__is_short_of_descriptors(dial->errnum))) {
        dial->errnum = errnum;
    }
}

static void
lane_stop(struct lc_dial_lane *lane)
{
    if (lane->fd >= 0) {
        lc_io_stop(lane->dial->loop, &lane->io);
        close(lane->fd);
        lane->fd = -1;
    }
}

static void on_writable(struct lc_io *io, int events);

/* Tries the lane's next addresses until one may still answer. */
static void
lane_go(struct lc_dial_lane *lane)
{
    struct lc_dial *dial = lane->dial;
    const struct lc_addresses *addresses = dial->addresses;
    while (lane->next < addresses->count) {
        size_t turn = lane->next++;
        lane->at = turn == 0 ? dial->first : turn <= dial->first ? turn - 1 : turn;
        const union lc_address *address = &addresses->list[lane->at];
        if (address->any.sa_family != lane->family) {
            continue;
        }
        int fd = lc__socket_open(lane->family, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP, dial->ports);
        if (fd < 0) {
            note_failure(dial, errno);
            continue;
        }
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        socklen_t size = lane->family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
        if (connect(fd, &address->any, size) < 0 && errno != EINPROGRESS && errno != EINTR) {
            note_failure(dial, errno);
            close(fd);
            continue;
        }
        lane->fd = fd;
        lc_io_init(&lane->io, on_writable, fd, EV_WRITE, lane);
        lc_io_start(dial->loop, &lane->io);
        return;
    }
}

/* True: there is nothing left to wait for. */
static bool
is_over(struct lc_dial *dial)
{
    struct lc_dial_lane *second = &dial->lanes[1];
    if (dial->lanes[0].fd < 0 && second->fd < 0 && second->family != 0 && second->next == 0) {
        lc_timer_stop(dial->loop, &dial->head_start);
        lane_go(second);
    }
    return dial->lanes[0].fd < 0 && second->fd < 0;
}

static void
end_failed(struct lc_dial *dial)
{
    dial->addresses->first = 0;
    lc_dial_stop(dial);
    dial->done(dial, -1, dial->errnum);
}

static void
on_failed(struct lc_deferred *deferred)
{
    end_failed(LCORE_CONTAINER(deferred, struct lc_dial, failed));
}

static void
on_head_start(struct lc_timer *timer)
{
    /* The other lane is under way, or there would be no timer. */
    lane_go(&LCORE_CONTAINER(timer, struct lc_dial, head_start)->lanes[1]);
}

/* 0: connected, and `info` is filled in where the system knows it; else what connecting failed of. */
static int
look_at(int fd, struct tcp_info *info)
{
    socklen_t size = sizeof(*info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0 && info->tcpi_state == TCP_ESTABLISHED) {
        return 0;
    }
    *info = (struct tcp_info){0};
    int errnum = 0;
    size = sizeof(errnum);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &size) < 0 ? errno : errnum;
}

static void
on_writable(struct lc_io *io, int events)
{
    struct lc_dial_lane *lane = io->data;
    struct lc_dial *dial = lane->dial;
    struct tcp_info info = {0};
    int errnum = look_at(lane->fd, &info);
    if (errnum != 0) {
        note_failure(dial, errnum);
        lane_stop(lane);
        lane_go(lane);
        if (is_over(dial)) {
            end_failed(dial);
        }
        return;
    }
    dial->connected_ns = lc_clock_monotonic_ns();
    bool is_first_try = lane == &dial->lanes[0] && lane->next == 1;
    if (is_first_try && info.tcpi_rtt > 0 && info.tcpi_total_retrans == 0) {
        /* By the kernel's clock, for this process may have come to it late. */
        int64_t answered_ns = dial->begin_ns + info.tcpi_rtt * LCORE_NS_PER_US;
        dial->connected_ns = answered_ns < dial->connected_ns ? answered_ns : dial->connected_ns;
    }
    int fd = lane->fd;
    dial->addresses->first = lane->at;
    lc_io_stop(dial->loop, &lane->io);
    lane->fd = -1;
    lc_dial_stop(dial);
    dial->done(dial, fd, 0);
}

void
lc_dial_start(struct lc_dial *dial, struct lc_loop *loop, struct lc_addresses *addresses, uint32_t ports,
              int64_t now_ns, void (*done)(struct lc_dial *dial, int fd, int errnum))
{
    *dial = (struct lc_dial){.loop = loop,
                             .addresses = addresses,
                             .ports = ports,
                             .first = addresses->first,
                             .begin_ns = now_ns,
                             .done = done};
    dial->lanes[0] =
        (struct lc_dial_lane){.dial = dial, .fd = -1, .family = addresses->list[dial->first].any.sa_family};
    dial->lanes[1] = (struct lc_dial_lane){.dial = dial, .fd = -1};
    for (size_t i = 0; i < addresses->count; i++) {
        if (addresses->list[i].any.sa_family != dial->lanes[0].family) {
            dial->lanes[1].family = addresses->list[i].any.sa_family;
        }
    }
    lane_go(&dial->lanes[0]);
    if (is_over(dial)) {
        lc__loop_defer(loop, &dial->failed, on_failed);
    } else if (dial->lanes[1].family != 0 && dial->lanes[1].next == 0) {
        /* If memory runs out, the second lane waits until the first one fails. */
        (void)lc_timer_start(loop, &dial->head_start, now_ns + HEAD_START_NS, on_head_start);
    }
}

void
lc_dial_stop(struct lc_dial *dial)
{
    if (dial->loop == NULL) {
        return;
    }
    lane_stop(&dial->lanes[0]);
    lane_stop(&dial->lanes[1]);
    lc_timer_stop(dial->loop, &dial->head_start);
    lc_list_remove(&dial->failed.link);
}
