/* Making a struct lc_response: one allocation for the struct and all its strings. Public functions on it are in
 * locustcore/http.h. */
#ifndef LCORE_HTTP_RESPONSE_H
#define LCORE_HTTP_RESPONSE_H

#include "base/buffer.h"
#include "base/reuse.h"
#include "locustcore/http.h"

/* Bodies up to this size are copied beside the struct; the buffer of a larger one is taken over. */
#define LCORE_RESPONSE_INLINE_BODY 16384

/* Makes a response out of `parts`, whose strings are borrowed and copied (method, url, sent_head, reason, head,
 * fail_text, body) and whose other fields are copied as they are; `previous` is taken. Where `fail` is set and
 * fail_text is empty, it becomes lc_fail_text(). `body`, unless NULL, is the buffer the body was collected in, and
 * parts->body is then ignored: it is either copied, and the buffer stays the caller's with len 0, or moved, and the
 * buffer is empty. The memory comes out of `reuse`. NULL: out of memory; nothing was taken. */
struct lc_response *lc_response_new(struct lc_reuse *reuse, const struct lc_response *parts, struct lc_buffer *body);
/* lc_response_free() by who has what the memory may go back to. */
void lc__response_put_back(struct lc_reuse *reuse, struct lc_response *response);

#endif
