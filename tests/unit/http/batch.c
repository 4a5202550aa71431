#include "batch.h"

static void
on_response(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct batch *batch = arg;
    batch->responses[batch->count++] = response;
    batch->is_done = batch->count == batch->wanted;
    if (batch->is_done) {
        lc_loop_stop(batch->client->loop);
    }
}

void
batch_start(struct batch *batch, const struct lc_request *request)
{
    struct lc_exchange *exchange;
    batch->wanted++;
    assert_int_equal(lc_session_start(batch->client->session, request, 0, on_response, batch, &exchange, NULL), 0);
}

void
batch_free(struct batch *batch)
{
    for (int i = 0; i < batch->count; i++) {
        lc_response_free(batch->responses[i]);
    }
}
