/* The inside of a session. */
#ifndef LCORE_HTTP_SESSION_H
#define LCORE_HTTP_SESSION_H

#include "base/list.h"
#include "http/block.h"
#include "http/conn_pool.h"
#include "http/cookies.h"
#include "http/http.h"
#include "http/origin.h"
#include "http/site.h"

struct ssl_session_st;

struct lc_session {
    struct lc_http *http;
    struct lc_list exchanges;  /* in flight */
    struct lc_list wires;      /* connections lent out */
    struct lc_list h2s;        /* HTTP/2 connections, also those being made */
    struct lc_conn_pool *pool; /* where its connections wait: its own, or a shared one, referenced */
    struct lc_conn_pool own;
    struct lc_cookie_jar jar;
    struct lc_block *headers;
    struct lc_site *site;                /* base URL and proxy; referenced */
    struct lc_origin *origin;            /* the last one used, referenced; NULL at first */
    struct lc_tls *tls;                  /* NULL: the default */
    struct ssl_session_st *resumption;   /* of the last full handshake; NULL: none */
    struct lc_origin *resumption_origin; /* the origin it is for, referenced */
    struct lc_multi *transfers;          /* NULL until a whole libcurl transfer was needed */
    int64_t connect_timeout_ns;
    int64_t read_timeout_ns;
    uint64_t max_body_bytes;
    int max_redirects;
    enum lc_http_version version;
    bool is_using_env_proxy;
};

/* A session with the settings of another, which has its own connections (no shared pool). No cookies. NULL: LCE_NOMEM.
 */
struct lc_session *lc__session_like(const struct lc_session *like);

#endif
