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
#include "base/list.h"
#include "loop/io.h"

/* Seconds of silence after which the kernel begins to ask whether the other side is still there (DST-2). */
#define KEEPALIVE_IDLE_S 30

struct lc_rpc {
    struct lc_loop *loop;
    void *context;
};

struct lc_channel {
    struct lc_rpc *rpc;
    void *socket;
    bool is_listening;
    bool is_dirty; /* a timer is set, because the descriptor may have been read empty */
    int port;
    lc_channel_fn fn;
    void *arg;
    ev_io io;
    struct lc_timer timer;
    zmq_msg_t from, body;
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
on_readable(struct ev_loop *ev, ev_io *io, int events)
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

static void
channel_drop(struct lc_channel *channel)
{
    if (channel->socket != NULL) {
        zmq_close(channel->socket);
    }
    zmq_msg_close(&channel->from);
    zmq_msg_close(&channel->body);
    lc__free(channel);
}

static int
channel_open(struct lc_rpc *rpc, int type, const char *host, lc_channel_fn fn, void *arg, struct lc_channel **out,
             struct lc_error *error)
{
    struct lc_channel *channel = lc__calloc(1, sizeof(*channel));
    if (channel == NULL) {
        return lc_error_set(error, LCE_NOMEM, "out of memory");
    }
    channel->rpc = rpc;
    channel->fn = fn;
    channel->arg = arg;
    zmq_msg_init(&channel->from);
    zmq_msg_init(&channel->body);
    channel->socket = zmq_socket(rpc->context, type);
    int64_t max_frame = LCORE_CHANNEL_MAX_FRAME;
    if (channel->socket == NULL || set_option(channel, ZMQ_LINGER, LCORE_CHANNEL_LINGER_MS) < 0 ||
        set_option(channel, ZMQ_TCP_KEEPALIVE, 1) < 0 ||
        set_option(channel, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S) < 0 ||
        zmq_setsockopt(channel->socket, ZMQ_MAXMSGSIZE, &max_frame, sizeof(max_frame)) < 0 ||
        set_option(channel, ZMQ_IPV6, wants_ipv6(host)) < 0) {
        int err = fail(error, "socket");
        channel_drop(channel);
        return err;
    }
    *out = channel;
    return 0;
}

static int
channel_watch(struct lc_channel *channel, struct lc_channel **out, struct lc_error *error)
{
    int fd;
    size_t len = sizeof(fd);
    if (zmq_getsockopt(channel->socket, ZMQ_FD, &fd, &len) < 0) {
        int err = fail(error, "socket");
        channel_drop(channel);
        return err;
    }
    lc_io_init(&channel->io, on_readable, fd, EV_READ, channel);
    lc_io_start(channel->rpc->loop, &channel->io);
    *out = channel;
    return 0;
}

int
lc_channel_listen(struct lc_rpc *rpc, const char *host, int port, lc_channel_fn fn, void *arg, struct lc_channel **out,
                  struct lc_error *error)
{
    struct lc_channel *channel;
    int err = channel_open(rpc, ZMQ_ROUTER, host, fn, arg, &channel, error);
    if (err < 0) {
        return err;
    }
    channel->is_listening = true;
    char endpoint[300];
    format_endpoint(endpoint, sizeof(endpoint), host, port);
    size_t len = sizeof(endpoint);
    /* Handover: a worker whose connection broke without the kernel noticing comes back under its name at once. */
    if (set_option(channel, ZMQ_ROUTER_HANDOVER, 1) < 0 || zmq_bind(channel->socket, endpoint) < 0 ||
        zmq_getsockopt(channel->socket, ZMQ_LAST_ENDPOINT, endpoint, &len) < 0) {
        err = fail(error, endpoint);
        channel_drop(channel);
        return err;
    }
    const char *colon = strrchr(endpoint, ':');
    channel->port = colon == NULL ? port : atoi(colon + 1);
    return channel_watch(channel, out, error);
}

int
lc_channel_connect(struct lc_rpc *rpc, const char *host, int port, struct lc_str identity, lc_channel_fn fn, void *arg,
                   struct lc_channel **out, struct lc_error *error)
{
    if (identity.len == 0 || identity.len > 255) {
        return lc_error_set(error, LCE_INVALID, "an identity has 1 to 255 bytes");
    }
    struct lc_channel *channel;
    int err = channel_open(rpc, ZMQ_DEALER, host, fn, arg, &channel, error);
    if (err < 0) {
        return err;
    }
    char endpoint[300];
    format_endpoint(endpoint, sizeof(endpoint), host, port);
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
    int err = sent >= 0               ? 0
              : zmq_errno() == EAGAIN ? lc_error_set(error, LCE_LIMIT, "the queue is full")
                                      : fail(error, "send");
    if (!channel->is_dirty && has_message(channel)) {
        channel->is_dirty = true;
        if (lc_timer_start(channel->rpc->loop, &channel->timer, 0, on_timer) < 0) {
            channel->is_dirty = false;
        }
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
