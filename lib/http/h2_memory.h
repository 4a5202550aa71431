/* The memory of nghttp2. It keeps 16 KB for each connection, where it makes the frame that goes out next; that is one
 * place for all connections of a loop here. Nothing has to stay in it, because a frame is copied as soon as it is made.
 */
#ifndef LCORE_HTTP_H2_MEMORY_H
#define LCORE_HTTP_H2_MEMORY_H

#include <nghttp2/nghttp2.h>

#include "http/h2.h"

/* The usual size of a frame. */
#define LCORE_FRAME_SIZE 16384

/* For the connection that is made next. */
nghttp2_mem lc__h2_memory_begin(struct lc_http *http);
/* Once it has something to send. The first one makes its first frames here, into h2->pending: should they not be where
 * they are expected, what was lent is that connection's for good, and nothing is lent any more. LCE_NOMEM. */
int lc__h2_memory_check(struct lc_h2 *h2);
/* The connection is made, or failed to be. */
void lc__h2_memory_end(struct lc_http *http);

#endif
