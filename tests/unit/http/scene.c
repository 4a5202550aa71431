#include "scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/stream.h"

#define INPUT_MAX (4 * 1024 * 1024)

bool client_is_hosted;

void
pause_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static ssize_t
peer_receive(struct peer *peer, char *data, size_t size)
{
    return peer->ssl != NULL ? SSL_read(peer->ssl, data, (int)size) : recv(peer->fd, data, size, 0);
}

void
peer_send_bytes(struct peer *peer, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent =
            peer->ssl != NULL ? SSL_write(peer->ssl, data, (int)len) : send(peer->fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        data += sent;
        len -= (size_t)sent;
    }
}

void
peer_send(struct peer *peer, const char *text)
{
    peer_send_bytes(peer, text, strlen(text));
}

void
peer_answer(struct peer *peer, const char *body)
{
    char head[128];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(body));
    peer_send(peer, head);
    if (strncmp(peer->input, "HEAD ", 5) != 0) {
        peer_send(peer, body);
    }
}

bool
peer_read(struct peer *peer)
{
    memmove(peer->input, peer->input + peer->request_len, peer->input_len - peer->request_len + 1);
    peer->input_len -= peer->request_len;
    peer->request_len = 0;
    for (;;) {
        char *end = strstr(peer->input, "\r\n\r\n");
        if (end != NULL) {
            size_t len = (size_t)(end - peer->input) + 4;
            char *length = strcasestr(peer->input, "\r\ncontent-length:");
            if (length != NULL && length < end) {
                len += strtoul(length + 17, NULL, 10);
            }
            if (peer->input_len >= len) {
                peer->request_len = len;
                peer->server->requests++;
                return true;
            }
        }
        ssize_t got = peer_receive(peer, peer->input + peer->input_len, INPUT_MAX - 1 - peer->input_len);
        if (got <= 0) {
            return false;
        }
        peer->input_len += (size_t)got;
        peer->input[peer->input_len] = '\0';
    }
}

void
peer_reset(struct peer *peer)
{
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    pthread_mutex_lock(&peer->server->lock);
    close(peer->fd);
    peer->fd = -1;
    pthread_mutex_unlock(&peer->server->lock);
}

void
peer_wait_end(struct peer *peer)
{
    char waste[4096];
    while (peer->fd >= 0 && peer_receive(peer, waste, sizeof(waste)) > 0) {
    }
}

void
peer_wait_go(struct peer *peer)
{
    atomic_int *permits = &peer->server->permits;
    int left = atomic_load(permits);
    while (left == 0 || !atomic_compare_exchange_strong(permits, &left, left - 1)) {
        struct pollfd watched = {peer->fd, POLLRDHUP, 0};
        if (poll(&watched, 1, 1) != 0) {
            return;
        }
        left = atomic_load(permits);
    }
}

void
server_go(struct server *server)
{
    atomic_fetch_add(&server->permits, 1);
}

/* The client's descriptor of a connection; -1 if there is none. */
static int
client_fd(uint16_t server_port)
{
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in far;
        socklen_t size = sizeof(far);
        if (getpeername(fd, (struct sockaddr *)&far, &size) == 0 && far.sin_family == AF_INET &&
            ntohs(far.sin_port) == server_port) {
            return fd;
        }
    }
    return -1;
}

void
peer_wait_read(struct peer *peer)
{
    int left = 1;
    while (ioctl(client_fd(peer->server->port), FIONREAD, &left) == 0 && left > 0) {
        pause_ms(1);
    }
}

static void
wait_for_arrival(const struct server *server, short events)
{
    struct pollfd watched = {client_fd(server->port), events, 0};
    assert_true(watched.fd < 0 || poll(&watched, 1, 20000) == 1);
}

void
server_wait_bytes(const struct server *server)
{
    wait_for_arrival(server, POLLIN);
}

void
server_wait_end(const struct server *server)
{
    wait_for_arrival(server, POLLRDHUP);
}

static void *
serve_peer(void *arg)
{
    struct peer *peer = arg;
    if (peer->server->tls != NULL) {
        peer->ssl = SSL_new(peer->server->tls);
        SSL_set_fd(peer->ssl, peer->fd);
        if (SSL_accept(peer->ssl) != 1) {
            goto done;
        }
    }
    peer->server->fn(peer, peer->server->arg);
    if (peer->ssl != NULL && peer->fd >= 0) {
        SSL_shutdown(peer->ssl);
    }
done:
    if (peer->fd >= 0) {
        shutdown(peer->fd, SHUT_RDWR);
    }
    return NULL;
}

static void *
serve(void *arg)
{
    struct server *server = arg;
    for (;;) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct peer *peer = calloc(1, sizeof(*peer));
        peer->server = server;
        peer->fd = fd;
        peer->index = server->accepted++;
        peer->input = calloc(1, INPUT_MAX);
        peer->next = server->peers;
        server->peers = peer;
        pthread_create(&peer->thread, NULL, serve_peer, peer);
    }
}

void
server_start(struct server *server, SSL_CTX *tls, server_fn *fn, void *arg)
{
    *server = (struct server){.fn = fn, .arg = arg, .tls = tls, .lock = PTHREAD_MUTEX_INITIALIZER};
    if (tls != NULL) {
        signal(SIGPIPE, SIG_IGN); /* OpenSSL's own socket writes with write() */
    }
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 1024), 0);
    getsockname(server->fd, (struct sockaddr *)&address, &size);
    server->port = ntohs(address.sin_port);
    pthread_create(&server->thread, NULL, serve, server);
}

void
server_stop(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    while (server->peers != NULL) {
        struct peer *peer = server->peers;
        server->peers = peer->next;
        pthread_mutex_lock(&server->lock);
        if (peer->fd >= 0) {
            shutdown(peer->fd, SHUT_RDWR);
        }
        pthread_mutex_unlock(&server->lock);
        pthread_join(peer->thread, NULL);
        SSL_free(peer->ssl);
        if (peer->fd >= 0) {
            close(peer->fd);
        }
        free(peer->input);
        free(peer);
    }
    SSL_CTX_free(server->tls);
}

void
client_init(struct client *client, const struct server *server)
{
    struct lc_error error = {0};
    memset(client, 0, sizeof(*client));
    client->loop = lc_loop_new();
    assert_non_null(client->loop);
    client->http = lc_http_new(client->loop, &error);
    assert_non_null(client->http);
    lc_session_options_init(&client->options);
    if (server != NULL) {
        snprintf(client->base, sizeof(client->base), "%s://127.0.0.1:%u", server->tls == NULL ? "http" : "https",
                 server->port);
        client->options.base_url = lc_str_from(client->base);
    }
}

void
client_open(struct client *client)
{
    struct lc_error error = {0};
    client->session = lc_session_new(client->http, &client->options, &error);
    assert_non_null(client->session);
}

void
client_close(struct client *client)
{
    lc_session_free(client->session);
    lc_http_free(client->http);
    lc_loop_free(client->loop);
}

struct guard {
    struct lc_timer timer;
    struct lc_loop *loop;
    bool is_over;
};

static void
on_guard(struct lc_timer *timer)
{
    struct guard *guard = (struct guard *)timer;
    guard->is_over = true;
    lc_loop_stop(guard->loop);
}

static void
run_guarded(struct client *client, const bool *is_done, struct guard *guard, int ms)
{
    guard->loop = client->loop;
    assert_int_equal(
        lc_timer_start(client->loop, &guard->timer, lc_clock_monotonic_ns() + ms * LCORE_NS_PER_MS, on_guard), 0);
    if (client_is_hosted) {
        struct lc_loop *loop = client->loop;
        bool is_over = is_done != NULL && *is_done;
        while (!is_over) {
            int64_t deadline_ns = lc_loop_next_deadline_ns(loop);
            int64_t wait_ns = deadline_ns - lc_clock_monotonic_ns();
            wait_ns = wait_ns < 0 ? 0 : wait_ns;
            struct pollfd watched = {lc_loop_fd(loop), POLLIN, 0};
            assert_true(watched.fd >= 0);
            ppoll(&watched, 1, &(struct timespec){wait_ns / LCORE_NS_PER_S, wait_ns % LCORE_NS_PER_S}, NULL);
            lc_loop_poll(loop);
            is_over = guard->is_over || (is_done != NULL && *is_done);
        }
    } else if (is_done == NULL || !*is_done) {
        lc_loop_run(client->loop);
    }
    lc_timer_stop(client->loop, &guard->timer);
}

void
client_run(struct client *client, const bool *is_done)
{
    struct guard guard = {0};
    run_guarded(client, is_done, &guard, 20000);
    assert_true(*is_done);
}

void
client_run_ms(struct client *client, int ms)
{
    struct guard guard = {0};
    run_guarded(client, NULL, &guard, ms);
}

struct call {
    struct client *client;
    struct lc_response *response;
    bool is_done;
};

static void
on_response(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct call *call = arg;
    assert_non_null(response);
    assert_null(call->response);
    call->response = response;
    call->is_done = true;
    lc_loop_stop(call->client->loop);
}

struct lc_response *
client_call(struct client *client, const struct lc_request *request)
{
    struct call call = {.client = client};
    struct lc_exchange *exchange = NULL;
    struct lc_error error = {0};
    int err = lc_session_start(client->session, request, 0, on_response, &call, &exchange, &error);
    if (err < 0) {
        fail_msg("not started: %d %s", err, error.text);
    }
    assert_false(call.is_done);
    client_run(client, &call.is_done);
    return call.response;
}

struct lc_response *
client_get(struct client *client, const char *url)
{
    return client_call(client, &(struct lc_request){.method = LCORE_STR("GET"), .url = lc_str_from(url)});
}

struct lc_response *
client_post(struct client *client, const char *url, const char *body)
{
    return client_call(
        client, &(struct lc_request){.method = LCORE_STR("POST"), .url = lc_str_from(url), .body = lc_str_from(body)});
}

void
client_expect(struct client *client, const char *method, const char *url, enum lc_fail fail)
{
    struct lc_response *response =
        client_call(client, &(struct lc_request){.method = lc_str_from(method), .url = lc_str_from(url)});
    if (response->fail != fail) {
        fail_msg("%s %s: expected '%s', got '%s': %.*s", method, url, lc_fail_text(fail), lc_fail_text(response->fail),
                 (int)response->fail_text.len, response->fail_text.data);
    }
    if (fail != LCORE_FAIL_NONE) {
        assert_true(response->fail_text.len > 0);
        assert_true(response->timings.end_ns >= response->timings.start_ns);
    }
    lc_response_free(response);
}

static void
on_stream(struct lc_stream *stream, void *arg)
{
    ((struct client *)arg)->has_stream_event = true;
}

ssize_t
client_take(struct client *client, struct lc_stream *stream, char *text, size_t size)
{
    char piece[5000];
    size_t total = 0;
    lc_stream_set_fn(stream, on_stream, client);
    for (;;) {
        client->has_stream_event = false;
        ssize_t got = lc_stream_read(stream, piece, sizeof(piece));
        if (got == -EAGAIN) {
            client_run(client, &client->has_stream_event);
            continue;
        }
        if (got <= 0) {
            return got < 0 ? got : (ssize_t)total;
        }
        for (size_t i = 0; i < (size_t)got && total + i + 1 < size; i++) {
            text[total + i] = piece[i];
            text[total + i + 1] = '\0';
        }
        total += (size_t)got;
    }
}
