/* First byte: which host and path. The rest are header lines with Set-Cookie in them. */
#include "fuzz.h"
#include "http/cookies.h"

#define NOW INT64_C(1800000000)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const urls[] = {"http://localhost/a/b?c", "https://www.example.com/a/b/",
                                       "http://127.0.0.1:81/",   "http://[::1]/a",
                                       "https://x.local/",       "http://example.com/"};
    if (size < 1) {
        return 0;
    }
    struct lc_cookie_jar jar = {0};
    struct lc_url url;
    FUZZ_CHECK(lc_url_parse(lc_str_from(urls[data[0] % 6]), &url, NULL) == 0);
    struct lc_str lines = {(const char *)data + 1, size - 1};
    uint64_t version = lc_cookie_jar_version(&jar);
    FUZZ_CHECK(lc_cookie_jar_receive(&jar, &url, lines, NOW) == 0);
    FUZZ_CHECK(lc_cookie_jar_receive(&jar, &url, lines, NOW) == 0);
    FUZZ_CHECK(lc_cookie_jar_version(&jar) >= version);
    struct lc_buffer out = {0};
    for (size_t i = 0; i < 6; i++) {
        struct lc_header extra = {LCORE_STR("a"), LCORE_STR("b")};
        FUZZ_CHECK(lc_url_parse(lc_str_from(urls[i]), &url, NULL) == 0);
        FUZZ_CHECK(lc_cookie_jar_append_header(&jar, &url, NOW + (int64_t)i, &extra, i & 1, &out) == 0);
    }
    for (size_t i = 0; i < out.len; i++) {
        unsigned char c = (unsigned char)out.data[i];
        FUZZ_CHECK((c >= 0x20 || c == '\t') && c != 0x7f);
    }
    size_t position = 0;
    struct lc_cookie cookie;
    struct lc_cookie_jar copy = {0};
    while (lc_cookie_jar_next(&jar, &position, &cookie)) {
        FUZZ_CHECK(cookie.name.len > 0 && cookie.path.len > 0);
        FUZZ_CHECK(lc_cookie_jar_set(&copy, &cookie, NOW) == 0);
    }
    int all = (int)position;
    FUZZ_CHECK(lc_cookie_jar_remove(&copy, (struct lc_str){0}, (struct lc_str){0}, (struct lc_str){0}) <= all);
    lc_cookie_jar_fini(&copy);
    lc_cookie_jar_fini(&jar);
    lc_buffer_fini(&out);
    return 0;
}
