#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SESSIONS = 1 << 20, MAX_ITEMS = 1 << 22, MAX_ITEM_BYTES = 4096 };

static struct session {
    char *user;
    uint32_t secret;
    unsigned visits;
} * sessions;
static size_t session_count, session_cap;

/* What is kept of a thing; json NULL: removed. */
struct item {
    char *json;
    int64_t made_ns;
};

static const char *const collection_names[] = {"items",    "products", "orders", "payments", "deliveries",
                                               "articles", "comments", "users",  "carts"};
enum { COLLECTIONS = sizeof(collection_names) / sizeof(collection_names[0]) };
static struct {
    struct item *items;
    size_t count, cap;
} collections[COLLECTIONS];

static void *
grown(void *array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return array;
    }
    *cap = *cap ? *cap * 2 : 64;
    array = realloc(array, *cap * size);
    if (array == NULL) {
        perror("target");
        exit(1);
    }
    return array;
}

static char *
copied(struct text text)
{
    char *copy = strndup(text.data, text.len);
    if (copy == NULL) {
        perror("target");
        exit(1);
    }
    return copy;
}

void
store_session_new(const char *user, char *token, size_t size)
{
    if (session_count == MAX_SESSIONS) {
        session_count = 0;
    }
    sessions = grown(sessions, session_count, &session_cap, sizeof(*sessions));
    struct session *session = &sessions[session_count];
    *session = (struct session){.user = copied((struct text){user, strlen(user)}), .secret = (uint32_t)random()};
    snprintf(token, size, "%zu-%08x", session_count, session->secret);
    session_count++;
}

static struct session *
session_find(const char *token)
{
    size_t index;
    unsigned secret;
    if (sscanf(token, "%zu-%x", &index, &secret) != 2 || index >= session_count || sessions[index].secret != secret) {
        return NULL;
    }
    return sessions[index].user != NULL ? &sessions[index] : NULL;
}

const char *
store_session_find(const char *token, unsigned *visits)
{
    struct session *session = session_find(token);
    if (session == NULL) {
        return NULL;
    }
    *visits = ++session->visits;
    return session->user;
}

void
store_session_end(const char *token)
{
    struct session *session = session_find(token);
    if (session != NULL) {
        free(session->user);
        session->user = NULL;
    }
}

int
store_collection(struct text name)
{
    for (int i = 0; i < COLLECTIONS; i++) {
        if (text_equals(name, collection_names[i])) {
            return i;
        }
    }
    return -1;
}

static struct item *
item_find(int collection, int64_t id)
{
    if (id < 1 || (size_t)id > collections[collection].count) {
        return NULL;
    }
    struct item *item = &collections[collection].items[id - 1];
    return item->json != NULL ? item : NULL;
}

/* Only an object is kept; anything else a client sends counts as an empty one. */
static char *
object_of(struct text json)
{
    if (json.len < 2 || json.len > MAX_ITEM_BYTES || json.data[0] != '{' || json.data[json.len - 1] != '}') {
        json = TEXT("{}");
    }
    return copied(json);
}

int64_t
store_add(int collection, struct text json)
{
    if (collections[collection].count == MAX_ITEMS) {
        return -1;
    }
    collections[collection].items = grown(collections[collection].items, collections[collection].count,
                                          &collections[collection].cap, sizeof(struct item));
    collections[collection].items[collections[collection].count++] =
        (struct item){.json = object_of(json), .made_ns = now_ns()};
    return (int64_t)collections[collection].count;
}

bool
store_set(int collection, int64_t id, struct text json)
{
    struct item *item = item_find(collection, id);
    if (item == NULL) {
        return false;
    }
    free(item->json);
    item->json = object_of(json);
    return true;
}

bool
store_remove(int collection, int64_t id)
{
    struct item *item = item_find(collection, id);
    if (item == NULL) {
        return false;
    }
    free(item->json);
    item->json = NULL;
    return true;
}

bool
store_print(int collection, int64_t id, struct buf *out)
{
    const struct item *item = item_find(collection, id);
    if (item == NULL) {
        return false;
    }
    int64_t age_ms = (now_ns() - item->made_ns) / 1000000;
    const char *state = age_ms < 300 ? "pending" : age_ms < 600 ? "processing" : "done";
    buf_printf(out, "{\"id\": %lld, \"state\": \"%s\", \"data\": %s}", (long long)id, state, item->json);
    return true;
}

void
store_print_list(int collection, int64_t limit, struct buf *out)
{
    buf_puts(out, "{\"items\": [");
    const char *separator = "";
    for (int64_t id = (int64_t)collections[collection].count; id > 0 && limit > 0; id--) {
        if (item_find(collection, id) != NULL) {
            buf_puts(out, separator);
            store_print(collection, id, out);
            separator = ", ";
            limit--;
        }
    }
    buf_printf(out, "], \"total\": %zu}", collections[collection].count);
}
