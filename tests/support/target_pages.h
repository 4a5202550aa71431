/* How the pages of the target are written. */
#ifndef CLOAD_TARGET_PAGES_H
#define CLOAD_TARGET_PAGES_H

#include "target.h"

enum { MAX_BYTES = 256 << 20 }; /* what a page may be asked for */

/* One request and what is being written for it. `rest` is the path behind the route's own part. */
struct call {
    struct answer *answer;
    const struct request *request;
    struct text rest;
    struct buf headers; /* further header lines */
};

const char *reason_of(int status);
/* Status line and header; `type` may be NULL, `framing` are whole lines, or "". */
void put_head(struct call *call, int status, const char *type, const char *framing);
/* A whole answer of known length. */
void reply(struct call *call, int status, const char *type, struct text body);
/* The same, and they free the body. */
void reply_buf(struct call *call, int status, const char *type, struct buf *body);
void reply_json(struct call *call, int status, struct buf *body);
void reply_error(struct call *call, int status, const char *message);
void reply_redirect(struct call *call, int status, const char *location);
void put_chunk(struct buf *out, size_t size);

int64_t query_number(struct call *call, const char *name, int64_t otherwise);
/* The first part of the rest of the path, cut off it. */
struct text next_part(struct call *call);

struct route {
    const char *path; /* ends in a slash: everything below it, the slash itself may be missing; NULL: the table's end */
    void (*page)(struct call *call);
};
extern const struct route content_routes[], account_routes[], fault_routes[];
/* A short text. */
void page_hello(struct call *call);
/* What is below the name of a collection. */
void page_collection(struct call *call, int collection);

#endif
