#include "rpc/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>
#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "loop/io.h"
#include "rpc/curve.h"

/* Seconds of silence after which the kernel begins to ask whether the other side is still there (DST-2). */
#define KEEPALIVE_IDLE_S 30
/* Messages of one worker that may wait in a master, about one of which is a report. More wait at the worker, so a
 * master that is behind needs no memory for thousands of reports. */
#define WAITING_PER_WORKER 4
/* How long a channel that listens may take to close, and for how long one look waits. */
#define CLOSING_NS LCORE_NS_PER_S
#define CLOSING_LOOK_MS 50

struct lc_rpc {
    struct lc_loop *loop;
    void *context;
    unsigned long monitors; /* ever made: their addresses are taken until ZeroMQ's thread has closed them */
};

struct lc_channel {
    struct lc_rpc *rpc;
    void *socket;
    bool is_listening, is_secret;
    int64_t lost_ns; /* a channel that connects: since when it has no connection; 0: it has one */
    bool is_dirty;   /* a timer is set, because the descriptor may have been read empty */
    bool is_closed;  /* a channel that listened does not any more */
    int port;
    lc_channel_fn fn;
    void *arg;
    struct lc_io io;
    struct lc_timer timer;
    zmq_msg_t from, body;
    void *monitor; /* tells of connections that failed; NULL: not watched */
    struct lc_io monitor_io;
    const char *refusal; /* what is to be said; NULL: nothing */
    int64_t refusal_ns;  /* when something was said last */
};

struct lc_rpc *
lc_rpc_new(struct lc_loop *loop)
{
    struct lc_rpc *rpc = lc__calloc(1, sizeof(*rpc));
    if (rpc == NULL) {
        return NULL;
    }
    rpc->loop = loop;
    rpc->context = zmq_ctx_new();
    if (rpc->context == NULL) {
        lc__free(rpc);
        return NULL;
    }
    return rpc;
}

void
lc_rpc_free(struct lc_rpc *rpc)
{
    if (rpc == NULL) {
        return;
    }
    while (zmq_ctx_term(rpc->context) < 0 && errno == EINTR) {
    }
    lc__free(rpc);
}

/* ZeroMQ has codes of its own beside those of the system. */
static int
fail(struct lc_error *error, const char *what)
{
    int errnum = zmq_errno();
    lc_error_set(error, LCE_SYSTEM, "%s: %s", what, zmq_strerror(errnum));
    if (error != NULL) {
        error->errnum = errnum < ZMQ_HAUSNUMERO ? errnum : 0;
    }
    return LCE_SYSTEM;
}

/* Whether there is a message. Reads the descriptor empty. */
static bool
has_message(struct lc_channel *channel)
{
    int events = 0;
    size_t len = sizeof(events);
    while (zmq_getsockopt(channel->socket, ZMQ_EVENTS, &events, &len) < 0) {
        if (zmq_errno() != EINTR) {
            return false;
        }
    }
    return (events & ZMQ_POLLIN) != 0;
}

static void
on_readable(struct lc_io *io, int events)
{
    struct lc_channel *channel = io->data;
    if (has_message(channel)) {
        channel->fn(channel, channel->arg);
    }
}

static void
on_timer(struct lc_timer *timer)
{
    struct lc_channel *channel = LCORE_CONTAINER(timer, struct lc_channel, timer);
    channel->is_dirty = false;
    channel->fn(channel, channel->arg);
}

/* The text for the log about an event of the monitor; NULL: nothing to say. */
static const char *
refusal_text(const struct lc_channel *channel, uint16_t event, uint32_t reason)
{
    if (reason == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH && event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
        return channel->is_listening ? "a connection was refused: one side has a secret and the other has none"
                                     : "no connection: this side has a secret and the master has none, or the reverse";
    }
    if (channel->is_listening) {
        return event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
                   ? NULL /* somebody who came and went, as health checks do */
               : reason == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
                   ? "a connection was refused: its secret is not the one of this master"
                   : "a connection was refused: it does not speak the protocol of workers";
    }
    return channel->is_secret ? "no connection: the master closed it at once; its secret is another one, or it has none"
                              : "no connection: the other side closed it at once; it has a secret, or is no master";
}

/* Reads the monitor's events. True: there is something for the log. */
static bool
read_monitor(struct lc_channel *channel)
{
    bool is_news = false;
    for (;;) {
        unsigned char head[6], address[256];
        int len = zmq_recv(channel->monitor, head, sizeof(head), ZMQ_DONTWAIT);
        if (len < 0) {
            break;
        }
        zmq_recv(channel->monitor, address, sizeof(address), ZMQ_DONTWAIT);
        uint16_t event;
        uint32_t reason;
        memcpy(&event, head, sizeof(event));
        memcpy(&reason, head + sizeof(event), sizeof(reason));
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED || event == ZMQ_EVENT_DISCONNECTED) {
            /* Attempts that fail are disconnections, too. */
            channel->lost_ns = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? 0
                               : channel->lost_ns != 0                ? channel->lost_ns
                                                                      : lc_clock_monotonic_ns();
            continue;
        }
        if (event == ZMQ_EVENT_CLOSED) {
            channel->is_closed = true;
            continue;
        }
        const char *text = refusal_text(channel, event, reason);
        int64_t now_ns = lc_clock_monotonic_ns();
        bool is_due =
            channel->refusal_ns == 0 || now_ns - channel->refusal_ns > LCORE_CHANNEL_REFUSAL_S * LCORE_NS_PER_S;
        if (text != NULL && is_due) {
            channel->refusal = text;
            channel->refusal_ns = now_ns;
            is_news = true;
        }
    }
    return is_news;
}

static void
on_monitor(struct lc_io *io, int events)
{
    struct lc_channel *channel = io->data;
    if (read_monitor(channel)) {
        channel->fn(channel, channel->arg);
    }
}

const char *
lc_channel_take_refusal(struct lc_channel *channel)
{
    const char *text = channel->refusal;
    channel->refusal = NULL;
    return text;
}

void
lc_channel_call_soon(struct lc_channel *channel)
{
    channel->is_dirty = lc_timer_start(channel->rpc->loop, &channel->timer, 0, on_timer) == 0;
}

int64_t
lc_channel_unconnected_ns(struct lc_channel *channel)
{
    /* The loop may not have come to it yet. */
    if (read_monitor(channel) && !channel->is_dirty) {
        lc_channel_call_soon(channel);
    }
    return channel->lost_ns == 0 ? 0 : lc_clock_monotonic_ns() - channel->lost_ns;
}

static int
set_option(struct lc_channel *channel, int option, int value)
{
    return zmq_setsockopt(channel->socket, option, &value, sizeof(value));
}

/* As Locust does: IPv6, where the system has it, unless the host is of IPv4 alone. */
static bool
wants_ipv6(const char *host)
{
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        return false;
    }
    int is_v6_only = 0;
    bool is_dual = setsockopt(probe, IPPROTO_IPV6, IPV6_V6ONLY, &is_v6_only, sizeof(is_v6_only)) == 0;
    close(probe);
    if (!is_dual || strcmp(host, "*") == 0) {
        return is_dual;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return true;
    }
    bool has_v6 = false;
    for (struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        has_v6 |= one->ai_family == AF_INET6;
    }
    freeaddrinfo(found);
    return has_v6;
}

static void
format_endpoint(char *out, size_t size, const char *host, int port)
{
    bool is_bare_v6 = strchr(host, ':') != NULL && host[0] != '[';
    snprintf(out, size, is_bare_v6 ? "tcp://[%s]:%d" : "tcp://%s:%d", host, port);
}

/* Stops listening, and waits until ZeroMQ's thread has done so: whoever listens to the port next would find it taken.
 */
static void
stop_listening(struct lc_channel *channel)
{
    char endpoint[300];
    size_t len = sizeof(endpoint);
    if (zmq_getsockopt(channel->socket, ZMQ_LAST_ENDPOINT, endpoint, &len) < 0 ||
        zmq_unbind(channel->socket, endpoint) < 0) {
        return; /* it never listened */
    }
    int64_t end_ns = lc_clock_monotonic_ns() + CLOSING_NS;
    while (!channel->is_closed && lc_clock_monotonic_ns() < end_ns) {
        zmq_pollitem_t item = {.socket = channel->monitor, .events = ZMQ_POLLIN};
        zmq_poll(&item, 1, CLOSING_LOOK_MS);
        read_monitor(channel);
    }
}

static void
channel_drop(struct lc_channel *channel)
{
    if (channel->is_listening && channel->monitor != NULL) {
        stop_listening(channel);
    }
    if (channel->monitor != NULL) {
        zmq_socket_monitor(channel->socket, NULL, 0);
        zmq_close(channel->monitor);
    }
    if (channel->socket != NULL) {
        zmq_close(channel->socket);
    }
    zmq_msg_close(&channel->from);
    zmq_msg_close(&channel->body);
    lc__free(channel);
}

/* Has ZeroMQ tell of connections that fail, and on a channel that connects of the one it has; on one that listens of
 * its end. */
static int
watch_refusals(struct lc_channel *channel)
{
    char address[64];
    snprintf(address, sizeof(address), "inproc://refusals-%lu", channel->rpc->monitors++);
    int events =
        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    events |= channel->is_listening ? ZMQ_EVENT_CLOSED : ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(channel->socket, address, events) < 0) {
        return -1;
    }
    channel->monitor = zmq_socket(channel->rpc->context, ZMQ_PAIR);
    if (channel->monitor == NULL) {
        zmq_socket_monitor(channel->socket, NULL, 0);
        return -1;
    }
    return zmq_connect(channel->monitor, address);
}

static int
channel_open(struct lc_rpc *rpc, int type, const struct lc_channel_options *options, struct lc_channel **out,
             struct lc_error *error)
{
    struct lc_channel *channel = lc__calloc(1, sizeof(*channel));
    if (channel == NULL) {
        return lc_error_set(error, LCE_NOMEM, "out of memory");
    }
    channel->rpc = rpc;
    channel->fn = options->fn;
    channel->arg = options->arg;
    channel->is_listening = type == ZMQ_ROUTER;
    channel->lost_ns = channel->is_listening ? 0 : lc_clock_monotonic_ns();
    channel->is_secret = options->secret != NULL && options->secret[0] != '\0';
    zmq_msg_init(&channel->from);
    zmq_msg_init(&channel->body);
    channel->socket = zmq_socket(rpc->context, type);
    int64_t max_frame = LCORE_CHANNEL_MAX_FRAME;
    int err = 0;
    if (channel->socket == NULL || set_option(channel, ZMQ_LINGER, LCORE_CHANNEL_LINGER_MS) < 0 ||
        set_option(channel, ZMQ_TCP_KEEPALIVE, 1) < 0 ||
        set_option(channel, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S) < 0 ||
        zmq_setsockopt(channel->socket, ZMQ_MAXMSGSIZE, &max_frame, sizeof(max_frame)) < 0 ||
        set_option(channel, ZMQ_IPV6, wants_ipv6(options->host)) < 0 || watch_refusals(channel) < 0) {
        err = fail(error, "socket");
    } else if (channel->is_secret) {
        err = lc__curve_set_up(channel->socket, options->secret, channel->is_listening, error);
    }
    if (err < 0) {
        channel_drop(channel);
        return err;
    }
    *out = channel;
    return 0;
}

static int
channel_watch(struct lc_channel *channel, struct lc_channel **out, struct lc_error *error)
{
    int fd, monitor_fd;
    size_t len = sizeof(fd);
    if (zmq_getsockopt(channel->socket, ZMQ_FD, &fd, &len) < 0 ||
        zmq_getsockopt(channel->monitor, ZMQ_FD, &monitor_fd, &len) < 0) {
        int err = fail(error, "socket");
        channel_drop(channel);
        return err;
    }
    lc_io_init(&channel->io, on_readable, fd, EV_READ, channel);
    lc_io_start(channel->rpc->loop, &channel->io);
    lc_io_init(&channel->monitor_io, on_monitor, monitor_fd, EV_READ, channel);
    lc_io_start(channel->rpc->loop, &channel->monitor_io);
    /* The descriptor only tells of what comes after a look that found nothing. */
    if (read_monitor(channel)) {
        lc_channel_call_soon(channel);
    }
    *out = channel;
    return 0;
}

int
lc_channel_listen(struct lc_rpc *rpc, const struct lc_channel_options *options, struct lc_channel **out,
                  struct lc_error *error)
{
    struct lc_channel *channel;
    int err = channel_open(rpc, ZMQ_ROUTER, options, &channel, error);
    if (err < 0) {
        return err;
    }
    char endpoint[300];
    format_endpoint(endpoint, sizeof(endpoint), options->host, options->port);
    size_t len = sizeof(endpoint);
    /* Handover: a worker whose connection broke without the kernel noticing comes back under its name at once. */
    if (set_option(channel, ZMQ_ROUTER_HANDOVER, 1) < 0 || set_option(channel, ZMQ_ROUTER_MANDATORY, 1) < 0 ||
        set_option(channel, ZMQ_RCVHWM, WAITING_PER_WORKER) < 0 || zmq_bind(channel->socket, endpoint) < 0 ||
        zmq_getsockopt(channel->socket, ZMQ_LAST_ENDPOINT, endpoint, &len) < 0) {
        err = fail(error, endpoint);
        channel_drop(channel);
        return err;
    }
    const char *colon = strrchr(endpoint, ':');
    channel->port = colon == NULL ? options->port : atoi(colon + 1);
    return channel_watch(channel, out, error);
}

int
lc_channel_connect(struct lc_rpc *rpc, const struct lc_channel_options *options, struct lc_str identity,
                   struct lc_channel **out, struct lc_error *error)
{
    if (identity.len == 0 || identity.len > 255) {
        return lc_error_set(error, LCE_INVALID, "an identity has 1 to 255 bytes");
    }
    struct lc_channel *channel;
    int err = channel_open(rpc, ZMQ_DEALER, options, &channel, error);
    if (err < 0) {
        return err;
    }
    char endpoint[300];
    format_endpoint(endpoint, sizeof(endpoint), options->host, options->port);
    if (zmq_setsockopt(channel->socket, ZMQ_ROUTING_ID, identity.data, identity.len) < 0 ||
        zmq_connect(channel->socket, endpoint) < 0) {
        err = fail(error, endpoint);
        channel_drop(channel);
        return err;
    }
    return channel_watch(channel, out, error);
}

void
lc_channel_free(struct lc_channel *channel)
{
    if (channel == NULL) {
        return;
    }
    lc_io_stop(channel->rpc->loop, &channel->io);
    lc__loop_forget(channel->rpc->loop, channel->io.fd);
    lc_io_stop(channel->rpc->loop, &channel->monitor_io);
    lc__loop_forget(channel->rpc->loop, channel->monitor_io.fd);
    lc_timer_stop(channel->rpc->loop, &channel->timer);
    channel_drop(channel);
}

int
lc_channel_port(const struct lc_channel *channel)
{
    return channel->port;
}

int
lc_channel_send(struct lc_channel *channel, struct lc_str to, struct lc_str frame, struct lc_error *error)
{
    assert(channel->is_listening == (to.len > 0));
    int sent;
    if (channel->is_listening) {
        do {
            sent = zmq_send(channel->socket, to.data, to.len, ZMQ_DONTWAIT | ZMQ_SNDMORE);
        } while (sent < 0 && zmq_errno() == EINTR);
        if (sent < 0) {
            goto out;
        }
    }
    do {
        sent = zmq_send(channel->socket, frame.data, frame.len, ZMQ_DONTWAIT);
    } while (sent < 0 && zmq_errno() == EINTR);
out:;
    int err = sent >= 0                     ? 0
              : zmq_errno() == EAGAIN       ? lc_error_set(error, LCE_LIMIT, "the queue is full")
              : zmq_errno() == EHOSTUNREACH ? lc_error_set(error, LCE_NOTFOUND, "nobody of that name is connected")
                                            : fail(error, "send");
    if (!channel->is_dirty && has_message(channel)) {
        lc_channel_call_soon(channel);
    }
    return err;
}

/* 1: a part was received. 0: there is none. */
static int
receive_part(struct lc_channel *channel, zmq_msg_t *part, struct lc_error *error)
{
    for (;;) {
        if (zmq_msg_recv(part, channel->socket, ZMQ_DONTWAIT) >= 0) {
            return 1;
        }
        if (zmq_errno() == EAGAIN) {
            return 0;
        }
        if (zmq_errno() != EINTR) {
            return fail(error, "receive");
        }
    }
}

int
lc_channel_receive(struct lc_channel *channel, struct lc_frame *frame, struct lc_error *error)
{
    *frame = (struct lc_frame){0};
    int got;
    if (channel->is_listening) {
        got = receive_part(channel, &channel->from, error);
        if (got <= 0) {
            return got;
        }
        frame->from = (struct lc_str){zmq_msg_data(&channel->from), zmq_msg_size(&channel->from)};
        if (!zmq_msg_more(&channel->from)) {
            frame->is_odd = true;
            return 1;
        }
    }
    got = receive_part(channel, &channel->body, error);
    if (got <= 0) {
        return got;
    }
    /* The parts of a message arrive together, so the rest is there to be dropped. */
    while (zmq_msg_more(&channel->body)) {
        frame->is_odd = true;
        got = receive_part(channel, &channel->body, error);
        if (got <= 0) {
            return got;
        }
    }
    frame->body = (struct lc_str){zmq_msg_data(&channel->body), zmq_msg_size(&channel->body)};
    return 1;
}
