#include "target.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEAD = 1 << 20, MAX_BODY = 64 << 20 };

bool
request_next_header(const struct request *request, size_t *position, struct text *name, struct text *value)
{
    while (*position < request->head.len) {
        const char *line = request->head.data + *position;
        const char *end = memchr(line, '\n', request->head.len - *position);
        if (end == NULL) {
            return false;
        }
        *position += (size_t)(end - line) + 1;
        const char *colon = memchr(line, ':', (size_t)(end - line));
        if (colon == NULL) {
            continue;
        }
        const char *start = colon + 1;
        while (start < end && (*start == ' ' || *start == '\t')) {
            start++;
        }
        while (end > start && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }
        *name = (struct text){line, (size_t)(colon - line)};
        *value = (struct text){start, (size_t)(end - start)};
        return true;
    }
    return false;
}

struct text
request_header(const struct request *request, const char *name)
{
    size_t position = 0;
    struct text found, value;
    while (request_next_header(request, &position, &found, &value)) {
        if (text_equals_nocase(found, name)) {
            return value;
        }
    }
    return (struct text){NULL, 0};
}

/* Decodes the chunked body at the start of `in`. Returns the bytes it took, 0 if it is not whole yet, -1 if malformed.
 */
static int64_t
chunked_decode(struct text in, struct buf *body)
{
    size_t position = 0;
    for (;;) {
        const char *line = in.data + position;
        const char *end = memchr(line, '\n', in.len - position);
        if (end == NULL) {
            return in.len - position > 1024 ? -1 : 0;
        }
        char *stop;
        unsigned long size = strtoul(line, &stop, 16);
        if (stop == line || size > MAX_BODY) {
            return -1;
        }
        position = (size_t)(end - in.data) + 1;
        if (size == 0) {
            /* Trailer lines up to an empty one. */
            while ((end = memchr(in.data + position, '\n', in.len - position)) != NULL) {
                size_t len = (size_t)(end - (in.data + position));
                bool is_last = len == 0 || (len == 1 && in.data[position] == '\r');
                position += len + 1;
                if (is_last) {
                    return (int64_t)position;
                }
            }
            return 0;
        }
        if (in.len - position < size + 2) {
            return 0;
        }
        buf_add(body, in.data + position, size);
        position += size + 2;
    }
}

static bool
head_parse(struct text head, struct request *request)
{
    const char *end = memchr(head.data, '\n', head.len);
    const char *space = memchr(head.data, ' ', (size_t)(end - head.data));
    if (space == NULL) {
        return false;
    }
    const char *target = space + 1;
    const char *version = memchr(target, ' ', (size_t)(end - target));
    if (version == NULL || strncmp(version, " HTTP/1.", 8) != 0) {
        return false;
    }
    struct text path = {target, (size_t)(version - target)};
    if (text_has_prefix(path, "http://")) {
        /* As a proxy gets it. */
        const char *slash = memchr(path.data + 7, '/', path.len - 7);
        path = slash ? (struct text){slash, (size_t)(version - slash)} : TEXT("/");
    }
    const char *mark = memchr(path.data, '?', path.len);
    request->query = (struct text){NULL, 0};
    if (mark != NULL) {
        request->query = (struct text){mark + 1, path.len - (size_t)(mark + 1 - path.data)};
        path.len = (size_t)(mark - path.data);
    }
    request->method = (struct text){head.data, (size_t)(space - head.data)};
    request->path = path;
    request->is_head = text_equals(request->method, "HEAD");
    request->is_keep_alive = version[8] != '0';
    request->head = (struct text){end + 1, head.len - (size_t)(end + 1 - head.data)};
    return true;
}

/* What the header says of the body: its length (-1: nonsense), or that it comes in chunks. */
static int64_t
read_framing(struct request *request, bool *is_chunked)
{
    size_t position = 0;
    struct text name, value;
    int64_t length = 0;
    while (request_next_header(request, &position, &name, &value)) {
        if (text_equals_nocase(name, "Content-Length")) {
            length = text_number(value, -1);
        } else if (text_equals_nocase(name, "Transfer-Encoding")) {
            *is_chunked = text_equals_nocase(value, "chunked");
        } else if (text_equals_nocase(name, "Connection")) {
            request->is_keep_alive = text_equals_nocase(value, "close")        ? false
                                     : text_equals_nocase(value, "keep-alive") ? true
                                                                               : request->is_keep_alive;
        } else if (text_equals_nocase(name, "Expect")) {
            request->is_expecting = text_equals_nocase(value, "100-continue");
        }
    }
    return length;
}

enum request_state
request_read(struct text in, struct request *request, size_t *taken)
{
    static struct buf chunked;
    *request = (struct request){0};
    const char *end = in.len > 0 ? memmem(in.data, in.len, "\r\n\r\n", 4) : NULL;
    if (end == NULL) {
        /* A TLS handshake begins with no letter. */
        bool is_http = in.len <= MAX_HEAD && (in.len == 0 || isalpha((unsigned char)in.data[0]));
        return is_http ? REQUEST_INCOMPLETE : REQUEST_BAD;
    }
    size_t head_len = (size_t)(end - in.data) + 4;
    if (!head_parse((struct text){in.data, head_len}, request)) {
        return REQUEST_BAD;
    }
    struct text rest = {in.data + head_len, in.len - head_len};
    bool is_chunked = false;
    int64_t length = read_framing(request, &is_chunked), body_taken = length;
    bool is_whole = length >= 0 && rest.len >= (size_t)length;
    request->body = (struct text){rest.data, (size_t)length};
    if (is_chunked) {
        chunked.len = 0;
        body_taken = chunked_decode(rest, &chunked);
        is_whole = body_taken > 0;
        request->body = (struct text){chunked.data, chunked.len};
    }
    if (body_taken < 0 || body_taken > MAX_BODY || in.len > (size_t)MAX_BODY + MAX_HEAD) {
        return REQUEST_BAD;
    }
    *taken = head_len + (size_t)body_taken;
    return is_whole ? REQUEST_WHOLE : REQUEST_INCOMPLETE;
}
