#include "http/multi.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "loop/io.h"

static void
drain(struct lc_multi *multi)
{
    bool is_gone = false;
    bool *outer = multi->is_gone;
    multi->is_gone = &is_gone;
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi->handle, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = message->data.result;
        char *private_data = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private_data);
        struct lc_multi_job *job = (struct lc_multi_job *)private_data;
        job->done(job, code);
        if (is_gone) {
            if (outer != NULL) {
                *outer = true;
            }
            return;
        }
    }
    multi->is_gone = outer;
}

static void
act(struct lc_multi *multi, curl_socket_t fd, int mask)
{
    int running;
    curl_multi_socket_action(multi->handle, fd, mask, &running);
    drain(multi);
}

static void
on_io(struct lc_io *io, int events)
{
    act(io->data, io->fd, (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
on_timer(struct lc_timer *timer)
{
    act(LCORE_CONTAINER(timer, struct lc_multi, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* A callback that tells libcurl of a failure makes the multi handle unusable for good. So it is told that all is well,
 * and the transfers, which would never hear of their sockets again, end here. */
static void
fail_all(struct lc_multi *multi)
{
    bool is_gone = false;
    multi->is_gone = &is_gone;
    multi->is_short_of_memory = false;
    /* Those that are started meanwhile have a chance of their own. */
    size_t count = 0;
    for (struct lc_list *link = multi->jobs.next; link != &multi->jobs; link = link->next) {
        count++;
    }
    while (count-- > 0 && !lc_list_is_empty(&multi->jobs)) {
        struct lc_multi_job *job = LCORE_CONTAINER(multi->jobs.next, struct lc_multi_job, link);
        job->done(job, CURLE_OUT_OF_MEMORY);
        if (is_gone) {
            return;
        }
    }
    multi->is_gone = NULL;
}

static void
on_soon(struct lc_deferred *deferred)
{
    struct lc_multi *multi = LCORE_CONTAINER(deferred, struct lc_multi, soon);
    if (multi->is_short_of_memory) {
        fail_all(multi);
    } else {
        act(multi, CURL_SOCKET_TIMEOUT, 0);
    }
}

static void
give_up(struct lc_multi *multi)
{
    multi->is_short_of_memory = true;
    lc__loop_defer(multi->loop, &multi->soon, on_soon);
}

static int
on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_data)
{
    struct lc_multi *multi = arg;
    struct lc_io *io = socket_data;
    if (what == CURL_POLL_REMOVE) {
        if (io != NULL) {
            lc_io_stop(multi->loop, io);
            lc__free(io);
            curl_multi_assign(multi->handle, fd, NULL);
        }
        return 0;
    }
    if (io == NULL) {
        io = lc__calloc(1, sizeof(*io));
        if (io == NULL) {
            give_up(multi);
            return 0;
        }
        curl_multi_assign(multi->handle, fd, io);
    } else {
        lc_io_stop(multi->loop, io);
    }
    int events = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);
    lc_io_init(io, on_io, fd, events, multi);
    lc_io_start(multi->loop, io);
    return 0;
}

static int
on_curl_timer(CURLM *handle, long timeout_ms, void *arg)
{
    struct lc_multi *multi = arg;
    lc_timer_stop(multi->loop, &multi->timer);
    if (multi->is_short_of_memory) {
        return 0;
    }
    lc_list_remove(&multi->soon.link);
    if (timeout_ms < 0) {
        return 0;
    }
    if (timeout_ms == 0) {
        lc__loop_defer(multi->loop, &multi->soon, on_soon);
        return 0;
    }
    /* A wait needs no kick: it begins in a round of the loop, or beside something that is deferred. */
    int64_t deadline_ns = lc_clock_monotonic_ns() + timeout_ms * LCORE_NS_PER_MS;
    if (lc_timer_start(multi->loop, &multi->timer, deadline_ns, on_timer) < 0) {
        give_up(multi);
    }
    return 0;
}

int
lc_multi_init(struct lc_multi *multi, struct lc_loop *loop)
{
    *multi = (struct lc_multi){.loop = loop, .handle = curl_multi_init()};
    if (multi->handle == NULL) {
        return LCE_NOMEM;
    }
    lc_list_init(&multi->jobs);
    curl_multi_setopt(multi->handle, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(multi->handle, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->handle, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(multi->handle, CURLMOPT_TIMERDATA, multi);
    return 0;
}

void
lc_multi_fini(struct lc_multi *multi)
{
    if (multi->handle == NULL) {
        return;
    }
    if (multi->is_gone != NULL) {
        *multi->is_gone = true;
    }
    curl_multi_cleanup(multi->handle);
    lc_timer_stop(multi->loop, &multi->timer);
    lc_list_remove(&multi->soon.link);
    multi->handle = NULL;
}

int
lc_multi_add(struct lc_multi *multi, struct lc_multi_job *job)
{
    assert(!lc_list_is_linked(&job->link));
    if (curl_easy_setopt(job->easy, CURLOPT_PRIVATE, job) != CURLE_OK ||
        curl_multi_add_handle(multi->handle, job->easy) != CURLM_OK) {
        return LCE_NOMEM;
    }
    lc_list_append(&multi->jobs, &job->link);
    return 0;
}

void
lc_multi_remove(struct lc_multi *multi, struct lc_multi_job *job)
{
    if (lc_list_is_linked(&job->link)) {
        lc_list_remove(&job->link);
        curl_multi_remove_handle(multi->handle, job->easy);
    }
}
