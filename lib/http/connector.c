/* A connection in the making needs far more memory than one that is there, over TLS 41 KB, of which 27 come back as
 * holes between pieces that stay; and thousands that share the core are all ready late. So those that are begun come
 * first: while they keep the core busy, a new one begins for each BUSY_SHARE descriptors that were ready, and the
 * others queue. While no descriptor is ready, because the network or the server needs its time, more begin with each
 * look. So a slow server sees all of them soon, and one that does not answer does not hold up the others. */
#include "http/connector.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "http/dial.h"
#include "http/resolver.h"
#include "http/tunnel.h"
#include "loop/loop.h"

/* What begins in a round in which nothing was ready: what came in the meantime is looked at before more begin. */
#define IDLE_MAX 16
/* Somewhat more than a connection makes its descriptor ready until it has served its first request, so that no more
 * begin than become ready. */
#define BUSY_SHARE 8

struct lc_connect {
    struct lc_connector *connector;
    lc_connect_fn *fn;
    void *arg;
    struct lc_tunnel *tunnel; /* NULL: none, and what follows is used */
    struct lc_lookup lookup;
    struct lc_addresses *addresses; /* NULL: being looked up */
    struct lc_list link;            /* in connector->queued, then in ->failed if it cannot begin */
    struct lc_dial dial;
    int errnum; /* with LCE_SYSTEM, why the lookup could not begin */
    int64_t begin_ns, dns_ns;
};

struct lc_connector {
    struct lc_loop *loop;
    struct lc_resolver *resolver;
    struct lc_tunnels *tunnels;
    uint32_t ports;  /* the system's range of local ports, highest << 16 | lowest; 0 if unknown */
    int round_count; /* begun since the last release, which the first of them asks for */
    struct lc_list queued;
    struct lc_list failed; /* before they began */
    struct lc_deferred release;
};

static void
connect_free(struct lc_connect *connect)
{
    if (connect->tunnel != NULL) {
        lc_tunnel_cancel(connect->tunnel);
    }
    lc_lookup_cancel(&connect->lookup);
    lc_list_remove(&connect->link);
    lc_dial_stop(&connect->dial);
    lc_addresses_unref(connect->addresses);
    lc__free(connect);
}

static void
report(struct lc_connect *connect, const struct lc_connect_result *result)
{
    lc_connect_fn *fn = connect->fn;
    void *arg = connect->arg;
    connect_free(connect);
    fn(arg, result);
}

/* The lookup, or the connection, failed of errnum; error is EAI_* or 0. */
static void
fail(struct lc_connect *connect, int error, int errnum)
{
    struct lc_connect_result result = {
        .fd = -1, .errnum = errnum, .begin_ns = connect->begin_ns, .dns_ns = connect->dns_ns};
    const char *host = connect->addresses == NULL ? "" : connect->addresses->host;
    unsigned port = connect->addresses == NULL ? 0 : connect->addresses->port;
    char text[512];
    /* A resolver does not say that it was short of descriptors. */
    int shortage = error == 0 || lc__is_short_of_descriptors(errnum) ? 0 : lc__descriptor_shortage();
    if (shortage != 0) {
        result.errnum = errnum = shortage;
    }
    if (lc__is_short_of_descriptors(errnum)) {
        result.fail = LCORE_FAIL_INTERNAL;
        snprintf(text, sizeof(text), "%s: raise the open-file limit (ulimit -n)", strerror(errnum));
    } else if (error == EAI_MEMORY) {
        result.fail = LCORE_FAIL_INTERNAL;
        snprintf(text, sizeof(text), "out of memory");
    } else if (error == EAI_SYSTEM) {
        result.fail = LCORE_FAIL_INTERNAL;
        snprintf(text, sizeof(text), "cannot look up a host name: %s", strerror(errnum));
    } else if (error != 0) {
        result.fail = LCORE_FAIL_DNS;
        result.errnum = error;
        snprintf(text, sizeof(text), "%.255s: %s", host, gai_strerror(error));
    } else if (errnum == ETIMEDOUT) {
        result.fail = LCORE_FAIL_CONNECT_TIMEOUT;
        snprintf(text, sizeof(text), "connection to %.255s:%u timed out", host, port);
    } else {
        result.fail = errnum == ECONNREFUSED ? LCORE_FAIL_REFUSED
                      : errnum == ECONNRESET ? LCORE_FAIL_RESET
                                             : LCORE_FAIL_CONNECT;
        snprintf(text, sizeof(text), "cannot connect to %.255s:%u: %s", host, port, strerror(errnum));
    }
    result.text = text;
    report(connect, &result);
}

static void
on_dialed(struct lc_dial *dial, int fd, int errnum)
{
    struct lc_connect *connect = LCORE_CONTAINER(dial, struct lc_connect, dial);
    if (fd < 0) {
        fail(connect, 0, errnum);
        return;
    }
    report(connect,
           &(struct lc_connect_result){
               .fd = fd, .begin_ns = connect->begin_ns, .dns_ns = connect->dns_ns, .connected_ns = dial->connected_ns});
}

static void on_release(struct lc_deferred *deferred);

/* If the attempt has waited for its turn, its name counts as looked up right before: the wait is our own. */
static void
dial(struct lc_connect *connect, int64_t now_ns)
{
    struct lc_connector *connector = connect->connector;
    if (connector->round_count++ == 0) {
        lc__loop_defer(connector->loop, &connector->release, on_release);
    }
    connect->begin_ns = connect->begin_ns == 0 ? now_ns : connect->begin_ns + now_ns - connect->dns_ns;
    connect->dns_ns = now_ns;
    lc_dial_start(&connect->dial, connector->loop, connect->addresses, connector->ports, now_ns, on_dialed);
}

/* Whether another one may begin in this round; the first one always. */
static bool
has_room(const struct lc_connector *connector)
{
    int ready_count = lc__loop_ready_count(connector->loop);
    int most = ready_count == 0 ? IDLE_MAX : (ready_count + BUSY_SHARE - 1) / BUSY_SHARE;
    return connector->round_count < most;
}

/* The name is known. */
static void
begin(struct lc_connect *connect, int64_t now_ns)
{
    struct lc_connector *connector = connect->connector;
    if (!lc_list_is_empty(&connector->queued) || !has_room(connector)) {
        lc_list_append(&connector->queued, &connect->link);
    } else {
        dial(connect, now_ns);
    }
}

static void
on_release(struct lc_deferred *deferred)
{
    struct lc_connector *connector = LCORE_CONTAINER(deferred, struct lc_connector, release);
    connector->round_count = 0;
    struct lc_list *link;
    while (has_room(connector) && (link = lc_list_pop(&connector->queued)) != NULL) {
        dial(LCORE_CONTAINER(link, struct lc_connect, link), lc_clock_monotonic_ns());
    }
    /* Only those that are in the list now: a call that one of them starts may fail at once, and come to its end. */
    size_t count = 0;
    for (link = connector->failed.next; link != &connector->failed; link = link->next) {
        count++;
    }
    while (count-- > 0 && (link = lc_list_pop(&connector->failed)) != NULL) {
        struct lc_connect *connect = LCORE_CONTAINER(link, struct lc_connect, link);
        fail(connect, EAI_SYSTEM, connect->errnum);
    }
}

static void
on_looked_up(struct lc_lookup *lookup, struct lc_addresses *addresses)
{
    struct lc_connect *connect = LCORE_CONTAINER(lookup, struct lc_connect, lookup);
    connect->addresses = addresses;
    if (addresses->error != 0) {
        fail(connect, addresses->error, addresses->errnum);
        return;
    }
    connect->dns_ns = lc_clock_monotonic_ns();
    begin(connect, connect->dns_ns);
}

static void
on_tunnel(void *arg, const struct lc_connect_result *result)
{
    struct lc_connect *connect = arg;
    connect->tunnel = NULL;
    report(connect, result);
}

static int
start_direct(struct lc_connect *connect, struct lc_str host, uint16_t port, int64_t now_ns)
{
    struct lc_connector *connector = connect->connector;
    connect->lookup.done = on_looked_up;
    int err = lc_resolver_find(connector->resolver, host, port, &connect->lookup, &connect->addresses);
    if (err == LCE_SYSTEM) {
        connect->errnum = errno;
        lc_list_append(&connector->failed, &connect->link);
        lc__loop_defer(connector->loop, &connector->release, on_release);
        return 0;
    }
    if (err == 0 && connect->addresses != NULL) {
        begin(connect, now_ns);
    } else {
        connect->begin_ns = now_ns;
    }
    return err;
}

int
lc_connector_start(struct lc_connector *connector, struct lc_str host, uint16_t port, const char *proxy, int64_t now_ns,
                   lc_connect_fn *fn, void *arg, struct lc_connect **out)
{
    struct lc_connect *connect = lc__calloc(1, sizeof(*connect));
    if (connect == NULL) {
        return LCE_NOMEM;
    }
    connect->connector = connector;
    connect->fn = fn;
    connect->arg = arg;
    int err = proxy == NULL
                  ? start_direct(connect, host, port, now_ns)
                  : lc_tunnel_start(connector->tunnels, host, port, proxy, on_tunnel, connect, &connect->tunnel);
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
    connect_free(connect);
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
    lc_list_init(&connector->queued);
    lc_list_init(&connector->failed);
    connector->resolver = lc_resolver_new(loop);
    connector->tunnels = lc_tunnels_new(loop, connector->ports);
    if (connector->resolver == NULL || connector->tunnels == NULL) {
        lc_connector_free(connector);
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
    lc_list_remove(&connector->release.link);
    lc_resolver_free(connector->resolver);
    lc_tunnels_free(connector->tunnels);
    lc__free(connector);
}
