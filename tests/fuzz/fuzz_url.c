/* A URL, and behind a line feed a Location it is redirected to. */
#include <string.h>

#include "fuzz.h"
#include "http/redirect.h"
#include "http/url.h"

static void
check_url(const struct lc_url *url)
{
    FUZZ_CHECK(url->host.len > 0 && url->target.len > 0 && url->target.data[0] == '/');
    for (size_t i = 0; i < url->target.len; i++) {
        unsigned char c = (unsigned char)url->target.data[i];
        FUZZ_CHECK(c > 0x20 && c < 0x7f && c != '#');
    }
    struct lc_buffer out = {0};
    FUZZ_CHECK(lc_url_append_host(url, &out) == 0);
    for (size_t i = 0; i < out.len; i++) {
        FUZZ_CHECK((unsigned char)out.data[i] > 0x20 && out.data[i] != 0x7f);
    }
    out.len = 0;
    FUZZ_CHECK(lc_url_unquote(url->user, &out) == 0);
    lc_buffer_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lc_str text = {(const char *)data, size}, location = {0};
    const char *newline = size == 0 ? NULL : memchr(text.data, '\n', size);
    if (newline != NULL) {
        text.len = (size_t)(newline - text.data);
        location = (struct lc_str){newline + 1, size - text.len - 1};
    }
    struct lc_buffer scratch = {0}, again = {0}, next = {0};
    struct lc_url url, other;
    struct lc_error error;
    if (lc_url_prepare(text, &scratch, &url, &error) == 0) {
        check_url(&url);
        FUZZ_CHECK(lc_url_prepare(url.text, &again, &other, &error) == 0);
        FUZZ_CHECK(lc_url_is_clean_target(url.target) || memchr(url.target.data, '.', url.target.len) != NULL);
        if (location.len > 0 && lc_redirect_url(&url, location, &next, &other, &error) == 0) {
            check_url(&other);
            lc_redirect_strips_auth(&url, &other);
        }
    }
    lc_buffer_fini(&scratch);
    lc_buffer_fini(&again);
    lc_buffer_fini(&next);
    return 0;
}
