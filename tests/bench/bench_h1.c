/* What a request costs in the codec alone: ns for a head, a chunked body, a URL, a Cookie header. */
#include <stdio.h>

#include "base/clock.h"
#include "http/cookies.h"
#include "http/h1.h"
#include "http/url.h"

#define ROUNDS 2000000
#define REPEATS 5

static const char nginx_head[] = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
                                 "Content-Type: text/html\r\nContent-Length: 615\r\n"
                                 "Last-Modified: Tue, 04 Dec 2018 14:52:46 GMT\r\nConnection: keep-alive\r\n"
                                 "ETag: \"5c0692e1-267\"\r\nAccept-Ranges: bytes\r\n\r\n";
static const char chunks[] = "40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
                             "40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n0\r\n\r\n";

static volatile uint64_t sink;

static void
run_head(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        struct lc_h1_head head = {0};
        sink += (uint64_t)lc_h1_parse_head(nginx_head, sizeof(nginx_head) - 1, &head) + (uint64_t)head.status;
    }
}

static void
run_chunks(int rounds)
{
    struct lc_h1_head head = {.status = 200, .content_length = -1, .is_chunked = true};
    for (int i = 0; i < rounds; i++) {
        struct lc_h1_body body;
        struct lc_str in = LCORE_STR(chunks), run;
        lc_h1_body_init(&body, &head, LCORE_STR("GET"));
        while (lc_h1_body_next(&body, &in, &run) == LCORE_H1_DATA) {
            sink += run.len;
        }
    }
}

static void
run_url(int rounds)
{
    struct lc_buffer scratch = {0};
    for (int i = 0; i < rounds; i++) {
        struct lc_url url;
        lc_url_prepare(LCORE_STR("http://127.0.0.1:8080/catalog/items/1234?page=2&sort=name"), &scratch, &url, NULL);
        sink += url.target.len;
    }
    lc_buffer_fini(&scratch);
}

static void
run_cookies(int rounds)
{
    struct lc_cookie_jar jar = {0};
    struct lc_buffer out = {0};
    struct lc_url url;
    lc_url_parse(LCORE_STR("http://127.0.0.1:8080/catalog"), &url, NULL);
    lc_cookie_jar_receive(&jar, &url, LCORE_STR("Set-Cookie: session=0123456789abcdef; Path=/; HttpOnly\r\n"), 0);
    lc_cookie_jar_receive(&jar, &url, LCORE_STR("Set-Cookie: csrf=0123456789abcdef; Path=/\r\n"), 0);
    for (int i = 0; i < rounds; i++) {
        out.len = 0;
        lc_cookie_jar_append_header(&jar, &url, 0, NULL, 0, &out);
        sink += out.len;
    }
    lc_buffer_fini(&out);
    lc_cookie_jar_fini(&jar);
}

int
main(void)
{
    static const struct {
        const char *name;
        void (*run)(int rounds);
        size_t bytes;
    } cases[] = {
        {"head", run_head, sizeof(nginx_head) - 1},
        {"chunked body", run_chunks, sizeof(chunks) - 1},
        {"url", run_url, 0},
        {"two cookies", run_cookies, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double best_ns = 0;
        for (int repeat = 0; repeat < REPEATS; repeat++) {
            int64_t start_ns = lc_clock_monotonic_ns();
            cases[i].run(ROUNDS);
            double ns = (double)(lc_clock_monotonic_ns() - start_ns) / ROUNDS;
            best_ns = repeat == 0 || ns < best_ns ? ns : best_ns;
        }
        printf("%-14s %7.1f ns", cases[i].name, best_ns);
        printf(cases[i].bytes > 0 ? " (%zu bytes)\n" : "\n", cases[i].bytes);
    }
    return 0;
}
