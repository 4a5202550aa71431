/* TLS on a connection whose descriptor is ours: OpenSSL, never blocking, reading through lc__conn_receive() so that the
 * arrival of the bytes is known. */
#ifndef LCORE_HTTP_TLS_H
#define LCORE_HTTP_TLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "locustcore/http.h"

struct lc_conn;
struct lc_session;

enum lc_tls_step { LCORE_TLS_DONE, LCORE_TLS_WANT_READ, LCORE_TLS_WANT_WRITE, LCORE_TLS_FAILED };

/* Sets conn->ssl up for conn->origin; offers HTTP/2 beside HTTP/1.1 (ALPN) if asked to. LCE_NOMEM, LCE_TLS. */
int lc__tls_open(struct lc_conn *conn, bool is_offering_h2);
/* After the handshake: whether the server chose HTTP/2. */
bool lc__tls_is_h2(const struct lc_conn *conn);
/* Goes on with the handshake; on FAILED reason, errnum and text are set. */
enum lc_tls_step lc__tls_handshake(struct lc_conn *conn, enum lc_fail *reason, int *errnum, char *text, size_t size);
/* When the handshake was done, had we answered at once: it counts from when the connection was there. What our own
 * turns took (arithmetic, waiting for a core) is left out. */
int64_t lc__tls_ready_ns(const struct lc_conn *conn);
/* Bytes, 0 at the end (with or without close_notify), or -errno: EAGAIN, or EPROTO where TLS itself failed. */
ssize_t lc__tls_read(struct lc_conn *conn, void *data, size_t size);
ssize_t lc__tls_write(struct lc_conn *conn, const void *data, size_t size);
/* Behind a response: whether the peer has said that nothing more comes, or sent what nobody asked for; what was
 * received but not looked at yet is looked at. */
bool lc__tls_is_over(struct lc_conn *conn);
/* Why the last read or write gave EPROTO; constant text. */
const char *lc__tls_why(void);
/* Says goodbye if that can be done without waiting, and frees conn->ssl. The descriptor stays open. */
void lc__tls_close(struct lc_conn *conn);
/* The same options for a libcurl handle, its proxy included. LCE_NOMEM. */
int lc__tls_set_options(const struct lc_tls *tls, void *easy);
/* Forgets what the session remembers for resumption. */
void lc__tls_forget(struct lc_session *session);

#endif
