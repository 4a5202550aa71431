/* The bytes of a connection, and when they arrived. */
#include "http/conn.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/http.h"
#include "http/tls.h"
#include "http/wire.h"
#include "loop/loop.h"

/* When what is received now can have come at the earliest: not before the request. Over TLS session tickets can. */
static int64_t
earliest_ns(const struct lc_conn *conn)
{
    return conn->ssl != NULL        ? conn->stamp_ns
           : conn->exchange != NULL ? conn->exchange->timings.sent_ns
           : conn->wire != NULL     ? conn->wire->timings.sent_ns
                                    : 0;
}

/* A stamp is believed only where it can be true: not too early, not in the future. The clocks may have been
 * set in between. Bytes do not arrive before those that came first, however the clocks were compared meanwhile. */
static int64_t
believable_ns(const struct lc_conn *conn, int64_t stamp_ns)
{
    int64_t now_ns = lc_loop_now_ns(conn->http->loop);
    if (stamp_ns > now_ns) {
        now_ns = lc_clock_monotonic_ns();
    }
    int64_t least_ns = earliest_ns(conn);
    if (stamp_ns <= now_ns && stamp_ns >= least_ns) {
        return stamp_ns > conn->stamp_ns ? stamp_ns : conn->stamp_ns;
    }
    return now_ns > least_ns ? now_ns : lc_clock_monotonic_ns();
}

ssize_t
lc__conn_receive(struct lc_conn *conn, void *data, size_t size)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct scm_timestamping))];
        struct cmsghdr align;
    } control;
    struct iovec part = {data, size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    ssize_t got;
    do {
        got = recvmsg(conn->read_io.fd, &message, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return got < 0 ? -errno : 0;
    }
    int64_t stamp_ns = 0;
    for (struct cmsghdr *part_of = CMSG_FIRSTHDR(&message); part_of != NULL; part_of = CMSG_NXTHDR(&message, part_of)) {
        if (part_of->cmsg_level == SOL_SOCKET && part_of->cmsg_type == SCM_TIMESTAMPING) {
            struct scm_timestamping stamps;
            memcpy(&stamps, CMSG_DATA(part_of), sizeof(stamps));
            stamp_ns = (int64_t)stamps.ts[0].tv_sec * LCORE_NS_PER_S + stamps.ts[0].tv_nsec;
        }
    }
    conn->stamp_ns = believable_ns(conn, stamp_ns == 0 ? lc_loop_now_ns(conn->http->loop)
                                                       : lc__http_monotonic_ns(conn->http, stamp_ns));
    return got;
}

ssize_t
lc__conn_read(struct lc_conn *conn, void *data, size_t size)
{
    return conn->ssl == NULL ? lc__conn_receive(conn, data, size) : lc__tls_read(conn, data, size);
}

ssize_t
lc__conn_write(struct lc_conn *conn, const void *data, size_t size)
{
    if (conn->ssl != NULL) {
        return lc__tls_write(conn, data, size);
    }
    ssize_t sent;
    do {
        sent = send(conn->read_io.fd, data, size, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}
