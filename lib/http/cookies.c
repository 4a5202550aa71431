/* The store is a list of records in the order http.cookiejar's nested dictionaries have: grouped by domain, within that
 * by path, each in the order of first use. A jar holds a handful of cookies, so everything is a walk over the list. */
#include "http/cookies.h"

#include <assert.h>

#include "base/alloc.h"
#include "http/headers.h"

struct record {
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
    struct record *records[];
};

static struct lc_str
record_name(const struct record *record)
{
    return (struct lc_str){record->bytes, record->name_len};
}

static struct lc_str
record_domain(const struct record *record)
{
    return (struct lc_str){record->bytes + record->name_len, record->domain_len};
}

static struct lc_str
record_path(const struct record *record)
{
    return (struct lc_str){record->bytes + record->name_len + record->domain_len, record->path_len};
}

static struct lc_str
record_same_site(const struct record *record)
{
    struct lc_str path = record_path(record);
    return (struct lc_str){path.data + path.len, record->same_site_len};
}

/* data NULL: the cookie has a name only. */
static struct lc_str
record_value(const struct record *record)
{
    struct lc_str same_site = record_same_site(record);
    return (struct lc_str){record->has_value ? same_site.data + same_site.len : NULL, record->value_len};
}

static size_t
record_size(const struct record *record)
{
    return sizeof(*record) + record->name_len + record->domain_len + record->path_len + record->same_site_len +
           record->value_len;
}

static bool
is_same_record(const struct record *a, const struct record *b)
{
    return a->expires_s == b->expires_s && a->name_len == b->name_len && a->domain_len == b->domain_len &&
           a->path_len == b->path_len && a->same_site_len == b->same_site_len && a->value_len == b->value_len &&
           a->has_value == b->has_value && a->is_host_only == b->is_host_only && a->is_path_set == b->is_path_set &&
           a->is_secure == b->is_secure && a->is_http_only == b->is_http_only &&
           memcmp(a->bytes, b->bytes, record_size(a) - sizeof(*a)) == 0;
}

static bool
is_same_domain(const struct record *a, const struct record *b)
{
    return a->is_host_only == b->is_host_only && lc_str_equal(record_domain(a), record_domain(b));
}

static char *
put(char *place, struct lc_str text)
{
    if (text.len > 0) {
        memcpy(place, text.data, text.len);
    }
    return place + text.len;
}

static bool
has_control(struct lc_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return true;
        }
    }
    return false;
}

/* requests takes escaped quotes out of values that are in quotes. */
static char *
put_value(char *place, struct lc_str value)
{
    if (value.len == 0 || value.data[0] != '"' || value.data[value.len - 1] != '"') {
        return put(place, value);
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '\\' && i + 1 < value.len && value.data[i + 1] == '"') {
            i++;
        } else {
            *place++ = value.data[i];
        }
    }
    return place;
}

static int
make_record(const struct lc_cookie *cookie, struct record **out)
{
    struct lc_str domain = cookie->domain, path = cookie->path;
    bool is_host_only = cookie->is_host_only;
    if (domain.len > 0 && domain.data[0] == '.') {
        domain = (struct lc_str){domain.data + 1, domain.len - 1};
        is_host_only = false;
    }
    if (path.len == 0) {
        path = LCORE_STR("/");
    }
    const struct lc_str *parts[] = {&cookie->name, &domain, &path, &cookie->same_site, &cookie->value};
    size_t size = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i]->len > LCORE_COOKIE_MAX_BYTES || has_control(*parts[i])) {
            return parts[i]->len > LCORE_COOKIE_MAX_BYTES ? LCE_LIMIT : LCE_FORMAT;
        }
        size += parts[i]->len;
    }
    if (size > LCORE_COOKIE_MAX_BYTES) {
        return LCE_LIMIT;
    }
    if (cookie->name.len == 0) {
        return LCE_FORMAT;
    }
    struct record *record = lc__alloc(sizeof(*record) + size);
    if (record == NULL) {
        return LCE_NOMEM;
    }
    *record = (struct record){
        .expires_s = cookie->expires_s,
        .name_len = (uint16_t)cookie->name.len,
        .domain_len = (uint16_t)domain.len,
        .path_len = (uint16_t)path.len,
        .same_site_len = (uint16_t)cookie->same_site.len,
        .has_value = cookie->value.data != NULL,
        .is_host_only = is_host_only,
        .is_path_set = cookie->is_path_set,
        .is_secure = cookie->is_secure,
        .is_http_only = cookie->is_http_only,
    };
    char *place = put(record->bytes, cookie->name);
    for (size_t i = 0; i < domain.len; i++) {
        *place++ = lc_ascii_lower(domain.data[i]);
    }
    place = put(place, path);
    place = put(place, cookie->same_site);
    record->value_len = (uint16_t)(put_value(place, cookie->value) - place);
    *out = record;
    return 0;
}

void
lc_cookie_jar_fini(struct lc_cookie_jar *jar)
{
    struct lc_cookie_store *store = jar->store;
    if (store != NULL) {
        for (uint32_t i = 0; i < store->count; i++) {
            lc__free(store->records[i]);
        }
        lc__free(store);
        jar->store = NULL;
    }
}

static void
remove_at(struct lc_cookie_store *store, uint32_t index)
{
    lc__free(store->records[index]);
    store->count--;
    memmove(&store->records[index], &store->records[index + 1], (store->count - index) * sizeof(store->records[0]));
}

static int
grow_store(struct lc_cookie_jar *jar)
{
    struct lc_cookie_store *store = jar->store;
    if (store != NULL && store->count < store->capacity) {
        return 0;
    }
    uint32_t capacity = store == NULL ? 2 : store->capacity * 2;
    struct lc_cookie_store *grown = lc__realloc(store, sizeof(*store) + capacity * sizeof(store->records[0]));
    if (grown == NULL) {
        return LCE_NOMEM;
    }
    if (store == NULL) {
        *grown = (struct lc_cookie_store){.next_expiry_s = INT64_MAX};
    }
    grown->capacity = capacity;
    jar->store = grown;
    return 0;
}

/* Where a record stands, or has to be put: behind the last of its domain and path, else of its domain, else last. */
struct place {
    uint32_t index;
    bool is_found;
    uint32_t domain_first, domain_count;
};

static struct place
find_place(const struct lc_cookie_store *store, const struct record *record)
{
    struct place place = {.index = store->count};
    bool has_path = false;
    for (uint32_t i = 0; i < store->count; i++) {
        const struct record *other = store->records[i];
        if (!is_same_domain(other, record)) {
            continue;
        }
        if (place.domain_count++ == 0) {
            place.domain_first = i;
        }
        bool is_path = lc_str_equal(record_path(other), record_path(record));
        if (is_path && lc_str_equal(record_name(other), record_name(record))) {
            place.index = i;
            place.is_found = true;
            return place;
        }
        if (is_path || !has_path) {
            place.index = i + 1;
            has_path = has_path || is_path;
        }
    }
    return place;
}

static bool
is_expired(const struct record *record, int64_t now_s)
{
    return record->expires_s != INT64_MIN && record->expires_s <= now_s;
}

static int
store_record(struct lc_cookie_jar *jar, struct record *record, int64_t now_s)
{
    struct place place = {0};
    if (jar->store != NULL) {
        place = find_place(jar->store, record);
    }
    if (is_expired(record, now_s)) {
        if (place.is_found) {
            remove_at(jar->store, place.index);
            jar->store->version++;
        }
        lc__free(record);
        return 0;
    }
    if (place.is_found && is_same_record(jar->store->records[place.index], record)) {
        lc__free(record);
        return 0;
    }
    if (!place.is_found && place.domain_count == LCORE_COOKIE_MAX_PER_DOMAIN) {
        remove_at(jar->store, place.domain_first);
        place.index--;
    } else if (!place.is_found && jar->store != NULL && jar->store->count == LCORE_COOKIE_MAX) {
        remove_at(jar->store, 0);
        place.index -= place.index > 0;
    }
    if (!place.is_found && grow_store(jar) < 0) {
        lc__free(record);
        return LCE_NOMEM;
    }
    struct lc_cookie_store *store = jar->store;
    if (place.is_found) {
        lc__free(store->records[place.index]);
    } else {
        memmove(&store->records[place.index + 1], &store->records[place.index],
                (store->count - place.index) * sizeof(store->records[0]));
        store->count++;
    }
    store->records[place.index] = record;
    store->version++;
    if (record->expires_s != INT64_MIN && record->expires_s < store->next_expiry_s) {
        store->next_expiry_s = record->expires_s;
    }
    return 0;
}

int
lc_cookie_jar_set(struct lc_cookie_jar *jar, const struct lc_cookie *cookie, int64_t now_s)
{
    struct record *record;
    int err = make_record(cookie, &record);
    return err < 0 ? err : store_record(jar, record, now_s);
}

bool
lc_cookie_jar_next(const struct lc_cookie_jar *jar, size_t *position, struct lc_cookie *out)
{
    if (jar->store == NULL || *position >= jar->store->count) {
        return false;
    }
    const struct record *record = jar->store->records[(*position)++];
    *out = (struct lc_cookie){
        .name = record_name(record),
        .value = record_value(record),
        .domain = record_domain(record),
        .path = record_path(record),
        .expires_s = record->expires_s,
        .is_host_only = record->is_host_only,
        .is_path_set = record->is_path_set,
        .is_secure = record->is_secure,
        .is_http_only = record->is_http_only,
        .same_site = record_same_site(record),
    };
    return true;
}

int
lc_cookie_jar_remove(struct lc_cookie_jar *jar, struct lc_str domain, struct lc_str path, struct lc_str name)
{
    struct lc_cookie_store *store = jar->store;
    int removed = 0;
    bool is_dotted = domain.len > 0 && domain.data[0] == '.';
    if (is_dotted) {
        domain = (struct lc_str){domain.data + 1, domain.len - 1};
    }
    for (uint32_t i = 0; store != NULL && i < store->count;) {
        const struct record *record = store->records[i];
        bool is_match = (domain.data == NULL || (lc_str_equal_nocase(record_domain(record), domain) &&
                                                 !(is_dotted && record->is_host_only))) &&
                        (path.data == NULL || lc_str_equal(record_path(record), path)) &&
                        (name.data == NULL || lc_str_equal(record_name(record), name));
        if (is_match) {
            remove_at(store, i);
            removed++;
        } else {
            i++;
        }
    }
    if (removed > 0) {
        store->version++;
    }
    return removed;
}

uint64_t
lc_cookie_jar_version(const struct lc_cookie_jar *jar)
{
    return jar->store == NULL ? 0 : jar->store->version;
}

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
is_sent_to(const struct record *record, const struct cookie_host *host)
{
    struct lc_str domain = record_domain(record);
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

static void
purge_expired(struct lc_cookie_store *store, int64_t now_s)
{
    int64_t next_s = INT64_MAX;
    uint32_t before = store->count;
    for (uint32_t i = 0; i < store->count;) {
        const struct record *record = store->records[i];
        if (is_expired(record, now_s)) {
            remove_at(store, i);
            continue;
        }
        if (record->expires_s != INT64_MIN && record->expires_s < next_s) {
            next_s = record->expires_s;
        }
        i++;
    }
    store->next_expiry_s = next_s;
    store->version += store->count != before;
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
    out->len = (size_t)(put(out->data + out->len, name) - out->data);
    if (value.data != NULL) {
        out->data[out->len++] = '=';
        out->len = (size_t)(put_value(out->data + out->len, value) - out->data);
    }
}

static const struct lc_header *
find_extra(const struct header_writer *writer, const struct record *record)
{
    if (record->domain_len > 0 || !lc_str_equal(record_path(record), LCORE_STR("/"))) {
        return NULL;
    }
    for (size_t i = 0; i < writer->extra_count; i++) {
        if (lc_str_equal(writer->extra[i].name, record_name(record))) {
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
        purge_expired(store, now_s);
    }
    struct cookie_host host;
    cookie_host_init(&host, url);
    struct lc_str wanted = request_path(url);
    uint32_t extra_at = store->count;
    uint32_t longest = extra_count > 0 ? 1 : 0;
    for (uint32_t i = 0; i < store->count; i++) {
        const struct record *record = store->records[i];
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
            const struct record *record = store->records[i];
            if (record->path_len < longest && record->path_len > next) {
                next = record->path_len;
            }
            if (i == extra_at && longest == 1) {
                write_extra(&writer, store);
            }
            if (record->path_len == longest && is_path_match(wanted, record_path(record)) &&
                is_sent_to(record, &host) && (url->is_https || !record->is_secure)) {
                const struct lc_header *other = find_extra(&writer, record);
                struct lc_str value = other == NULL ? record_value(record) : other->value;
                write_pair(&writer, record_name(record), value);
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
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_.-~%/;:@&=+$,!*'()", c) != NULL);
}

static bool
is_lower_hex(char c)
{
    return c >= 'a' && c <= 'f';
}

static bool
is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || is_lower_hex(c);
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
            if (c == '%' && i + 2 < path->len && is_hex(path->data[i + 1]) && is_hex(path->data[i + 2])) {
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
    if (text.len > LCORE_COOKIE_MAX_BYTES || has_control(text) || !next_pair(&text, &cookie.name, &cookie.value) ||
        cookie.name.len == 0) {
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
            put(put(local, host.name), LCORE_STR(".local"));
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

/* What is left of a date's text. */
struct scanner {
    const char *place, *end;
};

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
    c = lc_ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

static size_t
skip_blanks(struct scanner *scanner)
{
    const char *start = scanner->place;
    while (scanner->place < scanner->end && (*scanner->place == ' ' || *scanner->place == '\t')) {
        scanner->place++;
    }
    return (size_t)(scanner->place - start);
}

static bool
take_char(struct scanner *scanner, char c)
{
    if (scanner->place < scanner->end && *scanner->place == c) {
        scanner->place++;
        return true;
    }
    return false;
}

/* Between `least` and `most` digits; *count says how many. */
static bool
take_number(struct scanner *scanner, int least, int most, int *number)
{
    int count = 0;
    *number = 0;
    while (count < most && scanner->place < scanner->end && is_digit(*scanner->place)) {
        *number = *number * 10 + (*scanner->place++ - '0');
        count++;
    }
    return count >= least;
}

/* Blanks, '-' or '/' between the parts of a day. */
static bool
take_day_separator(struct scanner *scanner)
{
    return skip_blanks(scanner) > 0 || take_char(scanner, '-') || take_char(scanner, '/');
}

static struct lc_str
take_word(struct scanner *scanner)
{
    const char *start = scanner->place;
    while (scanner->place < scanner->end &&
           (is_letter(*scanner->place) || is_digit(*scanner->place) || *scanner->place == '_')) {
        scanner->place++;
    }
    return (struct lc_str){start, (size_t)(scanner->place - start)};
}

static int
index_of_name(const char *names, struct lc_str word)
{
    for (int i = 0; names[i * 3] != '\0'; i++) {
        if (lc_str_equal_nocase(word, (struct lc_str){names + i * 3, 3})) {
            return i;
        }
    }
    return -1;
}

static void
skip_weekday(struct scanner *scanner)
{
    struct scanner ahead = *scanner;
    while (ahead.place < ahead.end && is_letter(*ahead.place)) {
        ahead.place++;
    }
    if (ahead.place - scanner->place >= 3 &&
        index_of_name("sunmontuewedthufrisat", (struct lc_str){scanner->place, 3}) >= 0) {
        take_char(&ahead, ',');
        skip_blanks(&ahead);
        *scanner = ahead;
    }
}

static bool
take_month(struct scanner *scanner, int *month)
{
    struct lc_str word = take_word(scanner);
    int index = index_of_name("janfebmaraprmayjunjulaugsepoctnovdec", word);
    if (index >= 0) {
        *month = index + 1;
        return true;
    }
    uint64_t number;
    if (!lc_str_to_u64(word, &number) || number < 1 || number > 12) {
        return false;
    }
    *month = (int)number;
    return true;
}

/* Seconds the zone is ahead of UTC; names other than UTC's are not known. */
static bool
take_zone(struct scanner *scanner, int *offset_s)
{
    *offset_s = 0;
    if (scanner->place < scanner->end && is_letter(*scanner->place)) {
        const char *start = scanner->place;
        while (scanner->place < scanner->end && is_letter(*scanner->place)) {
            scanner->place++;
        }
        struct lc_str zone = {start, (size_t)(scanner->place - start)};
        return lc_str_equal_nocase(zone, LCORE_STR("gmt")) || lc_str_equal_nocase(zone, LCORE_STR("utc")) ||
               lc_str_equal_nocase(zone, LCORE_STR("ut")) || lc_str_equal_nocase(zone, LCORE_STR("z"));
    }
    bool is_west = take_char(scanner, '-');
    bool is_signed = is_west || take_char(scanner, '+');
    const char *start = scanner->place;
    int number;
    if (!take_number(scanner, is_signed ? 2 : 0, 4, &number)) {
        return false;
    }
    ptrdiff_t count = scanner->place - start;
    if (count == 1) {
        return false;
    }
    int seconds = count <= 2 ? number * 3600 : number / 100 * 3600 + number % 100 * 60;
    *offset_s = is_west ? -seconds : seconds;
    return true;
}

static int64_t
days_since_epoch(int64_t year, int month, int day)
{
    /* March is the first month, so that the leap day is the last of the year. */
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int
year_of(int64_t unix_s)
{
    int64_t year = 1970 + unix_s / 31556952;
    while (days_since_epoch(year + 1, 1, 1) * 86400 <= unix_s) {
        year++;
    }
    while (days_since_epoch(year, 1, 1) * 86400 > unix_s) {
        year--;
    }
    return (int)year;
}

/* The year of those digits that is nearest to now. */
static int
full_year(int year, int64_t now_s)
{
    if (year >= 1000) {
        return year;
    }
    int now = year_of(now_s);
    int distance = now % 100 - year;
    year += now - now % 100;
    if (distance > 50) {
        year += 100;
    } else if (distance < -50) {
        year -= 100;
    }
    return year;
}

bool
lc_cookie_parse_date(struct lc_str text, int64_t now_s, int64_t *unix_s)
{
    struct scanner scanner = {text.data, text.data + text.len};
    skip_blanks(&scanner);
    skip_weekday(&scanner);
    int day, month, year, hour = 0, minute = 0, second = 0, offset_s;
    if (!take_number(&scanner, 1, 2, &day) || !take_day_separator(&scanner) || !take_month(&scanner, &month) ||
        !take_day_separator(&scanner) || !take_number(&scanner, 1, 9, &year) || year > 9999) {
        return false;
    }
    struct scanner clock = scanner;
    if ((skip_blanks(&clock) > 0 || take_char(&clock, ':')) && take_number(&clock, 1, 2, &hour) &&
        take_char(&clock, ':') && take_number(&clock, 2, 2, &minute)) {
        scanner = clock;
        if (take_char(&clock, ':') && take_number(&clock, 2, 2, &second)) {
            scanner = clock;
        } else {
            second = 0;
        }
    } else {
        hour = minute = 0;
    }
    skip_blanks(&scanner);
    if (!take_zone(&scanner, &offset_s)) {
        return false;
    }
    skip_blanks(&scanner);
    if (take_char(&scanner, '(')) {
        if (take_word(&scanner).len == 0 || !take_char(&scanner, ')')) {
            return false;
        }
        skip_blanks(&scanner);
    }
    if (scanner.place != scanner.end) {
        return false;
    }
    year = full_year(year, now_s);
    if (year < 1970 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 61) {
        return false;
    }
    *unix_s = days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset_s;
    return true;
}
