/* The threads see nothing of the resolver but their own job and the desk where they leave it. The desk outlives the
 * resolver: a name server may be silent for longer than anybody waits for it. */
#include "http/resolver.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "loop/io.h"

#define LIFETIME_NS (60 * LCORE_NS_PER_S)
#define NAMES_MAX 4096
#define BUCKETS 256
#define THREADS_MAX 64

struct job;

struct desk {
    pthread_mutex_t lock;
    int refs;    /* the resolver's and one for each thread */
    int wake_fd; /* -1: the resolver is gone */
    struct job *done;
};

/* One lookup in a thread. */
struct job {
    struct job *next;
    struct desk *desk;
    struct name *name; /* the loop's thread only */
    struct addrinfo *found;
    int error, errnum;
    char port[sizeof("65535")];
    char host[];
};

/* A host and a port that somebody asked for. */
struct name {
    struct lc_list link; /* in its bucket */
    struct lc_list age;  /* in resolver->known, or ->queued */
    struct lc_list waiting;
    struct lc_addresses *addresses; /* NULL: being looked up */
    int64_t expires_ns;
    uint16_t port;
    size_t host_len;
    char host[];
};

struct lc_resolver {
    struct lc_loop *loop;
    struct desk *desk; /* NULL until a thread is needed */
    struct lc_io wake_io;
    int thread_count;
    size_t known_count;
    struct lc_list known;          /* the oldest first */
    struct lc_list queued;         /* until there are fewer threads */
    struct lc_list telling;        /* those whose name is known now; any of them may be canceled by what another does */
    struct lc_addresses no_memory; /* the answer where there is none for a real one */
    struct lc_list buckets[BUCKETS];
};

/* ---- answers ---- */

void
lc_addresses_unref(struct lc_addresses *addresses)
{
    if (addresses != NULL && --addresses->refs == 0) {
        lc__free(addresses);
    }
}

static struct lc_addresses *
addresses_new(struct lc_str host, uint16_t port, int error, int errnum, const struct addrinfo *found)
{
    size_t count = 0;
    for (const struct addrinfo *info = found; info != NULL; info = info->ai_next) {
        count += info->ai_family == AF_INET || info->ai_family == AF_INET6;
    }
    struct lc_addresses *addresses = lc__alloc(sizeof(*addresses) + count * sizeof(*addresses->list) + host.len + 1);
    if (addresses == NULL) {
        return NULL;
    }
    *addresses = (struct lc_addresses){.refs = 1, .error = error, .errnum = errnum, .count = count, .port = port};
    addresses->list = (union lc_address *)(addresses + 1);
    size_t at = 0;
    for (const struct addrinfo *info = found; info != NULL; info = info->ai_next) {
        if (info->ai_family == AF_INET || info->ai_family == AF_INET6) {
            memcpy(&addresses->list[at++], info->ai_addr, info->ai_addrlen);
        }
    }
    char *text = (char *)(addresses->list + count);
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    addresses->host = text;
    if (error == 0 && count == 0) {
        addresses->error = EAI_NONAME;
    }
    return addresses;
}

static const struct addrinfo stream_hints = {
    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};

/* Names that mean this very machine, whether somebody wrote them into a file or not (RFC 6761). */
static bool
is_local_name(const char *host)
{
    size_t len = strlen(host);
    if (len > 0 && host[len - 1] == '.') {
        len--;
    }
    static const char local[] = "localhost";
    size_t local_len = sizeof(local) - 1;
    return len >= local_len && strncasecmp(host + len - local_len, local, local_len) == 0 &&
           (len == local_len || host[len - local_len - 1] == '.');
}

/* ---- threads ---- */

static void
desk_unref(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    bool is_last = --desk->refs == 0;
    pthread_mutex_unlock(&desk->lock);
    if (is_last) {
        pthread_mutex_destroy(&desk->lock);
        lc__free(desk);
    }
}

static void
job_free(struct job *job)
{
    if (job->found != NULL) {
        freeaddrinfo(job->found);
    }
    lc__free(job);
}

static void *
run_job(void *arg)
{
    struct job *job = arg;
    struct desk *desk = job->desk;
    job->error = getaddrinfo(job->host, job->port, &stream_hints, &job->found);
    job->errnum = errno;
    if (job->error != 0 && is_local_name(job->host)) {
        job->error = getaddrinfo(NULL, job->port, &stream_hints, &job->found);
    }
    pthread_mutex_lock(&desk->lock);
    if (desk->wake_fd >= 0) {
        job->next = desk->done;
        desk->done = job;
        job = NULL;
        uint64_t one = 1;
        while (write(desk->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
    }
    pthread_mutex_unlock(&desk->lock);
    if (job != NULL) {
        job_free(job);
    }
    desk_unref(desk);
    return NULL;
}

static void on_desk(struct lc_io *io, int events);

static int
desk_open(struct lc_resolver *resolver)
{
    struct desk *desk = lc__calloc(1, sizeof(*desk));
    if (desk == NULL) {
        return LCE_NOMEM;
    }
    desk->refs = 1;
    desk->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (desk->wake_fd < 0) {
        lc__free(desk);
        return LCE_SYSTEM;
    }
    int err = pthread_mutex_init(&desk->lock, NULL);
    if (err != 0) {
        close(desk->wake_fd);
        lc__free(desk);
        errno = err;
        return LCE_SYSTEM;
    }
    resolver->desk = desk;
    lc_io_init(&resolver->wake_io, on_desk, desk->wake_fd, EV_READ, resolver);
    lc_io_start(resolver->loop, &resolver->wake_io);
    return 0;
}

static int
begin_thread(struct lc_resolver *resolver, struct name *name)
{
    int err = resolver->desk == NULL ? desk_open(resolver) : 0;
    if (err < 0) {
        return err;
    }
    struct job *job = lc__calloc(1, sizeof(*job) + name->host_len + 1);
    if (job == NULL) {
        return LCE_NOMEM;
    }
    job->desk = resolver->desk;
    job->name = name;
    memcpy(job->host, name->host, name->host_len + 1);
    snprintf(job->port, sizeof(job->port), "%u", name->port);
    pthread_mutex_lock(&resolver->desk->lock);
    resolver->desk->refs++;
    pthread_mutex_unlock(&resolver->desk->lock);
    /* Signals are for the program's own threads. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int errnum = pthread_create(&thread, NULL, run_job, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errnum != 0) {
        desk_unref(resolver->desk);
        job_free(job);
        errno = errnum;
        return LCE_SYSTEM;
    }
    pthread_detach(thread);
    resolver->thread_count++;
    return 0;
}

/* ---- names ---- */

static struct lc_list *
find_bucket(struct lc_resolver *resolver, struct lc_str host, uint16_t port)
{
    uint32_t hash = 2166136261u ^ port;
    for (size_t i = 0; i < host.len; i++) {
        hash = (hash ^ (unsigned char)host.data[i]) * 16777619u;
    }
    return &resolver->buckets[hash % BUCKETS];
}

static struct name *
name_new(struct lc_list *bucket, struct lc_str host, uint16_t port)
{
    struct name *name = lc__calloc(1, sizeof(*name) + host.len + 1);
    if (name != NULL) {
        memcpy(name->host, host.data, host.len);
        name->host_len = host.len;
        name->port = port;
        lc_list_init(&name->waiting);
        lc_list_append(bucket, &name->link);
    }
    return name;
}

static void
name_free(struct lc_resolver *resolver, struct name *name)
{
    assert(lc_list_is_empty(&name->waiting));
    lc_list_remove(&name->link);
    lc_list_remove(&name->age);
    if (name->addresses != NULL) {
        resolver->known_count--;
        lc_addresses_unref(name->addresses);
    }
    lc__free(name);
}

static void
name_know(struct lc_resolver *resolver, struct name *name, struct lc_addresses *addresses, int64_t expires_ns)
{
    addresses->refs++;
    name->addresses = addresses;
    name->expires_ns = expires_ns;
    lc_list_append(&resolver->known, &name->age);
    if (++resolver->known_count > NAMES_MAX) {
        name_free(resolver, LCORE_CONTAINER(resolver->known.next, struct name, age));
    }
}

/* The name is over as a question: all who waited hear the answer, which is kept if it is one. */
static void
tell(struct lc_resolver *resolver, struct name *name, int error, int errnum, const struct addrinfo *found)
{
    struct lc_list *link;
    while ((link = lc_list_pop(&name->waiting)) != NULL) {
        lc_list_append(&resolver->telling, link);
    }
    struct lc_addresses *addresses =
        addresses_new((struct lc_str){name->host, name->host_len}, name->port, error, errnum, found);
    if (addresses != NULL && addresses->error == 0) {
        name_know(resolver, name, addresses, lc_clock_monotonic_ns() + LIFETIME_NS);
    } else {
        name_free(resolver, name);
    }
    while ((link = lc_list_pop(&resolver->telling)) != NULL) {
        struct lc_lookup *lookup = LCORE_CONTAINER(link, struct lc_lookup, link);
        struct lc_addresses *given = addresses != NULL ? addresses : &resolver->no_memory;
        given->refs++;
        lookup->done(lookup, given);
    }
    lc_addresses_unref(addresses);
}

static void
begin_queued(struct lc_resolver *resolver)
{
    struct lc_list *link;
    while (resolver->thread_count < THREADS_MAX && (link = lc_list_pop(&resolver->queued)) != NULL) {
        struct name *name = LCORE_CONTAINER(link, struct name, age);
        int err = lc_list_is_empty(&name->waiting) ? 0 : begin_thread(resolver, name);
        if (lc_list_is_empty(&name->waiting)) {
            name_free(resolver, name);
        } else if (err < 0) {
            tell(resolver, name, err == LCE_NOMEM ? EAI_MEMORY : EAI_SYSTEM, errno, NULL);
        }
    }
}

static void
on_desk(struct lc_io *io, int events)
{
    struct lc_resolver *resolver = io->data;
    struct desk *desk = resolver->desk;
    uint64_t count;
    if (read(io->fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR) {
        assert(!"eventfd");
    }
    pthread_mutex_lock(&desk->lock);
    struct job *job = desk->done;
    desk->done = NULL;
    pthread_mutex_unlock(&desk->lock);
    while (job != NULL) {
        struct job *next = job->next;
        resolver->thread_count--;
        tell(resolver, job->name, job->error, job->errnum, job->found);
        job_free(job);
        job = next;
    }
    begin_queued(resolver);
}

/* An address as such, in any notation the system takes. */
static int
read_literal(struct lc_resolver *resolver, struct name *name)
{
    char port[sizeof("65535")];
    snprintf(port, sizeof(port), "%u", name->port);
    struct addrinfo hints = stream_hints;
    hints.ai_flags |= AI_NUMERICHOST;
    struct addrinfo *found = NULL;
    int error = getaddrinfo(name->host, port, &hints, &found);
    if (error == EAI_MEMORY) {
        return LCE_NOMEM;
    }
    if (error != 0) {
        return 0;
    }
    struct lc_addresses *addresses =
        addresses_new((struct lc_str){name->host, name->host_len}, name->port, 0, 0, found);
    freeaddrinfo(found);
    if (addresses == NULL) {
        return LCE_NOMEM;
    }
    name_know(resolver, name, addresses, INT64_MAX);
    lc_addresses_unref(addresses);
    return 0;
}

int
lc_resolver_find(struct lc_resolver *resolver, struct lc_str host, uint16_t port, struct lc_lookup *lookup,
                 struct lc_addresses **out)
{
    struct lc_list *bucket = find_bucket(resolver, host, port);
    struct name *name = NULL;
    for (struct lc_list *link = bucket->next; link != bucket; link = link->next) {
        struct name *other = LCORE_CONTAINER(link, struct name, link);
        if (other->port == port && other->host_len == host.len && memcmp(other->host, host.data, host.len) == 0) {
            name = other;
            break;
        }
    }
    if (name != NULL && name->addresses != NULL && name->expires_ns != INT64_MAX &&
        name->expires_ns <= lc_loop_now_ns(resolver->loop)) {
        name_free(resolver, name);
        name = NULL;
    }
    if (name == NULL) {
        name = name_new(bucket, host, port);
        int err = name == NULL ? LCE_NOMEM : read_literal(resolver, name);
        if (err == 0 && name->addresses == NULL) {
            if (resolver->thread_count < THREADS_MAX) {
                err = begin_thread(resolver, name);
            } else {
                lc_list_append(&resolver->queued, &name->age);
            }
        }
        if (err < 0) {
            int errnum = errno;
            if (name != NULL) {
                name_free(resolver, name);
            }
            errno = errnum;
            return err;
        }
    }
    *out = name->addresses;
    if (name->addresses != NULL) {
        name->addresses->refs++;
    } else {
        lc_list_append(&name->waiting, &lookup->link);
    }
    return 0;
}

struct lc_resolver *
lc_resolver_new(struct lc_loop *loop)
{
    struct lc_resolver *resolver = lc__calloc(1, sizeof(*resolver));
    if (resolver == NULL) {
        return NULL;
    }
    resolver->loop = loop;
    resolver->no_memory = (struct lc_addresses){.refs = 1, .error = EAI_MEMORY, .host = ""};
    lc_list_init(&resolver->known);
    lc_list_init(&resolver->queued);
    lc_list_init(&resolver->telling);
    for (size_t i = 0; i < BUCKETS; i++) {
        lc_list_init(&resolver->buckets[i]);
    }
    return resolver;
}

void
lc_resolver_free(struct lc_resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (!lc_list_is_empty(&resolver->buckets[i])) {
            name_free(resolver, LCORE_CONTAINER(resolver->buckets[i].next, struct name, link));
        }
    }
    struct desk *desk = resolver->desk;
    if (desk != NULL) {
        lc_io_stop(resolver->loop, &resolver->wake_io);
        pthread_mutex_lock(&desk->lock);
        close(desk->wake_fd);
        desk->wake_fd = -1;
        struct job *job = desk->done;
        desk->done = NULL;
        pthread_mutex_unlock(&desk->lock);
        while (job != NULL) {
            struct job *next = job->next;
            job_free(job);
            job = next;
        }
        desk_unref(desk);
    }
    lc__free(resolver);
}
