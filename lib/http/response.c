#include "http/response.h"

#include "base/alloc.h"
#include "http/headers.h"
#include "http/stream.h"

struct response_box {
    struct lc_response response; /* first: the one is cast to the other */
    char *body;                  /* taken over from a buffer; NULL: in bytes */
    size_t size;                 /* of all this */
    char bytes[];
};

const char *
lc_fail_text(enum lc_fail fail)
{
    switch (fail) {
#define LCORE_FAIL_CASE(name, text)                                                                                    \
    case LCORE_FAIL_##name:                                                                                            \
        return text;
        LCORE_FAIL_LIST(LCORE_FAIL_CASE)
#undef LCORE_FAIL_CASE
    default:
        return "unknown failure";
    }
}

static int64_t
span_ns(int64_t from_ns, int64_t to_ns)
{
    return from_ns == 0 || to_ns < from_ns ? -1 : to_ns - from_ns;
}

void
lc_timings_phases(const struct lc_timings *timings, struct lc_phases *out)
{
    int64_t *ns = out->ns;
    int64_t ready_ns = timings->begin_ns;
    ns[LCORE_PHASE_DNS] = ns[LCORE_PHASE_CONNECT] = ns[LCORE_PHASE_TLS] = -1;
    if (timings->dns_ns != 0) {
        ns[LCORE_PHASE_DNS] = span_ns(ready_ns, timings->dns_ns);
        ready_ns = timings->dns_ns;
    }
    if (timings->connected_ns != 0) {
        ns[LCORE_PHASE_CONNECT] = span_ns(ready_ns, timings->connected_ns);
        ready_ns = timings->connected_ns;
    }
    if (timings->tls_ns != 0) {
        ns[LCORE_PHASE_TLS] = span_ns(ready_ns, timings->tls_ns);
        ready_ns = timings->tls_ns;
    }
    int64_t prepared_ns = span_ns(timings->hop_ns, timings->begin_ns);
    int64_t ready_to_sent_ns = span_ns(ready_ns, timings->sent_ns);
    ns[LCORE_PHASE_QUEUE] = prepared_ns < 0 || ready_to_sent_ns < 0 ? -1 : prepared_ns + ready_to_sent_ns;
    ns[LCORE_PHASE_FIRST_BYTE] = span_ns(timings->sent_ns, timings->first_byte_ns);
    ns[LCORE_PHASE_TRANSFER] = span_ns(timings->first_byte_ns, timings->end_ns);
}

int64_t
lc_timings_time_ns(const struct lc_timings *timings)
{
    int64_t ready_ns = timings->tls_ns != 0         ? timings->tls_ns
                       : timings->connected_ns != 0 ? timings->connected_ns
                       : timings->dns_ns != 0       ? timings->dns_ns
                                                    : timings->begin_ns;
    int64_t own_ns = timings->sent_ns > ready_ns ? timings->sent_ns - ready_ns : 0;
    int64_t time_ns = timings->end_ns - timings->begin_ns - own_ns;
    return timings->begin_ns == 0 || time_ns < 0 ? 0 : time_ns;
}

int64_t
lc_response_time_ns(const struct lc_response *response)
{
    int64_t time_ns = 0;
    for (; response != NULL; response = response->previous) {
        time_ns += lc_timings_time_ns(&response->timings);
    }
    return time_ns;
}

static struct lc_str
put(char **place, struct lc_str text)
{
    struct lc_str copy = {*place, text.len};
    if (text.len > 0) {
        memcpy(*place, text.data, text.len);
        *place += text.len;
    }
    return copy;
}

struct lc_response *
lc_response_new(struct lc_reuse *reuse, const struct lc_response *parts, struct lc_buffer *body)
{
    struct lc_str content = body == NULL ? parts->body : (struct lc_str){body->data, body->len};
    bool is_moved = body != NULL && body->len > LCORE_RESPONSE_INLINE_BODY;
    size_t size = parts->method.len + parts->url.len + parts->sent_head.len + parts->reason.len + parts->head.len +
                  parts->fail_text.len + (is_moved ? 0 : content.len);
    size += sizeof(struct response_box);
    struct response_box *box = lc__reuse_alloc(reuse, size);
    if (box == NULL) {
        return NULL;
    }
    box->size = size;
    struct lc_response *response = &box->response;
    *response = *parts;
    box->body = NULL;
    char *place = box->bytes;
    response->method = put(&place, parts->method);
    response->url = put(&place, parts->url);
    response->sent_head = put(&place, parts->sent_head);
    response->reason = put(&place, parts->reason);
    response->head = put(&place, parts->head);
    response->fail_text = put(&place, parts->fail_text);
    if (parts->fail != LCORE_FAIL_NONE && parts->fail_text.len == 0) {
        response->fail_text = lc_str_from(lc_fail_text(parts->fail));
    }
    if (is_moved) {
        box->body = body->data;
        response->body = content;
        *body = (struct lc_buffer){0};
    } else {
        response->body = put(&place, content);
        if (body != NULL) {
            body->len = 0;
        }
    }
    return response;
}

void
lc_response_free(struct lc_response *response)
{
    while (response != NULL) {
        struct lc_response *previous = response->previous;
        struct response_box *box = (struct response_box *)response;
        lc_stream_free(response->stream);
        lc__free(box->body);
        lc__free(box);
        response = previous;
    }
}

void
lc__response_put_back(struct lc_reuse *reuse, struct lc_response *response)
{
    while (response != NULL) {
        struct lc_response *previous = response->previous;
        struct response_box *box = (struct response_box *)response;
        lc_stream_free(response->stream);
        lc__free(box->body);
        lc__reuse_free(reuse, box, box->size);
        response = previous;
    }
}

struct lc_str
lc_response_header(const struct lc_response *response, struct lc_str name)
{
    return lc_header_find(response->head, name);
}

bool
lc_response_next_header(const struct lc_response *response, size_t *position, struct lc_str *name, struct lc_str *value)
{
    return lc_header_next(response->head, position, name, value);
}
