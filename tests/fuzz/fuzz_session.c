/* What a server sends over HTTP/1.1, to three calls one behind the other. First byte: bits 0 to 2, into how many pieces
 * to cut; bit 3, bodies are taken piece by piece; bit 4, chunks keep their framing; bit 5, the second call is canceled
 * under way; bit 6, dots and whole codings. The rest is sent as it is to each of the first connections, which then
 * closes. Each call ends, whatever came. */
#include <errno.h>

#include "served.h"
#include "http/stream.h"

#define CALLS 3
#define CONNECTIONS 8

struct call {
    struct lc_response *response;
    bool is_read; /* of a stream: to its end */
};

static void
on_stream(struct lc_stream *stream, void *arg)
{
    struct call *call = arg;
    char piece[700];
    ssize_t got;
    while ((got = lc_stream_read(stream, piece, sizeof(piece))) > 0) {
        FUZZ_CHECK((size_t)got <= sizeof(piece));
    }
    FUZZ_CHECK(got == 0 || got == -EAGAIN || (got == -EIO && stream->fail != LCORE_FAIL_NONE));
    call->is_read = got != -EAGAIN;
}

static void
check_response(const struct lc_response *response)
{
    FUZZ_CHECK(response->fail != LCORE_FAIL_NONE || (response->status >= 100 && response->status <= 999));
    FUZZ_CHECK(response->fail == LCORE_FAIL_NONE || response->fail_text.len > 0);
    FUZZ_CHECK(response->timings.end_ns >= response->timings.start_ns);
    size_t position = 0, lines = 0;
    struct lc_str name, value;
    while (lc_response_next_header(response, &position, &name, &value)) {
        FUZZ_CHECK(name.len > 0 && name.data >= response->head.data);
        FUZZ_CHECK(value.data + value.len <= response->head.data + response->head.len);
        lines++;
    }
    FUZZ_CHECK(lines <= 256);
}

static void
on_response(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct call *call = arg;
    call->response = response;
    for (const struct lc_response *hop = response; hop != NULL; hop = hop->previous) {
        check_response(hop);
    }
    call->is_read = true;
    if (response->stream != NULL) {
        lc_stream_set_fn(response->stream, on_stream, call);
        on_stream(response->stream, call);
    }
}

static void
give(const uint8_t *at, size_t left, size_t pieces)
{
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) {
        return;
    }
    go_round(0);
    send_in_pieces(fd, at, left, pieces);
    go_round(0);
    close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    if (loop == NULL) {
        set_up();
    }
    unsigned flags = ((data[0] & 8) != 0 ? LCORE_REQUEST_STREAM : 0) |
                     ((data[0] & 16) != 0 ? LCORE_REQUEST_KEEP_CHUNKS : 0) |
                     ((data[0] & 64) != 0 ? LCORE_REQUEST_LOOSE_URL | LCORE_REQUEST_WHOLE_CODING : 0);
    struct lc_session_options options;
    lc_session_options_init(&options);
    options.base_url = (struct lc_str){base, strlen(base)};
    options.max_body_bytes = 1 << 20;
    options.max_redirects = 3;
    options.max_connections = 1;
    struct lc_session *session = lc_session_new(http, &options, NULL);
    FUZZ_CHECK(session != NULL);
    static const char *const methods[CALLS] = {"GET", "HEAD", "POST"};
    struct call calls[CALLS] = {0};
    for (int i = 0; i < CALLS; i++) {
        struct lc_request request = {
            .method = {methods[i], strlen(methods[i])}, .url = LCORE_STR("/a/b"), .flags = flags};
        request.body = (struct lc_str){i == 2 ? "body" : NULL, i == 2 ? 4 : 0};
        struct lc_exchange *exchange;
        FUZZ_CHECK(lc_session_start(session, &request, 0, on_response, &calls[i], &exchange, NULL) == 0);
        int connections = 0;
        for (int round = 0; round < 5000 && calls[i].response == NULL; round++) {
            go_round(1);
            if (i == 1 && (data[0] & 32) != 0 && round == 4) {
                lc_exchange_cancel(exchange);
                break;
            }
            give(data + 1, connections++ < CONNECTIONS ? size - 1 : 0, (data[0] & 7u) + 1);
        }
        for (int round = 0; round < 5000 && calls[i].response != NULL && !calls[i].is_read; round++) {
            go_round(1);
        }
        bool is_canceled = i == 1 && (data[0] & 32) != 0;
        FUZZ_CHECK(is_canceled || (calls[i].response != NULL && calls[i].is_read));
        if (i == 0) {
            lc_response_free(calls[i].response);
        }
    }
    lc_session_free(session);
    lc_response_free(calls[1].response);
    lc_response_free(calls[2].response);
    close_rest();
    return 0;
}
