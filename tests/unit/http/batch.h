/* Many calls of one client at once. */
#ifndef TESTS_UNIT_HTTP_BATCH_H
#define TESTS_UNIT_HTTP_BATCH_H

#include "scene.h"

struct batch {
    struct client *client;
    struct lc_response *responses[256]; /* in the order in which they came */
    int count, wanted;
    bool is_done;
};

/* One more call; client_run(client, &batch->is_done) then returns when all are answered. */
void batch_start(struct batch *batch, const struct lc_request *request);
void batch_free(struct batch *batch);

#endif
