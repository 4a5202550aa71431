#include "base/buffer.h"

#include <stdarg.h>

#include "base/alloc.h"
#include "base/format.h"

void
lc_buffer_fini(struct lc_buffer *buffer)
{
    lc__free(buffer->data);
    *buffer = (struct lc_buffer){0};
}

int
lc_buffer_reserve(struct lc_buffer *buffer, size_t more)
{
    if (buffer->capacity - buffer->len >= more) {
        return 0;
    }
    if (more > SIZE_MAX / 2 - buffer->len) {
        return LCE_NOMEM;
    }
    size_t capacity = buffer->capacity < 128 ? 128 : buffer->capacity;
    while (capacity < buffer->len + more) {
        capacity *= 2;
    }
    char *data = lc__realloc(buffer->data, capacity);
    if (data == NULL) {
        return LCE_NOMEM;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

void
lc_buffer_consume(struct lc_buffer *buffer, size_t count)
{
    buffer->len -= count;
    if (buffer->len > 0) {
        memmove(buffer->data, buffer->data + count, buffer->len);
    }
}

int
lc_buffer_append_format(struct lc_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = lc__format_args(NULL, 0, format, args);
    va_end(args);
    int err = len < 0 ? LCE_FORMAT : lc_buffer_reserve(buffer, (size_t)len + 1);
    if (err == 0) {
        lc__format_args(buffer->data + buffer->len, (size_t)len + 1, format, again);
        buffer->len += (size_t)len;
    }
    va_end(again);
    return err;
}

int
lc_buffer_append_u64(struct lc_buffer *buffer, uint64_t number)
{
    char digits[20];
    size_t place = sizeof(digits);
    do {
        digits[--place] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return lc_buffer_append(buffer, digits + place, sizeof(digits) - place);
}
