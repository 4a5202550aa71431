/* What a server sends over HTTP/2. First byte: bit 0, begin with SETTINGS; bits 1 to 3, into how many pieces to cut;
 * the rest is sent as it is, to three calls that share the connection. Then everything is closed: each call ends,
 * whatever came. */
#include "served.h"

#define CALLS 3

static void
on_response(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    size_t position = 0, lines = 0;
    struct lc_str name, value;
    while (lc_response_next_header(response, &position, &name, &value)) {
        lines++;
    }
    FUZZ_CHECK(lines <= 256);
    FUZZ_CHECK(response->fail != LCORE_FAIL_NONE || (response->status >= 200 && response->status <= 999));
    FUZZ_CHECK(response->fail == LCORE_FAIL_NONE || response->fail_text.len > 0);
    ++*(int *)arg;
    lc_response_free(response);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t settings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    static char body[100000];
    if (size < 1) {
        return 0;
    }
    if (loop == NULL) {
        set_up();
    }
    struct lc_session_options options;
    lc_session_options_init(&options);
    options.base_url = (struct lc_str){base, strlen(base)};
    options.version = LCORE_HTTP_2;
    options.max_body_bytes = 1 << 20;
    struct lc_session *session = lc_session_new(http, &options, NULL);
    FUZZ_CHECK(session != NULL);
    static const char *const methods[CALLS] = {"GET", "HEAD", "POST"};
    int done = 0;
    for (int i = 0; i < CALLS; i++) {
        struct lc_request request = {.method = {methods[i], strlen(methods[i])}, .url = LCORE_STR("/")};
        request.body = (struct lc_str){i == 2 ? body : NULL, i == 2 ? sizeof(body) : 0};
        struct lc_exchange *exchange;
        FUZZ_CHECK(lc_session_start(session, &request, 0, on_response, &done, &exchange, NULL) == 0);
    }
    int fd = -1;
    for (int i = 0; i < 5000 && fd < 0; i++) {
        go_round(1);
        fd = accept(listener, NULL, NULL);
    }
    FUZZ_CHECK(fd >= 0);
    go_round(1);
    if ((data[0] & 1) != 0) {
        FUZZ_CHECK(send(fd, settings, sizeof(settings), MSG_NOSIGNAL) == sizeof(settings));
    }
    send_in_pieces(fd, data + 1, size - 1, (data[0] >> 1 & 7u) + 1);
    /* Other connections that the calls open after this one bring nothing at all. */
    for (int i = 0; i < 5000 && done < CALLS; i++) {
        go_round(1);
        int more = accept(listener, NULL, NULL);
        if (more >= 0) {
            close(more);
        }
    }
    FUZZ_CHECK(done == CALLS);
    close(fd);
    lc_session_free(session);
    close_rest();
    return 0;
}
