/* Heads in HTTP/2 (RFC 9113 8.3): a request head, as it was rendered for HTTP/1.1, as a list of fields. */
#ifndef LCORE_HTTP_H2_HEAD_H
#define LCORE_HTTP_H2_HEAD_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/str.h"

/* Fills `out` with the nghttp2_nv of a request head (request line, header lines, blank line); *count says how many.
 * They borrow from `head`; names keep their case, which nghttp2 lowers when it copies them. The first Host becomes
 * :authority, and headers about the connection (Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade,
 * TE but for "trailers") are left out. LCE_NOMEM. */
int lc_h2_request_fields(struct lc_str head, bool is_https, struct lc_buffer *out, size_t *count);

/* What servers usually say after a status; "" for an unknown one. HTTP/2 has no such words. */
struct lc_str lc_status_reason(int status);

#endif
