#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 65536, MAX_EVENTS = 512 };

struct connection {
    int fd;
    SSL *ssl; /* NULL: plain */
    bool is_accepted, is_continue_sent;
    uint32_t interest;
    struct buf in;
    struct answer answer;
    size_t sent, next_mark;
    int64_t due_ns;
    size_t heap_index; /* SIZE_MAX: not waiting */
};

struct counters counters;
static int epoll_fd, listen_fd;
static SSL_CTX *tls;
static int64_t delay_ns;

/* Waiting connections, the earliest first. */
static struct connection **heap;
static size_t heap_count, heap_cap;

int64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
die(const char *what)
{
    fprintf(stderr, "target: %s: %s\n", what, errno ? strerror(errno) : "failed");
    ERR_print_errors_fp(stderr);
    exit(1);
}

void
answer_mark(struct answer *answer, enum mark_kind kind, size_t value)
{
    if (answer->mark_count == answer->mark_cap) {
        answer->mark_cap = answer->mark_cap ? answer->mark_cap * 2 : 8;
        answer->marks = resized(answer->marks, answer->mark_cap * sizeof(*answer->marks));
    }
    answer->marks[answer->mark_count++] = (struct mark){kind, answer->out.len, value};
}

static void
heap_put(size_t index, struct connection *connection)
{
    heap[index] = connection;
    connection->heap_index = index;
}

static void
heap_sift(size_t index, struct connection *connection)
{
    while (index > 0 && heap[(index - 1) / 2]->due_ns > connection->due_ns) {
        heap_put(index, heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < heap_count && heap[child + 1]->due_ns < heap[child]->due_ns) {
            child++;
        }
        if (child >= heap_count || heap[child]->due_ns >= connection->due_ns) {
            break;
        }
        heap_put(index, heap[child]);
        index = child;
    }
    heap_put(index, connection);
}

static void
wait_until(struct connection *connection, int64_t due_ns)
{
    connection->due_ns = due_ns;
    if (heap_count == heap_cap) {
        heap_cap = heap_cap ? heap_cap * 2 : 64;
        heap = resized(heap, heap_cap * sizeof(*heap));
    }
    heap_count++;
    heap_sift(heap_count - 1, connection);
}

static void
wait_end(struct connection *connection)
{
    size_t index = connection->heap_index;
    if (index == SIZE_MAX) {
        return;
    }
    connection->heap_index = SIZE_MAX;
    struct connection *last = heap[--heap_count];
    if (last != connection) {
        heap_sift(index, last);
    }
}

static void
connection_close(struct connection *connection)
{
    wait_end(connection);
    if (connection->ssl != NULL) {
        if (connection->is_accepted) {
            SSL_shutdown(connection->ssl);
        }
        SSL_free(connection->ssl);
        ERR_clear_error();
    }
    close(connection->fd);
    buf_free(&connection->in);
    buf_free(&connection->answer.out);
    free(connection->answer.marks);
    free(connection);
    counters.open--;
}

static void
connection_want(struct connection *connection, uint32_t interest)
{
    if (connection->interest != interest) {
        connection->interest = interest;
        struct epoll_event event = {.events = interest, .data.ptr = connection};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
    }
}

/* Like recv and send: -1 with EAGAIN where the socket has to be waited for. */
static ssize_t
tls_result(struct connection *connection, int result)
{
    if (result > 0) {
        return result;
    }
    int error = SSL_get_error(connection->ssl, result);
    ERR_clear_error();
    if (error == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

static ssize_t
connection_read(struct connection *connection, void *data, size_t size)
{
    if (connection->ssl != NULL) {
        return tls_result(connection, SSL_read(connection->ssl, data, (int)size));
    }
    return recv(connection->fd, data, size, 0);
}

static ssize_t
connection_write(struct connection *connection, const void *data, size_t len)
{
    if (connection->ssl != NULL) {
        return tls_result(connection, SSL_write(connection->ssl, data, (int)(len < 1 << 30 ? len : 1 << 30)));
    }
    return send(connection->fd, data, len, MSG_NOSIGNAL);
}

enum progress { DONE, BUSY, GONE };

/* Sends what may be sent now. GONE: the connection is closed and freed. */
static enum progress
connection_flush(struct connection *connection)
{
    struct answer *answer = &connection->answer;
    for (;;) {
        bool has_mark = connection->next_mark < answer->mark_count;
        size_t limit = has_mark ? answer->marks[connection->next_mark].at : answer->out.len;
        while (connection->sent < limit) {
            ssize_t n = connection_write(connection, answer->out.data + connection->sent, limit - connection->sent);
            if (n <= 0) {
                if (n < 0 && errno == EAGAIN) {
                    connection_want(connection, EPOLLIN | EPOLLOUT);
                    return BUSY;
                }
                connection_close(connection);
                return GONE;
            }
            connection->sent += (size_t)n;
        }
        if (!has_mark) {
            answer->out.len = answer->mark_count = connection->sent = connection->next_mark = 0;
            connection_want(connection, EPOLLIN);
            return DONE;
        }
        struct mark mark = answer->marks[connection->next_mark++];
        switch (mark.kind) {
        case MARK_WAIT:
            connection_want(connection, EPOLLIN);
            wait_until(connection, now_ns() + (int64_t)mark.value * 1000000);
            return BUSY;
        case MARK_REPEAT:
            connection->sent = mark.value;
            connection->next_mark = 0;
            while (answer->marks[connection->next_mark].at <= mark.value) {
                connection->next_mark++;
            }
            /* By way of the heap, so that others get their turn. */
            connection_want(connection, EPOLLIN);
            wait_until(connection, now_ns());
            return BUSY;
        case MARK_HANG:
            connection_want(connection, EPOLLIN);
            connection->next_mark--;
            return BUSY;
        case MARK_RESET:
            setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
            connection->is_accepted = false;
            connection_close(connection);
            return GONE;
        case MARK_CLOSE:
            connection_close(connection);
            return GONE;
        }
    }
}

static void
connection_refuse(struct connection *connection)
{
    buf_puts(&connection->answer.out, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    answer_mark(&connection->answer, MARK_CLOSE, 0);
    connection_flush(connection);
}

/* Answers the requests in `in`, one after the other. */
static void
connection_process(struct connection *connection)
{
    struct answer *answer = &connection->answer;
    struct buf *in = &connection->in;
    while (answer->out.len == 0 && answer->mark_count == 0) {
        struct request request;
        size_t taken;
        switch (request_read((struct text){in->data, in->len}, &request, &taken)) {
        case REQUEST_BAD:
            connection_refuse(connection);
            return;
        case REQUEST_INCOMPLETE:
            if (request.is_expecting && !connection->is_continue_sent) {
                connection->is_continue_sent = true;
                buf_puts(&answer->out, "HTTP/1.1 100 Continue\r\n\r\n");
                connection_flush(connection);
            }
            return;
        case REQUEST_WHOLE:
            break;
        }
        counters.requests++;
        if (delay_ns > 0) {
            answer_mark(answer, MARK_WAIT, (size_t)(delay_ns / 1000000));
        }
        routes_answer(answer, &request);
        if (!request.is_keep_alive) {
            answer_mark(answer, MARK_CLOSE, 0);
        }
        buf_drop(in, taken);
        connection->is_continue_sent = false;
        if (connection_flush(connection) != DONE) {
            return;
        }
    }
}

static void
connection_accept(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct connection *connection = resized(NULL, sizeof(*connection));
    *connection =
        (struct connection){.fd = fd, .is_accepted = tls == NULL, .heap_index = SIZE_MAX, .interest = EPOLLIN};
    if (tls != NULL) {
        connection->ssl = SSL_new(tls);
        if (connection->ssl == NULL || SSL_set_fd(connection->ssl, fd) != 1) {
            die("TLS");
        }
        SSL_set_accept_state(connection->ssl);
    }
    counters.connections++;
    counters.open++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll");
    }
}

static void
connection_event(struct connection *connection, uint32_t events)
{
    static char block[READ_BYTES];
    if (!connection->is_accepted) {
        if (tls_result(connection, SSL_accept(connection->ssl)) < 0) {
            if (errno == EAGAIN) {
                connection_want(connection, SSL_want_write(connection->ssl) ? EPOLLOUT : EPOLLIN);
            } else {
                connection_close(connection);
            }
            return;
        }
        connection->is_accepted = true;
        connection_want(connection, EPOLLIN);
    }
    if (events & EPOLLOUT) {
        enum progress progress = connection_flush(connection);
        if (progress == GONE) {
            return;
        }
    }
    ssize_t n;
    do {
        n = connection_read(connection, block, sizeof(block));
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            connection_close(connection);
            return;
        }
        if (n > 0) {
            buf_add(&connection->in, block, (size_t)n);
        }
    } while (n == (ssize_t)sizeof(block) || (n > 0 && connection->ssl != NULL && SSL_pending(connection->ssl) > 0));
    connection_process(connection);
}

static void
accept_all(void)
{
    int fd;
    while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        connection_accept(fd);
    }
}

static void
run(void)
{
    static struct epoll_event events[MAX_EVENTS];
    for (;;) {
        struct timespec timeout = {0}, *wait = NULL;
        if (heap_count > 0) {
            int64_t left = heap[0]->due_ns - now_ns();
            left = left > 0 ? left : 0;
            timeout = (struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
            wait = &timeout;
        }
        int count = epoll_pwait2(epoll_fd, events, MAX_EVENTS, wait, NULL);
        if (count < 0 && errno != EINTR) {
            die("epoll");
        }
        /* An event may free only its own connection, so the others of the batch stay valid. */
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                accept_all();
            } else {
                connection_event(events[i].data.ptr, events[i].events);
            }
        }
        int64_t now = now_ns();
        while (heap_count > 0 && heap[0]->due_ns <= now) {
            struct connection *connection = heap[0];
            wait_end(connection);
            if (connection_flush(connection) == DONE) {
                connection_process(connection);
            }
        }
    }
}

static int
listen_on(const char *host, const char *port, unsigned *bound)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *address;
    int error = getaddrinfo(host, port, &hints, &address);
    if (error != 0) {
        fprintf(stderr, "target: %s: %s\n", host, gai_strerror(error));
        exit(1);
    }
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        die("listen");
    }
    freeaddrinfo(address);
    struct sockaddr_storage name;
    socklen_t len = sizeof(name);
    if (getsockname(fd, (struct sockaddr *)&name, &len) != 0) {
        die("listen");
    }
    *bound = ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port
                                              : ((struct sockaddr_in *)&name)->sin_port);
    return fd;
}

static void
tls_open(const char *cert, const char *key, const char *client_ca)
{
    tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
        die("TLS");
    }
    SSL_CTX_set_mode(tls,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    if (client_ca != NULL) {
        if (SSL_CTX_load_verify_locations(tls, client_ca, NULL) != 1) {
            die("client CA");
        }
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_session_id_context(tls, (const unsigned char *)"target", 6);
    }
}

static void
usage(FILE *file)
{
    fputs("usage: target [--host ADDRESS] [--port N] [--delay-ms N] [--cert FILE --key FILE [--client-ca FILE]]\n"
          "Prints its URL once it listens; port 0 (the default) takes a free one. Runs until it is killed.\n",
          file);
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        {"host", required_argument, NULL, 'h'},       {"port", required_argument, NULL, 'p'},
        {"delay-ms", required_argument, NULL, 'd'},   {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},        {"client-ca", required_argument, NULL, 'a'},
        {"help", no_argument, NULL, '?' + UINT8_MAX}, {NULL, 0, NULL, 0}};
    const char *host = "127.0.0.1", *port = "0", *cert = NULL, *key = NULL, *client_ca = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'h':
            host = optarg;
            break;
        case 'p':
            port = optarg;
            break;
        case 'd':
            delay_ns = atoll(optarg) * 1000000;
            break;
        case 'c':
            cert = optarg;
            break;
        case 'k':
            key = optarg;
            break;
        case 'a':
            client_ca = optarg;
            break;
        case '?':
            usage(stderr);
            return 2;
        default:
            usage(stdout);
            return 0;
        }
    }
    if (optind != argc || (cert == NULL) != (key == NULL) || (client_ca != NULL && cert == NULL)) {
        usage(stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (cert != NULL) {
        tls_open(cert, key, client_ca);
    }
    unsigned bound;
    listen_fd = listen_on(host, port, &bound);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) != 0) {
        die("epoll");
    }
    printf("%s://%s:%u\n", tls != NULL ? "https" : "http", host, bound);
    fflush(stdout);
    run();
}
