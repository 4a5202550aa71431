/* The target server of the tests and the demo: one thread, HTTP/1.1, with pages for everything a client may meet.
 *
 *   target.c          moves bytes
 *   target_request.c  reads requests
 *   target_routes.c   finds who answers a request: target_content.c, target_accounts.c, or target_faults.c, each with a
 *                     table of its pages, which they write with target_reply.c
 *   target_store.c    keeps what the answers are about
 *   target_text.c     texts and buffers
 *
 * It shares no code with the engine it is there to test. */
#ifndef CLOAD_TARGET_H
#define CLOAD_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    const char *data;
    size_t len;
};
#define TEXT(literal) ((struct text){"" literal, sizeof(literal) - 1})

struct buf {
    char *data;
    size_t len, cap;
};
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *string);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_fill(struct buf *buf, char byte, size_t count);
/* A JSON string with its quotes; each byte that is no printable ASCII is written as the code point of its value. */
void buf_json(struct buf *buf, struct text text);
void buf_drop(struct buf *buf, size_t len); /* off its front */
void buf_free(struct buf *buf);
/* realloc(); without memory the process ends, as it does in all of the above. */
void *resized(void *memory, size_t size);

bool text_equals(struct text text, const char *string);
bool text_equals_nocase(struct text text, const char *string);
bool text_has_prefix(struct text text, const char *prefix);
/* Decimal digits up to the end of the text; `otherwise` where there are none or other characters follow. */
int64_t text_number(struct text text, int64_t otherwise);

struct request {
    struct text method, path, query;
    struct text head; /* header lines, each with its line end */
    struct text body;
    bool is_head, is_keep_alive;
    bool is_expecting; /* 100 Continue */
};
enum request_state { REQUEST_WHOLE, REQUEST_INCOMPLETE, REQUEST_BAD };
/* Reads the request at the start of `in`, which it borrows. If it is whole, *taken is its length, and a body that came
 * in chunks is there until the next call. */
enum request_state request_read(struct text in, struct request *request, size_t *taken);
/* Walks the header lines; *position starts at 0. */
bool request_next_header(const struct request *request, size_t *position, struct text *name, struct text *value);
struct text request_header(const struct request *request, const char *name);
/* One field of a query or a form, percent-decoded into out; false if absent or too long. */
bool form_field(struct text form, const char *name, char *out, size_t size);

/* What happens in the stream of an answer once all bytes before it are sent. */
enum mark_kind {
    MARK_WAIT,   /* nothing for `value` ms */
    MARK_CLOSE,  /* orderly end */
    MARK_RESET,  /* RST */
    MARK_REPEAT, /* the bytes from offset `value` once more, for ever */
    MARK_HANG    /* nothing more at all */
};
struct mark {
    enum mark_kind kind;
    size_t at;
    size_t value;
};

struct answer {
    struct buf out;
    struct mark *marks;
    size_t mark_count, mark_cap;
};
void answer_mark(struct answer *answer, enum mark_kind kind, size_t value);

struct counters {
    uint64_t requests, connections;
    unsigned open;
};
extern struct counters counters;

int64_t now_ns(void);

/* Appends the answer to the request. */
void routes_answer(struct answer *answer, const struct request *request);

/* Sessions: a token for a name. */
void store_session_new(const char *user, char *token, size_t size);
/* The name, and how often it was asked for; NULL for an unknown or ended session. */
const char *store_session_find(const char *token, unsigned *visits);
void store_session_end(const char *token);

/* Collections (/orders, /products, ...): things with a number and a state that goes from "pending" by "processing" to
 * "done" within 600 ms of their making, so that a client has something to poll for. */
int store_collection(struct text name);
int64_t store_add(int collection, struct text json);
bool store_set(int collection, int64_t id, struct text json);
bool store_remove(int collection, int64_t id);
bool store_print(int collection, int64_t id, struct buf *out);
void store_print_list(int collection, int64_t limit, struct buf *out);

#endif
