/* libcurl walks lists of all its handles for each one that ends: 9,000 at once cost 44 us of CPU for each request
 * of a two-second run. So no more than ACTIVE_MAX are under way and the others queue; but an attempt that takes longer
 * than SLOW_NS (its target does not answer) makes room for another one. And no more than ROUND_MAX begin in a round of
 * the loop, for libcurl starts all of them in one call, and connections that are open are not served meanwhile. */
#include "http/tunnel.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"
#include "http/dial.h"
#include "http/multi.h"
#include "http/url.h"
#include "loop/loop.h"

#define IDLE_HANDLES_MAX 64
#define ACTIVE_MAX 1024
#define ROUND_MAX 64
#define SLOW_NS (300 * LCORE_NS_PER_MS)

struct lc_tunnel {
    struct lc_multi_job job;
    struct lc_tunnels *tunnels;
    struct lc_list link;        /* in tunnels->queued, until it begins */
    struct lc_list active_link; /* in tunnels->active, unless slow */
    int64_t begin_ns;           /* when it became active */
    lc_connect_fn *fn;
    void *arg;
    char *host; /* behind it in the same memory: the URL, the proxy */
    char *url;
    char *proxy;
    int taken_fd;
    int errnum; /* of socket() */
    int64_t dns_ns;
    char text[CURL_ERROR_SIZE];
};

struct lc_tunnels {
    struct lc_loop *loop;
    struct lc_multi multi;
    struct lc_list active; /* the oldest first */
    int active_count;
    int round_count; /* begun since the last release, which the first of them asks for */
    uint32_t ports;
    struct lc_list queued;
    struct lc_deferred release; /* lets the queued go: libcurl's callbacks must not add handles */
    struct lc_timer slow;
    CURL *idle[IDLE_HANDLES_MAX];
    int idle_count;
};

static void
handle_put(struct lc_tunnels *tunnels, CURL *easy)
{
    if (tunnels->idle_count < IDLE_HANDLES_MAX) {
        curl_easy_reset(easy);
        tunnels->idle[tunnels->idle_count++] = easy;
    } else {
        curl_easy_cleanup(easy);
    }
}

static void on_release(struct lc_deferred *deferred);

static void
release(struct lc_tunnels *tunnels)
{
    if (!lc_list_is_empty(&tunnels->queued)) {
        lc__loop_defer(tunnels->loop, &tunnels->release, on_release);
    }
}

static void
make_room(struct lc_tunnel *tunnel)
{
    if (lc_list_is_linked(&tunnel->active_link)) {
        lc_list_remove(&tunnel->active_link);
        tunnel->tunnels->active_count--;
        release(tunnel->tunnels);
    }
}

static void
tunnel_free(struct lc_tunnel *tunnel)
{
    struct lc_tunnels *tunnels = tunnel->tunnels;
    make_room(tunnel);
    lc_list_remove(&tunnel->link);
    lc_multi_remove(&tunnels->multi, &tunnel->job);
    if (tunnel->job.easy != NULL) {
        handle_put(tunnels, tunnel->job.easy);
    }
    lc__free(tunnel->host);
    lc__free(tunnel);
}

static bool
has_room(const struct lc_tunnels *tunnels)
{
    return tunnels->active_count < ACTIVE_MAX && tunnels->round_count < ROUND_MAX;
}

static int tunnel_begin(struct lc_tunnel *tunnel);

static void
report(struct lc_tunnel *tunnel, struct lc_connect_result *result)
{
    lc_connect_fn *fn = tunnel->fn;
    void *arg = tunnel->arg;
    char text[CURL_ERROR_SIZE + 64];
    if (result->text != NULL) {
        snprintf(text, sizeof(text), "%s", result->text);
        result->text = text;
    }
    tunnel_free(tunnel);
    fn(arg, result);
}

static void
begin_or_fail(struct lc_tunnel *tunnel)
{
    if (tunnel_begin(tunnel) < 0) {
        report(tunnel, &(struct lc_connect_result){.fd = -1, .fail = LCORE_FAIL_INTERNAL, .text = "out of memory"});
    }
}

static void
on_slow(struct lc_timer *timer)
{
    struct lc_tunnels *tunnels = LCORE_CONTAINER(timer, struct lc_tunnels, slow);
    while (!lc_list_is_empty(&tunnels->active)) {
        struct lc_tunnel *oldest = LCORE_CONTAINER(tunnels->active.next, struct lc_tunnel, active_link);
        if (oldest->begin_ns + SLOW_NS > lc_loop_now_ns(tunnels->loop)) {
            break;
        }
        make_room(oldest);
    }
    release(tunnels);
}

static void
on_release(struct lc_deferred *deferred)
{
    struct lc_tunnels *tunnels = LCORE_CONTAINER(deferred, struct lc_tunnels, release);
    tunnels->round_count = 0;
    while (has_room(tunnels) && !lc_list_is_empty(&tunnels->queued)) {
        begin_or_fail(LCORE_CONTAINER(lc_list_pop(&tunnels->queued), struct lc_tunnel, link));
    }
    if (!lc_list_is_empty(&tunnels->queued) && !lc_list_is_empty(&tunnels->active)) {
        struct lc_tunnel *oldest = LCORE_CONTAINER(tunnels->active.next, struct lc_tunnel, active_link);
        lc_timer_start(tunnels->loop, &tunnels->slow, oldest->begin_ns + SLOW_NS, on_slow);
    }
}

/* libcurl calls this when it has an address to connect to: the name is known. */
static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct lc_tunnel *tunnel = arg;
    if (tunnel->dns_ns == 0) {
        tunnel->dns_ns = lc_clock_monotonic_ns();
    }
    int fd = lc__socket_open(address->family, address->socktype, address->protocol, tunnel->tunnels->ports);
    if (fd < 0) {
        tunnel->errnum = errno;
        return CURL_SOCKET_BAD;
    }
    return fd;
}

static int
on_close(void *arg, curl_socket_t fd)
{
    struct lc_tunnel *tunnel = arg;
    if (tunnel != NULL && fd == tunnel->taken_fd) {
        return 0;
    }
    close(fd);
    return 0;
}

static unsigned
default_proxy_port(const struct lc_tunnel *tunnel)
{
    bool is_socks = lc_str_starts_nocase(lc_str_from(tunnel->proxy), LCORE_STR("socks"));
    return is_socks ? 1080 : 80;
}

static void
explain(struct lc_tunnel *tunnel, CURLcode code, struct lc_connect_result *result, char *text, size_t size)
{
    long os_errno = 0;
    curl_easy_getinfo(tunnel->job.easy, CURLINFO_OS_ERRNO, &os_errno);
    int errnum = tunnel->errnum != 0 ? tunnel->errnum : (int)os_errno;
    bool is_resolving = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY;
    if (is_resolving || code == CURLE_OUT_OF_MEMORY) {
        /* The resolver does not say that it was short of descriptors. */
        int shortage = lc__descriptor_shortage();
        errnum = shortage != 0 ? shortage : errnum;
    }
    result->errnum = errnum;
    if (lc__is_short_of_descriptors(errnum) || code == CURLE_OUT_OF_MEMORY) {
        result->fail = LCORE_FAIL_INTERNAL;
        if (lc__is_short_of_descriptors(errnum)) {
            snprintf(text, size, "%s: raise the open-file limit (ulimit -n)", strerror(errnum));
        } else {
            snprintf(text, size, "out of memory");
        }
    } else if (code != CURLE_COULDNT_RESOLVE_HOST) {
        result->fail = LCORE_FAIL_PROXY;
        if (code == CURLE_COULDNT_CONNECT && errnum != 0) {
            struct lc_url proxy;
            if (lc_url_parse(lc_str_from(tunnel->proxy), &proxy, NULL) < 0) {
                snprintf(text, size, "cannot connect to proxy: %s", strerror(errnum));
            } else {
                snprintf(text, size, "cannot connect to proxy %.*s:%u: %s", (int)proxy.host.len, proxy.host.data,
                         proxy.is_port_given ? proxy.port : default_proxy_port(tunnel), strerror(errnum));
            }
        } else {
            snprintf(text, size, "%s", tunnel->text[0] != '\0' ? tunnel->text : curl_easy_strerror(code));
        }
    } else {
        result->fail = LCORE_FAIL_DNS;
        result->errnum = EAI_NONAME;
        snprintf(text, size, "%s: %s", tunnel->host, gai_strerror(EAI_NONAME));
    }
    result->text = text;
}

static void
on_done(struct lc_multi_job *job, CURLcode code)
{
    struct lc_tunnel *tunnel = LCORE_CONTAINER(job, struct lc_tunnel, job);
    struct lc_connect_result result = {.fd = -1, .begin_ns = tunnel->begin_ns, .dns_ns = tunnel->dns_ns};
    char text[CURL_ERROR_SIZE + 64];
    if (code == CURLE_OK) {
        curl_socket_t fd = CURL_SOCKET_BAD;
        curl_easy_getinfo(job->easy, CURLINFO_ACTIVESOCKET, &fd);
        tunnel->taken_fd = fd;
        result.fd = fd;
        result.connected_ns = lc_clock_monotonic_ns();
        if (fd == CURL_SOCKET_BAD) {
            code = CURLE_COULDNT_CONNECT;
        }
    }
    if (code != CURLE_OK) {
        explain(tunnel, code, &result, text, sizeof(text));
    }
    report(tunnel, &result);
}

static int
tunnel_begin(struct lc_tunnel *tunnel)
{
    struct lc_tunnels *tunnels = tunnel->tunnels;
    if (!has_room(tunnels)) {
        lc_list_append(&tunnels->queued, &tunnel->link);
        return 0;
    }
    tunnel->begin_ns = lc_clock_monotonic_ns();
    lc_list_append(&tunnels->active, &tunnel->active_link);
    tunnels->active_count++;
    if (tunnels->round_count++ == 0) {
        lc__loop_defer(tunnels->loop, &tunnels->release, on_release);
    }
    CURL *easy = tunnels->idle_count > 0 ? tunnels->idle[--tunnels->idle_count] : curl_easy_init();
    if (easy == NULL) {
        return LCE_NOMEM;
    }
    tunnel->job.easy = easy;
    tunnel->job.done = on_done;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, tunnel->url);
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_PROXY, tunnel->proxy);
    }
    if (code != CURLE_OK) {
        return LCE_NOMEM;
    }
    /* If its URL has none; libcurl's own is that of SOCKS also for others. */
    curl_easy_setopt(easy, CURLOPT_PROXYPORT, (long)default_proxy_port(tunnel));
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
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, tunnel->text);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, tunnel);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, tunnel);
    return lc_multi_add(&tunnels->multi, &tunnel->job);
}

struct lc_tunnels *
lc_tunnels_new(struct lc_loop *loop, uint32_t ports)
{
    struct lc_tunnels *tunnels = lc__calloc(1, sizeof(*tunnels));
    if (tunnels == NULL) {
        return NULL;
    }
    tunnels->loop = loop;
    tunnels->ports = ports;
    lc_list_init(&tunnels->active);
    lc_list_init(&tunnels->queued);
    if (lc_multi_init(&tunnels->multi, loop) < 0) {
        lc__free(tunnels);
        return NULL;
    }
    return tunnels;
}

void
lc_tunnels_free(struct lc_tunnels *tunnels)
{
    if (tunnels == NULL) {
        return;
    }
    while (tunnels->idle_count > 0) {
        curl_easy_cleanup(tunnels->idle[--tunnels->idle_count]);
    }
    lc_multi_fini(&tunnels->multi);
    lc_list_remove(&tunnels->release.link);
    lc_timer_stop(tunnels->loop, &tunnels->slow);
    lc__free(tunnels);
}

int
lc_tunnel_start(struct lc_tunnels *tunnels, struct lc_str host, uint16_t port, const char *proxy, lc_connect_fn *fn,
                void *arg, struct lc_tunnel **out)
{
    size_t proxy_size = strlen(proxy) + 1;
    struct lc_tunnel *tunnel = lc__calloc(1, sizeof(*tunnel));
    size_t url_size = host.len + sizeof("http://[]:65535/");
    char *text = tunnel == NULL ? NULL : lc__alloc(host.len + 1 + url_size + proxy_size);
    if (text == NULL) {
        lc__free(tunnel);
        return LCE_NOMEM;
    }
    tunnel->tunnels = tunnels;
    tunnel->fn = fn;
    tunnel->arg = arg;
    tunnel->taken_fd = -1;
    tunnel->host = text;
    memcpy(tunnel->host, host.data, host.len);
    tunnel->host[host.len] = '\0';
    tunnel->url = tunnel->host + host.len + 1;
    bool is_ipv6 = strchr(tunnel->host, ':') != NULL;
    snprintf(tunnel->url, url_size, is_ipv6 ? "http://[%s]:%u/" : "http://%s:%u/", tunnel->host, port);
    tunnel->proxy = tunnel->url + url_size;
    memcpy(tunnel->proxy, proxy, proxy_size);
    int err = tunnel_begin(tunnel);
    if (err < 0) {
        tunnel_free(tunnel);
        return err;
    }
    *out = tunnel;
    return 0;
}

void
lc_tunnel_cancel(struct lc_tunnel *tunnel)
{
    tunnel_free(tunnel);
}
