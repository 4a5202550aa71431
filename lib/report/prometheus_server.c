/* A server of one page. Each connection is read to the end of a request's head, answered and closed. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "loop/io.h"
#include "report/prometheus.h"

enum { CONNECTIONS = 8, HEAD_MAX = 4096 };
#define PATIENCE_NS (10 * LCORE_NS_PER_S)
/* How long nobody is let in after a lack of descriptors or memory: whoever waits stays in line. */
#define PAUSE_NS (100 * LCORE_NS_PER_MS)

struct connection {
    struct lc_prometheus_server *server;
    struct lc_io io;
    struct lc_timer timer;
    bool is_open;
    char head[HEAD_MAX + 1];
    size_t head_len, sent;
    struct lc_buffer answer;
};

struct lc_prometheus_server {
    struct lc_loop *loop;
    lc_prometheus_fn *fill;
    void *arg;
    struct lc_io io;
    struct lc_timer pause;
    int port;
    struct connection connections[CONNECTIONS];
};

static void
connection_close(struct connection *connection)
{
    if (connection->is_open) {
        lc_io_stop(connection->server->loop, &connection->io);
        lc_timer_stop(connection->server->loop, &connection->timer);
        close(connection->io.fd);
        lc_buffer_fini(&connection->answer);
        connection->is_open = false;
    }
}

static void
on_timeout(struct lc_timer *timer)
{
    connection_close(LCORE_CONTAINER(timer, struct connection, timer));
}

static int
answer(struct connection *connection, const char *status, const char *type, struct lc_str body)
{
    bool is_head = strncmp(connection->head, "HEAD ", 5) == 0;
    int err = lc_buffer_append_format(
        &connection->answer, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
        status, type, body.len);
    return err < 0 || is_head ? err : lc_buffer_append_str(&connection->answer, body);
}

static int
answer_metrics(struct connection *connection)
{
    struct lc_prometheus_server *server = connection->server;
    struct lc_prometheus_options options;
    lc_prometheus_options_init(&options);
    /* Who names it can read it. */
    options.is_openmetrics = strcasestr(connection->head, "application/openmetrics-text") != NULL;
    struct lc_stats *stats = server->fill(&options, server->arg);
    struct lc_buffer text = {0};
    int err = lc__prometheus(&text, stats, &options);
    if (err == 0) {
        err =
            answer(connection, "200 OK", options.is_openmetrics ? LCORE_PROMETHEUS_OPENMETRICS : LCORE_PROMETHEUS_TEXT,
                   (struct lc_str){text.data, text.len});
    }
    lc_buffer_fini(&text);
    return err;
}

static int
answer_request(struct connection *connection)
{
    const char *head = connection->head;
    bool is_get = strncmp(head, "GET ", 4) == 0 || strncmp(head, "HEAD ", 5) == 0;
    const char *path = strchr(head, ' ');
    size_t len = path == NULL ? 0 : strcspn(++path, " ?\r\n");
    if (len == 0 || strncmp(path + strcspn(path, " \r\n"), " HTTP/1.", 8) != 0) {
        return answer(connection, "400 Bad Request", "text/plain", LCORE_STR("That is no HTTP/1.1\n"));
    }
    if (!lc_str_equal((struct lc_str){path, len}, LCORE_STR("/metrics"))) {
        return answer(connection, "404 Not Found", "text/plain", LCORE_STR("The metrics are at /metrics\n"));
    }
    if (!is_get) {
        return answer(connection, "405 Method Not Allowed", "text/plain", LCORE_STR("Metrics are read with GET\n"));
    }
    return answer_metrics(connection);
}

static void
on_writable(struct lc_io *io, int events)
{
    struct connection *connection = io->data;
    struct lc_buffer *out = &connection->answer;
    ssize_t sent = send(io->fd, out->data + connection->sent, out->len - connection->sent, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    connection->sent += sent < 0 ? 0 : (size_t)sent;
    if (sent < 0 || connection->sent == out->len) {
        connection_close(connection);
    }
}

static void
on_readable(struct lc_io *io, int events)
{
    struct connection *connection = io->data;
    ssize_t got = recv(io->fd, connection->head + connection->head_len, HEAD_MAX - connection->head_len, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    connection->head_len += got < 0 ? 0 : (size_t)got;
    connection->head[connection->head_len] = '\0';
    bool is_whole = strstr(connection->head, "\r\n\r\n") != NULL;
    int err = 0;
    if (!is_whole && got > 0 && connection->head_len < HEAD_MAX) {
        return;
    }
    if (is_whole) {
        err = answer_request(connection);
    } else if (got > 0) {
        err = answer(connection, "431 Request Header Fields Too Large", "text/plain", LCORE_STR("Too long a head\n"));
    }
    if (got <= 0 || err < 0) {
        connection_close(connection);
        return;
    }
    int fd = io->fd;
    lc_io_stop(connection->server->loop, io);
    lc_io_init(io, on_writable, fd, EV_WRITE, connection);
    lc_io_start(connection->server->loop, io);
}

static void
on_pause_over(struct lc_timer *timer)
{
    struct lc_prometheus_server *server = LCORE_CONTAINER(timer, struct lc_prometheus_server, pause);
    lc_io_start(server->loop, &server->io);
}

static void
on_connection(struct lc_io *io, int events)
{
    struct lc_prometheus_server *server = io->data;
    int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        if (is_short &&
            lc_timer_start(server->loop, &server->pause, lc_clock_monotonic_ns() + PAUSE_NS, on_pause_over) == 0) {
            lc_io_stop(server->loop, io); /* it would be ready in every round */
        }
        return;
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &server->connections[i];
        if (!connection->is_open) {
            *connection = (struct connection){.server = server, .is_open = true};
            lc_io_init(&connection->io, on_readable, fd, EV_READ, connection);
            lc_io_start(server->loop, &connection->io);
            if (lc_timer_start(server->loop, &connection->timer, lc_clock_monotonic_ns() + PATIENCE_NS, on_timeout) <
                0) {
                connection_close(connection);
            }
            return;
        }
    }
    close(fd);
}

static int
listen_at(const struct addrinfo *where, int *port)
{
    int fd = socket(where->ai_family, where->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char name[16];
    int on = 1;
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, CONNECTIONS) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
        getnameinfo((struct sockaddr *)&address, len, NULL, 0, name, sizeof(name), NI_NUMERICSERV) == 0) {
        *port = atoi(name);
        return fd;
    }
    int errnum = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = errnum;
    return -1;
}

struct lc_prometheus_server *
lc_prometheus_server_new(struct lc_loop *loop, const char *host, int port, lc_prometheus_fn *fill, void *arg,
                         struct lc_error *error)
{
    if (port < 0 || port > 65535) {
        lc_error_set(error, LCE_INVALID, "no port for metrics: %d", port);
        return NULL;
    }
    struct lc_prometheus_server *server = lc__calloc(1, sizeof(*server));
    if (server == NULL) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        return NULL;
    }
    char service[16];
    snprintf(service, sizeof(service), "%d", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    int failure = getaddrinfo(host, service, &hints, &found);
    if (failure != 0) {
        lc_error_set(error, LCE_SYSTEM, "metrics cannot be served on %s: %s", host, gai_strerror(failure));
        lc__free(server);
        return NULL;
    }
    int fd = -1;
    for (const struct addrinfo *one = found; one != NULL && fd < 0; one = one->ai_next) {
        fd = listen_at(one, &server->port);
    }
    if (fd < 0) {
        lc_error_set_errno(error, LCE_SYSTEM, errno, "metrics cannot be served on %s:%d", host == NULL ? "*" : host,
                           port);
        lc__free(server);
        server = NULL;
    } else {
        server->loop = loop;
        server->fill = fill;
        server->arg = arg;
        lc_io_init(&server->io, on_connection, fd, EV_READ, server);
        lc_io_start(loop, &server->io);
    }
    freeaddrinfo(found);
    return server;
}

int
lc_prometheus_server_port(const struct lc_prometheus_server *server)
{
    return server->port;
}

void
lc_prometheus_server_free(struct lc_prometheus_server *server)
{
    if (server == NULL) {
        return;
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        connection_close(&server->connections[i]);
    }
    lc_io_stop(server->loop, &server->io);
    lc_timer_stop(server->loop, &server->pause);
    close(server->io.fd);
    lc__free(server);
}
