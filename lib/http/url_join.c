/* References put together with the URL they stand in, as urllib.parse.urljoin() does it. */
#include <string.h>

#include "http/url.h"
#include "http/url_text.h"

/* A URL or reference cut as urllib.parse.urlsplit() does; host includes credentials and port. */
struct reference {
    struct lc_str scheme, host, path, query, fragment;
    bool has_host;
};

static void
split_reference(struct lc_str text, struct reference *out)
{
    *out = (struct reference){0};
    size_t scheme_len = lc_url_scheme_len(text);
    const char *place = text.data, *end = text.data + text.len;
    if (scheme_len > 0) {
        out->scheme = (struct lc_str){place, scheme_len};
        place += scheme_len + 1;
    }
    if (end - place >= 2 && place[0] == '/' && place[1] == '/') {
        const char *host = place += 2;
        while (place < end && *place != '/' && *place != '?' && *place != '#') {
            place++;
        }
        out->host = lc__url_between(host, place);
        out->has_host = out->host.len > 0;
    }
    const char *hash = place == end ? NULL : memchr(place, '#', (size_t)(end - place));
    if (hash != NULL) {
        out->fragment = lc__url_between(hash + 1, end);
        end = hash;
    }
    out->path = lc__url_split_query(lc__url_between(place, end), &out->query);
    /* Parameters of the last segment that are empty are dropped. */
    size_t segment = out->path.len;
    while (segment > 0 && out->path.data[segment - 1] != '/') {
        segment--;
    }
    const char *first = out->path.len == 0 ? NULL : memchr(out->path.data + segment, ';', out->path.len - segment);
    if (first != NULL && first + 1 == out->path.data + out->path.len) {
        out->path.len--;
    }
}

/* Where urljoin() merges paths: segments of the base but its last, then those of the reference, without empty ones in
 * between; ".." takes the last one off. */
struct path_merge {
    struct lc_buffer *out;
    size_t start; /* of the path in out */
    size_t count; /* segments in out, joined by '/' */
};

static int
merge_segment(struct path_merge *merge, struct lc_str segment)
{
    struct lc_buffer *out = merge->out;
    if (lc_str_equal(segment, LCORE_STR(".."))) {
        if (merge->count > 0) {
            merge->count--;
            const char *path = out->data + merge->start;
            const char *last = merge->count == 0 ? NULL : memrchr(path, '/', out->len - merge->start);
            out->len = last == NULL ? merge->start : (size_t)(last - out->data);
        }
        return 0;
    }
    if (lc_str_equal(segment, LCORE_STR("."))) {
        return 0;
    }
    int err = merge->count++ > 0 ? lc_buffer_append(out, "/", 1) : 0;
    return err < 0 ? err : lc_buffer_append_str(out, segment);
}

static int
merge_paths(struct lc_str base, struct lc_str path, struct lc_buffer *out)
{
    struct path_merge merge = {.out = out, .start = out->len};
    bool is_absolute = path.len > 0 && path.data[0] == '/';
    bool is_first = true;
    const char *last_slash = base.len == 0 ? NULL : memrchr(base.data, '/', base.len);
    int err = 0;
    if (!is_absolute && last_slash != NULL) {
        const char *place = base.data;
        while (place <= last_slash && err == 0) {
            const char *slash = place;
            while (*slash != '/') {
                slash++;
            }
            if (is_first || slash > place) {
                err = merge_segment(&merge, lc__url_between(place, slash));
            }
            is_first = false;
            place = slash + 1;
        }
    }
    const char *place = path.data, *end = path.data + path.len;
    bool is_last = false;
    struct lc_str segment = {0};
    while (!is_last && err == 0) {
        const char *slash = place == end ? NULL : memchr(place, '/', (size_t)(end - place));
        is_last = slash == NULL;
        segment = lc__url_between(place, is_last ? end : slash);
        if (is_absolute || is_first || is_last || segment.len > 0) {
            err = merge_segment(&merge, segment);
        }
        is_first = false;
        place = is_last ? end : slash + 1;
    }
    if (err == 0 && (lc_str_equal(segment, LCORE_STR(".")) || lc_str_equal(segment, LCORE_STR("..")))) {
        err = merge_segment(&merge, (struct lc_str){0});
    }
    if (err < 0 || (out->len > merge.start && out->data[merge.start] == '/')) {
        return err;
    }
    err = lc_buffer_reserve(out, 1);
    if (err == 0) {
        char *start = out->data + merge.start;
        memmove(start + 1, start, out->len++ - merge.start);
        *start = '/';
    }
    return err;
}

static int
append_part(struct lc_buffer *out, const char *mark, struct lc_str part)
{
    if (part.len == 0) {
        return 0;
    }
    int err = lc_buffer_append(out, mark, strlen(mark));
    return err < 0 ? err : lc_buffer_append_str(out, part);
}

int
lc_url_join(struct lc_str base, struct lc_str reference, struct lc_buffer *out)
{
    if (reference.len == 0) {
        return lc_buffer_append_str(out, base);
    }
    struct reference root, rest;
    split_reference(base, &root);
    split_reference(reference, &rest);
    if (rest.scheme.len > 0 && !lc_str_equal_nocase(rest.scheme, root.scheme)) {
        return lc_buffer_append_str(out, reference);
    }
    size_t start = out->len;
    int err = lc_buffer_append_str(out, root.scheme);
    for (size_t i = start; i < out->len; i++) {
        out->data[i] = lc_ascii_lower(out->data[i]);
    }
    if (err == 0) {
        err = lc_buffer_append(out, "://", 3);
    }
    if (err == 0) {
        err = lc_buffer_append_str(out, rest.has_host ? rest.host : root.host);
    }
    if (err < 0) {
        return err;
    }
    struct lc_str query = rest.query;
    if (rest.has_host) {
        err = lc_buffer_append_str(out, rest.path);
    } else if (rest.path.len == 0) {
        query = rest.query.len > 0 ? rest.query : root.query;
        err = lc_buffer_append_str(out, root.path);
    } else {
        err = merge_paths(root.path, rest.path, out);
    }
    if (err == 0) {
        err = append_part(out, "?", query);
    }
    return err < 0 ? err : append_part(out, "#", rest.fragment);
}
