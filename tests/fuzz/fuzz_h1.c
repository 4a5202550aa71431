/* First byte: the method and where to cut. The rest is a response; cutting it must not change what is read. */
#include <string.h>

#include "fuzz.h"
#include "base/buffer.h"
#include "http/h1.h"
#include "http/headers.h"

struct outcome {
    ptrdiff_t head;
    enum lc_h1_event event;
    struct lc_buffer content;
    size_t rest;
};

static char *
exact_copy(const char *data, size_t len)
{
    char *copy = malloc(len + (len == 0));
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, data, len);
    return copy;
}

static void
walk_headers(const struct lc_h1_head *head)
{
    size_t position = 0;
    struct lc_str name, value;
    int count = 0;
    while (lc_header_next(head->lines, &position, &name, &value)) {
        FUZZ_CHECK(name.len > 0 && name.data >= head->lines.data);
        FUZZ_CHECK(value.data + value.len <= head->lines.data + head->lines.len);
        count++;
    }
    FUZZ_CHECK(count <= head->header_count);
    if (head->location.data != NULL) {
        struct lc_str found = lc_header_find(head->lines, LCORE_STR("location"));
        FUZZ_CHECK(found.len == head->location.len && (found.len == 0 || found.data == head->location.data));
    }
}

static struct outcome
read_response(const char *data, size_t len, size_t step, struct lc_str method)
{
    struct outcome outcome = {.event = LCORE_H1_MORE};
    struct lc_h1_head head = {0};
    size_t have = 0;
    char *received = NULL;
    while (outcome.head == 0 && have < len) {
        have = len - have < step ? len : have + step;
        free(received);
        received = exact_copy(data, have);
        outcome.head = lc_h1_parse_head(received, have, &head);
    }
    if (outcome.head > 0) {
        walk_headers(&head);
        struct lc_h1_body body;
        lc_h1_body_init(&body, &head, method);
        for (size_t place = (size_t)outcome.head; outcome.event == LCORE_H1_MORE && place < len;) {
            size_t piece = len - place < step ? len - place : step;
            char *copy = exact_copy(data + place, piece);
            struct lc_str in = {copy, piece}, run;
            while ((outcome.event = lc_h1_body_next(&body, &in, &run)) == LCORE_H1_DATA) {
                FUZZ_CHECK(run.len > 0 && run.data >= copy && run.data + run.len <= copy + piece);
                FUZZ_CHECK(lc_buffer_append_str(&outcome.content, run) == 0);
            }
            place += piece - in.len;
            outcome.rest = len - place;
            free(copy);
        }
        lc_h1_body_end(&body);
    }
    free(received);
    return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    static const char *const methods[] = {"GET", "HEAD", "CONNECT", "POST"};
    struct lc_str method = lc_str_from(methods[data[0] & 3]);
    size_t step = (size_t)(data[0] >> 2) + 1;
    const char *text = (const char *)data + 1;
    struct outcome whole = read_response(text, size - 1, size, method);
    struct outcome cut = read_response(text, size - 1, step, method);
    /* Too many lines are seen at once if they are there at once, else when the head is complete. */
    FUZZ_CHECK(whole.head == cut.head || (whole.head == -LCORE_FAIL_HEADER_TOO_LARGE && cut.head == 0));
    FUZZ_CHECK(whole.event == cut.event);
    FUZZ_CHECK(whole.content.len == cut.content.len);
    FUZZ_CHECK(whole.content.len == 0 || memcmp(whole.content.data, cut.content.data, whole.content.len) == 0);
    FUZZ_CHECK(whole.event != LCORE_H1_DONE || whole.rest == cut.rest);
    lc_buffer_fini(&whole.content);
    lc_buffer_fini(&cut.content);
    return 0;
}
