#include "http/tls.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/options.h"
#include "http/conn.h"
#include "http/http.h"

struct lc_tls {
    int refs;
    bool is_insecure;
    SSL_CTX *context;
    BIO_METHOD *method;
    char *ca_file, *ca_dir, *cert_file, *key_file;
};

/* ---- the descriptor as a BIO ---- */

static int
bio_read(BIO *bio, char *data, int size)
{
    struct lc_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (conn->receives_left == 0) {
        BIO_set_retry_read(bio);
        errno = EAGAIN;
        return -1;
    }
    conn->receives_left--;
    ssize_t got = lc__conn_receive(conn, data, (size_t)size);
    if (got == -EAGAIN) {
        BIO_set_retry_read(bio);
    }
    if (got < 0) {
        errno = (int)-got;
        return -1;
    }
    return (int)got;
}

static int
bio_write(BIO *bio, const char *data, int size)
{
    struct lc_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (conn->is_handshaking) {
        int64_t now_ns = lc_clock_monotonic_ns();
        conn->own_ns += now_ns - conn->stamp_ns;
        conn->stamp_ns = now_ns;
    }
    ssize_t sent;
    do {
        sent = send(conn->read_io.fd, data, (size_t)size, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno == EAGAIN) {
        BIO_set_retry_write(bio);
    }
    return (int)sent;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* ---- options ---- */

static int
on_new_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    struct lc_conn *conn = SSL_get_app_data(ssl);
    struct lc_session *session = conn->session;
    conn->has_new_ticket = true;
    if (session == NULL) {
        return 0;
    }
    lc__tls_forget(session);
    session->resumption = ticket;
    session->resumption_origin = lc__origin_ref(conn->origin);
    return 1;
}

/* The chain has served its purpose: a connection would keep it parsed, which is 5 to 20 KB. */
static int
verify_and_forget(X509_STORE_CTX *store, void *arg)
{
    int result = X509_verify_cert(store);
    X509_STORE_CTX_set0_verified_chain(store, NULL);
    return result > 0;
}

/* Without it OpenSSL would ask on the terminal for the password of a key. */
static int
refuse_password(char *data, int size, int is_writing, void *arg)
{
    return 0;
}

static int
set_error(struct lc_error *error, const char *what)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
    ERR_clear_error();
    return lc_error_set(error, LCE_TLS, "%s: %s", what, reason == NULL ? "unknown reason" : reason);
}

static int
set_file_error(struct lc_error *error, const char *what, const char *path)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
    ERR_clear_error();
    if (access(path, R_OK) < 0) {
        return lc_error_set_errno(error, LCE_TLS, errno, "%s '%s'", what, path);
    }
    if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ) {
        return lc_error_set(error, LCE_TLS, "%s '%s' needs a password; take one that is not encrypted", what, path);
    }
    /* OpenSSL has no words for a file without anything in it. */
    if (reason == NULL || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE)) {
        reason = "there is none in it in PEM form";
    }
    return lc_error_set(error, LCE_TLS, "%s '%s': %s", what, path, reason);
}

static int
configure(SSL_CTX *context, const struct lc_tls_options *options, struct lc_error *error)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
    /* Many servers close without a close_notify; the framing of HTTP tells whether something is missing. */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
    SSL_CTX_set_read_ahead(context, 1);
    /* OpenSSL 3 has no signatures for what is older, unless its security level is 0. */
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_default_passwd_cb(context, refuse_password);
    SSL_CTX_set_verify(context, options->is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, verify_and_forget, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_new_ticket);
    if (SSL_CTX_set_alpn_protos(context, alpn, sizeof(alpn) - 1) != 0) {
        return set_error(error, "ALPN");
    }
    if (!options->is_insecure) {
        if (options->ca_file == NULL && options->ca_dir == NULL) {
            SSL_CTX_set_default_verify_paths(context);
        } else if (SSL_CTX_load_verify_locations(context, options->ca_file, options->ca_dir) != 1) {
            return set_file_error(error, "CA certificates",
                                  options->ca_file == NULL ? options->ca_dir : options->ca_file);
        }
    }
    if (options->cert_file != NULL) {
        const char *key_file = options->key_file == NULL ? options->cert_file : options->key_file;
        if (SSL_CTX_use_certificate_chain_file(context, options->cert_file) != 1) {
            return set_file_error(error, "client certificate", options->cert_file);
        }
        if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_check_private_key(context) != 1) {
            return set_file_error(error, "key of the client certificate", key_file);
        }
    }
    return 0;
}

static bool
copy_path(const char *path, char **copy)
{
    *copy = path == NULL ? NULL : lc_str_dup(lc_str_from(path));
    return path == NULL || *copy != NULL;
}

struct lc_tls *
lc_tls_new(const struct lc_tls_options *given, struct lc_error *error)
{
    struct lc_tls_options full = {0};
    if (lc__options_take(&full, sizeof(full), given, error) < 0) {
        return NULL;
    }
    const struct lc_tls_options *options = &full;
    struct lc_tls *tls = lc__calloc(1, sizeof(*tls));
    if (tls == NULL) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        return NULL;
    }
    ERR_clear_error();
    tls->refs = 1;
    tls->is_insecure = options->is_insecure;
    tls->context = SSL_CTX_new(TLS_client_method());
    tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 127, "locustcore connection");
    if (tls->context == NULL || tls->method == NULL) {
        set_error(error, "OpenSSL");
        goto fail;
    }
    if (!copy_path(options->ca_file, &tls->ca_file) || !copy_path(options->ca_dir, &tls->ca_dir) ||
        !copy_path(options->cert_file, &tls->cert_file) || !copy_path(options->key_file, &tls->key_file)) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        goto fail;
    }
    BIO_meth_set_read(tls->method, bio_read);
    BIO_meth_set_write(tls->method, bio_write);
    BIO_meth_set_ctrl(tls->method, bio_ctrl);
    if (configure(tls->context, options, error) < 0) {
        goto fail;
    }
    return tls;
fail:
    lc_tls_unref(tls);
    return NULL;
}

struct lc_tls *
lc_tls_ref(struct lc_tls *tls)
{
    tls->refs++;
    return tls;
}

void
lc_tls_unref(struct lc_tls *tls)
{
    if (tls == NULL || --tls->refs > 0) {
        return;
    }
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    lc__free(tls->ca_file);
    lc__free(tls->ca_dir);
    lc__free(tls->cert_file);
    lc__free(tls->key_file);
    lc__free(tls);
}

int
lc__tls_set_options(const struct lc_tls *tls, void *easy)
{
    CURLcode code = CURLE_OK;
    static const struct {
        CURLoption target, proxy;
        size_t offset;
    } paths[] = {
        {CURLOPT_CAINFO, CURLOPT_PROXY_CAINFO, offsetof(struct lc_tls, ca_file)},
        {CURLOPT_CAPATH, CURLOPT_PROXY_CAPATH, offsetof(struct lc_tls, ca_dir)},
        {CURLOPT_SSLCERT, 0, offsetof(struct lc_tls, cert_file)},
        {CURLOPT_SSLKEY, 0, offsetof(struct lc_tls, key_file)},
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *path = *(char *const *)((const char *)tls + paths[i].offset);
        if (path != NULL && code == CURLE_OK) {
            code = curl_easy_setopt(easy, paths[i].target, path);
        }
        if (path != NULL && paths[i].proxy != 0 && code == CURLE_OK) {
            code = curl_easy_setopt(easy, paths[i].proxy, path);
        }
    }
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->is_insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->is_insecure ? 0L : 2L);
    curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, tls->is_insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, tls->is_insecure ? 0L : 2L);
    return code == CURLE_OK ? 0 : LCE_NOMEM;
}

/* ---- connections ---- */

/* Name or address the certificate must be for. */
static int
set_peer(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    }
    /* A name counts where it belongs, as for urllib3 and browsers: not in the subject. */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set_tlsext_host_name(ssl, host) == 1 && X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

int
lc__tls_open(struct lc_conn *conn, bool is_offering_h2)
{
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    struct lc_tls *tls = conn->origin->tls;
    struct lc_session *session = conn->session;
    ERR_clear_error();
    SSL *ssl = SSL_new(tls->context);
    BIO *bio = BIO_new(tls->method);
    struct lc_str host = conn->origin->host;
    /* Certificates know no zones, which only addresses of IPv6 have. */
    const char *zone = memchr(host.data, ':', host.len) == NULL ? NULL : memchr(host.data, '%', host.len);
    host.len = zone == NULL ? host.len : (size_t)(zone - host.data);
    if (host.len > 0 && host.data[host.len - 1] == '.') {
        host.len--;
    }
    char *name = lc_str_dup(host);
    if (ssl == NULL || bio == NULL || name == NULL || !set_peer(ssl, name) ||
        (is_offering_h2 && SSL_set_alpn_protos(ssl, both, sizeof(both) - 1) != 0)) {
        SSL_free(ssl);
        BIO_free(bio);
        lc__free(name);
        ERR_clear_error();
        return ssl == NULL || bio == NULL || name == NULL ? LCE_NOMEM : LCE_TLS;
    }
    lc__free(name);
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, conn);
    SSL_set_connect_state(ssl);
    if (session->resumption != NULL && session->resumption_origin == conn->origin) {
        SSL_set_session(ssl, session->resumption);
    }
    conn->ssl = ssl;
    return 0;
}

bool
lc__tls_is_h2(const struct lc_conn *conn)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(conn->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

/* Bytes of the DER element at the start, header included; 0: none, or cut off. */
static size_t
measure_element(const unsigned char *der, size_t len, size_t *header_len)
{
    if (len < 2 || (der[0] & 0x1f) == 0x1f) {
        return 0;
    }
    size_t count = der[1] < 0x80 ? 0 : der[1] & 0x7f;
    size_t body_len = der[1] < 0x80 ? der[1] : 0;
    if (count > sizeof(uint32_t) || len < 2 + count) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        body_len = body_len << 8 | der[2 + i];
    }
    *header_len = 2 + count;
    return body_len <= len - *header_len ? *header_len + body_len : 0;
}

/* Takes the server's certificate, the optional element [3], out of an encoded session. The rest keeps its place, with
 * the length of the whole in as many bytes as before or one less. New start, NULL: nothing to take out. */
static unsigned char *
drop_certificate(unsigned char *der, size_t *len)
{
    size_t header_len = 0, element_header_len, element_len;
    if (measure_element(der, *len, &header_len) != *len || header_len != 4) {
        return NULL; /* with a certificate it is longer than 255 bytes, and shorter than 64 KB */
    }
    for (size_t at = header_len; at < *len; at += element_len) {
        element_len = measure_element(der + at, *len - at, &element_header_len);
        if (element_len == 0) {
            return NULL;
        }
        if (der[at] != 0xa3) {
            continue;
        }
        memmove(der + at, der + at + element_len, *len - at - element_len);
        size_t left = *len - element_len - header_len;
        *len -= element_len;
        if (left < 0x100) {
            unsigned char tag = der[0];
            der += left < 0x80 ? 2 : 1;
            *len -= left < 0x80 ? 2 : 1;
            der[0] = tag;
            der[1] = left < 0x80 ? (unsigned char)left : 0x81;
            der[left < 0x80 ? 1 : 2] = (unsigned char)left;
        } else {
            der[2] = (unsigned char)(left >> 8);
            der[3] = (unsigned char)left;
        }
        return der;
    }
    return NULL;
}

/* Nobody asks for the server's certificates after the handshake, but OpenSSL keeps them parsed, for the connection and
 * for each session ticket. */
static void
forget_certificates(SSL *ssl)
{
    SSL_SESSION *session = SSL_get_session(ssl);
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    while (sk_X509_num(chain) > 0) {
        X509_free(sk_X509_pop(chain));
    }
    int whole_len = session == NULL || SSL_SESSION_get0_peer(session) == NULL ? 0 : i2d_SSL_SESSION(session, NULL);
    unsigned char *memory = whole_len <= 0 ? NULL : lc__alloc((size_t)whole_len);
    if (memory == NULL) {
        return;
    }
    unsigned char *place = memory;
    size_t len = (size_t)i2d_SSL_SESSION(session, &place);
    const unsigned char *rest = drop_certificate(memory, &len);
    if (rest != NULL) {
        /* Decoded into the session that is there: it cannot be replaced while it is in use. */
        (void)d2i_SSL_SESSION(&session, &rest, (long)len);
    }
    lc__free(memory);
}

static void
explain(struct lc_conn *conn, int kind, int errnum, enum lc_fail *reason, char *text, size_t size)
{
    unsigned long code = ERR_peek_error();
    long verified = SSL_get_verify_result(conn->ssl);
    if (verified != X509_V_OK && !conn->origin->tls->is_insecure) {
        *reason = LCORE_FAIL_TLS_UNTRUSTED;
        snprintf(text, size, "certificate of %.*s not trusted: %s (give a CA file, or turn verification off)",
                 conn->origin->host.len > 100 ? 100 : (int)conn->origin->host.len, conn->origin->host.data,
                 X509_verify_cert_error_string(verified));
        return;
    }
    *reason = LCORE_FAIL_TLS;
    if (kind == SSL_ERROR_SYSCALL && errnum != 0) {
        snprintf(text, size, "TLS handshake failed: %s", strerror(errnum));
    } else if (code == 0) {
        snprintf(text, size, "TLS handshake failed: connection closed by the server");
    } else {
        const char *why = ERR_reason_error_string(code);
        const char *hint =
            ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ? " (does the server speak TLS on this port?)" : "";
        snprintf(text, size, "TLS handshake failed: %s%s", why == NULL ? "unknown reason" : why, hint);
    }
}

enum lc_tls_step
lc__tls_handshake(struct lc_conn *conn, enum lc_fail *reason, int *errnum, char *text, size_t size)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(conn->ssl);
    int saved = errno;
    if (result == 1) {
        forget_certificates(conn->ssl);
        lc__http_note_connection(conn->http);
        return LCORE_TLS_DONE;
    }
    int kind = SSL_get_error(conn->ssl, result);
    if (kind == SSL_ERROR_WANT_READ) {
        return LCORE_TLS_WANT_READ;
    }
    if (kind == SSL_ERROR_WANT_WRITE) {
        return LCORE_TLS_WANT_WRITE;
    }
    *errnum = kind == SSL_ERROR_SYSCALL ? saved : 0;
    explain(conn, kind, *errnum, reason, text, size);
    ERR_clear_error();
    return LCORE_TLS_FAILED;
}

int64_t
lc__tls_ready_ns(const struct lc_conn *conn)
{
    return conn->stamp_ns - conn->own_ns;
}

static ssize_t
outcome(struct lc_conn *conn, int result, int saved)
{
    switch (SSL_get_error(conn->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return -saved;
    default:
        return -EPROTO;
    }
}

ssize_t
lc__tls_read(struct lc_conn *conn, void *data, size_t size)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_read(conn->ssl, data, size > INT32_MAX ? INT32_MAX : (int)size);
    if (result > 0) {
        return result;
    }
    ssize_t err = outcome(conn, result, errno);
    if (conn->has_new_ticket && err == -EAGAIN) {
        /* For a ticket OpenSSL gets ready to write, and keeps the 16 KB until something is written. */
        conn->has_new_ticket = false;
        SSL_free_buffers(conn->ssl);
    }
    return err;
}

ssize_t
lc__tls_write(struct lc_conn *conn, const void *data, size_t size)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_write(conn->ssl, data, (int)size);
    if (result > 0) {
        return result;
    }
    ssize_t err = outcome(conn, result, errno);
    return err == 0 ? -EPIPE : err;
}

bool
lc__tls_is_over(struct lc_conn *conn)
{
    char byte;
    return (SSL_get_shutdown(conn->ssl) & SSL_RECEIVED_SHUTDOWN) != 0 ||
           (SSL_has_pending(conn->ssl) && lc__tls_read(conn, &byte, 1) != -EAGAIN);
}

const char *
lc__tls_why(void)
{
    unsigned long code = ERR_peek_error();
    const char *why = code == 0 ? NULL : ERR_reason_error_string(code);
    return why == NULL ? "TLS protocol error" : why;
}

void
lc__tls_close(struct lc_conn *conn)
{
    if (SSL_is_init_finished(conn->ssl)) {
        SSL_shutdown(conn->ssl);
    }
    SSL_free(conn->ssl);
    conn->ssl = NULL;
    ERR_clear_error();
}

void
lc__tls_forget(struct lc_session *session)
{
    if (session->resumption != NULL) {
        SSL_SESSION_free(session->resumption);
        lc__origin_unref(session->resumption_origin);
        session->resumption = NULL;
        session->resumption_origin = NULL;
    }
}
