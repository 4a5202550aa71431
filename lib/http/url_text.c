#include "http/url_text.h"

#include <string.h>

#define S LCORE_URL_SAFE
#define Q (LCORE_URL_QUERY | S)
#define P (LCORE_URL_PATH | Q)
#define D (LCORE_URL_USERINFO | P)
#define U (LCORE_URL_UNRESERVED | D)
#define H (LCORE_URL_HOST | U)
/* clang-format off */
const uint8_t lc__url_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* control */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* control */
    0, D, 0, S, D, 0, D, D, D, D, D, D, D, H, H, P, /* blank to / */
    H, H, H, H, H, H, H, H, H, H, D, D, 0, D, 0, Q, /* 0 to ? */
    P, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* @ to O */
    U, U, U, U, U, U, U, U, U, U, U, S, 0, S, 0, H, /* P to _ */
    0, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, /* ` to o */
    H, H, H, H, H, H, H, H, H, H, H, 0, 0, 0, U, 0, /* p to ~ */
};
/* clang-format on */
#undef S
#undef Q
#undef P
#undef D
#undef U
#undef H

int
lc__url_escape_value(const char *text, const char *end)
{
    if (end - text < 3 || text[0] != '%') {
        return -1;
    }
    int high = lc_ascii_hex_value(text[1]), low = lc_ascii_hex_value(text[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

struct lc_str
lc__url_split_query(struct lc_str target, struct lc_str *query)
{
    const char *mark = target.len == 0 ? NULL : memchr(target.data, '?', target.len);
    if (mark == NULL) {
        *query = (struct lc_str){0};
        return target;
    }
    *query = lc__url_between(mark + 1, target.data + target.len);
    return lc__url_between(target.data, mark);
}

int
lc__url_shown_len(struct lc_str text)
{
    return text.len > 120 ? 120 : (int)text.len;
}

int
lc__url_fail(struct lc_error *error, struct lc_str text, const char *why)
{
    return lc_error_set(error, LCE_URL, "Invalid URL '%.*s': %s", lc__url_shown_len(text), text.data, why);
}
