/* For fuzzers of what a server sends: sessions of one loop, and a listener beside them in the same thread. */
#ifndef TESTS_FUZZ_SERVED_H
#define TESTS_FUZZ_SERVED_H

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fuzz.h"
#include "locustcore/http.h"

static struct lc_loop *loop;
static struct lc_http *http;
static int listener;
static char base[64];

static void
set_up(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    loop = lc_loop_new();
    FUZZ_CHECK(loop != NULL);
    http = lc_http_new(loop, NULL);
    FUZZ_CHECK(http != NULL);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    FUZZ_CHECK(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 64) == 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    snprintf(base, sizeof(base), "http://127.0.0.1:%u", ntohs(address.sin_port));
}

static void
go_round(int wait_ms)
{
    struct pollfd watched[2] = {{lc_loop_fd(loop), POLLIN, 0}, {listener, POLLIN, 0}};
    if (lc_loop_next_deadline_ns(loop) > lc_clock_monotonic_ns()) {
        poll(watched, 2, wait_ms);
    }
    lc_loop_poll(loop);
}

/* What the server sends, in so many pieces, with rounds of the loop between them; nothing comes after it. */
static void
send_in_pieces(int fd, const uint8_t *at, size_t left, size_t pieces)
{
    for (size_t i = 0; i < pieces; i++) {
        size_t len = i + 1 == pieces ? left : left / (pieces - i);
        if (len > 0 && send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            break;
        }
        at += len;
        left -= len;
        go_round(0);
        go_round(0);
    }
    shutdown(fd, SHUT_WR);
}

/* For the next input: connections that nobody served. */
static void
close_rest(void)
{
    go_round(0);
    for (int more; (more = accept(listener, NULL, NULL)) >= 0;) {
        close(more);
    }
}

#endif
