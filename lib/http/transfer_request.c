/* The request of a transfer, as libcurl is told of it. */
#include <string.h>

#include "http/exchange.h"
#include "http/headers.h"
#include "http/session.h"
#include "http/tls.h"
#include "http/transfer.h"

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

static size_t
on_send(char *data, size_t size, size_t count, void *arg)
{
    struct lc_transfer *transfer = arg;
    if (transfer->exchange == NULL) {
        return CURL_READFUNC_PAUSE;
    }
    struct lc_str body = transfer->exchange->body;
    size_t left = body.len - transfer->sent, room = size * count;
    size_t taken = left < room ? left : room;
    memcpy(data, body.data + transfer->sent, taken);
    transfer->sent += taken;
    return taken;
}

/* libcurl sends the body once more on another connection, if the first one turns out to be dead. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
    struct lc_transfer *transfer = arg;
    if (origin != SEEK_SET || transfer->exchange == NULL || offset < 0 ||
        (size_t)offset > transfer->exchange->body.len) {
        return CURL_SEEKFUNC_FAIL;
    }
    transfer->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
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

/* Without the fragment, and without credentials: those that count are in the header, and libcurl would add others. */
static char *
copy_url(const struct lc_url *url)
{
    struct lc_str text = url->text;
    if (url->fragment.data != NULL) {
        text.len = (size_t)(url->fragment.data - text.data) - 1;
    }
    char *copy = lc_str_dup(text);
    if (copy != NULL && url->user.data != NULL) {
        size_t begin = (size_t)(url->user.data - text.data);
        size_t end = (size_t)(url->host.data - text.data) - url->is_ipv6;
        memmove(copy + begin, copy + end, text.len - end + 1);
    }
    return copy;
}

static void
set_body(struct lc_transfer *transfer)
{
    CURL *easy = transfer->job.easy;
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->exchange->body.len);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
}

int
lc__transfer_set_request(struct lc_transfer *transfer)
{
    struct lc_exchange *exchange = transfer->exchange;
    CURL *easy = transfer->job.easy;
    transfer->url = copy_url(&exchange->url);
    transfer->method = lc_str_dup(exchange->method);
    if (transfer->url == NULL || transfer->method == NULL || set_headers(transfer) < 0 ||
        curl_easy_setopt(easy, CURLOPT_URL, transfer->url) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_PROXY, exchange->origin->proxy) != CURLE_OK) {
        return LCE_NOMEM;
    }
    if (lc_str_equal(exchange->method, LCORE_STR("HEAD"))) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (exchange->body.data != NULL) {
        set_body(transfer);
    }
    if (curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->method) != CURLE_OK) {
        return LCE_NOMEM;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version_to_ask_for(exchange));
    /* A stream of the connection that is being made, rather than another connection. */
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, exchange->session->version == LCORE_HTTP_1 ? 0L : 1L);
    struct lc_tls *tls = exchange->request.tls != NULL ? exchange->request.tls : exchange->session->tls;
    return tls == NULL ? 0 : lc__tls_set_options(tls, easy);
}
