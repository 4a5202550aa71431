#include "http/cookie_store.h"

#include "base/alloc.h"

static size_t
record_size(const struct lc__cookie_record *record)
{
    return sizeof(*record) + record->name_len + record->domain_len + record->path_len + record->same_site_len +
           record->value_len;
}

static bool
is_same_record(const struct lc__cookie_record *a, const struct lc__cookie_record *b)
{
    return a->expires_s == b->expires_s && a->name_len == b->name_len && a->domain_len == b->domain_len &&
           a->path_len == b->path_len && a->same_site_len == b->same_site_len && a->value_len == b->value_len &&
           a->has_value == b->has_value && a->is_host_only == b->is_host_only && a->is_path_set == b->is_path_set &&
           a->is_secure == b->is_secure && a->is_http_only == b->is_http_only &&
           memcmp(a->bytes, b->bytes, record_size(a) - sizeof(*a)) == 0;
}

static bool
is_same_domain(const struct lc__cookie_record *a, const struct lc__cookie_record *b)
{
    return a->is_host_only == b->is_host_only && lc_str_equal(lc__cookie_domain(a), lc__cookie_domain(b));
}

bool
lc__cookie_has_control(struct lc_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return true;
        }
    }
    return false;
}

char *
lc__cookie_put_value(char *place, struct lc_str value)
{
    if (value.len == 0 || value.data[0] != '"' || value.data[value.len - 1] != '"') {
        return lc__cookie_put(place, value);
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
make_record(const struct lc_cookie *cookie, struct lc__cookie_record **out)
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
        if (parts[i]->len > LCORE_COOKIE_MAX_BYTES || lc__cookie_has_control(*parts[i])) {
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
    struct lc__cookie_record *record = lc__alloc(sizeof(*record) + size);
    if (record == NULL) {
        return LCE_NOMEM;
    }
    *record = (struct lc__cookie_record){
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
    char *place = lc__cookie_put(record->bytes, cookie->name);
    for (size_t i = 0; i < domain.len; i++) {
        *place++ = lc_ascii_lower(domain.data[i]);
    }
    place = lc__cookie_put(place, path);
    place = lc__cookie_put(place, cookie->same_site);
    record->value_len = (uint16_t)(lc__cookie_put_value(place, cookie->value) - place);
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
find_place(const struct lc_cookie_store *store, const struct lc__cookie_record *record)
{
    struct place place = {.index = store->count};
    bool has_path = false;
    for (uint32_t i = 0; i < store->count; i++) {
        const struct lc__cookie_record *other = store->records[i];
        if (!is_same_domain(other, record)) {
            continue;
        }
        if (place.domain_count++ == 0) {
            place.domain_first = i;
        }
        bool is_path = lc_str_equal(lc__cookie_path(other), lc__cookie_path(record));
        if (is_path && lc_str_equal(lc__cookie_name(other), lc__cookie_name(record))) {
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
is_expired(const struct lc__cookie_record *record, int64_t now_s)
{
    return record->expires_s != INT64_MIN && record->expires_s <= now_s;
}

static int
store_record(struct lc_cookie_jar *jar, struct lc__cookie_record *record, int64_t now_s)
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
    struct lc__cookie_record *record;
    int err = make_record(cookie, &record);
    return err < 0 ? err : store_record(jar, record, now_s);
}

bool
lc_cookie_jar_next(const struct lc_cookie_jar *jar, size_t *position, struct lc_cookie *out)
{
    if (jar->store == NULL || *position >= jar->store->count) {
        return false;
    }
    const struct lc__cookie_record *record = jar->store->records[(*position)++];
    *out = (struct lc_cookie){
        .name = lc__cookie_name(record),
        .value = lc__cookie_value(record),
        .domain = lc__cookie_domain(record),
        .path = lc__cookie_path(record),
        .expires_s = record->expires_s,
        .is_host_only = record->is_host_only,
        .is_path_set = record->is_path_set,
        .is_secure = record->is_secure,
        .is_http_only = record->is_http_only,
        .same_site = lc__cookie_same_site(record),
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
        const struct lc__cookie_record *record = store->records[i];
        bool is_match = (domain.data == NULL || (lc_str_equal_nocase(lc__cookie_domain(record), domain) &&
                                                 !(is_dotted && record->is_host_only))) &&
                        (path.data == NULL || lc_str_equal(lc__cookie_path(record), path)) &&
                        (name.data == NULL || lc_str_equal(lc__cookie_name(record), name));
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

void
lc__cookie_store_purge(struct lc_cookie_store *store, int64_t now_s)
{
    int64_t next_s = INT64_MAX;
    uint32_t before = store->count;
    for (uint32_t i = 0; i < store->count;) {
        const struct lc__cookie_record *record = store->records[i];
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
