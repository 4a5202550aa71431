#include "entry_cache.h"

#include "base/alloc.h"

#define SLOT_COUNT 4096

struct slot {
    PyObject *name, *method;
    struct lc_stats *stats;
    struct lc_stats_entry *entry;
    uint64_t generation;
};

struct cload_entry_cache {
    struct slot slots[SLOT_COUNT];
};

struct cload_entry_cache *
cload_entry_cache_new(void)
{
    return lc__calloc(1, sizeof(struct cload_entry_cache));
}

void
cload_entry_cache_free(struct cload_entry_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        Py_XDECREF(cache->slots[i].name);
        Py_XDECREF(cache->slots[i].method);
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
    uintptr_t mix = ((uintptr_t)name >> 4) ^ ((uintptr_t)method >> 7);
    struct slot *slot = &cache->slots[(mix ^ (mix >> 12)) & (SLOT_COUNT - 1)];
    uint64_t generation = lc_stats_generation(stats);
    if (slot->name == name && slot->method == method && slot->stats == stats && slot->generation == generation) {
        return slot->entry;
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
    Py_XSETREF(slot->name, Py_NewRef(name));
    Py_XSETREF(slot->method, Py_NewRef(method));
    slot->stats = stats;
    slot->entry = entry;
    slot->generation = generation;
    return entry;
}
