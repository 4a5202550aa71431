/* Absolute http and https URLs: cutting them up, writing them as `requests` puts them on the wire, joining a reference
 * to them. All strings of a struct lc_url are borrowed from the text that was parsed. */
#ifndef LCORE_HTTP_URL_H
#define LCORE_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buffer.h"
#include "base/str.h"
#include "locustcore/error.h"

struct lc_url {
    struct lc_str text;           /* the whole URL */
    struct lc_str user, password; /* still percent-encoded, see lc_url_unquote(); data NULL: none */
    struct lc_str host;           /* IPv6 literals without brackets, a zone as it is in the text */
    struct lc_str target;         /* path and query; of a prepared URL never empty, else perhaps empty or "?..." */
    struct lc_str fragment;       /* without '#'; data NULL: none */
    uint16_t port;                /* given or default */
    bool is_https;
    bool is_port_given;
    bool is_ipv6;
    bool is_host_ascii; /* false: the caller has to give it to something that knows IDNA */
};

/* Cuts up `text` without changing it; used for proxies and base URLs too. Surrounding blanks are not allowed.
 * LCE_URL_SCHEME: no scheme; LCE_UNSUPPORTED: one that is neither http nor https; LCE_URL_HOST: no host;
 * LCE_URL: port, brackets, a control character or blank in host or credentials. `error` then says what to do. */
int lc_url_parse(struct lc_str text, struct lc_url *out, struct lc_error *error);

/* The URL as `requests` sends it: leading blanks dropped; scheme and host in lower case; dot segments removed; an empty
 * path becomes "/"; a "?" with nothing behind it goes; escapes of unreserved characters are undone, others get capital
 * hex digits; what may not be in a URL is percent-encoded byte by byte (so UTF-8 stays UTF-8); a '%' that begins no
 * escape makes every '%' of its component "%25". `scratch` is emptied first and used only if something changes: `out`
 * then borrows from it, otherwise from `text`, which must not lie in it. Failures: lc_url_parse()'s and LCE_NOMEM. */
int lc_url_prepare(struct lc_str text, struct lc_buffer *scratch, struct lc_url *out, struct lc_error *error);

/* The same as geventhttpclient does it: tabs and line ends go, wherever they are (URLs are read from files), and of
 * path and query only what lc_url_requote() changes is changed, so dot segments, brackets and a lone '%' stay. */
int lc_url_prepare_loosely(struct lc_str text, struct lc_buffer *scratch, struct lc_url *out, struct lc_error *error);

/* Whether lc_url_prepare() would leave path and query alone: begins with '/', no fragment, no dot segment, no empty
 * query, no character that must be quoted and no escape that would be written otherwise. For callers whose scheme and
 * host are prepared already. */
bool lc_url_is_clean_target(struct lc_str target);

/* Resolves a reference against an absolute URL (RFC 3986 section 5, as urllib.parse.urljoin() does) and appends the
 * result to `out`. Nothing is quoted and the result need not be an http URL. LCE_NOMEM. */
int lc_url_join(struct lc_str base, struct lc_str reference, struct lc_buffer *out);

/* requests' requote_uri(): appends `text` with escapes of unreserved characters undone and all characters that no URL
 * may hold percent-encoded; an escape that is none makes every '%' "%25". LCE_NOMEM. */
int lc_url_requote(struct lc_str text, struct lc_buffer *out);

/* Cuts up the URL in `scratch`, which came from lc_url_requote() or lc_url_join(), and makes its target what `requests`
 * sends for a URL that was not prepared: as in the text, but never empty, without an empty query, quoted where that is
 * missing. A target that differs is put behind the URL in `scratch`. Failures: lc_url_parse()'s and LCE_NOMEM. */
int lc_url_settle(struct lc_buffer *scratch, struct lc_url *out, struct lc_error *error);

/* Length of the scheme at the front (without ':'), 0 if there is none. */
size_t lc_url_scheme_len(struct lc_str text);

/* Appends the value of a Host header: lower case, brackets around IPv6, no zone, the port unless it is the scheme's.
 * LCE_NOMEM. */
int lc_url_append_host(const struct lc_url *url, struct lc_buffer *out);

/* Appends `text` with its percent escapes undone (for credentials); what is no escape stays. LCE_NOMEM. */
int lc_url_unquote(struct lc_str text, struct lc_buffer *out);

#endif
