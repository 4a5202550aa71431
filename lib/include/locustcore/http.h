/* HTTP: a session is one browser (own cookies, own kept-alive connections), an exchange is one call of it in
 * flight (redirects included), a response is what came back. The rules of redirects, cookies and header order are
 * those of Python's `requests` 2.x. */
#ifndef LOCUSTCORE_HTTP_H
#define LOCUSTCORE_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include "locustcore/error.h"
#include "locustcore/loop.h"
#include "locustcore/phases.h"
#include "locustcore/str.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a target failed: data of the response, never an error of the core. The text is what lc_fail_text() gives. */
#define LCORE_FAIL_LIST(X)                                                                                             \
    X(NONE, "no failure")                                                                                              \
    X(DNS, "name could not be resolved")                                                                               \
    X(REFUSED, "connection refused")                                                                                   \
    X(CONNECT, "connection could not be made")                                                                         \
    X(CONNECT_TIMEOUT, "connection timed out")                                                                         \
    X(PROXY, "proxy failed")                                                                                           \
    X(TLS, "TLS handshake failed")                                                                                     \
    X(TLS_UNTRUSTED, "certificate not trusted")                                                                        \
    X(SEND, "request could not be sent")                                                                               \
    X(READ_TIMEOUT, "read timed out")                                                                                  \
    X(CLOSED, "connection closed without a response")                                                                  \
    X(RESET, "connection reset by peer")                                                                               \
    X(BAD_STATUS_LINE, "malformed status line")                                                                        \
    X(BAD_HEADER, "malformed header")                                                                                  \
    X(HEADER_TOO_LARGE, "header too large")                                                                            \
    X(BAD_CHUNK, "malformed chunk")                                                                                    \
    X(INCOMPLETE, "body ended early")                                                                                  \
    X(DECODE, "content encoding could not be decoded")                                                                 \
    X(PROTOCOL, "malformed HTTP/2")                                                                                    \
    X(STREAM, "stream reset by the server")                                                                            \
    X(TOO_MANY_REDIRECTS, "too many redirects")                                                                        \
    X(BAD_REDIRECT, "redirect to a URL that cannot be used")                                                           \
    X(TOO_LARGE, "body larger than the limit")                                                                         \
    X(CANCELED, "canceled")                                                                                            \
    X(INTERNAL, "out of memory or descriptors")                                                                        \
    X(INTERIM, "too many interim responses")

enum lc_fail {
#define LCORE_FAIL_ENUM(name, text) LCORE_FAIL_##name,
    LCORE_FAIL_LIST(LCORE_FAIL_ENUM)
#undef LCORE_FAIL_ENUM
};
LCORE_API const char *lc_fail_text(enum lc_fail fail);

/* TLS options are an object of their own, shared by all sessions that use the same ones, because each distinct set
 * costs one SSL_CTX. Reference counted. */
struct lc_tls;
struct lc_tls_options {
    size_t size;           /* sizeof(struct lc_tls_options) */
    bool is_insecure;      /* true: certificate and host name are not checked */
    const char *ca_file;   /* PEM bundle; NULL with ca_dir NULL: OpenSSL's default places */
    const char *ca_dir;    /* hashed directory */
    const char *cert_file; /* client certificate chain, PEM; NULL: none */
    const char *key_file;  /* its key; NULL: in cert_file */
};
/* Reads the files now. NULL: LCE_TLS (error says which file, and what is wrong with it), LCE_INVALID, LCE_NOMEM. */
LCORE_API struct lc_tls *lc_tls_new(const struct lc_tls_options *options, struct lc_error *error);
LCORE_API struct lc_tls *lc_tls_ref(struct lc_tls *tls);
LCORE_API void lc_tls_unref(struct lc_tls *tls); /* NULL is fine */

/* What all sessions of a loop share: the connector (names, libcurl for proxies), scratch buffers, pools. */
struct lc_http;
/* NULL: LCE_*, with the reason in error. */
LCORE_API struct lc_http *lc_http_new(struct lc_loop *loop, struct lc_error *error);
/* Every session must be freed before. Not from inside a callback of its loop. */
LCORE_API void lc_http_free(struct lc_http *http);

/* What a session speaks, if the server does. http_major of a response tells what it came by.
 *   HTTP_2  Over TLS both sides agree on it in the handshake (ALPN). Without TLS it is spoken from the first byte on
 *           ("prior knowledge"); a server that turns out not to speak it is talked to in HTTP/1.1, which is remembered.
 *           All calls of the session to one server share one connection, each on a stream of its own. Calls beyond the
 *           number of streams that the server allows wait.
 *   HTTP_3  As libcurl (8.5.0 or later) does it, falling back to HTTP/2 and HTTP/1.1; without TLS HTTP/1.1. */
enum lc_http_version { LCORE_HTTP_1, LCORE_HTTP_2, LCORE_HTTP_3 };
/* LCE_UNSUPPORTED, with a reason and a remedy in `error`, where this build cannot speak it; LCE_INVALID. */
LCORE_API int lc_http_check_version(enum lc_http_version version, struct lc_error *error);

/* Connections that sessions of one loop share, like the tabs of one browser: a session may use a connection that
 * another one is done with. Cookies stay each session's own. Only for HTTP/1.1 that this library speaks itself:
 * connections of HTTP/2 are always a session's own. Reference counted; must be gone before the struct lc_http. */
struct lc_conn_pool;
/* max_connections: to one server, in use at a time; 0 for no limit. Calls beyond it wait in the order in which they
 * came; their response time includes it. max_idle: how many to one server are kept alive. NULL: out of memory. */
LCORE_API struct lc_conn_pool *lc_conn_pool_new(int max_connections, int max_idle);
LCORE_API struct lc_conn_pool *lc_conn_pool_ref(struct lc_conn_pool *pool);
LCORE_API void lc_conn_pool_unref(struct lc_conn_pool *pool); /* NULL is fine */
LCORE_API void lc_conn_pool_close_idle(struct lc_conn_pool *pool);

struct lc_header {
    struct lc_str name;
    struct lc_str value; /* data NULL: leave out the session's header of that name */
};

struct lc_session;
struct lc_session_options {
    size_t size;                /* sizeof(struct lc_session_options) */
    struct lc_str base_url;     /* put verbatim before URLs that do not begin with http:// or https:// (any case) */
    struct lc_tls *tls;         /* referenced; NULL: verification with the default places */
    int64_t connect_timeout_ns; /* <= 0: none */
    int64_t read_timeout_ns;    /* <= 0: none; longest silence while waiting for bytes, as in requests */
    int max_redirects;          /* 0: 30, as in requests; negative: none allowed */
    bool is_accepting_br, is_accepting_zstd; /* named in the default Accept-Encoding */
    const char *user_agent;                  /* NULL: "locustcore/<version>" */
    const char *proxy;                       /* URL for both schemes (http, https, socks4/5/5h); NULL: none */
    bool is_using_env_proxy;                 /* http_proxy, https_proxy, all_proxy, no_proxy */
    uint64_t max_body_bytes;                 /* 0: no limit */
    enum lc_http_version version;
    int max_connections;             /* as of a pool; 0: no limit */
    struct lc_conn_pool *pool;       /* whose limits count then; referenced; NULL: connections are the session's own */
    const struct lc_header *headers; /* default headers instead of the usual ones, all names distinct; NULL: those */
    size_t header_count;
};
LCORE_API void lc_session_options_init(struct lc_session_options *options);
/* Options are copied; NULL: those that lc_session_options_init() gives. NULL: LCE_INVALID, LCE_FORMAT (the user agent),
 * LCE_UNSUPPORTED (the version), LCE_NOMEM. What is wrong with a base URL or a proxy is told by the calls. */
LCORE_API struct lc_session *lc_session_new(struct lc_http *http, const struct lc_session_options *options,
                                            struct lc_error *error);
/* Cancels what is in flight (its callbacks are not called) and closes the connections. */
LCORE_API void lc_session_free(struct lc_session *session);
/* Closes idle connections, also those of a shared pool; the next exchange connects anew. Cookies stay. */
LCORE_API void lc_session_close_idle(struct lc_session *session);

/* Default headers, in the order they are sent after Host. Set replaces (case-insensitive) or appends; NULL data
 * removes. LCE_FORMAT where name or value could break the framing (CR, LF, NUL, bad token). */
LCORE_API int lc_session_set_header(struct lc_session *session, struct lc_str name, struct lc_str value);
LCORE_API void lc_session_clear_headers(struct lc_session *session);

enum {
    LCORE_REQUEST_NO_REDIRECT = 1 << 0,        /* a 3xx is the response */
    LCORE_REQUEST_NO_COOKIES = 1 << 1,         /* neither send nor store any */
    LCORE_REQUEST_NO_SESSION_HEADERS = 1 << 2, /* only `headers` are sent (Host and framing are still added) */
    LCORE_REQUEST_NO_DECODE = 1 << 3,          /* the body stays as it was encoded */
    /* As RFC 9110 has it, not as requests: Content-Length: 0 only for POST, PUT and PATCH; a redirect with 301 makes
     * every method but HEAD a GET. */
    LCORE_REQUEST_PLAIN_METHODS = 1 << 4,
    /* The response comes with its head, and the body piece by piece, unless it is here already. HTTP/1.1 only. */
    LCORE_REQUEST_STREAM = 1 << 5,
    LCORE_REQUEST_LOOSE_URL = 1 << 6, /* dots, brackets, a lone '%' are sent as given; redirects are resolved as ever */
    /* The body keeps the framing of its chunks, for callers that read chunk by chunk: see is_in_chunks of struct
     * lc_response. HTTP/1.1 only. */
    LCORE_REQUEST_KEEP_CHUNKS = 1 << 7,
    LCORE_REQUEST_WHOLE_CODING = 1 << 8, /* a gzip or deflate body that is cut short is LCORE_FAIL_DECODE */
    /* The response's head may have up to 8 MB, in any lines. Without it: 256 KB, 256 lines, 64 KB each. HTTP/1 only. */
    LCORE_REQUEST_LARGE_HEAD = 1 << 9,
};

struct lc_exchange;
struct lc_response;
struct lc_stream;
struct lc_wire;

/* One call. Zero-initialise. All is borrowed until the exchange is done or canceled, url and headers only until
 * lc_session_start() returns. */
struct lc_request {
    struct lc_str method; /* sent as given */
    struct lc_str url;    /* absolute or to be put behind the base URL; unsafe characters are percent-encoded here */
    const struct lc_header *headers; /* replace the session's of the same name (case-insensitive) or follow them */
    size_t header_count;
    const struct lc_header *cookies; /* name and value; sent besides the session's, not stored */
    size_t cookie_count;
    struct lc_str body;         /* data NULL: none (POST, PUT, PATCH then say Content-Length: 0) */
    struct lc_str content_type; /* sent if there is no Content-Type among the headers; data NULL: none */
    unsigned flags;             /* LCORE_REQUEST_* */
    int64_t connect_timeout_ns; /* 0: the session's; negative: none */
    int64_t read_timeout_ns;
    int max_redirects;    /* 0: the session's; negative: none allowed */
    struct lc_tls *tls;   /* NULL: the session's */
    const char *proxy;    /* NULL: the session's; "": none */
    struct lc_wire *wire; /* the core's own use; NULL */
};

/* Called once on the loop's thread, never from inside lc_session_start(). Takes `response` (never NULL). */
typedef void lc_exchange_fn(struct lc_exchange *exchange, struct lc_response *response, void *arg);

/* Starts a call. `*out` is valid until fn is called or lc_exchange_cancel(). Negative, and fn is never called: LCE_URL*
 * (see `error`), LCE_FORMAT for a header that could break the framing, LCE_NOMEM. Everything else, also a refused
 * connection, arrives as a response. start_ns is the CLOCK_MONOTONIC time the call counts from; 0: now. */
LCORE_API int lc_session_start(struct lc_session *session, const struct lc_request *request, int64_t start_ns,
                               lc_exchange_fn *fn, void *arg, struct lc_exchange **out, struct lc_error *error);
/* The exchange is gone at once, its connection closed (its stream reset in HTTP/2), fn not called. */
LCORE_API void lc_exchange_cancel(struct lc_exchange *exchange);

/* Everything is CLOCK_MONOTONIC nanoseconds, 0 where it did not happen (a kept-alive connection has no DNS). */
struct lc_timings {
    int64_t start_ns;     /* the call */
    int64_t hop_ns;       /* this hop: the call, or when the redirect before it had been read */
    int64_t begin_ns;     /* its first network operation: looking up the name, connect(), or send() on a connection that
                           * is there. What a try cost that was lost with its connection counts, too */
    int64_t dns_ns;       /* name known */
    int64_t connected_ns; /* TCP (and proxy) */
    int64_t tls_ns;       /* TLS handshake done */
    int64_t sent_ns; /* right before the first byte of the request went to the kernel; or since when it waited because
                      * the server wanted no more streams (HTTP/2) or kept all connections of a pool busy */
    int64_t first_byte_ns; /* kernel's receive time stamp of the first bytes of the final response */
    int64_t end_ns;        /* kernel's receive time stamp of the last byte */
};

/* The phases of a hop. */
LCORE_API void lc_timings_phases(const struct lc_timings *timings, struct lc_phases *out);
/* What others took for the hop: all of its phases but `queue`, which is ours. 0 if it did not come to the network. */
LCORE_API int64_t lc_timings_time_ns(const struct lc_timings *timings);

/* A response: one allocation for small ones, immutable, owned by whoever got it. */
struct lc_response {
    int status;     /* 0 when fail != NONE and no head arrived */
    int http_major; /* 1, 2, 3 */
    int http_minor; /* of HTTP/1.x; else 0 */
    enum lc_fail fail;
    int fail_errno;           /* errno of refused, reset, ... or 0 */
    struct lc_str fail_text;  /* what a person should read; empty when fail is NONE */
    struct lc_str method;     /* of the last hop */
    struct lc_str url;        /* of the last hop, as sent, but with its fragment */
    struct lc_str sent_head;  /* request line and headers of the last hop, as sent (no body) */
    struct lc_str reason;     /* of the status line; the usual one in HTTP/2 and 3, which have none */
    struct lc_str head;       /* header lines as received, without the status line, each ending in CRLF or LF */
    struct lc_str body;       /* decoded unless NO_DECODE */
    uint64_t wire_body_bytes; /* body bytes before decoding */
    struct lc_timings timings;
    struct lc_response *previous; /* the redirect that led here; owned */
    int redirect_count;
    bool is_kept_alive;       /* came over a connection that had served before */
    bool is_in_chunks;        /* the body is as it came, with sizes before its chunks (KEEP_CHUNKS) */
    struct lc_stream *stream; /* the rest of the body, of LCORE_REQUEST_STREAM; NULL: `body` is all of it */
};
LCORE_API void lc_response_free(struct lc_response *response);
/* The response time: that of all its hops, see lc_timings_time_ns(). */
LCORE_API int64_t lc_response_time_ns(const struct lc_response *response);
/* First header of that name (case-insensitive), trimmed; data NULL if absent. */
LCORE_API struct lc_str lc_response_header(const struct lc_response *response, struct lc_str name);
/* Walks all header lines: *position starts at 0; false at the end. A folded line (obs-fold) is one value, with its line
 * ends as they came. */
LCORE_API bool lc_response_next_header(const struct lc_response *response, size_t *position, struct lc_str *name,
                                       struct lc_str *value);

/* A cookie as the jar holds it (RFC 6265 with the leniencies of http.cookiejar). Strings are borrowed. */
struct lc_cookie {
    struct lc_str name, value, domain, path; /* domain without leading dot, lower case */
    int64_t expires_s;                       /* Unix time; INT64_MIN: session cookie */
    bool is_host_only;                       /* no Domain attribute */
    bool is_path_set;                        /* the path was an attribute, not the default */
    bool is_secure;
    bool is_http_only;
    struct lc_str same_site; /* as given; empty: none */
};
/* Adds or replaces (same domain, path, name); expires_s in the past removes. Copies. */
LCORE_API int lc_session_set_cookie(struct lc_session *session, const struct lc_cookie *cookie);
/* Walks the jar: *position starts at 0. Strings are borrowed until the jar changes. */
LCORE_API bool lc_session_next_cookie(const struct lc_session *session, size_t *position, struct lc_cookie *out);
/* Removes what matches; a field with data NULL matches all. Returns how many went. */
LCORE_API int lc_session_remove_cookies(struct lc_session *session, struct lc_str domain, struct lc_str path,
                                        struct lc_str name);
/* Grows by one with every change of the jar. */
LCORE_API uint64_t lc_session_cookie_version(const struct lc_session *session);

#ifdef __cplusplus
}
#endif
#endif
