/* What a stranger sends to the server of metrics: the first byte says how much of it comes first, the rest follows.
 * Either it is answered as a whole or the connection is closed. */
#include <errno.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fuzz.h"
#include "locustcore/prometheus.h"

static struct lc_loop *loop;
static struct lc_prometheus_server *server;

static struct lc_stats *
fill(struct lc_prometheus_options *options, void *arg)
{
    options->state = LCORE_STR("running");
    return arg;
}

static void
begin(void)
{
    struct lc_error error;
    struct lc_stats *stats = lc_stats_new();
    loop = lc_loop_new();
    server = loop == NULL ? NULL : lc_prometheus_server_new(loop, "127.0.0.1", 0, fill, stats, &error);
    FUZZ_CHECK(stats != NULL && server != NULL);
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/\"a\\b\nc"), LCORE_STR("GET"));
    FUZZ_CHECK(entry != NULL && lc_stats_log_request(stats, entry, 1000000, 10, 1795234975.5) == 0);
}

/* What came before the end; `*is_whole` unless the connection broke off. */
static size_t
talk(int fd, const char *data, size_t size, char *answer, size_t most, bool *is_whole)
{
    int64_t end_ns = lc_clock_monotonic_ns() + 5 * LCORE_NS_PER_S;
    size_t first = size == 0 ? 0 : (unsigned char)data[0] % size, sent = size > 0, got = 0;
    for (;;) {
        size_t piece = sent < first ? first - sent : size - sent;
        ssize_t len = piece == 0 ? 0 : send(fd, data + sent, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += len > 0 ? (size_t)len : 0;
        if (sent == size) {
            shutdown(fd, SHUT_WR);
        }
        FUZZ_CHECK(lc_loop_poll(loop) >= 0 && lc_clock_monotonic_ns() < end_ns);
        len = recv(fd, answer + got, most - got, MSG_DONTWAIT);
        FUZZ_CHECK(len != 0 || got < most);
        if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
            *is_whole = len == 0;
            return got;
        }
        got += len > 0 ? (size_t)len : 0;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char answer[1 << 17];
    if (server == NULL) {
        begin();
    }
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)lc_prometheus_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    bool is_whole;
    size_t len = talk(fd, (const char *)data, size, answer, sizeof(answer) - 1, &is_whole);
    close(fd);
    answer[len] = '\0';
    if (len > 0 && is_whole) {
        const char *body = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "\r\nContent-Length: ");
        FUZZ_CHECK(strncmp(answer, "HTTP/1.1 ", 9) == 0 && body != NULL && length != NULL && length < body);
        size_t body_len = len - (size_t)(body + 4 - answer);
        FUZZ_CHECK(body_len == 0 || body_len == strtoul(length + 18, NULL, 10));
    }
    return 0;
}
