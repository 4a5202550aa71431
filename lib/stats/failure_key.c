#include "stats/failure_key.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/utf8.h"

/* Characters above ASCII that Python's repr() escapes: separators, controls, formats, surrogates, private use. Code
 * points without a character are not in this list, so texts with such ones have a key of our own. */
static const struct {
    uint32_t first, last;
} escaped[] = {
    {0x7f, 0xa0},     {0xad, 0xad},     {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
    {0x70f, 0x70f},   {0x1680, 0x1680}, {0x180e, 0x180e},   {0x2000, 0x200f},   {0x2028, 0x202f},
    {0x205f, 0x206f}, {0x3000, 0x3000}, {0xd800, 0xf8ff},   {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},
    {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1d173, 0x1d17a}, {0xe0000, 0xe007f}, {0xf0000, 0x10ffff},
};

static bool
is_escaped(uint32_t point)
{
    for (size_t i = 0; i < sizeof(escaped) / sizeof(escaped[0]); i++) {
        if (point >= escaped[i].first && point <= escaped[i].last) {
            return true;
        }
    }
    return point < 0x20;
}

static int
append_repr(struct lc_buffer *buffer, struct lc_str text)
{
    bool has_single = memchr(text.data, '\'', text.len) != NULL;
    char quote = has_single && memchr(text.data, '"', text.len) == NULL ? '"' : '\'';
    int err = lc_buffer_append(buffer, &quote, 1);
    while (err == 0 && text.len > 0) {
        uint32_t point;
        size_t len = lc_utf8_decode(text, &point);
        if (len == 0) {
            point = (unsigned char)text.data[0];
            len = 1;
        }
        if (point == '\n' || point == '\r' || point == '\t') {
            err = lc_buffer_append(buffer, point == '\n' ? "\\n" : point == '\r' ? "\\r" : "\\t", 2);
        } else if (point == '\\' || point == (unsigned char)quote) {
            err = lc_buffer_append_format(buffer, "\\%c", (char)point);
        } else if (is_escaped(point)) {
            err = lc_buffer_append_format(buffer,
                                          point > 0xffff ? "\\U%08x"
                                          : point > 0xff ? "\\u%04x"
                                                         : "\\x%02x",
                                          (unsigned)point);
        } else {
            err = lc_buffer_append(buffer, text.data, len);
        }
        text.data += len;
        text.len -= len;
    }
    return err < 0 ? err : lc_buffer_append(buffer, &quote, 1);
}

int
lc__failure_key(struct lc_str method, struct lc_str name, struct lc_str text, char key[LCORE_FAILURE_KEY_SIZE])
{
    struct lc_buffer buffer = {0};
    int err = lc_buffer_append_str(&buffer, method);
    if (err == 0) {
        err = lc_buffer_append(&buffer, ".", 1);
    }
    if (err == 0) {
        err = lc_buffer_append_str(&buffer, name);
    }
    if (err == 0) {
        err = lc_buffer_append(&buffer, ".", 1);
    }
    if (err == 0) {
        err = append_repr(&buffer, text.data == NULL ? LCORE_STR("") : text);
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (err == 0 && EVP_Digest(buffer.data, buffer.len, digest, NULL, EVP_sha256(), NULL) != 1) {
        err = LCE_NOMEM;
    }
    lc_buffer_fini(&buffer);
    for (size_t i = 0; err == 0 && i < (LCORE_FAILURE_KEY_SIZE - 1) / 2; i++) {
        snprintf(key + 2 * i, 3, "%02x", digest[i]);
    }
    return err;
}
