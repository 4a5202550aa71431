#include "base/utf8.h"

static bool
is_point(uint32_t value)
{
    return value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
}

size_t
lc_utf8_decode(struct lc_str text, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)text.data[0];
    if (first < 0x80) {
        *point = first;
        return 1;
    }
    size_t len = first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
    if (len == 0 || len > text.len) {
        return 0;
    }
    uint32_t value = first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | ((unsigned char)text.data[i] & 0x3f);
    }
    *point = value;
    return value >= least[len] && is_point(value) ? len : 0;
}

size_t
lc_utf8_encode(uint32_t point, char bytes[4])
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    if (!is_point(point)) {
        return 0;
    }
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    bytes[0] = (char)(lead[len] | point);
    return len;
}
