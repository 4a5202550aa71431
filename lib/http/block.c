#include "http/block.h"

#include "base/alloc.h"
#include "http/headers.h"

unsigned
lc__known_header(struct lc_str name, struct lc_str value)
{
    static const struct {
        struct lc_str name;
        unsigned known;
    } headers[] = {
        {{"host", 4}, LCORE_KNOWN_HOST},
        {{"cookie", 6}, LCORE_KNOWN_COOKIE},
        {{"content-length", 14}, LCORE_KNOWN_CONTENT_LENGTH},
        {{"content-type", 12}, LCORE_KNOWN_CONTENT_TYPE},
        {{"transfer-encoding", 17}, LCORE_KNOWN_TRANSFER_ENCODING},
        {{"authorization", 13}, LCORE_KNOWN_AUTHORIZATION},
        {{"proxy-authorization", 19}, LCORE_KNOWN_PROXY_AUTHORIZATION},
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (headers[i].name.len == name.len && lc_str_equal_nocase(headers[i].name, name)) {
            return headers[i].known;
        }
    }
    bool is_close =
        lc_str_equal_nocase(name, LCORE_STR("connection")) && lc_str_equal_nocase(value, LCORE_STR("close"));
    return is_close ? LCORE_KNOWN_CLOSE : 0;
}

struct lc_block *
lc__block_get(struct lc_http *http, struct lc_str lines)
{
    uint64_t hash = lc_str_hash(lines);
    struct lc_block **bucket = &http->blocks[hash % LCORE_BLOCK_BUCKETS];
    for (struct lc_block *block = *bucket; block != NULL; block = block->next) {
        if (block->hash == hash && lc_str_equal(block->lines, lines)) {
            block->refs++;
            return block;
        }
    }
    struct lc_block *block = lc__alloc(sizeof(*block) + lines.len);
    if (block == NULL) {
        return NULL;
    }
    char *copy = (char *)(block + 1);
    if (lines.len > 0) {
        memcpy(copy, lines.data, lines.len);
    }
    *block = (struct lc_block){.next = *bucket, .hash = hash, .refs = 1, .lines = {copy, lines.len}};
    size_t position = 0;
    struct lc_str name, value;
    while (lc_header_next(block->lines, &position, &name, &value)) {
        block->known |= lc__known_header(name, value);
    }
    *bucket = block;
    return block;
}

void
lc__block_unref(struct lc_http *http, struct lc_block *block)
{
    if (block == NULL || --block->refs > 0) {
        return;
    }
    struct lc_block **place = &http->blocks[block->hash % LCORE_BLOCK_BUCKETS];
    while (*place != block) {
        place = &(*place)->next;
    }
    *place = block->next;
    lc__free(block);
}
