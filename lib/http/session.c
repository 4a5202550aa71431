/* A session decides what a browser decides: where a URL leads, which headers and cookies go along, whether a redirect
 * is followed. How bytes travel is the transport's. */
#include "http/session.h"

#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"
#include "http/conn.h"
#include "http/decode.h"
#include "http/env_proxy.h"
#include "http/exchange.h"
#include "http/h2.h"
#include "http/head.h"
#include "http/headers.h"
#include "http/redirect.h"
#include "http/tls.h"
#include "http/transfer.h"
#include "http/stream.h"
#include "http/wire.h"
#include "loop/loop.h"

#define DEFAULT_MAX_REDIRECTS 30
/* As many as requests' pool keeps. */
#define MIN_MAX_IDLE 10

void
lc_session_options_init(struct lc_session_options *options)
{
    *options = (struct lc_session_options){.size = sizeof(*options), .max_redirects = DEFAULT_MAX_REDIRECTS};
}

/* Renders the header lines of every request into the scratch buffer that all sessions share. */
static int
render_headers(const struct lc_session_options *options, struct lc_buffer *out, struct lc_error *error)
{
    out->len = 0;
    int err = 0;
    if (options->headers != NULL) {
        for (size_t i = 0; err == 0 && i < options->header_count; i++) {
            const struct lc_header *header = &options->headers[i];
            if (!lc_header_is_name(header->name) || !lc_header_is_value(header->value)) {
                return lc_error_set(error, LCE_FORMAT, "a header has a line break, NUL or leading blank");
            }
            err = lc_header_append(out, header->name, header->value);
        }
        return err;
    }
    if (options->user_agent != NULL && !lc_header_is_value(lc_str_from(options->user_agent))) {
        return lc_error_set(error, LCE_FORMAT, "user agent has a line break, NUL or leading blank");
    }
    err = lc_buffer_append_str(out, LCORE_STR("User-Agent: "));
    err = err < 0 ? err
                  : lc_buffer_append_str(out, options->user_agent == NULL ? LCORE_STR("locustcore/" LCORE_VERSION)
                                                                          : lc_str_from(options->user_agent));
    err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\r\nAccept-Encoding: gzip, deflate"));
    if (err == 0 && options->is_accepting_br) {
        err = lc_buffer_append_str(out, LCORE_STR(", br"));
    }
    if (err == 0 && options->is_accepting_zstd) {
        err = lc_buffer_append_str(out, LCORE_STR(", zstd"));
    }
    return err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\r\nAccept: */*\r\nConnection: keep-alive\r\n"));
}

struct lc_session *
lc_session_new(struct lc_http *http, const struct lc_session_options *given, struct lc_error *error)
{
    struct lc_session_options full;
    lc_session_options_init(&full);
    if (given != NULL && lc__options_take(&full, sizeof(full), given, error) < 0) {
        return NULL;
    }
    const struct lc_session_options *options = &full;
    struct lc_session *session = NULL;
    struct lc_site *site = NULL;
    struct lc_block *headers = NULL;
    int err = lc_http_check_version(options->version, error);
    err = err < 0 ? err : render_headers(options, &http->scratch, error);
    if (err == 0) {
        headers = lc__block_get(http, (struct lc_str){http->scratch.data, http->scratch.len});
        site = headers == NULL ? NULL : lc__site_get(http, options->base_url, options->proxy);
        session = site == NULL ? NULL : lc__calloc(1, sizeof(*session));
        err = session == NULL ? LCE_NOMEM : 0;
    }
    if (err < 0) {
        if (err == LCE_NOMEM) {
            lc_error_set(error, err, "%s", lc_error_text(err));
        }
        lc__site_unref(site);
        lc__block_unref(http, headers);
        return NULL;
    }
    session->http = http;
    lc_list_init(&session->exchanges);
    lc_list_init(&session->wires);
    lc_list_init(&session->h2s);
    session->headers = headers;
    session->site = site;
    session->tls = options->tls == NULL ? NULL : lc_tls_ref(options->tls);
    session->connect_timeout_ns = options->connect_timeout_ns;
    session->read_timeout_ns = options->read_timeout_ns;
    session->max_redirects = options->max_redirects == 0 ? DEFAULT_MAX_REDIRECTS : options->max_redirects;
    session->version = options->version;
    int most = options->max_connections < 0 ? 0 : options->max_connections;
    int max_idle = most > MIN_MAX_IDLE ? most : MIN_MAX_IDLE;
    lc__conn_pool_init(&session->own, most, max_idle, max_idle);
    session->pool = options->pool == NULL ? &session->own : lc_conn_pool_ref(options->pool);
    session->is_using_env_proxy = options->is_using_env_proxy;
    session->max_body_bytes = options->max_body_bytes;
    http->session_count++;
    return session;
}

struct lc_session *
lc__session_like(const struct lc_session *like)
{
    struct lc_session *session = lc__calloc(1, sizeof(*session));
    if (session == NULL) {
        return NULL;
    }
    session->http = like->http;
    lc_list_init(&session->exchanges);
    lc_list_init(&session->wires);
    lc_list_init(&session->h2s);
    session->headers = lc__block_ref(like->headers);
    session->site = lc__site_ref(like->site);
    session->tls = like->tls == NULL ? NULL : lc_tls_ref(like->tls);
    session->connect_timeout_ns = like->connect_timeout_ns;
    session->read_timeout_ns = like->read_timeout_ns;
    session->max_redirects = like->max_redirects;
    session->version = like->version;
    lc__conn_pool_init(&session->own, like->own.max_connections, like->own.max_idle, like->own.max_idle_in_all);
    session->pool = &session->own;
    session->is_using_env_proxy = like->is_using_env_proxy;
    session->max_body_bytes = like->max_body_bytes;
    session->http->session_count++;
    return session;
}

void
lc_session_close_idle(struct lc_session *session)
{
    lc__conn_pool_close_idle(session->pool);
    lc__h2_close_idle(session);
    lc__transfer_close_idle(session);
}

void
lc_session_free(struct lc_session *session)
{
    if (session == NULL) {
        return;
    }
    struct lc_http *http = session->http;
    while (!lc_list_is_empty(&session->wires)) {
        lc__wire_orphan(LCORE_CONTAINER(session->wires.next, struct lc_wire, link));
    }
    lc__transfer_orphan(session);
    while (!lc_list_is_empty(&session->exchanges)) {
        lc_exchange_cancel(LCORE_CONTAINER(session->exchanges.next, struct lc_exchange, link));
    }
    lc__conn_pool_fini(&session->own);
    if (session->pool != &session->own) {
        lc_conn_pool_unref(session->pool);
    }
    lc__h2_close_idle(session);
    lc__transfer_close_idle(session);
    lc__tls_forget(session);
    lc_cookie_jar_fini(&session->jar);
    lc__block_unref(http, session->headers);
    lc__site_unref(session->site);
    lc__origin_unref(session->origin);
    lc_tls_unref(session->tls);
    lc__free(session);
    http->session_count--;
    lc__exchange_shrink(http, http->session_count);
}

/* ---- headers and cookies ---- */

static int
set_block(struct lc_session *session, struct lc_str lines)
{
    struct lc_block *block = lc__block_get(session->http, lines);
    if (block == NULL) {
        return LCE_NOMEM;
    }
    lc__block_unref(session->http, session->headers);
    session->headers = block;
    return 0;
}

int
lc_session_set_header(struct lc_session *session, struct lc_str name, struct lc_str value)
{
    if (!lc_header_is_name(name) || (value.data != NULL && !lc_header_is_value(value))) {
        return LCE_FORMAT;
    }
    struct lc_buffer lines = {0};
    bool is_placed = value.data == NULL;
    size_t position = 0;
    struct lc_str old_name, old_value;
    int err = 0;
    while (err == 0 && lc_header_next(session->headers->lines, &position, &old_name, &old_value)) {
        if (!lc_str_equal_nocase(old_name, name)) {
            err = lc_header_append(&lines, old_name, old_value);
        } else if (!is_placed) {
            err = lc_header_append(&lines, name, value);
            is_placed = true;
        }
    }
    if (err == 0 && !is_placed) {
        err = lc_header_append(&lines, name, value);
    }
    err = err < 0 ? err : set_block(session, (struct lc_str){lines.data, lines.len});
    lc_buffer_fini(&lines);
    return err;
}

void
lc_session_clear_headers(struct lc_session *session)
{
    /* Only running out of memory could keep it from being done; then the headers stay. */
    (void)set_block(session, (struct lc_str){0});
}

int
lc_session_set_cookie(struct lc_session *session, const struct lc_cookie *cookie)
{
    return lc_cookie_jar_set(&session->jar, cookie, (int64_t)time(NULL));
}

bool
lc_session_next_cookie(const struct lc_session *session, size_t *position, struct lc_cookie *out)
{
    return lc_cookie_jar_next(&session->jar, position, out);
}

int
lc_session_remove_cookies(struct lc_session *session, struct lc_str domain, struct lc_str path, struct lc_str name)
{
    return lc_cookie_jar_remove(&session->jar, domain, path, name);
}

uint64_t
lc_session_cookie_version(const struct lc_session *session)
{
    return lc_cookie_jar_version(&session->jar);
}

/* ---- a call ---- */

static bool
is_absolute(struct lc_str url)
{
    return lc_str_starts_nocase(url, LCORE_STR("http://")) || lc_str_starts_nocase(url, LCORE_STR("https://"));
}

/* As requests, which knows the host by the name that DNS knows: in the URL that is told, and where cookies belong. */
static int
set_ascii_host(struct lc_exchange *exchange, struct lc_error *error)
{
    struct lc_str whole = exchange->url.text, host = exchange->url.host;
    struct lc_str front = {whole.data, (size_t)(host.data - whole.data)};
    struct lc_str rest = {host.data + host.len, whole.len - front.len - host.len};
    struct lc_buffer *text = &exchange->url_text[0];
    text->len = 0;
    int err = lc_buffer_append_str(text, front);
    err = err < 0 ? err : lc__append_idna(host, text, error);
    err = err < 0 ? err : lc_buffer_append_str(text, rest);
    if (err < 0) {
        return err == LCE_NOMEM ? lc_error_set(error, err, "%s", lc_error_text(err)) : err;
    }
    return lc_url_prepare((struct lc_str){text->data, text->len}, &exchange->url_text[1], &exchange->url, error);
}

static int
set_url(struct lc_exchange *exchange, struct lc_str given, struct lc_error *error)
{
    struct lc_session *session = exchange->session;
    struct lc_buffer *text = &exchange->url_text[0];
    text->len = 0;
    int err = 0;
    bool is_joined = !is_absolute(given);
    if (is_joined) {
        err = lc_buffer_append_str(text, session->site->base);
    }
    err = err < 0 ? err : lc_buffer_append_str(text, given);
    if (err < 0) {
        return lc_error_set(error, err, "%s", lc_error_text(err));
    }
    if (is_joined && session->site->is_base_prepared) {
        size_t target_len = session->site->base_url.target.len;
        size_t begin = session->site->base.len - target_len;
        struct lc_str target = {text->data + begin, text->len - begin};
        if (lc_url_is_clean_target(target)) {
            exchange->url = session->site->base_url;
            exchange->url.text = (struct lc_str){text->data, text->len};
            exchange->url.target = target;
            return 0;
        }
    }
    struct lc_str all = {text->data, text->len};
    if (exchange->request.flags & LCORE_REQUEST_LOOSE_URL) {
        return lc_url_prepare_loosely(all, &exchange->url_text[1], &exchange->url, error);
    }
    err = lc_url_prepare(all, &exchange->url_text[1], &exchange->url, error);
    return err < 0 || exchange->url.is_host_ascii ? err : set_ascii_host(exchange, error);
}

static const struct lc_transport *
pick_transport(const struct lc_exchange *exchange)
{
    const struct lc_session *session = exchange->session;
    const struct lc_origin *origin = exchange->origin;
    /* Not on what is lent: who borrows it speaks HTTP/1.1. */
    bool is_lent = exchange->request.wire != NULL;
    if (origin->route == LCORE_ROUTE_TRANSFER || (session->version == LCORE_HTTP_3 && origin->is_https && !is_lent)) {
        return &lc__transport_transfer;
    }
    /* A proxy that forwards speaks HTTP/1.1. */
    return session->version == LCORE_HTTP_2 && origin->route == LCORE_ROUTE_CONNECT && origin->spoken != LCORE_SPOKEN_H1
               ? &lc__transport_h2
               : &lc__transport_direct;
}

/* Sets origin and transport for exchange->url. */
static int
set_route(struct lc_exchange *exchange, struct lc_error *error)
{
    struct lc_session *session = exchange->session;
    const struct lc_request *request = &exchange->request;
    const struct lc_url *url = &exchange->url;
    const char *proxy = request->proxy != NULL         ? request->proxy
                        : session->site->proxy != NULL ? session->site->proxy
                        : session->is_using_env_proxy  ? lc__env_proxy(url)
                                                       : NULL;
    struct lc_tls *tls = NULL;
    if (url->is_https) {
        tls = request->tls != NULL   ? request->tls
              : session->tls != NULL ? session->tls
                                     : lc__http_default_tls(session->http, error);
        if (tls == NULL) {
            return LCE_TLS;
        }
    }
    if (session->origin == NULL || !lc__origin_matches(session->origin, url, proxy, tls)) {
        struct lc_origin *origin;
        int err = lc__origin_get(session->http, url, proxy, tls, &origin, error);
        if (err < 0) {
            return err;
        }
        lc__origin_unref(session->origin);
        session->origin = origin;
    }
    struct lc_origin *last = exchange->origin;
    exchange->origin = lc__origin_ref(session->origin);
    lc__origin_unref(last);
    exchange->transport = pick_transport(exchange);
    return 0;
}

static int64_t
pick_timeout(int64_t of_request, int64_t of_session)
{
    return of_request == 0 ? of_session : of_request;
}

int
lc_session_start(struct lc_session *session, const struct lc_request *request, int64_t start_ns, lc_exchange_fn *fn,
                 void *arg, struct lc_exchange **out, struct lc_error *error)
{
    struct lc_exchange *exchange = lc__exchange_new(session->http);
    if (exchange == NULL) {
        return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    exchange->session = session;
    exchange->fn = fn;
    exchange->arg = arg;
    exchange->request = *request;
    exchange->start_ns = start_ns == 0 ? lc_clock_monotonic_ns() : start_ns;
    exchange->connect_timeout_ns = pick_timeout(request->connect_timeout_ns, session->connect_timeout_ns);
    exchange->read_timeout_ns = pick_timeout(request->read_timeout_ns, session->read_timeout_ns);
    exchange->max_redirects = request->max_redirects == 0 ? session->max_redirects : request->max_redirects;
    exchange->method = request->method;
    exchange->body = request->body;
    exchange->timings.start_ns = exchange->timings.hop_ns = exchange->start_ns;
    int err = set_url(exchange, request->url, error);
    err = err < 0 ? err : set_route(exchange, error);
    err = err < 0 ? err : lc__head_render(exchange, error);
    if (err < 0) {
        lc__exchange_free(session->http, exchange);
        return err;
    }
    exchange->request.url = (struct lc_str){0};
    exchange->request.headers = NULL;
    exchange->request.header_count = 0;
    lc_list_append(&session->exchanges, &exchange->link);
    *out = exchange;
    exchange->transport->start(exchange);
    return 0;
}

void
lc_exchange_cancel(struct lc_exchange *exchange)
{
    struct lc_http *http = exchange->session->http;
    exchange->transport->cancel(exchange);
    lc_list_remove(&exchange->link);
    lc__exchange_free(http, exchange);
}

/* ---- the end of a hop ---- */

/* What a person is told of a failure; empty if the text of its kind says it all. */
static struct lc_str
fail_text(const struct lc_exchange *exchange, const struct lc_hop *hop)
{
    bool knows_decoder = hop->fail == LCORE_FAIL_DECODE && hop->text.len == 0 && exchange->decoder != NULL;
    return knows_decoder ? lc_decoder_why(exchange->decoder) : hop->text;
}

static struct lc_response *
make_response(struct lc_exchange *exchange, const struct lc_hop *hop)
{
    struct lc_response parts = {
        .status = hop->status,
        .http_major = hop->major == 0 ? 1 : hop->major,
        .http_minor = hop->minor,
        .fail = hop->fail,
        .fail_errno = hop->errnum,
        .fail_text = fail_text(exchange, hop),
        .method = exchange->method,
        .url = exchange->url.text,
        .sent_head = {exchange->head.data, exchange->head.len},
        .reason = hop->reason,
        .head = hop->lines,
        .body = hop->body,
        .wire_body_bytes = exchange->wire_body_bytes,
        .timings = exchange->timings,
        .previous = exchange->previous,
        .redirect_count = exchange->redirect_count,
        .is_kept_alive = hop->is_kept_alive,
        .is_in_chunks = hop->is_in_chunks,
        .stream = hop->stream,
    };
    struct lc_response *response = lc_response_new(&exchange->session->http->responses, &parts, hop->body_buffer);
    if (response != NULL) {
        exchange->previous = NULL;
    }
    return response;
}

static void
deliver(struct lc_exchange *exchange, const struct lc_hop *hop)
{
    struct lc_http *http = exchange->session->http;
    exchange->timings.start_ns = exchange->start_ns;
    if (hop->fail != LCORE_FAIL_NONE) {
        exchange->timings.end_ns = lc_clock_monotonic_ns();
    }
    struct lc_response *response = make_response(exchange, hop);
    if (response == NULL) {
        lc_stream_free(hop->stream);
        lc__exchange_reset_response(exchange);
        lc__exchange_fail_later(exchange, LCORE_FAIL_INTERNAL, "out of memory");
        return;
    }
    lc_exchange_fn *fn = exchange->fn;
    void *arg = exchange->arg;
    lc_list_remove(&exchange->link);
    lc__place_leave(exchange);
    lc__exchange_free(http, exchange);
    fn(exchange, response, arg);
}

static void
deliver_failure(struct lc_exchange *exchange, const struct lc_hop *hop, enum lc_fail fail, const char *text)
{
    struct lc_hop failed = *hop;
    failed.fail = fail;
    failed.text = lc_str_from(text);
    deliver(exchange, &failed);
}

/* Follows a redirect. */
static void
follow(struct lc_exchange *exchange, const struct lc_hop *hop)
{
    struct lc_error error = {0};
    struct lc_url from = exchange->url;
    struct lc_buffer *first = &exchange->url_text[0];
    bool is_in_first =
        first->data != NULL && from.text.data >= first->data && from.text.data < first->data + first->len;
    struct lc_url to;
    int err = lc_redirect_url(&from, hop->location, &exchange->url_text[is_in_first ? 1 : 0], &to, &error);
    if (err == LCE_NOMEM) {
        deliver_failure(exchange, hop, LCORE_FAIL_INTERNAL, lc_error_text(err));
        return;
    }
    if (err < 0) {
        deliver_failure(exchange, hop, LCORE_FAIL_BAD_REDIRECT, error.text);
        return;
    }
    struct lc_hop plain = *hop;
    plain.fail = LCORE_FAIL_NONE;
    plain.errnum = 0;
    plain.text = (struct lc_str){0};
    struct lc_response *previous = make_response(exchange, &plain);
    if (previous == NULL) {
        deliver_failure(exchange, hop, LCORE_FAIL_INTERNAL, lc_error_text(LCE_NOMEM));
        return;
    }
    lc__place_leave(exchange);
    exchange->previous = previous;
    exchange->redirect_count++;
    exchange->url = to;
    bool is_plain = (exchange->request.flags & LCORE_REQUEST_PLAIN_METHODS) != 0;
    exchange->method = lc_redirect_method(is_plain && hop->status == 301 ? 302 : hop->status, exchange->method);
    bool is_body_kept = lc_redirect_keeps_body(hop->status);
    if (!is_body_kept) {
        exchange->body = (struct lc_str){0};
    }
    lc__exchange_reset_response(exchange);
    exchange->is_retried = false;
    exchange->refusals = 0;
    int64_t now_ns = lc_clock_monotonic_ns();
    exchange->timings = (struct lc_timings){.start_ns = now_ns, .hop_ns = now_ns};
    err = set_route(exchange, &error);
    err = err < 0 ? err : lc__head_redirect(exchange, &from, is_body_kept);
    if (err < 0) {
        struct lc_hop failed = {.fail = err == LCE_NOMEM ? LCORE_FAIL_INTERNAL : LCORE_FAIL_BAD_REDIRECT,
                                .text = lc_str_from(error.text)};
        deliver(exchange, &failed);
        return;
    }
    exchange->transport->start(exchange);
}

void
lc__exchange_finish(struct lc_exchange *exchange, const struct lc_hop *hop)
{
    struct lc_session *session = exchange->session;
    unsigned flags = exchange->request.flags;
    if (hop->has_set_cookie && (flags & LCORE_REQUEST_NO_COOKIES) == 0 &&
        lc_cookie_jar_receive(&session->jar, &exchange->url, hop->lines, (int64_t)time(NULL)) < 0) {
        deliver_failure(exchange, hop, LCORE_FAIL_INTERNAL, lc_error_text(LCE_NOMEM));
        return;
    }
    /* Nobody wants the body of a redirect, so one that is broken does no harm (so in requests). */
    bool is_usable = hop->fail == LCORE_FAIL_NONE || hop->fail == LCORE_FAIL_DECODE ||
                     hop->fail == LCORE_FAIL_INCOMPLETE || hop->fail == LCORE_FAIL_BAD_CHUNK;
    if (!is_usable || (flags & LCORE_REQUEST_NO_REDIRECT) != 0 || !lc_redirect_is_due(hop->status, hop->location)) {
        deliver(exchange, hop);
        return;
    }
    int limit = exchange->max_redirects < 0 ? 0 : exchange->max_redirects;
    if (exchange->redirect_count >= limit) {
        char text[48];
        snprintf(text, sizeof(text), "exceeded %d redirects", limit);
        deliver_failure(exchange, hop, LCORE_FAIL_TOO_MANY_REDIRECTS, text);
        return;
    }
    follow(exchange, hop);
}
