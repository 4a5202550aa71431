#include "../support.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "http/h1.h"

static void
assert_str(struct lc_str got, const char *want)
{
    if (!lc_str_equal(got, lc_str_from(want))) {
        fail_msg("\"%.*s\" is not \"%s\"", (int)got.len, got.data, want);
    }
}

/* In memory of its exact size, so that the sanitizer sees a byte too much. */
static char *
exact_copy(const char *text, size_t len)
{
    char *copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, text, len);
    return copy;
}

/* In one piece, then cut in two at every place, then byte by byte: always the same result. Heads point into `text`. */
static ptrdiff_t
parse(const char *text, struct lc_h1_head *head)
{
    size_t len = strlen(text);
    *head = (struct lc_h1_head){0};
    ptrdiff_t whole = lc_h1_parse_head(text, len, head);
    for (size_t cut = 0; cut <= len; cut++) {
        struct lc_h1_head other = {0};
        char *first = exact_copy(text, cut), *all = exact_copy(text, len);
        ptrdiff_t result = lc_h1_parse_head(first, cut, &other);
        if (result == 0) {
            result = lc_h1_parse_head(all, len, &other);
        }
        assert_int_equal(result, whole);
        if (whole > 0) {
            assert_int_equal(other.status, head->status);
            assert_int_equal(other.content_length, head->content_length);
            assert_int_equal(other.lines.len, head->lines.len);
            assert_int_equal(other.is_keep_alive, head->is_keep_alive);
        }
        free(first);
        free(all);
    }
    struct lc_h1_head slow = {0};
    ptrdiff_t result = 0;
    for (size_t have = 1; have <= len && result == 0; have++) {
        char *piece = exact_copy(text, have);
        result = lc_h1_parse_head(piece, have, &slow);
        free(piece);
    }
    assert_int_equal(result, whole);
    return whole;
}

static void
test_typical_head(void **state)
{
    const char *text =
        "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
        "Content-Type: text/html\r\nContent-Length: 615\r\nLast-Modified: Tue, 4 Dec 2018 14:52:46 GMT\r\n"
        "Connection: keep-alive\r\nETag: \"5c0692e1-267\"\r\nAccept-Ranges: bytes\r\n\r\nbody";
    struct lc_h1_head head;
    assert_int_equal(parse(text, &head), strlen(text) - 4);
    assert_int_equal(head.status, 200);
    assert_int_equal(head.minor, 1);
    assert_str(head.reason, "OK");
    assert_int_equal(head.content_length, 615);
    assert_int_equal(head.header_count, 8);
    assert_true(head.is_keep_alive);
    assert_false(head.is_chunked || head.has_transfer_coding || head.has_set_cookie || head.has_content_encoding);
    assert_null(head.location.data);
    assert_ptr_equal(head.lines.data, text + 17);
    assert_int_equal(head.lines.len, strlen(text) - 4 - 2 - 17);
}

static void
test_what_heads_say(void **state)
{
    struct lc_h1_head head;
    assert_true(parse("HTTP/1.1 302 Found\nlocation:  /a b \nLocation: /c\nset-cookie: a=b\nCONTENT-ENCODING: gzip\n"
                      "Transfer-Encoding: gzip, Chunked\nContent-Length: 5\nConnection: Close\n\n",
                      &head) > 0);
    assert_str(head.location, "/a b");
    assert_true(head.has_set_cookie && head.has_content_encoding && head.is_chunked && head.has_transfer_coding);
    assert_false(head.is_keep_alive);
    assert_true(parse("HTTP/1.0 200\r\n\r\n", &head) > 0);
    assert_int_equal(head.minor, 0);
    assert_int_equal(head.reason.len, 0);
    assert_int_equal(head.lines.len, 0);
    assert_int_equal(head.content_length, -1);
    assert_false(head.is_keep_alive);
    assert_true(parse("HTTP/1.0 200 OK\r\nConnection: foo, Keep-Alive\r\n\r\n", &head) > 0);
    assert_true(head.is_keep_alive);
    assert_true(parse("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", &head) > 0);
    assert_false(head.is_keep_alive);
    assert_true(parse("HTTP/1.1  404  Not  Found \r\nContent-Length: 5, 5\r\ncontent-length:5\r\n\r\n", &head) > 0);
    assert_int_equal(head.status, 404);
    assert_str(head.reason, "Not  Found");
    assert_int_equal(head.content_length, 5);
    /* Folding, lines without a colon, names that only look alike, values that are empty. */
    assert_true(parse("HTTP/1.1 200 OK\r\nContent-Length:\r\n 7\r\njunk\r\n:x\r\nContent_Length: 9\r\nLocation:\r\n"
                      "Content-Encoding: \r\nSet-Cookie : a\r\nX: a\r\n\tb\r\n\r\n",
                      &head) > 0);
    assert_int_equal(head.content_length, 7);
    assert_non_null(head.location.data);
    assert_int_equal(head.location.len, 0);
    assert_false(head.has_content_encoding || head.has_set_cookie);
    assert_int_equal(head.header_count, 8);
    assert_true(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\n", &head) > 0);
    assert_false(head.has_transfer_coding);
    assert_true(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", &head) > 0);
    assert_true(head.has_transfer_coding && !head.is_chunked);
    assert_true(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n", &head) > 0);
    assert_true(parse("HTTP/1.9\t302 \tFound\r\n\r\n", &head) > 0);
    assert_str(head.reason, "Found");
    assert_true(parse("HTTP/1.1 200 \xe9\r\nX: \xe9\r\n\r\n", &head) > 0);
    assert_true(parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", &head) == 25);
    assert_true(lc_h1_is_interim(&head));
    assert_true(parse("HTTP/1.1 101 Switching\r\n\r\n", &head) > 0);
    assert_false(lc_h1_is_interim(&head));
}

static void
test_bad_heads(void **state)
{
    static const struct {
        const char *text;
        enum lc_fail fail;
    } cases[] = {
        {"\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"<html>", LCORE_FAIL_BAD_STATUS_LINE},
        {"h", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/2.0 200 OK\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/1.1\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/1.1 20 OK\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/1.1 2000 OK\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/1.1 099 OK\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/1.1 -20 OK\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/1.1 200OK\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/1.x 200 OK\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/1.1200 OK\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"http/1.1 200 OK\r\n\r\n", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/1.00 OK\n and no end", LCORE_FAIL_BAD_STATUS_LINE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", LCORE_FAIL_BAD_HEADER},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n", LCORE_FAIL_BAD_HEADER},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", LCORE_FAIL_BAD_HEADER},
        {"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", LCORE_FAIL_BAD_HEADER},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", LCORE_FAIL_BAD_HEADER},
        {"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", LCORE_FAIL_BAD_HEADER},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n", LCORE_FAIL_BAD_HEADER},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", LCORE_FAIL_BAD_HEADER},
    };
    struct lc_h1_head head;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (parse(cases[i].text, &head) != -(ptrdiff_t)cases[i].fail) {
            fail_msg("%s", cases[i].text);
        }
    }
    head = (struct lc_h1_head){0};
    static const char with_nul[] = "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n";
    assert_int_equal(lc_h1_parse_head(with_nul, sizeof(with_nul) - 1, &head), -LCORE_FAIL_BAD_HEADER);
    head = (struct lc_h1_head){0};
    assert_int_equal(lc_h1_parse_head(NULL, 0, &head), 0);
}

static ptrdiff_t
parse_pieces(const struct lc_buffer *text, size_t piece)
{
    struct lc_h1_head head = {0};
    ptrdiff_t result = 0;
    for (size_t have = 0; have < text->len && result == 0;) {
        have = text->len - have < piece ? text->len : have + piece;
        result = lc_h1_parse_head(text->data, have, &head);
    }
    return result;
}

static void
test_limits(void **state)
{
    struct lc_buffer text = {0};
    for (int count = LCORE_H1_MAX_HEADERS; count <= LCORE_H1_MAX_HEADERS + 1; count++) {
        text.len = 0;
        lc_buffer_append_format(&text, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < count; i++) {
            lc_buffer_append_format(&text, "X-%d: y\r\n", i);
        }
        lc_buffer_append_format(&text, "\r\n");
        ptrdiff_t want = count <= LCORE_H1_MAX_HEADERS ? (ptrdiff_t)text.len : -(ptrdiff_t)LCORE_FAIL_HEADER_TOO_LARGE;
        assert_int_equal(parse_pieces(&text, text.len), want);
        assert_int_equal(parse_pieces(&text, 7), want);
    }
    /* A line without end, and lines without end, are given up in time; what is within the limits is taken. */
    text.len = 0;
    lc_buffer_append_format(&text, "HTTP/1.1 200 OK\r\nX: ");
    while (text.len < 100000) {
        lc_buffer_append(&text, "yyyyyyyyyy", 10);
    }
    assert_int_equal(parse_pieces(&text, text.len), -LCORE_FAIL_HEADER_TOO_LARGE);
    assert_int_equal(parse_pieces(&text, 1), -LCORE_FAIL_HEADER_TOO_LARGE);
    text.len = 60000;
    assert_int_equal(parse_pieces(&text, text.len), 0);
    lc_buffer_append(&text, "\r\n\r\n", 4);
    assert_int_equal(parse_pieces(&text, 1000), text.len);
    text.len = 0;
    lc_buffer_append_format(&text, "HTTP/1.1 200 OK\r\n");
    while (text.len < LCORE_H1_MAX_HEAD + 10) {
        size_t start = text.len;
        lc_buffer_reserve(&text, 50000);
        memset(text.data + start, 'a', 50000);
        text.data[start + 49999] = '\n';
        text.len += 50000;
    }
    assert_int_equal(parse_pieces(&text, text.len), -LCORE_FAIL_HEADER_TOO_LARGE);
    assert_int_equal(parse_pieces(&text, 1000), -LCORE_FAIL_HEADER_TOO_LARGE);
    lc_buffer_append(&text, "\n", 1);
    assert_int_equal(parse_pieces(&text, text.len), -LCORE_FAIL_HEADER_TOO_LARGE);
    lc_buffer_fini(&text);
}

/* One that may be large has one limit, for all of it. */
static void
test_large_heads(void **state)
{
    struct lc_buffer text = {0};
    lc_buffer_append_format(&text, "HTTP/1.1 200 OK\r\nX: ");
    while (text.len < 300000) {
        lc_buffer_append(&text, "yyyyyyyyyy", 10);
    }
    for (int i = 0; i < 1000; i++) {
        lc_buffer_append_format(&text, "\r\nX-%d: y", i);
    }
    lc_buffer_append(&text, "\r\n\r\n", 4);
    struct lc_h1_head head = {.may_be_large = true};
    assert_int_equal(lc_h1_parse_head(text.data, text.len / 2, &head), 0);
    assert_int_equal(lc_h1_parse_head(text.data, text.len, &head), text.len);
    assert_int_equal(head.header_count, 1001);
    size_t end = text.len - 2;
    while (text.len <= LCORE_H1_MAX_LARGE_HEAD) {
        lc_buffer_append(&text, "yyyyyyyyyy", 10);
    }
    memcpy(text.data + end, "yy", 2);
    head = (struct lc_h1_head){.may_be_large = true};
    assert_int_equal(lc_h1_parse_head(text.data, text.len, &head), -LCORE_FAIL_HEADER_TOO_LARGE);
    lc_buffer_fini(&text);
}

/* Feeds `text` in two pieces cut at `cut`, collects the body; returns what is left behind it, or -1 for more, -2 for a
 * failure. */
static ptrdiff_t
read_body(const struct lc_h1_head *head, const char *method, struct lc_str text, size_t cut, struct lc_buffer *out,
          struct lc_h1_body *body)
{
    lc_h1_body_init(body, head, lc_str_from(method));
    out->len = 0;
    const struct lc_str pieces[2] = {{text.data, cut}, {text.data + cut, text.len - cut}};
    for (int i = 0; i < 2; i++) {
        char *copy = exact_copy(pieces[i].data, pieces[i].len);
        struct lc_str in = {copy, pieces[i].len}, run;
        enum lc_h1_event event;
        while ((event = lc_h1_body_next(body, &in, &run)) == LCORE_H1_DATA) {
            assert_true(run.len > 0 && run.data >= copy && run.data + run.len <= copy + pieces[i].len);
            assert_int_equal(lc_buffer_append_str(out, run), 0);
        }
        free(copy);
        if (event == LCORE_H1_DONE) {
            assert_int_equal(lc_h1_body_end(body), LCORE_FAIL_NONE);
            assert_int_equal(lc_h1_body_next(body, &in, &run), LCORE_H1_DONE);
            return (ptrdiff_t)(in.len + (i == 0 ? pieces[1].len : 0));
        }
        if (event == LCORE_H1_FAIL) {
            assert_int_equal(lc_h1_body_next(body, &in, &run), LCORE_H1_FAIL);
            return -2;
        }
        assert_int_equal(in.len, 0);
    }
    return -1;
}

static void
assert_body(const struct lc_h1_head *head, const char *method, const char *text, ptrdiff_t result, const char *content)
{
    struct lc_buffer out = {0};
    struct lc_h1_body body;
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        ptrdiff_t got = read_body(head, method, lc_str_from(text), cut, &out, &body);
        if (got != result) {
            fail_msg("\"%s\" cut at %zu: %td", text, cut, got);
        }
        if (content != NULL) {
            assert_str((struct lc_str){out.data, out.len}, content);
        }
    }
    lc_buffer_fini(&out);
}

static void
test_framing(void **state)
{
    struct lc_h1_head head = {.status = 200, .content_length = 5, .is_keep_alive = true};
    struct lc_h1_body body;
    assert_body(&head, "GET", "helloHTTP", 4, "hello");
    assert_body(&head, "GET", "hell", -1, "hell");
    assert_body(&head, "HEAD", "HTTP", 4, "");
    assert_body(&head, "CONNECT", "raw", 3, "");
    lc_h1_body_init(&body, &head, LCORE_STR("GET"));
    assert_int_equal(body.remaining, 5);
    assert_int_equal(lc_h1_body_end(&body), LCORE_FAIL_INCOMPLETE);
    assert_true(lc_h1_is_reusable(&head, &body));
    head.content_length = 0;
    assert_body(&head, "GET", "x", 1, "");
    static const int bodiless[] = {101, 204, 304};
    for (int i = 0; i < 3; i++) {
        head = (struct lc_h1_head){.status = bodiless[i], .content_length = 5, .is_chunked = true};
        assert_body(&head, "GET", "x", 1, "");
    }
    head = (struct lc_h1_head){.status = 200, .content_length = -1, .is_keep_alive = true};
    assert_body(&head, "GET", "all of it", -1, "all of it");
    lc_h1_body_init(&body, &head, LCORE_STR("GET"));
    assert_int_equal(lc_h1_body_end(&body), LCORE_FAIL_NONE);
    assert_false(lc_h1_is_reusable(&head, &body));
    head = (struct lc_h1_head){.status = 200, .content_length = 3, .has_transfer_coding = true};
    lc_h1_body_init(&body, &head, LCORE_STR("GET"));
    assert_int_equal(body.framing, LCORE_H1_UNTIL_CLOSE);
}

static void
test_chunked(void **state)
{
    static const struct {
        const char *text;
        ptrdiff_t result;
        const char *content;
    } cases[] = {
        {"5\r\nhello\r\n0\r\n\r\nrest", 4, "hello"},
        {"5\nhello\n0\n\n", 0, "hello"},
        {"00005 \r\nhello\r\n1;a=b;c=\"d\"\r\n!\r\n000;x\r\n\r\n", 0, "hello!"},
        {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\nT2: y\r\n\r\n", 0, "01234567890123456789"},
        {" 2\r\n\r\n\r\n0\r\n\r\n", 0, "\r\n"},
        {"0\r\n\r\n", 0, ""},
        {"5\r\nhel", -1, "hel"},
        {"5\r\nhello\r\n", -1, "hello"},
        {"5\r\nhello\r\n0\r\n", -1, "hello"},
        {"5\r\nhello\r\n0\r\nT: x\r\n", -1, "hello"},
        {"\r\n", -2, ""},
        {"x\r\n", -2, ""},
        {"-1\r\n", -2, ""},
        {"0x5\r\nhello", -2, ""},
        {";5\r\n", -2, ""},
        {"5x\r\nhello", -2, ""},
        {"5\r\nhelloo", -2, "hello"},
        {"5\r\nhello\rx", -2, "hello"},
        {"ffffffffffffffff\r\n", -2, ""},
        {"10000000000000000\r\n", -2, ""},
    };
    struct lc_h1_head head = {.status = 200, .content_length = -1, .is_chunked = true, .has_transfer_coding = true};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_body(&head, "GET", cases[i].text, cases[i].result, cases[i].content);
    }
    struct lc_h1_body body;
    lc_h1_body_init(&body, &head, LCORE_STR("GET"));
    struct lc_str in = LCORE_STR("zz"), run;
    assert_int_equal(lc_h1_body_next(&body, &in, &run), LCORE_H1_FAIL);
    assert_int_equal(body.fail, LCORE_FAIL_BAD_CHUNK);
    assert_int_equal(lc_h1_body_end(&body), LCORE_FAIL_INCOMPLETE);
    /* Of what follows the last chunk nothing is missed. */
    static const char *const ends[] = {"2\r\nok\r\n0\r\n", "2\r\nok\r\n0\r\n\r", "2\r\nok\r\n0\r\nA: b"};
    static const char *const cuts[] = {"2\r\nok", "2\r\nok\r\n", "2\r\nok\r\n0", "2\r\nok\r\n0\r"};
    for (size_t i = 0; i < 7; i++) {
        struct lc_buffer out = {0};
        assert_int_equal(read_body(&head, "GET", lc_str_from(i < 3 ? ends[i] : cuts[i - 3]), 0, &out, &body), -1);
        assert_int_equal(lc_h1_body_end(&body), i < 3 ? LCORE_FAIL_NONE : LCORE_FAIL_INCOMPLETE);
        lc_buffer_fini(&out);
    }
}

static void
test_endless_framing_is_given_up(void **state)
{
    static const char *const beginnings[] = {"5;", "0\r\nTrailer: ", "0\r\n", "", "00000"};
    static const char *const endless[] = {"x", "y", "T: z\r\n", " ", "0"};
    struct lc_h1_head head = {.status = 200, .content_length = -1, .is_chunked = true};
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        struct lc_h1_body body;
        lc_h1_body_init(&body, &head, LCORE_STR("GET"));
        struct lc_str in = lc_str_from(beginnings[i]), run;
        enum lc_h1_event event = lc_h1_body_next(&body, &in, &run);
        for (int k = 0; k < LCORE_H1_MAX_TRAILER + 1 && event == LCORE_H1_MORE; k++) {
            in = lc_str_from(endless[i]);
            event = lc_h1_body_next(&body, &in, &run);
        }
        assert_int_equal(event, LCORE_H1_FAIL);
    }
}

/* Who reads chunk by chunk gets every byte of the body, and not one behind it, in whatever pieces it comes. */
static void
test_keeping_chunks(void **state)
{
    static const char text[] = "5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nTrailer: x\r\n\r\n";
    struct lc_h1_head head = {.status = 200, .content_length = -1, .is_chunked = true, .has_transfer_coding = true};
    for (size_t size = 1; size <= sizeof(text) + 3; size++) {
        char all[] = "5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nTrailer: x\r\n\r\nrest";
        struct lc_h1_body body;
        lc_h1_body_init(&body, &head, LCORE_STR("GET"));
        body.is_keeping_chunks = true;
        struct lc_buffer got = {0};
        enum lc_h1_event event = LCORE_H1_MORE;
        size_t behind = 0;
        for (size_t at = 0; event != LCORE_H1_DONE; at += size) {
            assert_true(at < sizeof(all) - 1);
            struct lc_str in = {all + at, size < sizeof(all) - 1 - at ? size : sizeof(all) - 1 - at}, run;
            while ((event = lc_h1_body_next(&body, &in, &run)) == LCORE_H1_DATA) {
                lc_buffer_append_str(&got, run);
            }
            behind = in.len;
        }
        assert_true(lc_str_equal((struct lc_str){got.data, got.len}, LCORE_STR(text)));
        assert_true(behind <= 4);
        assert_int_equal(lc_h1_body_end(&body), LCORE_FAIL_NONE);
        lc_buffer_fini(&got);
    }
    struct lc_h1_body body;
    lc_h1_body_init(&body, &head, LCORE_STR("GET"));
    body.is_keeping_chunks = true;
    struct lc_str in = LCORE_STR("1\r\na\r\nzz\r\n"), run;
    assert_int_equal(lc_h1_body_next(&body, &in, &run), LCORE_H1_FAIL);
    assert_true(lc_str_equal((struct lc_str){run.data, run.len + in.len}, LCORE_STR("1\r\na\r\nzz\r\n")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typical_head),
        cmocka_unit_test(test_what_heads_say),
        cmocka_unit_test(test_bad_heads),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_large_heads),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_keeping_chunks),
        cmocka_unit_test(test_endless_framing_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
