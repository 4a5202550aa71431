#include "http/http.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/conn.h"
#include "http/exchange.h"
#include "http/seen_head.h"
#include "http/site.h"
#include "loop/loop.h"

/* So many are worth a look at the whole heap. */
#define TRIM_LEAST 256
#define QUIET_NS LCORE_NS_PER_S
/* 8.5.0, as curl_version_info() has it. */
#define HTTP3_SINCE 0x080500
/* Looks at both clocks, until two of them are this close. */
#define LOOKS_MAX 10
#define CLOSE_NS (2 * LCORE_NS_PER_US)

/* Before 7.84.0 libcurl counts without a lock who uses it. */
static pthread_mutex_t curl_lock = PTHREAD_MUTEX_INITIALIZER;

static CURLcode
curl_take(void)
{
    pthread_mutex_lock(&curl_lock);
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_mutex_unlock(&curl_lock);
    return code;
}

static void
curl_leave(void)
{
    pthread_mutex_lock(&curl_lock);
    curl_global_cleanup();
    pthread_mutex_unlock(&curl_lock);
}

struct lc_http *
lc_http_new(struct lc_loop *loop, struct lc_error *error)
{
    if (curl_take() != CURLE_OK) {
        lc_error_set(error, LCE_NOMEM, "libcurl could not be initialised");
        return NULL;
    }
    struct lc_http *http = lc__calloc(1, sizeof(*http));
    if (http == NULL) {
        goto fail;
    }
    http->loop = loop;
    lc__slab_init(&http->conns, sizeof(struct lc_conn));
    http->receive = lc__alloc(LCORE_RECEIVE_SIZE);
    http->seen_heads = lc__calloc(1, sizeof(*http->seen_heads));
    http->connector = lc_connector_new(loop);
    if (http->receive == NULL || http->seen_heads == NULL || http->connector == NULL) {
        goto fail;
    }
    return http;
fail:
    lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    if (http != NULL) {
        lc_connector_free(http->connector);
        lc__free(http->receive);
        lc__free(http->seen_heads);
        lc__free(http);
    }
    curl_leave();
    return NULL;
}

void
lc_http_free(struct lc_http *http)
{
    if (http == NULL) {
        return;
    }
    assert(http->session_count == 0);
    lc__exchange_free_idle(http);
    lc__reuse_fini(&http->responses);
    while (http->idle_decoder_count > 0) {
        lc_decoder_free(http->idle_decoders[--http->idle_decoder_count]);
    }
    lc_timer_stop(http->loop, &http->quiet);
    lc_tls_unref(http->default_tls);
    lc__site_unref(http->last_site);
    lc_connector_free(http->connector);
    lc_buffer_fini(&http->body);
    lc_buffer_fini(&http->scratch);
    lc__free(http->lent_frame.memory);
    lc__free(http->frames);
    lc__free(http->piece);
    lc__free(http->receive);
    lc__free(http->seen_heads);
    lc__slab_fini(&http->conns);
    lc__free(http);
    curl_leave();
}

int
lc_http_check_version(enum lc_http_version version, struct lc_error *error)
{
    if (version == LCORE_HTTP_1 || version == LCORE_HTTP_2) {
        return 0;
    }
    if (version != LCORE_HTTP_3) {
        return lc_error_set(error, LCE_INVALID, "no such version of HTTP: %d", (int)version);
    }
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    bool has_it = (curl->features & CURL_VERSION_HTTP3) != 0;
    /* Older ones touch freed memory when something comes for a call that was given up. */
    if (has_it && curl->version_num >= HTTP3_SINCE) {
        return 0;
    }
    return lc_error_set(
        error, LCE_UNSUPPORTED,
        "libcurl %s %s: let the dynamic linker find one from 8.5.0 on that has it (`curl -V` lists HTTP3 among its "
        "features), or use HTTP/2",
        curl->version, has_it ? "is too old for HTTP/3, it may crash" : "was built without HTTP/3");
}

/* The real time is read between two looks at the monotonic clock, and the middle of the two belongs to it. A process
 * that lost its core between them would be wrong by half of what it lost, for a second: the closest pair counts. */
static void
take_offset(struct lc_http *http)
{
    int64_t closest_ns = INT64_MAX;
    for (int i = 0; i < LOOKS_MAX && closest_ns > CLOSE_NS; i++) {
        int64_t before_ns = lc_clock_monotonic_ns();
        int64_t realtime_ns = lc_clock_realtime_ns();
        int64_t between_ns = lc_clock_monotonic_ns() - before_ns;
        if (between_ns < closest_ns) {
            closest_ns = between_ns;
            http->realtime_offset_ns = before_ns + between_ns / 2 - realtime_ns;
        }
    }
}

int64_t
lc__http_monotonic_ns(struct lc_http *http, int64_t realtime_ns)
{
    int64_t now_ns = lc_loop_now_ns(http->loop);
    if (http->offset_taken_ns == 0 || now_ns - http->offset_taken_ns > LCORE_NS_PER_S) {
        take_offset(http);
        http->offset_taken_ns = now_ns;
    }
    return realtime_ns + http->realtime_offset_ns;
}

static void on_quiet(struct lc_timer *timer);

static void
wait_for_quiet(struct lc_http *http)
{
    http->made_seen = http->made_count;
    if (lc_timer_start(http->loop, &http->quiet, lc_loop_now_ns(http->loop) + QUIET_NS, on_quiet) < 0) {
        http->made_count = 0;
    }
}

static void
on_quiet(struct lc_timer *timer)
{
    struct lc_http *http = LCORE_CONTAINER(timer, struct lc_http, quiet);
    if (http->made_seen != http->made_count) {
        wait_for_quiet(http);
        return;
    }
    http->made_count = 0;
    lc__exchange_shrink(http, 0);
    lc__alloc_trim();
}

void
lc__http_note_connection(struct lc_http *http)
{
    if (++http->made_count == TRIM_LEAST) {
        wait_for_quiet(http);
    }
}

struct lc_decoder *
lc__http_take_decoder(struct lc_http *http)
{
    return http->idle_decoder_count > 0 ? http->idle_decoders[--http->idle_decoder_count] : lc_decoder_new();
}

void
lc__http_put_decoder(struct lc_http *http, struct lc_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    if (http->idle_decoder_count < LCORE_IDLE_DECODERS) {
        http->idle_decoders[http->idle_decoder_count++] = decoder;
    } else {
        lc_decoder_free(decoder);
    }
}

struct lc_tls *
lc__http_default_tls(struct lc_http *http, struct lc_error *error)
{
    if (http->default_tls == NULL) {
        http->default_tls = lc_tls_new(&(struct lc_tls_options){.size = sizeof(struct lc_tls_options)}, error);
    }
    return http->default_tls;
}
