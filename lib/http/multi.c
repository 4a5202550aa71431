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
on_io(struct ev_loop *ev, ev_io *io, int events)
{
    act(io->data, io->fd, (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
on_timer(struct lc_timer *timer)
{
    act(LCORE_CONTAINER(timer, struct lc_multi, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int
on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_data)
{
    struct lc_multi *multi = arg;
    ev_io *io = socket_data;
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
            return -1;
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
    if (timeout_ms < 0) {
        lc_timer_stop(multi->loop, &multi->timer);
        return 0;
    }
    int64_t deadline_ns = timeout_ms == 0 ? 0 : lc_clock_monotonic_ns() + timeout_ms * LCORE_NS_PER_MS;
    int err = lc_timer_start(multi->loop, &multi->timer, deadline_ns, on_timer);
    lc__loop_kick(multi->loop);
    return err < 0 ? -1 : 0;
}

int
lc_multi_init(struct lc_multi *multi, struct lc_loop *loop)
{
    *multi = (struct lc_multi){.loop = loop, .handle = curl_multi_init()};
    if (multi->handle == NULL) {
        return LCE_NOMEM;
    }
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
    multi->handle = NULL;
}

int
lc_multi_add(struct lc_multi *multi, struct lc_multi_job *job)
{
    assert(!job->is_added);
    if (curl_easy_setopt(job->easy, CURLOPT_PRIVATE, job) != CURLE_OK ||
        curl_multi_add_handle(multi->handle, job->easy) != CURLM_OK) {
        return LCE_NOMEM;
    }
    job->is_added = true;
    return 0;
}

void
lc_multi_remove(struct lc_multi *multi, struct lc_multi_job *job)
{
    if (job->is_added) {
        job->is_added = false;
        curl_multi_remove_handle(multi->handle, job->easy);
    }
}
