#include "entry_cache.h"

#include "base/alloc.h"

/* Room for tens of thousands of names. Pages nobody comes to cost nothing. */
#define SET_BITS 14
#define SET_COUNT ((size_t)1 << SET_BITS)

/* `generation` is of one table and of one filling of it only. */
struct slot {
    PyObject *name, *method;
    struct lc_stats_entry *entry;
    uint64_t generation;
};

/* A line of the processor's caches. */
struct set {
    struct slot slots[2];
};

struct cload_entry_cache {
    struct set sets[SET_COUNT];
};

struct cload_entry_cache *
cload_entry_cache_new(void)
{
    return lc__calloc(1, sizeof(struct cload_entry_cache));
}

static void
slot_clear(struct slot *slot)
{
    Py_CLEAR(slot->name);
    Py_CLEAR(slot->method);
}

void
cload_entry_cache_free(struct cload_entry_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (size_t i = 0; i < SET_COUNT; i++) {
        slot_clear(&cache->sets[i].slots[0]);
        slot_clear(&cache->sets[i].slots[1]);
    }
    lc__free(cache);
}

static bool
get_utf8(PyObject *text, struct lc_str *out)
{
    Py_ssize_t len;
    const char *data = PyUnicode_AsUTF8AndSize(text, &len);
    *out = (struct lc_str){data, (size_t)len};
    return data != NULL;
}

struct lc_stats_entry *
cload_entry_cache_get(struct cload_entry_cache *cache, struct lc_stats *stats, PyObject *name, PyObject *method)
{
    uint64_t mix = ((uint64_t)(uintptr_t)name + ((uint64_t)(uintptr_t)method << 7)) * 0x9e3779b97f4a7c15u;
    struct slot *slots = cache->sets[mix >> (64 - SET_BITS)].slots;
    uint64_t generation = lc_stats_generation(stats);
    for (int i = 0; i < 2; i++) {
        if (slots[i].name == name && slots[i].method == method && slots[i].generation == generation) {
            return slots[i].entry;
        }
    }
    struct lc_str name_text, method_text;
    if (!get_utf8(name, &name_text) || !get_utf8(method, &method_text)) {
        return NULL;
    }
    struct lc_stats_entry *entry = lc_stats_entry(stats, name_text, method_text);
    if (entry == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    struct slot last = slots[1];
    slots[1] = slots[0];
    slots[0] = (struct slot){Py_NewRef(name), Py_NewRef(method), entry, generation};
    slot_clear(&last);
    return entry;
}
