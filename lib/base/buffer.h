/* A growable run of bytes. Growth doubles, so appending n bytes in any pieces is O(n). */
#ifndef LCORE_BASE_BUFFER_H
#define LCORE_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "locustcore/error.h"
#include "base/str.h"

struct lc_buffer {
    char *data;
    size_t len;
    size_t capacity;
};

/* Zero-initialised is empty. */
void lc_buffer_fini(struct lc_buffer *buffer);
/* Room for `more` bytes behind len; LCE_NOMEM leaves the buffer as it was. */
int lc_buffer_reserve(struct lc_buffer *buffer, size_t more);
/* Drops the first `count` bytes. */
void lc_buffer_consume(struct lc_buffer *buffer, size_t count);
int lc_buffer_append_format(struct lc_buffer *buffer, const char *format, ...) LCORE_PRINTF(2, 3);
int lc_buffer_append_u64(struct lc_buffer *buffer, uint64_t number);

static inline int
lc_buffer_append(struct lc_buffer *buffer, const void *data, size_t len)
{
    if (buffer->capacity - buffer->len < len) {
        int err = lc_buffer_reserve(buffer, len);
        if (err < 0) {
            return err;
        }
    }
    if (len > 0) {
        memcpy(buffer->data + buffer->len, data, len);
        buffer->len += len;
    }
    return 0;
}

static inline int
lc_buffer_append_str(struct lc_buffer *buffer, struct lc_str text)
{
    return lc_buffer_append(buffer, text.data, text.len);
}

#endif
