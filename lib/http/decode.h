/* Content-Encoding undone: gzip, deflate (with and without zlib header), br, zstd, and up to five of them one upon the
 * other, by the rules of urllib3. A decoder may be used for any number of bodies, one after the other; it keeps the
 * state of its codecs between them, so callers do well to pool decoders. */
#ifndef LCORE_HTTP_DECODE_H
#define LCORE_HTTP_DECODE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buffer.h"
#include "locustcore/http.h"

#define LCORE_DECODE_MAX_CODINGS 5

struct lc_decoder;

/* NULL: out of memory. */
struct lc_decoder *lc_decoder_new(void);
void lc_decoder_free(struct lc_decoder *decoder); /* NULL is fine */

/* Gets ready for a body whose Content-Encoding is in the header lines `lines` (of a struct lc_h1_head). Returns true if
 * there is something to decode; false if the body is to be taken as it comes (no encoding, or an unknown one among
 * them). max_bytes: limit of the decoded size, 0: none. */
bool lc_decoder_start(struct lc_decoder *decoder, struct lc_str lines, uint64_t max_bytes);
/* Decodes a piece of the body and appends to `out`. LCORE_FAIL_NONE, DECODE, TOO_LARGE, or INTERNAL (out of memory).
 * After a failure only lc_decoder_start() and lc_decoder_free() are allowed. */
enum lc_fail lc_decoder_feed(struct lc_decoder *decoder, struct lc_str in, struct lc_buffer *out);
/* The body is over: LCORE_FAIL_NONE or DECODE. A body of no bytes is fine, and so is, as in urllib3, a gzip, deflate or
 * br stream that was cut short: what came of it stands. A zstd frame that was cut short is DECODE; where they have to
 * be whole, so is a gzip or deflate stream. */
enum lc_fail lc_decoder_finish(struct lc_decoder *decoder, bool must_be_whole);
/* Behind DECODE: what zlib says, in the words of Python's module; empty if it is not of zlib. The decoder's own, until
 * it is started again. */
struct lc_str lc_decoder_why(struct lc_decoder *decoder);

#endif
