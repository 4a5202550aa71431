#include "http/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/exchange.h"
#include "http/h2_head.h"
#include "http/multi.h"
#include "http/session.h"
#include "http/stream.h"
#include "loop/loop.h"

void
lc__transfer_give_up(struct lc_transfer *transfer)
{
    lc_list_remove(&transfer->told.link);
    if (transfer->session != NULL && transfer->session->transfers != NULL) {
        lc_multi_remove(transfer->session->transfers, &transfer->job);
    }
    curl_easy_cleanup(transfer->job.easy);
    transfer->job.easy = NULL;
    transfer->session = NULL;
}

void
lc__transfer_free(struct lc_transfer *transfer)
{
    lc__transfer_give_up(transfer);
    curl_slist_free_all(transfer->headers);
    lc__free(transfer->url);
    lc__free(transfer->method);
    lc_buffer_fini(&transfer->ahead);
    lc__free(transfer);
}

static void
note_arrival(struct lc_exchange *exchange)
{
    int64_t now_ns = lc_clock_monotonic_ns();
    exchange->active_ns = now_ns;
    exchange->timings.end_ns = now_ns;
    exchange->has_received = true;
    if (exchange->timings.first_byte_ns == 0) {
        exchange->timings.first_byte_ns = now_ns;
    }
}

/* libcurl shows heads of every version as lines; ours are read as HTTP/1.1. */
static int
append_head(struct lc_transfer *transfer, const char *data, size_t len)
{
    struct lc_buffer *in = &transfer->exchange->in;
    if (in->len > 0 || len < 7 || memcmp(data, "HTTP/", 5) != 0 || (data[5] != '2' && data[5] != '3') ||
        data[6] != ' ') {
        return lc_buffer_append(in, data, len);
    }
    transfer->major = data[5] - '0';
    int err = lc_buffer_append_str(in, LCORE_STR("HTTP/1.1"));
    return err < 0 ? err : lc_buffer_append(in, data + 6, len - 6);
}

static bool
is_abandoned(const struct lc_transfer *transfer)
{
    return transfer->exchange == NULL && transfer->fn == NULL;
}

/* Frees abandoned transfers once nothing else is under way, because their connection is closed with them. */
static void
free_abandoned(struct lc_session *session)
{
    struct lc_list *jobs = &session->transfers->jobs;
    for (struct lc_list *link = jobs->next; link != jobs; link = link->next) {
        if (!is_abandoned(lc__transfer_of(link))) {
            return;
        }
    }
    while (!lc_list_is_empty(jobs)) {
        struct lc_transfer *transfer = lc__transfer_of(jobs->next);
        curl_easy_setopt(transfer->job.easy, CURLOPT_FORBID_REUSE, 1L);
        lc__transfer_free(transfer);
    }
}

static void
stop(struct lc_exchange *exchange)
{
    struct lc_transfer *transfer = exchange->transfer;
    exchange->transfer = NULL;
    lc_timer_stop(exchange->session->http->loop, &exchange->timer);
    if (transfer == NULL) {
        return;
    }
    struct lc_session *session = exchange->session;
    if (session->version == LCORE_HTTP_3 && !transfer->is_over && exchange->body.len > 0 &&
        exchange->timings.sent_ns != 0) {
        /* libcurl (8.23.0 and all before) has the whole connection fail, with an assertion in ngtcp2's builds that have
         * these, if a call is taken from it that still has something to send. It stays and sends no more. */
        transfer->exchange = NULL;
    } else {
        lc__transfer_free(transfer);
    }
    free_abandoned(session);
}

/* When libcurl made the connection, if it did for this transfer. */
static void
take_timings(struct lc_transfer *transfer)
{
    struct lc_timings *timings = &transfer->exchange->timings;
    const struct {
        CURLINFO info;
        int64_t *at_ns;
    } phases[] = {{CURLINFO_NAMELOOKUP_TIME_T, &timings->dns_ns},
                  {CURLINFO_CONNECT_TIME_T, &timings->connected_ns},
                  {CURLINFO_APPCONNECT_TIME_T, &timings->tls_ns}};
    long connections = 0;
    curl_easy_getinfo(transfer->job.easy, CURLINFO_NUM_CONNECTS, &connections);
    transfer->is_reused = connections == 0 && transfer->exchange->has_head;
    if (connections == 0 && timings->sent_ns != 0 && !transfer->exchange->is_retried) {
        timings->begin_ns = timings->sent_ns;
    }
    for (size_t i = 0; connections > 0 && i < sizeof(phases) / sizeof(phases[0]); i++) {
        curl_off_t us = 0;
        curl_easy_getinfo(transfer->job.easy, phases[i].info, &us);
        int64_t at_ns = transfer->begin_ns + (int64_t)us * 1000;
        *phases[i].at_ns = us <= 0 ? 0 : timings->sent_ns != 0 && at_ns > timings->sent_ns ? timings->sent_ns : at_ns;
    }
}

/* What came of the response, under the version it came by. */
static void
describe(const struct lc_transfer *transfer, struct lc_hop *hop)
{
    struct lc_exchange *exchange = transfer->exchange;
    lc__exchange_describe(exchange, hop);
    if (transfer->major == 3) {
        exchange->origin->spoken = LCORE_SPOKEN_H3;
    }
    if (transfer->major > 1) {
        hop->major = transfer->major;
        hop->minor = 0;
        hop->reason = lc_status_reason(hop->status);
    }
    hop->is_kept_alive = transfer->is_reused;
}

/* The response is told of now; the rest of its body is for whoever takes the stream. */
static void
hand_out(struct lc_deferred *deferred)
{
    struct lc_transfer *transfer = LCORE_CONTAINER(deferred, struct lc_transfer, told);
    struct lc_exchange *exchange = transfer->exchange;
    struct lc_hop hop = {0};
    take_timings(transfer);
    describe(transfer, &hop);
    hop.body_buffer = NULL;
    hop.stream = lc__stream_new(exchange, (struct lc_str){exchange->collected.data, exchange->collected.len});
    if (hop.stream == NULL) {
        hop.fail = LCORE_FAIL_INTERNAL;
        stop(exchange);
    }
    lc__exchange_finish(exchange, &hop);
}

static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
    struct lc_transfer *transfer = arg;
    struct lc_exchange *exchange = transfer->exchange;
    size_t len = size * count;
    if (exchange == NULL) {
        return len; /* a trailer, or of an abandoned transfer */
    }
    note_arrival(exchange);
    if (exchange->has_head) {
        return len; /* a trailer */
    }
    if (append_head(transfer, data, len) < 0) {
        transfer->fail = LCORE_FAIL_INTERNAL;
        return 0;
    }
    exchange->in_head.may_be_large = (exchange->request.flags & LCORE_REQUEST_LARGE_HEAD) != 0;
    ptrdiff_t head_len = lc_h1_parse_head(exchange->in.data, exchange->in.len, &exchange->in_head);
    if (head_len < 0) {
        transfer->fail = (enum lc_fail) - head_len;
        return 0;
    }
    if (head_len == 0) {
        return len;
    }
    if (lc_h1_is_interim(&exchange->in_head)) {
        exchange->in.len = 0;
        if (!lc__exchange_skip_interim(exchange)) {
            transfer->fail = LCORE_FAIL_INTERIM;
            return 0;
        }
        return len;
    }
    transfer->fail = lc__exchange_begin_body(exchange);
    if (transfer->fail != LCORE_FAIL_NONE) {
        return 0;
    }
    if (lc__exchange_is_streamed(exchange) && transfer->sent == exchange->body.len) {
        lc__loop_defer(exchange->session->http->loop, &transfer->told, hand_out);
    }
    return len;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
    struct lc_transfer *transfer = arg;
    struct lc_exchange *exchange = transfer->exchange;
    size_t len = size * count;
    if (exchange == NULL) {
        return is_abandoned(transfer) ? len : lc__transfer_keep(transfer, (struct lc_str){data, len});
    }
    note_arrival(exchange);
    transfer->fail = lc__exchange_add_body(exchange, (struct lc_str){data, len}, &exchange->collected);
    return transfer->fail == LCORE_FAIL_NONE ? len : 0;
}

static void
end(struct lc_exchange *exchange, enum lc_fail fail, int errnum, const char *text)
{
    struct lc_hop hop = {.fail = fail, .errnum = errnum, .text = lc_str_from(text)};
    describe(exchange->transfer, &hop);
    stop(exchange);
    lc__exchange_finish(exchange, &hop);
}

static enum lc_fail
fail_of(CURLcode code, const struct lc_exchange *exchange, int errnum)
{
    bool is_proxied = exchange->origin->proxy != NULL;
    if (errnum == ECONNREFUSED && !is_proxied && !exchange->has_head) {
        return LCORE_FAIL_REFUSED; /* also of a port of UDP, where sending or receiving fails */
    }
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return LCORE_FAIL_DNS;
    case CURLE_COULDNT_CONNECT:
        return is_proxied ? LCORE_FAIL_PROXY : LCORE_FAIL_CONNECT;
    case CURLE_COULDNT_RESOLVE_PROXY:
#if LIBCURL_VERSION_NUM >= 0x074900
    case CURLE_PROXY:
#endif
        return LCORE_FAIL_PROXY;
    case CURLE_PEER_FAILED_VERIFICATION:
        return LCORE_FAIL_TLS_UNTRUSTED;
    case CURLE_SSL_CONNECT_ERROR:
        return LCORE_FAIL_TLS;
    case CURLE_SEND_ERROR:
        return LCORE_FAIL_SEND;
    case CURLE_GOT_NOTHING:
        return LCORE_FAIL_CLOSED;
    case CURLE_PARTIAL_FILE:
        return LCORE_FAIL_INCOMPLETE;
    case CURLE_RECV_ERROR:
        return exchange->has_head                      ? LCORE_FAIL_INCOMPLETE
               : is_proxied && !exchange->has_received ? LCORE_FAIL_PROXY
                                                       : LCORE_FAIL_RESET;
    case CURLE_HTTP2:
    case CURLE_HTTP3:
        return exchange->has_head ? LCORE_FAIL_INCOMPLETE : LCORE_FAIL_PROTOCOL;
    case CURLE_HTTP2_STREAM:
        return exchange->has_head ? LCORE_FAIL_INCOMPLETE : LCORE_FAIL_STREAM;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        return LCORE_FAIL_BAD_STATUS_LINE;
    case CURLE_OUT_OF_MEMORY:
        return LCORE_FAIL_INTERNAL;
    default:
        return LCORE_FAIL_CONNECT;
    }
}

/* Texts are counted by what they say, so numbers of streams are left out. */
static void
forget_stream_number(char *text)
{
    char *number = strstr(text, "stream ");
    if (number == NULL) {
        return;
    }
    number += strlen("stream ");
    char *rest = number + strspn(number, "0123456789");
    if (rest > number && *rest == ' ') {
        memmove(number, rest + 1, strlen(rest));
    }
}

/* As for connections of our own: the server closed it while it was idle, and did not see the request or may see it
 * twice. libcurl itself looks at idle connections once a second. */
static bool
try_again(struct lc_transfer *transfer, enum lc_fail fail)
{
    struct lc_exchange *exchange = transfer->exchange;
    long connections = 0, sent = 0;
    curl_easy_getinfo(transfer->job.easy, CURLINFO_NUM_CONNECTS, &connections);
    curl_easy_getinfo(transfer->job.easy, CURLINFO_REQUEST_SIZE, &sent);
    exchange->sent = (size_t)sent;
    bool is_gone =
        fail == LCORE_FAIL_CLOSED || fail == LCORE_FAIL_RESET || fail == LCORE_FAIL_SEND || fail == LCORE_FAIL_REFUSED;
    if (!is_gone || connections > 0 || !lc__exchange_may_retry(exchange)) {
        return false;
    }
    stop(exchange);
    exchange->is_retried = true;
    lc__exchange_start_again(exchange);
    return true;
}

static void
on_done(struct lc_multi_job *job, CURLcode code)
{
    struct lc_transfer *transfer = LCORE_CONTAINER(job, struct lc_transfer, job);
    struct lc_exchange *exchange = transfer->exchange;
    enum lc_fail fail = transfer->fail;
    long os_errno = 0;
    curl_easy_getinfo(job->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (is_abandoned(transfer)) {
        lc__transfer_free(transfer);
        return;
    }
    transfer->is_over = true;
    if (exchange == NULL) {
        lc__transfer_end_stream(transfer, code, (int)os_errno);
        return;
    }
    char why[CURL_ERROR_SIZE], text[CURL_ERROR_SIZE + 96];
    snprintf(why, sizeof(why), "%s", transfer->text[0] != '\0' ? transfer->text : curl_easy_strerror(code));
    forget_stream_number(why);
    take_timings(transfer);
    if (code == CURLE_OK) {
        fail = !exchange->has_head ? LCORE_FAIL_CLOSED : lc__exchange_end_body(exchange);
        end(exchange, fail, 0, NULL);
    } else if (fail != LCORE_FAIL_NONE) {
        end(exchange, fail, 0, NULL);
    } else {
        fail = fail_of(code, exchange, (int)os_errno);
        if (try_again(transfer, fail)) {
            return;
        }
        if (fail == LCORE_FAIL_INCOMPLETE) {
            lc__exchange_tell_early_end(exchange, why, text, sizeof(text));
        }
        end(exchange, fail, (int)os_errno, fail == LCORE_FAIL_INCOMPLETE ? text : why);
    }
}

static void
on_timeout(struct lc_timer *timer)
{
    struct lc_exchange *exchange = LCORE_CONTAINER(timer, struct lc_exchange, timer);
    if (!lc__exchange_is_late(exchange)) {
        return;
    }
    char text[64];
    lc__exchange_tell_read_timeout(exchange, "", text, sizeof(text));
    take_timings(exchange->transfer);
    end(exchange, LCORE_FAIL_READ_TIMEOUT, ETIMEDOUT, text);
}

/* libcurl tells when the request is about to be sent; from here on silence counts. */
static int
on_connected(void *arg, char *peer, char *local, int peer_port, int local_port)
{
    struct lc_exchange *exchange = ((struct lc_transfer *)arg)->exchange;
    if (exchange == NULL) {
        return CURL_PREREQFUNC_ABORT;
    }
    int64_t now_ns = lc_clock_monotonic_ns();
    exchange->timings.sent_ns = now_ns;
    exchange->active_ns = now_ns;
    struct lc_loop *loop = exchange->session->http->loop;
    lc_timer_stop(loop, &exchange->timer);
    if (exchange->read_timeout_ns > 0) {
        lc_timer_start(loop, &exchange->timer, now_ns + exchange->read_timeout_ns, on_timeout);
    }
    return CURL_PREREQFUNC_OK;
}

static void
set_callbacks(struct lc_transfer *transfer)
{
    CURL *easy = transfer->job.easy;
    transfer->job.done = on_done;
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->text);
    /* The exchange's own timer limits it; 0 would mean libcurl's own five minutes. */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)INT32_MAX);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

static struct lc_multi *
get_multi(struct lc_session *session)
{
    if (session->transfers == NULL) {
        struct lc_multi *multi = lc__alloc(sizeof(*multi));
        if (multi == NULL || lc_multi_init(multi, session->http->loop) < 0) {
            lc__free(multi);
            return NULL;
        }
        session->transfers = multi;
    }
    return session->transfers;
}

static void
transfer_start(struct lc_exchange *exchange)
{
    struct lc_multi *multi = get_multi(exchange->session);
    struct lc_transfer *transfer = multi == NULL ? NULL : lc__calloc(1, sizeof(*transfer));
    if (transfer == NULL) {
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
        return;
    }
    transfer->exchange = exchange;
    transfer->session = exchange->session;
    transfer->job.easy = curl_easy_init();
    if (transfer->job.easy != NULL) {
        set_callbacks(transfer);
    }
    if (transfer->job.easy == NULL || lc__transfer_set_request(transfer) < 0 ||
        lc_multi_add(multi, &transfer->job) < 0) {
        lc__transfer_free(transfer);
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
        return;
    }
    transfer->begin_ns = lc_clock_monotonic_ns();
    if (exchange->timings.begin_ns == 0) {
        exchange->timings.begin_ns = transfer->begin_ns;
    }
    exchange->transfer = transfer;
    lc__exchange_limit_connect(exchange);
}

const struct lc_transport lc__transport_transfer = {transfer_start, stop};

void
lc__transfer_close_idle(struct lc_session *session)
{
    if (session->transfers == NULL) {
        return;
    }
    free_abandoned(session);
    if (!lc_list_is_empty(&session->transfers->jobs)) {
        return;
    }
    lc_multi_fini(session->transfers);
    lc__free(session->transfers);
    session->transfers = NULL;
}
