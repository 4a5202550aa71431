#include "http/transfer.h"

#include <errno.h>
#include <string.h>

#include "http/exchange.h"
#include "http/session.h"
#include "loop/loop.h"

/* What may come ahead of whoever takes a body piece by piece. */
#define AHEAD_MAX (256 * 1024)

static void
tell(struct lc_deferred *deferred)
{
    struct lc_transfer *transfer = LCORE_CONTAINER(deferred, struct lc_transfer, told);
    transfer->fn(transfer->arg);
}

size_t
lc__transfer_keep(struct lc_transfer *transfer, struct lc_str run)
{
    if (transfer->ahead.len - transfer->taken >= AHEAD_MAX) {
        transfer->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (lc_buffer_append_str(&transfer->ahead, run) < 0) {
        transfer->fail = LCORE_FAIL_INTERNAL;
        return 0;
    }
    if (transfer->is_reading) {
        transfer->is_reading = false;
        lc__loop_defer(transfer->session->http->loop, &transfer->told, tell);
    }
    return run.len;
}

void
lc__transfer_end_stream(struct lc_transfer *transfer, CURLcode code, int errnum)
{
    if (transfer->fail == LCORE_FAIL_NONE && code != CURLE_OK) {
        transfer->fail = code == CURLE_OUT_OF_MEMORY ? LCORE_FAIL_INTERNAL : LCORE_FAIL_INCOMPLETE;
        transfer->errnum = errnum;
    }
    if (transfer->is_reading) {
        transfer->is_reading = false;
        transfer->fn(transfer->arg);
    }
}

struct lc_transfer *
lc__transfer_lend(struct lc_exchange *exchange, lc_transfer_fn *fn, void *arg)
{
    struct lc_transfer *transfer = exchange->transfer;
    exchange->transfer = NULL;
    lc_timer_stop(exchange->session->http->loop, &exchange->timer);
    transfer->exchange = NULL;
    transfer->fn = fn;
    transfer->arg = arg;
    return transfer;
}

ssize_t
lc__transfer_read(struct lc_transfer *transfer, void *data, size_t size)
{
    struct lc_buffer *ahead = &transfer->ahead;
    if (ahead->len == transfer->taken && transfer->is_paused) {
        transfer->is_paused = false;
        ahead->len = transfer->taken = 0;
        curl_easy_pause(transfer->job.easy, CURLPAUSE_CONT);
    }
    size_t left = ahead->len - transfer->taken;
    if (left > 0) {
        size_t count = left < size ? left : size;
        memcpy(data, ahead->data + transfer->taken, count);
        transfer->taken += count;
        return (ssize_t)count;
    }
    ahead->len = transfer->taken = 0;
    if (transfer->is_over) {
        return transfer->fail == LCORE_FAIL_NONE ? 0 : -EIO;
    }
    transfer->is_reading = true;
    return -EAGAIN;
}

void
lc__transfer_orphan(struct lc_session *session)
{
    struct lc_multi *multi = session->transfers;
    struct lc_list *next;
    for (struct lc_list *link = multi == NULL ? NULL : multi->jobs.next; multi != NULL && link != &multi->jobs;
         link = next) {
        next = link->next;
        struct lc_transfer *transfer = lc__transfer_of(link);
        if (transfer->fn != NULL) {
            lc__transfer_give_up(transfer);
            transfer->is_over = true;
            transfer->is_paused = false;
            transfer->fail = LCORE_FAIL_RESET;
            transfer->errnum = ECONNABORTED;
        }
    }
}
