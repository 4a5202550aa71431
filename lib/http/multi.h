/* A libcurl multi handle on the loop: the only file that marries the two. Jobs are easy handles. */
#ifndef LCORE_HTTP_MULTI_H
#define LCORE_HTTP_MULTI_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/list.h"
#include "loop/loop.h"

/* Embedded in whoever owns an easy handle; uses CURLOPT_PRIVATE. */
struct lc_multi_job {
    struct lc_list link; /* in multi->jobs while added */
    CURL *easy;
    /* The transfer is over; the handle is still added. May call anything of this file, lc_multi_fini() too. */
    void (*done)(struct lc_multi_job *job, CURLcode code);
};

struct lc_multi {
    struct lc_loop *loop;
    CURLM *handle;
    struct lc_list jobs;
    struct lc_timer timer;
    struct lc_deferred soon; /* instead of the timer when libcurl wants to be called at once */
    bool is_short_of_memory; /* a callback of libcurl's could not do its work */
    bool *is_gone;           /* set to true by lc_multi_fini() while the loop is inside of this multi handle */
};

/* LCE_NOMEM. */
int lc_multi_init(struct lc_multi *multi, struct lc_loop *loop);
/* Every job must be gone. */
void lc_multi_fini(struct lc_multi *multi);
/* Starts; done is called from a later round. LCE_NOMEM. */
int lc_multi_add(struct lc_multi *multi, struct lc_multi_job *job);
/* Fine on a job that is not added. done is not called any more. Not from inside libcurl's callbacks. */
void lc_multi_remove(struct lc_multi *multi, struct lc_multi_job *job);

#endif
