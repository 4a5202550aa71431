#include "target.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *
resized(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (memory == NULL) {
        perror("target");
        exit(1);
    }
    return memory;
}

static void
buf_reserve(struct buf *buf, size_t more)
{
    if (buf->cap - buf->len < more) {
        buf->cap = buf->cap * 2 > buf->len + more ? buf->cap * 2 : buf->len + more;
        buf->data = resized(buf->data, buf->cap);
    }
}

void
buf_add(struct buf *buf, const void *data, size_t len)
{
    buf_reserve(buf, len);
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
}

void
buf_puts(struct buf *buf, const char *string)
{
    buf_add(buf, string, strlen(string));
}

void
buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    buf_reserve(buf, 256);
    va_start(args, format);
    size_t len = (size_t)vsnprintf(buf->data + buf->len, buf->cap - buf->len, format, args);
    va_end(args);
    if (len >= buf->cap - buf->len) {
        buf_reserve(buf, len + 1);
        va_start(args, format);
        vsnprintf(buf->data + buf->len, len + 1, format, args);
        va_end(args);
    }
    buf->len += len;
}

void
buf_fill(struct buf *buf, char byte, size_t count)
{
    buf_reserve(buf, count);
    memset(buf->data + buf->len, byte, count);
    buf->len += count;
}

void
buf_json(struct buf *buf, struct text text)
{
    buf_puts(buf, "\"");
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            char escaped[2] = {'\\', (char)c};
            buf_add(buf, escaped, 2);
        } else if (c < 0x20 || c >= 0x7f) {
            buf_printf(buf, "\\u%04x", c);
        } else {
            buf_add(buf, &c, 1);
        }
    }
    buf_puts(buf, "\"");
}

void
buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

void
buf_drop(struct buf *buf, size_t len)
{
    buf->len -= len;
    if (buf->len > 0) {
        memmove(buf->data, buf->data + len, buf->len);
    }
}

bool
text_equals(struct text text, const char *string)
{
    return text.len == strlen(string) && memcmp(text.data, string, text.len) == 0;
}

bool
text_equals_nocase(struct text text, const char *string)
{
    return text.len == strlen(string) && strncasecmp(text.data, string, text.len) == 0;
}

bool
text_has_prefix(struct text text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

int64_t
text_number(struct text text, int64_t otherwise)
{
    int64_t number = 0;
    if (text.len == 0 || text.len > 12) {
        return otherwise;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.data[i])) {
            return otherwise;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}

static int
hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower(c) - 'a' + 10 : -1;
}

bool
form_field(struct text form, const char *name, char *out, size_t size)
{
    size_t name_len = strlen(name), position = 0;
    while (position < form.len) {
        const char *field = form.data + position;
        const char *end = memchr(field, '&', form.len - position);
        size_t len = end ? (size_t)(end - field) : form.len - position;
        position += len + 1;
        if (len < name_len || memcmp(field, name, name_len) != 0 || (len > name_len && field[name_len] != '=')) {
            continue;
        }
        size_t written = 0;
        for (size_t i = name_len + 1; i < len; i++) {
            char c = field[i] == '+' ? ' ' : field[i];
            if (c == '%' && i + 2 < len && hex_digit(field[i + 1]) >= 0 && hex_digit(field[i + 2]) >= 0) {
                c = (char)(hex_digit(field[i + 1]) * 16 + hex_digit(field[i + 2]));
                i += 2;
            }
            if (written + 1 >= size) {
                return false;
            }
            out[written++] = c;
        }
        out[written] = '\0';
        return true;
    }
    return false;
}
