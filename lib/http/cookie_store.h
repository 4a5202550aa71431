/* What a jar holds: a list of records in the order http.cookiejar's nested dictionaries have, grouped by domain, within
 * that by path, each in the order of first use. A jar holds a handful of cookies, so everything is a walk over the
 * list. */
#ifndef LCORE_HTTP_COOKIE_STORE_H
#define LCORE_HTTP_COOKIE_STORE_H

#include <string.h>

#include "http/cookies.h"

struct lc__cookie_record {
    int64_t expires_s;
    uint16_t name_len, domain_len, path_len, same_site_len;
    uint16_t value_len;
    bool has_value;
    bool is_host_only;
    bool is_path_set;
    bool is_secure;
    bool is_http_only;
    char bytes[]; /* name, domain, path, SameSite, value */
};

struct lc_cookie_store {
    uint64_t version;
    int64_t next_expiry_s; /* no record expires before */
    uint32_t count;
    uint32_t capacity;
    struct lc__cookie_record *records[];
};

static inline struct lc_str
lc__cookie_name(const struct lc__cookie_record *record)
{
    return (struct lc_str){record->bytes, record->name_len};
}

static inline struct lc_str
lc__cookie_domain(const struct lc__cookie_record *record)
{
    return (struct lc_str){record->bytes + record->name_len, record->domain_len};
}

static inline struct lc_str
lc__cookie_path(const struct lc__cookie_record *record)
{
    return (struct lc_str){record->bytes + record->name_len + record->domain_len, record->path_len};
}

static inline struct lc_str
lc__cookie_same_site(const struct lc__cookie_record *record)
{
    struct lc_str path = lc__cookie_path(record);
    return (struct lc_str){path.data + path.len, record->same_site_len};
}

/* data NULL: the cookie has a name only. */
static inline struct lc_str
lc__cookie_value(const struct lc__cookie_record *record)
{
    struct lc_str same_site = lc__cookie_same_site(record);
    return (struct lc_str){record->has_value ? same_site.data + same_site.len : NULL, record->value_len};
}

static inline char *
lc__cookie_put(char *place, struct lc_str text)
{
    if (text.len > 0) {
        memcpy(place, text.data, text.len);
    }
    return place + text.len;
}

/* Control characters other than the tab, which no cookie may have. */
bool lc__cookie_has_control(struct lc_str text);
/* requests takes escaped quotes out of values that are in quotes. Returns the end; `place` has room for the value. */
char *lc__cookie_put_value(char *place, struct lc_str value);
/* Removes what has expired. */
void lc__cookie_store_purge(struct lc_cookie_store *store, int64_t now_s);

#endif
