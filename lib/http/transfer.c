#include "http/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/exchange.h"
#include "http/h2_head.h"
#include "http/headers.h"
#include "http/multi.h"
#include "http/session.h"
#include "http/tls.h"
#include "loop/loop.h"

struct lc_transfer {
    struct lc_multi_job job;
    struct lc_exchange *exchange;
    struct curl_slist *headers;
    char *url;
    char *method;
    int64_t begin_ns;  /* libcurl got it */
    enum lc_fail fail; /* why a callback stopped it */
    int major;         /* of the response's HTTP */
    bool is_reused;    /* the connection had served before */
    bool is_done;      /* libcurl says so */
    char text[CURL_ERROR_SIZE];
};

static void
transfer_free(struct lc_transfer *transfer)
{
    struct lc_session *session = transfer->exchange->session;
    if (session->transfers != NULL) {
        lc_multi_remove(session->transfers, &transfer->job);
    }
    curl_easy_cleanup(transfer->job.easy);
    curl_slist_free_all(transfer->headers);
    lc__free(transfer->url);
    lc__free(transfer->method);
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

static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
    struct lc_transfer *transfer = arg;
    struct lc_exchange *exchange = transfer->exchange;
    size_t len = size * count;
    note_arrival(exchange);
    if (exchange->has_head) {
        return len; /* a trailer */
    }
    if (append_head(transfer, data, len) < 0) {
        transfer->fail = LCORE_FAIL_INTERNAL;
        return 0;
    }
    ptrdiff_t head_len = lc_h1_parse_head(exchange->in.data, exchange->in.len, &exchange->in_head);
    if (head_len < 0) {
        transfer->fail = (enum lc_fail) - head_len;
        return 0;
    }
    if (head_len == 0) {
        return len;
    }
    if (lc_h1_is_interim(&exchange->in_head)) {
        exchange->in_head = (struct lc_h1_head){0};
        exchange->in.len = 0;
        exchange->timings.first_byte_ns = 0;
        return len;
    }
    transfer->fail = lc__exchange_begin_body(exchange);
    return transfer->fail == LCORE_FAIL_NONE ? len : 0;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
    struct lc_transfer *transfer = arg;
    struct lc_exchange *exchange = transfer->exchange;
    size_t len = size * count;
    note_arrival(exchange);
    transfer->fail = lc__exchange_add_body(exchange, (struct lc_str){data, len}, &exchange->collected);
    return transfer->fail == LCORE_FAIL_NONE ? len : 0;
}

static void
stop(struct lc_exchange *exchange)
{
    struct lc_transfer *transfer = exchange->transfer;
    exchange->transfer = NULL;
    lc_timer_stop(exchange->session->http->loop, &exchange->timer);
    if (transfer != NULL) {
        if (exchange->session->version == LCORE_HTTP_3 && !transfer->is_done) {
            /* libcurl 7.88 gives what still comes for a stream of HTTP/3 to a handle that is gone. */
            curl_easy_setopt(transfer->job.easy, CURLOPT_FORBID_REUSE, 1L);
        }
        transfer_free(transfer);
    }
}

/* libcurl tries an older version beside HTTP/3 after a tenth of a second, in which a busy server may not answer; one
 * that was heard to speak HTTP/3 is not taken for one that does not. */
static long
version_to_ask_for(const struct lc_exchange *exchange)
{
    switch (exchange->session->version) {
    case LCORE_HTTP_3:
#if LIBCURL_VERSION_NUM >= 0x075800
        if (exchange->origin->spoken == LCORE_SPOKEN_H3) {
            return CURL_HTTP_VERSION_3ONLY;
        }
#endif
        return CURL_HTTP_VERSION_3;
    case LCORE_HTTP_2:
        return CURL_HTTP_VERSION_2TLS;
    default:
        return CURL_HTTP_VERSION_1_1;
    }
}

static void
end(struct lc_exchange *exchange, enum lc_fail fail, int errnum, const char *text)
{
    int major = exchange->transfer->major;
    struct lc_timings *timings = &exchange->timings;
    long connections = 0;
    curl_easy_getinfo(exchange->transfer->job.easy, CURLINFO_NUM_CONNECTS, &connections);
    timings->begin_ns = connections == 0 && timings->sent_ns != 0 ? timings->sent_ns : exchange->transfer->begin_ns;
    struct lc_hop hop = {
        .fail = fail, .errnum = errnum, .text = lc_str_from(text), .is_kept_alive = exchange->transfer->is_reused};
    stop(exchange);
    lc__exchange_describe(exchange, &hop);
    if (major == 3) {
        exchange->origin->spoken = LCORE_SPOKEN_H3;
    }
    if (major > 1) {
        hop.major = major;
        hop.minor = 0;
        hop.reason = lc_status_reason(hop.status);
    }
    lc__exchange_finish(exchange, &hop);
}

static enum lc_fail
fail_of(CURLcode code, const struct lc_exchange *exchange, int errnum)
{
    bool is_proxied = exchange->origin->proxy != NULL;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return LCORE_FAIL_DNS;
    case CURLE_COULDNT_CONNECT:
        return is_proxied ? LCORE_FAIL_PROXY : errnum == ECONNREFUSED ? LCORE_FAIL_REFUSED : LCORE_FAIL_CONNECT;
    case CURLE_COULDNT_RESOLVE_PROXY:
#if LIBCURL_VERSION_NUM >= 0x074900
    case CURLE_PROXY:
#endif
        return LCORE_FAIL_PROXY;
    case CURLE_OPERATION_TIMEDOUT:
        return LCORE_FAIL_CONNECT_TIMEOUT;
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
        return exchange->has_received ? LCORE_FAIL_INCOMPLETE : is_proxied ? LCORE_FAIL_PROXY : LCORE_FAIL_RESET;
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
    for (size_t i = 0; connections > 0 && i < sizeof(phases) / sizeof(phases[0]); i++) {
        curl_off_t us = 0;
        curl_easy_getinfo(transfer->job.easy, phases[i].info, &us);
        int64_t at_ns = transfer->begin_ns + (int64_t)us * 1000;
        *phases[i].at_ns = us <= 0 ? 0 : timings->sent_ns != 0 && at_ns > timings->sent_ns ? timings->sent_ns : at_ns;
    }
}

static void
on_done(struct lc_multi_job *job, CURLcode code)
{
    struct lc_transfer *transfer = LCORE_CONTAINER(job, struct lc_transfer, job);
    struct lc_exchange *exchange = transfer->exchange;
    enum lc_fail fail = transfer->fail;
    long os_errno = 0;
    curl_easy_getinfo(job->easy, CURLINFO_OS_ERRNO, &os_errno);
    char text[CURL_ERROR_SIZE];
    snprintf(text, sizeof(text), "%s", transfer->text[0] != '\0' ? transfer->text : curl_easy_strerror(code));
    take_timings(transfer);
    transfer->is_done = true;
    if (code == CURLE_OK) {
        fail = !exchange->has_head ? LCORE_FAIL_CLOSED : lc__exchange_end_body(exchange);
        end(exchange, fail, 0, NULL);
    } else if (fail != LCORE_FAIL_NONE) {
        end(exchange, fail, 0, NULL);
    } else {
        end(exchange, fail_of(code, exchange, (int)os_errno), (int)os_errno, text);
    }
}

static void
on_timeout(struct lc_timer *timer)
{
    struct lc_exchange *exchange = LCORE_CONTAINER(timer, struct lc_exchange, timer);
    if (!lc__exchange_is_late(exchange)) {
        return;
    }
    end(exchange, LCORE_FAIL_READ_TIMEOUT, ETIMEDOUT, NULL);
}

/* libcurl tells when the request is about to be sent; from here on silence counts. */
static int
on_connected(void *arg, char *peer, char *local, int peer_port, int local_port)
{
    struct lc_exchange *exchange = ((struct lc_transfer *)arg)->exchange;
    int64_t now_ns = lc_clock_monotonic_ns();
    exchange->timings.sent_ns = now_ns;
    exchange->active_ns = now_ns;
    if (exchange->read_timeout_ns > 0) {
        lc_timer_start(exchange->session->http->loop, &exchange->timer, now_ns + exchange->read_timeout_ns, on_timeout);
    }
    return CURL_PREREQFUNC_OK;
}

static int
add_header(struct lc_transfer *transfer, const char *line)
{
    struct curl_slist *more = curl_slist_append(transfer->headers, line);
    if (more == NULL) {
        return LCE_NOMEM;
    }
    transfer->headers = more;
    return 0;
}

/* Our header lines as they are, and nothing of libcurl's own. */
static int
set_headers(struct lc_transfer *transfer)
{
    static const struct {
        struct lc_str name;
        const char *removal;
    } defaults[] = {
        {{"Accept", 6}, "Accept:"},
        {{"User-Agent", 10}, "User-Agent:"},
        {{"Content-Type", 12}, "Content-Type:"},
        {{"Expect", 6}, "Expect:"},
    };
    const struct lc_buffer *head = &transfer->exchange->head;
    const char *line_end = memchr(head->data, '\n', head->len);
    size_t skipped = (size_t)(line_end - head->data) + 1;
    struct lc_str lines = {head->data + skipped, head->len - skipped};
    struct lc_buffer line = {0};
    size_t position = 0;
    struct lc_str name, value;
    int err = 0;
    while (err == 0 && lc_header_next(lines, &position, &name, &value)) {
        line.len = 0;
        err = lc_buffer_append_str(&line, name);
        /* libcurl's way to say: the header, but empty. */
        err = err < 0 ? err : lc_buffer_append_str(&line, value.len == 0 ? LCORE_STR(";") : LCORE_STR(": "));
        err = err < 0 ? err : lc_buffer_append_str(&line, value);
        err = err < 0 ? err : lc_buffer_append(&line, "", 1);
        err = err < 0 ? err : add_header(transfer, line.data);
    }
    for (size_t i = 0; err == 0 && i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        if (lc_header_find(lines, defaults[i].name).data == NULL) {
            err = add_header(transfer, defaults[i].removal);
        }
    }
    lc_buffer_fini(&line);
    return err;
}

static int
set_options(struct lc_transfer *transfer)
{
    struct lc_exchange *exchange = transfer->exchange;
    CURL *easy = transfer->job.easy;
    struct lc_str url = exchange->url.text;
    if (exchange->url.fragment.data != NULL) {
        url.len = (size_t)(exchange->url.fragment.data - url.data) - 1;
    }
    transfer->url = lc_str_dup(url);
    transfer->method = lc_str_dup(exchange->method);
    if (transfer->url == NULL || transfer->method == NULL || set_headers(transfer) < 0 ||
        curl_easy_setopt(easy, CURLOPT_URL, transfer->url) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_PROXY, exchange->origin->proxy) != CURLE_OK) {
        return LCE_NOMEM;
    }
    if (lc_str_equal(exchange->method, LCORE_STR("HEAD"))) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (exchange->body.data != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body.data);
    }
    if (curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->method) != CURLE_OK) {
        return LCE_NOMEM;
    }
    long connect_ms =
        exchange->connect_timeout_ns <= 0 ? INT32_MAX : (long)(exchange->connect_timeout_ns / LCORE_NS_PER_MS + 1);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version_to_ask_for(exchange));
    /* A stream of the connection that is being made, rather than another connection. */
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, exchange->session->version == LCORE_HTTP_1 ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->text);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    struct lc_tls *tls = exchange->request.tls != NULL ? exchange->request.tls : exchange->session->tls;
    return tls == NULL ? 0 : lc__tls_set_options(tls, easy);
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
    transfer->job.easy = curl_easy_init();
    transfer->job.done = on_done;
    if (transfer->job.easy == NULL || set_options(transfer) < 0 || lc_multi_add(multi, &transfer->job) < 0) {
        transfer_free(transfer);
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
        return;
    }
    transfer->begin_ns = lc_clock_monotonic_ns();
    exchange->transfer = transfer;
}

const struct lc_transport lc__transport_transfer = {transfer_start, stop};

void
lc__transfer_close_idle(struct lc_session *session)
{
    if (session->transfers == NULL) {
        return;
    }
    for (struct lc_list *link = session->exchanges.next; link != &session->exchanges; link = link->next) {
        if (LCORE_CONTAINER(link, struct lc_exchange, link)->transfer != NULL) {
            return;
        }
    }
    lc_multi_fini(session->transfers);
    lc__free(session->transfers);
    session->transfers = NULL;
}
