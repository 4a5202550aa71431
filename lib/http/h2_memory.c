#include "http/h2_memory.h"

#include <string.h>

#include "base/alloc.h"
#include "http/http.h"
#include "http/session.h"

static void *
allocate(size_t size, void *arg)
{
    struct lc_lent_frame *frame = arg;
    if (size < LCORE_FRAME_SIZE || !frame->is_due) {
        return lc__alloc(size);
    }
    frame->is_due = false;
    if (frame->memory == NULL) {
        frame->memory = lc__alloc(size);
        frame->size = size;
    }
    return size <= frame->size ? frame->memory : lc__alloc(size);
}

static void
release(void *memory, void *arg)
{
    if (memory != ((struct lc_lent_frame *)arg)->memory) {
        lc__free(memory);
    }
}

static void *
allocate_zeroed(size_t count, size_t size, void *arg)
{
    return lc__calloc(count, size);
}

static void *
reallocate(void *memory, size_t size, void *arg)
{
    struct lc_lent_frame *frame = arg;
    if (memory == NULL) {
        return allocate(size, arg);
    }
    if (memory != frame->memory) {
        return lc__realloc(memory, size);
    }
    void *moved = lc__alloc(size);
    if (moved != NULL) {
        memcpy(moved, memory, size < frame->size ? size : frame->size);
    }
    return moved;
}

nghttp2_mem
lc__h2_memory_begin(struct lc_http *http)
{
    http->lent_frame.is_due = !http->lent_frame.is_refused;
    return (nghttp2_mem){&http->lent_frame, allocate, release, allocate_zeroed, reallocate};
}

void
lc__h2_memory_end(struct lc_http *http)
{
    http->lent_frame.is_due = false;
}

int
lc__h2_memory_check(struct lc_h2 *h2)
{
    struct lc_lent_frame *frame = &h2->session->http->lent_frame;
    if (frame->is_checked || frame->is_refused) {
        return 0;
    }
    const uint8_t *data;
    ssize_t got;
    while ((got = nghttp2_session_mem_send(h2->codec, &data)) > 0) {
        const uint8_t *memory = frame->memory;
        frame->is_checked |= memory != NULL && data >= memory && data < memory + frame->size;
        if (lc_buffer_append(&h2->pending, data, (size_t)got) < 0) {
            return LCE_NOMEM;
        }
    }
    if (!frame->is_checked) {
        frame->is_refused = true;
        frame->memory = NULL;
    }
    return got < 0 ? LCE_NOMEM : 0;
}
