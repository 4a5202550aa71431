/* Which cookies a response may set, and which a request carries. */
#include "http/cookies.h"

#include <assert.h>

#include "http/cookie_store.h"
#include "http/headers.h"

/* The host as cookies see it: IPv6 in brackets, and what has no dot is in ".local" besides. */
struct cookie_host {
    struct lc_str name;
    bool is_dotless;
    char literal[80];
};

static void
cookie_host_init(struct cookie_host *host, const struct lc_url *url)
{
    host->name = url->host;
    if (url->is_ipv6 && url->host.len + 2 <= sizeof(host->literal)) {
        host->literal[0] = '[';
        memcpy(host->literal + 1, url->host.data, url->host.len);
        host->literal[url->host.len + 1] = ']';
        host->name = (struct lc_str){host->literal, url->host.len + 2};
    }
    host->is_dotless = memchr(host->name.data, '.', host->name.len) == NULL;
}

/* Whether `name` is `domain` or ends in it behind a dot. */
static bool
is_within(struct lc_str name, struct lc_str domain)
{
    if (name.len < domain.len) {
        return false;
    }
    size_t more = name.len - domain.len;
    return (more == 0 || name.data[more - 1] == '.') &&
           lc_str_equal_nocase((struct lc_str){name.data + more, domain.len}, domain);
}

static bool
is_local(struct lc_str domain)
{
    return is_within(domain, LCORE_STR("local"));
}

static struct lc_str
without_local(struct lc_str domain)
{
    size_t cut = domain.len > 5 ? 6 : 5;
    return (struct lc_str){domain.data, domain.len - cut};
}

static bool
is_sent_to(const struct lc__cookie_record *record, const struct cookie_host *host)
{
    struct lc_str domain = lc__cookie_domain(record);
    if (domain.len == 0 || is_within(host->name, domain)) {
        return true;
    }
    if (!host->is_dotless || !is_local(domain)) {
        return false;
    }
    struct lc_str rest = without_local(domain);
    return rest.len == 0 || lc_str_equal_nocase(rest, host->name);
}

/* Whether a response of the host may set a cookie with this Domain attribute (without its dot). */
static bool
may_set_domain(const struct cookie_host *host, struct lc_str domain)
{
    if (domain.len == 0) {
        return false;
    }
    bool is_host_local = host->is_dotless || is_local(host->name);
    if (memchr(domain.data, '.', domain.len) == NULL && !is_host_local) {
        return false;
    }
    if (is_within(host->name, domain)) {
        return true;
    }
    if (host->is_dotless) {
        return is_local(domain) && (domain.len == 5 || lc_str_equal_nocase(without_local(domain), host->name));
    }
    return is_local(host->name) && is_within(without_local(host->name), domain);
}

static struct lc_str
request_path(const struct lc_url *url)
{
    const char *query = memchr(url->target.data, '?', url->target.len);
    return (struct lc_str){url->target.data, query == NULL ? url->target.len : (size_t)(query - url->target.data)};
}

static bool
is_path_match(struct lc_str wanted, struct lc_str path)
{
    if (path.len > wanted.len || memcmp(path.data, wanted.data, path.len) != 0) {
        return false;
    }
    return path.len == wanted.len || path.data[path.len - 1] == '/' || wanted.data[path.len] == '/';
}

struct header_writer {
    struct lc_buffer *out;
    const struct lc_header *extra;
    size_t extra_count;
    size_t start;
    int err;
};

static void
write_pair(struct header_writer *writer, struct lc_str name, struct lc_str value)
{
    struct lc_buffer *out = writer->out;
    int err = lc_buffer_reserve(out, name.len + value.len + 3);
    if (err < 0) {
        writer->err = err;
        return;
    }
    if (out->len > writer->start) {
        memcpy(out->data + out->len, "; ", 2);
        out->len += 2;
    }
    out->len = (size_t)(lc__cookie_put(out->data + out->len, name) - out->data);
    if (value.data != NULL) {
        out->data[out->len++] = '=';
        out->len = (size_t)(lc__cookie_put_value(out->data + out->len, value) - out->data);
    }
}

static const struct lc_header *
find_extra(const struct header_writer *writer, const struct lc__cookie_record *record)
{
    if (record->domain_len > 0 || !lc_str_equal(lc__cookie_path(record), LCORE_STR("/"))) {
        return NULL;
    }
    for (size_t i = 0; i < writer->extra_count; i++) {
        if (lc_str_equal(writer->extra[i].name, lc__cookie_name(record))) {
            return &writer->extra[i];
        }
    }
    return NULL;
}

/* Those of the request that replace none in the jar. */
static void
write_extra(struct header_writer *writer, const struct lc_cookie_store *store)
{
    for (size_t i = 0; i < writer->extra_count; i++) {
        bool is_known = false;
        for (uint32_t k = 0; store != NULL && k < store->count && !is_known; k++) {
            is_known = find_extra(writer, store->records[k]) == &writer->extra[i];
        }
        if (!is_known && writer->extra[i].value.data != NULL) {
            write_pair(writer, writer->extra[i].name, writer->extra[i].value);
        }
    }
}

int
lc_cookie_jar_append_header(struct lc_cookie_jar *jar, const struct lc_url *url, int64_t now_s,
                            const struct lc_header *extra, size_t extra_count, struct lc_buffer *out)
{
    struct header_writer writer = {.out = out, .extra = extra, .extra_count = extra_count, .start = out->len};
    struct lc_cookie_store *store = jar->store;
    if (store == NULL || store->count == 0) {
        write_extra(&writer, NULL);
        return writer.err;
    }
    if (store->next_expiry_s <= now_s) {
        lc__cookie_store_purge(store, now_s);
    }
    struct cookie_host host;
    cookie_host_init(&host, url);
    struct lc_str wanted = request_path(url);
    uint32_t extra_at = store->count;
    uint32_t longest = extra_count > 0 ? 1 : 0;
    for (uint32_t i = 0; i < store->count; i++) {
        const struct lc__cookie_record *record = store->records[i];
        if (record->domain_len == 0) {
            extra_at = i + 1;
        }
        if (record->path_len > longest) {
            longest = record->path_len;
        }
    }
    /* One round for each length of path there is; nearly always that is one round. */
    while (longest > 0 && writer.err == 0) {
        uint32_t next = extra_count > 0 && longest > 1 ? 1 : 0;
        for (uint32_t i = 0; i < store->count; i++) {
            const struct lc__cookie_record *record = store->records[i];
            if (record->path_len < longest && record->path_len > next) {
                next = record->path_len;
            }
            if (i == extra_at && longest == 1) {
                write_extra(&writer, store);
            }
            if (record->path_len == longest && is_path_match(wanted, lc__cookie_path(record)) &&
                is_sent_to(record, &host) && (url->is_https || !record->is_secure)) {
                const struct lc_header *other = find_extra(&writer, record);
                struct lc_str value = other == NULL ? lc__cookie_value(record) : other->value;
                write_pair(&writer, lc__cookie_name(record), value);
            }
        }
        if (extra_at == store->count && longest == 1) {
            write_extra(&writer, store);
        }
        longest = next;
    }
    return writer.err;
}

static bool
is_path_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || lc_ascii_is_digit(c) ||
           (c != '\0' && strchr("_.-~%/;:@&=+$,!*'()", c) != NULL);
}

static bool
is_lower_hex(char c)
{
    return c >= 'a' && c <= 'f';
}

/* A Path attribute with unsafe characters quoted and escapes in capitals; borrowed from `path` or from `scratch`. */
static int
escape_path(struct lc_str *path, struct lc_buffer *scratch)
{
    bool is_clean = true;
    for (size_t i = 0; i < path->len && is_clean; i++) {
        is_clean = is_path_char(path->data[i]) && path->data[i] != '%';
    }
    if (is_clean) {
        return 0;
    }
    scratch->len = 0;
    int err = lc_buffer_reserve(scratch, path->len * 3);
    if (err < 0) {
        return err;
    }
    static const char digits[] = "0123456789ABCDEF";
    char *place = scratch->data;
    for (size_t i = 0; i < path->len; i++) {
        unsigned char c = (unsigned char)path->data[i];
        if (is_path_char((char)c)) {
            *place++ = (char)c;
            if (c == '%' && i + 2 < path->len && lc_ascii_hex_value(path->data[i + 1]) >= 0 &&
                lc_ascii_hex_value(path->data[i + 2]) >= 0) {
                for (int k = 0; k < 2; k++) {
                    char digit = path->data[++i];
                    *place++ = is_lower_hex(digit) ? (char)(digit - 32) : digit;
                }
            }
        } else {
            *place++ = '%';
            *place++ = digits[c >> 4];
            *place++ = digits[c & 15];
        }
    }
    *path = (struct lc_str){scratch->data, (size_t)(place - scratch->data)};
    return 0;
}

/* int() of Python, as far as a server could mean it; huge numbers are cut at what a clock can hold. */
static bool
parse_seconds(struct lc_str text, int64_t *out)
{
    bool is_negative = text.len > 0 && text.data[0] == '-';
    if (text.len > 0 && (is_negative || text.data[0] == '+')) {
        text = (struct lc_str){text.data + 1, text.len - 1};
    }
    int64_t seconds = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        if (seconds < INT64_C(1) << 50) {
            seconds = seconds * 10 + (text.data[i] - '0');
        }
    }
    *out = is_negative ? -seconds : seconds;
    return text.len > 0;
}

static struct lc_str
strip_quotes(struct lc_str text)
{
    if (text.len > 0 && text.data[0] == '"') {
        text = (struct lc_str){text.data + 1, text.len - 1};
    }
    if (text.len > 0 && text.data[text.len - 1] == '"') {
        text.len--;
    }
    return text;
}

/* What the attributes behind the first pair said; the first of a kind counts, but for Max-Age. */
struct attributes {
    struct lc_str domain, path, same_site;
    bool has_domain, has_path, has_secure, has_expires, has_max_age, has_version;
    bool is_secure, is_http_only;
    int64_t version, expires_s;
};

/* Cuts "key=value" off the front of *rest; value.data is NULL where there is no '='. False at the end. */
static bool
next_pair(struct lc_str *rest, struct lc_str *key, struct lc_str *value)
{
    if (rest->data == NULL) {
        return false;
    }
    const char *end = rest->data + rest->len;
    const char *semicolon = memchr(rest->data, ';', rest->len);
    const char *stop = semicolon == NULL ? end : semicolon;
    const char *equals = memchr(rest->data, '=', (size_t)(stop - rest->data));
    const char *key_end = equals == NULL ? stop : equals;
    *key = lc_str_trim((struct lc_str){rest->data, (size_t)(key_end - rest->data)});
    *value = (struct lc_str){0};
    if (equals != NULL) {
        *value = lc_str_trim((struct lc_str){equals + 1, (size_t)(stop - equals - 1)});
    }
    *rest = semicolon == NULL ? (struct lc_str){0} : (struct lc_str){semicolon + 1, (size_t)(end - semicolon - 1)};
    return true;
}

/* False: the cookie is to be ignored. */
static bool
take_attribute(struct attributes *taken, struct lc_str key, struct lc_str value, int64_t now_s)
{
    bool has_value = value.data != NULL;
    if (lc_str_equal_nocase(key, LCORE_STR("domain"))) {
        if (!taken->has_domain) {
            taken->has_domain = true;
            taken->domain = value;
            return has_value;
        }
    } else if (lc_str_equal_nocase(key, LCORE_STR("path"))) {
        if (!taken->has_path) {
            taken->has_path = true;
            taken->path = value;
            return has_value;
        }
    } else if (lc_str_equal_nocase(key, LCORE_STR("expires"))) {
        int64_t expires_s;
        if (!taken->has_max_age && !taken->has_expires && has_value &&
            lc_cookie_parse_date(strip_quotes(value), now_s, &expires_s)) {
            taken->has_expires = true;
            taken->expires_s = expires_s;
        }
    } else if (lc_str_equal_nocase(key, LCORE_STR("max-age"))) {
        int64_t seconds;
        if (!parse_seconds(value, &seconds)) {
            return false;
        }
        taken->has_max_age = taken->has_expires = true;
        taken->expires_s = now_s + seconds;
    } else if (lc_str_equal_nocase(key, LCORE_STR("secure"))) {
        if (!taken->has_secure) {
            taken->has_secure = true;
            taken->is_secure = !has_value || value.len > 0;
        }
    } else if (lc_str_equal_nocase(key, LCORE_STR("version"))) {
        if (!taken->has_version) {
            taken->has_version = true;
            return parse_seconds(strip_quotes(value), &taken->version) && taken->version <= 1;
        }
    } else if (lc_str_equal_nocase(key, LCORE_STR("httponly"))) {
        taken->is_http_only = true;
    } else if (lc_str_equal_nocase(key, LCORE_STR("samesite")) && has_value) {
        taken->same_site = value;
    }
    return true;
}

/* http.cookiejar removes what a response lets expire before it stores what the response sets, wherever they stand. */
enum round { ROUND_ALL, ROUND_REMOVE, ROUND_STORE };

static int
receive_one(struct lc_cookie_jar *jar, const struct lc_url *url, struct lc_str text, int64_t now_s, enum round round)
{
    struct lc_cookie cookie = {.expires_s = INT64_MIN};
    if (text.len > LCORE_COOKIE_MAX_BYTES || lc__cookie_has_control(text) ||
        !next_pair(&text, &cookie.name, &cookie.value) || cookie.name.len == 0) {
        return 0;
    }
    struct attributes taken = {0};
    struct lc_str key, value;
    while (next_pair(&text, &key, &value)) {
        if (!take_attribute(&taken, key, value, now_s)) {
            return 0;
        }
    }
    bool is_removal = taken.has_expires && taken.expires_s <= now_s;
    if (round == (is_removal ? ROUND_STORE : ROUND_REMOVE)) {
        return 0;
    }
    struct cookie_host host;
    char local[300];
    cookie_host_init(&host, url);
    if (taken.has_domain) {
        cookie.domain = taken.domain;
        if (cookie.domain.len > 0 && cookie.domain.data[0] == '.') {
            cookie.domain = (struct lc_str){cookie.domain.data + 1, cookie.domain.len - 1};
        }
        if (!may_set_domain(&host, cookie.domain)) {
            return 0;
        }
    } else {
        cookie.is_host_only = true;
        cookie.domain = host.name;
        if (host.is_dotless && host.name.len + 6 <= sizeof(local)) {
            lc__cookie_put(lc__cookie_put(local, host.name), LCORE_STR(".local"));
            cookie.domain = (struct lc_str){local, host.name.len + 6};
        }
    }
    struct lc_buffer scratch = {0};
    int err = 0;
    if (taken.path.len > 0) {
        cookie.path = taken.path;
        cookie.is_path_set = true;
        err = escape_path(&cookie.path, &scratch);
    } else {
        cookie.path = request_path(url);
        const char *slash = memrchr(cookie.path.data, '/', cookie.path.len);
        assert(slash != NULL);
        cookie.path.len = (size_t)(slash - cookie.path.data) + (taken.version != 0);
    }
    cookie.same_site = taken.same_site;
    cookie.is_secure = taken.is_secure;
    cookie.is_http_only = taken.is_http_only;
    if (taken.has_expires) {
        cookie.expires_s = taken.expires_s;
    }
    if (err == 0) {
        err = lc_cookie_jar_set(jar, &cookie, now_s);
    }
    lc_buffer_fini(&scratch);
    return err == LCE_NOMEM ? err : 0;
}

static int
receive_round(struct lc_cookie_jar *jar, const struct lc_url *url, struct lc_str lines, int64_t now_s, enum round round)
{
    size_t position = 0;
    struct lc_str name, value;
    while (lc_header_next(lines, &position, &name, &value)) {
        if (name.len == 10 && lc_str_equal_nocase(name, LCORE_STR("set-cookie"))) {
            int err = receive_one(jar, url, value, now_s, round);
            if (err < 0) {
                return err;
            }
        }
    }
    return 0;
}

int
lc_cookie_jar_receive(struct lc_cookie_jar *jar, const struct lc_url *url, struct lc_str lines, int64_t now_s)
{
    int count = 0;
    size_t position = 0;
    struct lc_str name, value;
    while (count < 2 && lc_header_next(lines, &position, &name, &value)) {
        count += name.len == 10 && lc_str_equal_nocase(name, LCORE_STR("set-cookie"));
    }
    if (count < 2) {
        return receive_round(jar, url, lines, now_s, ROUND_ALL);
    }
    int err = receive_round(jar, url, lines, now_s, ROUND_REMOVE);
    return err < 0 ? err : receive_round(jar, url, lines, now_s, ROUND_STORE);
}
