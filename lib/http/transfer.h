/* Hops that our own codec does not serve, as whole libcurl transfers: HTTP/3, and what goes through a proxy reached
 * over TLS. Each session has a multi handle of its own for them, so connections are not shared between users. */
#ifndef LCORE_HTTP_TRANSFER_H
#define LCORE_HTTP_TRANSFER_H

#include <sys/types.h>

#include "base/buffer.h"
#include "http/multi.h"
#include "http/transport.h"
#include "locustcore/http.h"

struct lc_transfer;
typedef void lc_transfer_fn(void *arg);

struct lc_transfer {
    struct lc_multi_job job;
    struct lc_session *session;   /* NULL: it was freed while a stream had this */
    struct lc_exchange *exchange; /* NULL: a stream has this (`fn`), or nobody */
    struct curl_slist *headers;
    char *url;
    char *method;
    int64_t begin_ns;  /* libcurl got it */
    enum lc_fail fail; /* why a callback stopped it */
    int major;         /* of the response's HTTP */
    size_t sent;       /* of the request's body, to libcurl */
    bool is_over;      /* libcurl is done with it */
    bool is_reused;    /* the connection had served before */
    char text[CURL_ERROR_SIZE];

    /* of a body that is taken piece by piece */
    lc_transfer_fn *fn;
    void *arg;
    struct lc_deferred told; /* the head is to be handed out, then: the call of fn */
    struct lc_buffer ahead;  /* not taken yet */
    size_t taken;            /* of `ahead` */
    int errnum;
    bool is_reading; /* got -EAGAIN */
    bool is_paused;
};

/* Closes the session's idle libcurl connections; keeps them if a transfer is under way. */
void lc__transfer_close_idle(struct lc_session *session);

/* --- for transfer*.c --- */

static inline struct lc_transfer *
lc__transfer_of(struct lc_list *link)
{
    return LCORE_CONTAINER(LCORE_CONTAINER(link, struct lc_multi_job, link), struct lc_transfer, job);
}

/* Nothing of it is libcurl's any more. */
void lc__transfer_give_up(struct lc_transfer *transfer);
void lc__transfer_free(struct lc_transfer *transfer);
/* In transfer_request.c: tells libcurl what the exchange asks for, by which proxy and with which TLS options.
 * LCE_NOMEM. */
int lc__transfer_set_request(struct lc_transfer *transfer);
/* For libcurl's callback: what it has of the body of a transfer that is lent. */
size_t lc__transfer_keep(struct lc_transfer *transfer, struct lc_str run);
/* libcurl is done with a transfer that is lent. */
void lc__transfer_end_stream(struct lc_transfer *transfer, CURLcode code, int errnum);

/* --- transfer_stream.c, for stream.c and session.c: a body that is taken piece by piece --- */

/* Takes the transfer from an exchange whose response has begun. `fn` is called once after each -EAGAIN, from the loop.
 */
struct lc_transfer *lc__transfer_lend(struct lc_exchange *exchange, lc_transfer_fn *fn, void *arg);
/* Bytes of the body without its framing, 0 at the end, -EAGAIN, or -EIO: see `fail` and `errnum`. */
ssize_t lc__transfer_read(struct lc_transfer *transfer, void *data, size_t size);
/* The session goes: those that are lent end. */
void lc__transfer_orphan(struct lc_session *session);

#endif
