/* For tests of sessions: a server that does what a function says, and a client to put before it. The server's threads
 * block and share nothing with the engine. */
#ifndef TESTS_UNIT_HTTP_SCENE_H
#define TESTS_UNIT_HTTP_SCENE_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../support.h"
#include "base/str.h"
#include "locustcore/http.h"

/* One accepted connection. */
struct peer {
    struct server *server;
    struct peer *next;
    pthread_t thread;
    int fd;
    int index; /* 0 for the first connection */
    SSL *ssl;
    char *input; /* received, NUL-terminated; the current request is at its begin */
    size_t input_len, request_len;
};

typedef void server_fn(struct peer *peer, void *arg);

struct server {
    server_fn *fn;
    void *arg;
    SSL_CTX *tls; /* NULL: plain */
    uint16_t port;
    int fd;
    pthread_t thread;
    struct peer *peers;
    pthread_mutex_t lock; /* of closing a connection before its thread ends */
    atomic_int accepted;
    atomic_int requests; /* read by peer_read() */
    atomic_int permits;  /* of server_go() */
};

/* Listens on 127.0.0.1; fn serves each connection in a thread of its own. tls is taken over. */
void server_start(struct server *server, SSL_CTX *tls, server_fn *fn, void *arg);
/* Cuts all connections and waits for the threads. */
void server_stop(struct server *server);
/* The next request, with its body if it has a Content-Length; false at the end. */
bool peer_read(struct peer *peer);
void peer_send(struct peer *peer, const char *text);
void peer_send_bytes(struct peer *peer, const char *data, size_t len);
/* Status line, Content-Length, body. */
void peer_answer(struct peer *peer, const char *body);
/* Closes with RST. */
void peer_reset(struct peer *peer);
/* Until the client closes. */
void peer_wait_end(struct peer *peer);
/* Until the test calls server_go(), once for each of these, or the client closes. */
void peer_wait_go(struct peer *peer);
void server_go(struct server *server);
/* Until the client, who has no other connection, has read what was sent. */
void peer_wait_read(struct peer *peer);
/* Until something, or the end, has arrived on the client's only connection with the server, while its loop stands; it
 * may have seen that with the answer, and have no connection any more. */
void server_wait_bytes(const struct server *server);
void server_wait_end(const struct server *server);
void pause_ms(int ms);

struct client {
    struct lc_loop *loop;
    struct lc_http *http;
    struct lc_session *session;
    struct lc_session_options options;
    char base[64];
    bool has_stream_event; /* of client_take() */
};
/* Every test runs with both ways to run a loop. */
extern bool client_is_hosted;

/* Loop, and a session with the server as its base; options may be changed between the two. */
void client_init(struct client *client, const struct server *server);
void client_open(struct client *client);
void client_close(struct client *client);
/* Runs the loop until *is_done, at most 20 s. */
void client_run(struct client *client, const bool *is_done);
void client_run_ms(struct client *client, int ms);
/* Reads a streamed body to its end: its size, or -errno. `text` (may be NULL if `size` is 0) gets its first bytes. */
ssize_t client_take(struct client *client, struct lc_stream *stream, char *text, size_t size);
struct lc_response *client_call(struct client *client, const struct lc_request *request);
struct lc_response *client_get(struct client *client, const char *url);
struct lc_response *client_post(struct client *client, const char *url, const char *body);
/* Does a call and checks how it failed. */
void client_expect(struct client *client, const char *method, const char *url, enum lc_fail fail);

#define assert_str(text, literal)                                                                                      \
    do {                                                                                                               \
        struct lc_str str_ = (text);                                                                                   \
        assert_int_equal(str_.len, strlen(literal));                                                                   \
        assert_memory_equal(str_.data, literal, str_.len);                                                             \
    } while (0)

/* Runs a group of tests in both modes. */
#define run_both(tests) (run_mode(false, tests) + run_mode(true, tests))
#define run_mode(mode, tests) (client_is_hosted = (mode), cmocka_run_group_tests(tests, NULL, NULL))

#endif
