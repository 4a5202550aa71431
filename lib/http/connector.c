/* libcurl resolves a name anew for each handle until one answer is in its cache, each in a thread of its own. A
 * thousand users that start at once would start a thousand threads; so the first attempt for a name goes ahead and the
 * others wait until it has its answer.
 *
 * libcurl also walks lists of all its handles for each one that ends: 9,000 at once cost 44 us of CPU for each request
 * of a two-second run. So no more than ACTIVE_MAX are under way and the others queue; but an attempt that takes longer
 * than SLOW_NS (its target does not answer) makes room for another one. And no more than ROUND_MAX begin in a round of
 * the loop, for libcurl starts all of them in one call, and connections that are open are not served meanwhile. */
#include "http/connector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/net_tstamp.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"
#include "http/multi.h"
#include "http/url.h"
#include "loop/loop.h"

#define IDLE_HANDLES_MAX 64
#define ACTIVE_MAX 1024
#define ROUND_MAX 64
#define SLOW_NS (300 * LCORE_NS_PER_MS)

enum stage { STAGE_QUEUED, STAGE_WAITING, STAGE_RESOLVING, STAGE_CONNECTING };

struct lc_connect {
    struct lc_multi_job job;
    struct lc_connector *connector;
    struct lc_list link;        /* in connector->queued, ->waiting or ->resolving, while in that stage */
    struct lc_list active_link; /* in connector->active, unless slow */
    int64_t begin_ns;           /* when it became active */
    enum stage stage;
    lc_connect_fn *fn;
    void *arg;
    char *host; /* behind it in the same memory: the URL, the proxy */
    char *url;
    char *proxy;
    uint16_t port;
    int taken_fd;
    int errnum; /* of socket() */
    int64_t dns_ns;
    char text[CURL_ERROR_SIZE];
};

struct lc_connector {
    struct lc_loop *loop;
    struct lc_multi multi;
    struct lc_list active; /* the oldest first */
    int active_count;
    int round_count; /* begun since the last release, which the first of them asks for */
    uint32_t ports;  /* the system's range of local ports, highest << 16 | lowest; 0 if unknown */
    struct lc_list queued;
    struct lc_list resolving;
    struct lc_list waiting;
    struct lc_list failed;      /* about to be reported */
    bool is_name_known;         /* or its lookup is over otherwise: those that wait may try */
    struct lc_deferred release; /* lets the queued and the waiting go: libcurl's callbacks must not add handles */
    struct lc_timer slow;
    CURL *idle[IDLE_HANDLES_MAX];
    int idle_count;
};

static void
handle_put(struct lc_connector *connector, CURL *easy)
{
    if (connector->idle_count < IDLE_HANDLES_MAX) {
        curl_easy_reset(easy);
        connector->idle[connector->idle_count++] = easy;
    } else {
        curl_easy_cleanup(easy);
    }
}

static void on_release(struct lc_deferred *deferred);

static void
release(struct lc_connector *connector)
{
    if (connector->is_name_known || !lc_list_is_empty(&connector->queued)) {
        lc__loop_defer(connector->loop, &connector->release, on_release);
    }
}

static void
end_lookup(struct lc_connector *connector)
{
    connector->is_name_known = true;
    release(connector);
}

static void
make_room(struct lc_connect *connect)
{
    if (lc_list_is_linked(&connect->active_link)) {
        lc_list_remove(&connect->active_link);
        connect->connector->active_count--;
        release(connect->connector);
    }
}

static void
connect_free(struct lc_connect *connect)
{
    struct lc_connector *connector = connect->connector;
    make_room(connect);
    lc_list_remove(&connect->link);
    lc_multi_remove(&connector->multi, &connect->job);
    if (connect->job.easy != NULL) {
        handle_put(connector, connect->job.easy);
    }
    lc__free(connect->host);
    lc__free(connect);
}

static bool
has_room(const struct lc_connector *connector)
{
    return connector->active_count < ACTIVE_MAX && connector->round_count < ROUND_MAX;
}

static int connect_begin(struct lc_connect *connect);

static struct lc_connect *
find_resolving(struct lc_connector *connector, const struct lc_connect *wanted)
{
    for (struct lc_list *link = connector->resolving.next; link != &connector->resolving; link = link->next) {
        struct lc_connect *connect = LCORE_CONTAINER(link, struct lc_connect, link);
        if (connect->port == wanted->port && strcmp(connect->host, wanted->host) == 0) {
            return connect;
        }
    }
    return NULL;
}

static void
report(struct lc_connect *connect, struct lc_connect_result *result)
{
    lc_connect_fn *fn = connect->fn;
    void *arg = connect->arg;
    char text[CURL_ERROR_SIZE + 64];
    if (result->text != NULL) {
        snprintf(text, sizeof(text), "%s", result->text);
        result->text = text;
    }
    connect_free(connect);
    fn(arg, result);
}

static void
begin_or_fail(struct lc_connect *connect)
{
    if (connect_begin(connect) < 0) {
        report(connect, &(struct lc_connect_result){.fd = -1, .fail = LCORE_FAIL_INTERNAL, .text = "out of memory"});
    }
}

static void
on_slow(struct lc_timer *timer)
{
    struct lc_connector *connector = LCORE_CONTAINER(timer, struct lc_connector, slow);
    while (!lc_list_is_empty(&connector->active)) {
        struct lc_connect *oldest = LCORE_CONTAINER(connector->active.next, struct lc_connect, active_link);
        if (oldest->begin_ns + SLOW_NS > lc_loop_now_ns(connector->loop)) {
            break;
        }
        make_room(oldest);
    }
    release(connector);
}

static void
on_release(struct lc_deferred *deferred)
{
    struct lc_connector *connector = LCORE_CONTAINER(deferred, struct lc_connector, release);
    connector->round_count = 0;
    if (connector->is_name_known) {
        connector->is_name_known = false;
        /* Each once: behind a new leader they wait again. */
        size_t count = 0;
        for (struct lc_list *link = connector->waiting.next; link != &connector->waiting; link = link->next) {
            count++;
        }
        struct lc_list *link;
        while (count-- > 0 && (link = lc_list_pop(&connector->waiting)) != NULL) {
            begin_or_fail(LCORE_CONTAINER(link, struct lc_connect, link));
        }
    }
    while (has_room(connector) && !lc_list_is_empty(&connector->queued)) {
        begin_or_fail(LCORE_CONTAINER(lc_list_pop(&connector->queued), struct lc_connect, link));
    }
    if (!lc_list_is_empty(&connector->queued) && !lc_list_is_empty(&connector->active)) {
        struct lc_connect *oldest = LCORE_CONTAINER(connector->active.next, struct lc_connect, active_link);
        lc_timer_start(connector->loop, &connector->slow, oldest->begin_ns + SLOW_NS, on_slow);
    }
}

/* libcurl calls this when it has an address to connect to: the name is known. */
static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct lc_connect *connect = arg;
    if (connect->dns_ns == 0) {
        connect->dns_ns = lc_clock_monotonic_ns();
    }
    if (connect->stage == STAGE_RESOLVING) {
        connect->stage = STAGE_CONNECTING;
        lc_list_remove(&connect->link);
        end_lookup(connect->connector);
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        connect->errnum = errno;
        return CURL_SOCKET_BAD;
    }
    int stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps));
#ifdef IP_LOCAL_PORT_RANGE
    /* Left to itself, connect() tries every second port before the others: from the 14,117th connection to a server on,
     * that costs it 700 us of CPU instead of 22. With a range of the socket's own it tries them all alike. */
    if (connect->connector->ports != 0) {
        setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &connect->connector->ports, sizeof(connect->connector->ports));
    }
#endif
    return fd;
}

static int
on_close(void *arg, curl_socket_t fd)
{
    struct lc_connect *connect = arg;
    if (connect != NULL && fd == connect->taken_fd) {
        return 0;
    }
    close(fd);
    return 0;
}

static bool
is_short_of_descriptors(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE;
}

static unsigned
default_proxy_port(const struct lc_connect *connect)
{
    bool is_socks = connect->proxy != NULL && lc_str_starts_nocase(lc_str_from(connect->proxy), LCORE_STR("socks"));
    return is_socks ? 1080 : 80;
}

static void
explain(struct lc_connect *connect, CURLcode code, struct lc_connect_result *result, char *text, size_t size)
{
    long os_errno = 0;
    curl_easy_getinfo(connect->job.easy, CURLINFO_OS_ERRNO, &os_errno);
    int errnum = connect->errnum != 0 ? connect->errnum : (int)os_errno;
    bool is_resolving = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY;
    if (is_resolving || code == CURLE_OUT_OF_MEMORY) {
        /* The resolver does not say that it was short of descriptors. */
        int probe = dup(0);
        if (probe >= 0) {
            close(probe);
        } else if (is_short_of_descriptors(errno)) {
            errnum = errno;
        }
    }
    result->errnum = errnum;
    if (is_short_of_descriptors(errnum) || code == CURLE_OUT_OF_MEMORY) {
        result->fail = LCORE_FAIL_INTERNAL;
        if (is_short_of_descriptors(errnum)) {
            snprintf(text, size, "%s: raise the open-file limit (ulimit -n)", strerror(errnum));
        } else {
            snprintf(text, size, "out of memory");
        }
    } else if (connect->proxy != NULL && code != CURLE_COULDNT_RESOLVE_HOST) {
        result->fail = LCORE_FAIL_PROXY;
        if (code == CURLE_COULDNT_CONNECT && errnum != 0) {
            struct lc_url proxy;
            if (lc_url_parse(lc_str_from(connect->proxy), &proxy, NULL) < 0) {
                snprintf(text, size, "cannot connect to proxy: %s", strerror(errnum));
            } else {
                snprintf(text, size, "cannot connect to proxy %.*s:%u: %s", (int)proxy.host.len, proxy.host.data,
                         proxy.is_port_given ? proxy.port : default_proxy_port(connect), strerror(errnum));
            }
        } else {
            snprintf(text, size, "%s", connect->text[0] != '\0' ? connect->text : curl_easy_strerror(code));
        }
    } else if (is_resolving) {
        result->fail = LCORE_FAIL_DNS;
        result->errnum = EAI_NONAME;
        snprintf(text, size, "%s: %s", connect->host, gai_strerror(EAI_NONAME));
    } else if (code == CURLE_OPERATION_TIMEDOUT || errnum == ETIMEDOUT) {
        result->fail = LCORE_FAIL_CONNECT_TIMEOUT;
        result->errnum = ETIMEDOUT;
        snprintf(text, size, "connection to %s:%u timed out", connect->host, connect->port);
    } else if (errnum != 0) {
        result->fail = errnum == ECONNREFUSED ? LCORE_FAIL_REFUSED
                       : errnum == ECONNRESET ? LCORE_FAIL_RESET
                                              : LCORE_FAIL_CONNECT;
        snprintf(text, size, "cannot connect to %s:%u: %s", connect->host, connect->port, strerror(errnum));
    } else {
        result->fail = LCORE_FAIL_CONNECT;
        snprintf(text, size, "cannot connect to %s:%u: %s", connect->host, connect->port, curl_easy_strerror(code));
    }
    result->text = text;
}

/* The name is unknown: to the leader and all that wait for it. Any of them may be canceled by the report to another. */
static void
fail_all(struct lc_connect *leader, const struct lc_connect_result *result)
{
    struct lc_connector *connector = leader->connector;
    struct lc_list *failed = &connector->failed;
    lc_list_append(failed, &leader->link);
    for (struct lc_list *link = connector->waiting.next; link != &connector->waiting;) {
        struct lc_list *next = link->next;
        struct lc_connect *connect = LCORE_CONTAINER(link, struct lc_connect, link);
        if (connect->port == leader->port && strcmp(connect->host, leader->host) == 0) {
            lc_list_remove(link);
            lc_list_append(failed, link);
        }
        link = next;
    }
    struct lc_list *link;
    while ((link = lc_list_pop(failed)) != NULL) {
        struct lc_connect_result copy = *result;
        report(LCORE_CONTAINER(link, struct lc_connect, link), &copy);
    }
}

static void
on_done(struct lc_multi_job *job, CURLcode code)
{
    struct lc_connect *connect = LCORE_CONTAINER(job, struct lc_connect, job);
    struct lc_connector *connector = connect->connector;
    struct lc_connect_result result = {.fd = -1, .dns_ns = connect->dns_ns};
    char text[CURL_ERROR_SIZE + 64];
    if (code == CURLE_OK) {
        curl_socket_t fd = CURL_SOCKET_BAD;
        curl_easy_getinfo(job->easy, CURLINFO_ACTIVESOCKET, &fd);
        connect->taken_fd = fd;
        result.fd = fd;
        result.connected_ns = lc_clock_monotonic_ns();
        if (fd == CURL_SOCKET_BAD) {
            code = CURLE_COULDNT_CONNECT;
        }
    }
    if (code != CURLE_OK) {
        explain(connect, code, &result, text, sizeof(text));
    }
    bool is_name_unknown = connect->stage == STAGE_RESOLVING;
    lc_list_remove(&connect->link);
    connect->stage = STAGE_CONNECTING;
    if (is_name_unknown && result.fail == LCORE_FAIL_DNS) {
        fail_all(connect, &result);
        return;
    }
    if (is_name_unknown) {
        end_lookup(connector);
    }
    report(connect, &result);
}

static bool
is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return strchr(host, ':') != NULL || inet_pton(AF_INET, host, address) == 1;
}

static int
connect_begin(struct lc_connect *connect)
{
    struct lc_connector *connector = connect->connector;
    if (!has_room(connector)) {
        connect->stage = STAGE_QUEUED;
        lc_list_append(&connector->queued, &connect->link);
        return 0;
    }
    if (connect->proxy == NULL && !is_numeric(connect->host)) {
        if (find_resolving(connector, connect) != NULL) {
            connect->stage = STAGE_WAITING;
            lc_list_append(&connector->waiting, &connect->link);
            return 0;
        }
        connect->stage = STAGE_RESOLVING;
        lc_list_append(&connector->resolving, &connect->link);
    } else {
        connect->stage = STAGE_CONNECTING;
    }
    connect->begin_ns = lc_clock_monotonic_ns();
    lc_list_append(&connector->active, &connect->active_link);
    connector->active_count++;
    if (connector->round_count++ == 0) {
        lc__loop_defer(connector->loop, &connector->release, on_release);
    }
    CURL *easy = connector->idle_count > 0 ? connector->idle[--connector->idle_count] : curl_easy_init();
    if (easy == NULL) {
        return LCE_NOMEM;
    }
    connect->job.easy = easy;
    connect->job.done = on_done;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, connect->url);
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_PROXY, connect->proxy == NULL ? "" : connect->proxy);
    }
    if (code != CURLE_OK) {
        return LCE_NOMEM;
    }
    /* If its URL has none; libcurl's own is that of SOCKS also for others. */
    curl_easy_setopt(easy, CURLOPT_PROXYPORT, (long)default_proxy_port(connect));
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A canceled attempt must not wait for its resolver thread. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    /* 0 would mean libcurl's own five minutes. */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)INT32_MAX);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, connect->text);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, connect);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, connect);
    return lc_multi_add(&connector->multi, &connect->job);
}

static uint32_t
read_ports(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    unsigned low, high;
    bool is_read = file != NULL && fscanf(file, "%u %u", &low, &high) == 2 && low <= high && high <= UINT16_MAX;
    if (file != NULL) {
        fclose(file);
    }
    return is_read ? high << 16 | low : 0;
}

struct lc_connector *
lc_connector_new(struct lc_loop *loop)
{
    struct lc_connector *connector = lc__calloc(1, sizeof(*connector));
    if (connector == NULL) {
        return NULL;
    }
    connector->loop = loop;
    connector->ports = read_ports();
    lc_list_init(&connector->active);
    lc_list_init(&connector->queued);
    lc_list_init(&connector->resolving);
    lc_list_init(&connector->waiting);
    lc_list_init(&connector->failed);
    if (lc_multi_init(&connector->multi, loop) < 0) {
        lc__free(connector);
        return NULL;
    }
    return connector;
}

void
lc_connector_free(struct lc_connector *connector)
{
    if (connector == NULL) {
        return;
    }
    while (connector->idle_count > 0) {
        curl_easy_cleanup(connector->idle[--connector->idle_count]);
    }
    lc_multi_fini(&connector->multi);
    lc_list_remove(&connector->release.link);
    lc_timer_stop(connector->loop, &connector->slow);
    lc__free(connector);
}

int
lc_connector_start(struct lc_connector *connector, struct lc_str host, uint16_t port, const char *proxy,
                   lc_connect_fn *fn, void *arg, struct lc_connect **out)
{
    size_t proxy_size = proxy == NULL ? 0 : strlen(proxy) + 1;
    struct lc_connect *connect = lc__calloc(1, sizeof(*connect));
    size_t url_size = host.len + sizeof("http://[]:65535/");
    char *text = connect == NULL ? NULL : lc__alloc(host.len + 1 + url_size + proxy_size);
    if (text == NULL) {
        lc__free(connect);
        return LCE_NOMEM;
    }
    connect->connector = connector;
    connect->fn = fn;
    connect->arg = arg;
    connect->port = port;
    connect->taken_fd = -1;
    connect->host = text;
    memcpy(connect->host, host.data, host.len);
    connect->host[host.len] = '\0';
    connect->url = connect->host + host.len + 1;
    bool is_ipv6 = strchr(connect->host, ':') != NULL;
    snprintf(connect->url, url_size, is_ipv6 ? "http://[%s]:%u/" : "http://%s:%u/", connect->host, port);
    if (proxy != NULL) {
        connect->proxy = connect->url + url_size;
        memcpy(connect->proxy, proxy, proxy_size);
    }
    int err = connect_begin(connect);
    if (err < 0) {
        connect_free(connect);
        return err;
    }
    *out = connect;
    return 0;
}

void
lc_connector_cancel(struct lc_connect *connect)
{
    struct lc_connector *connector = connect->connector;
    bool is_leader = connect->stage == STAGE_RESOLVING;
    connect_free(connect);
    if (is_leader) {
        end_lookup(connector);
    }
}
