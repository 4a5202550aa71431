#include "fiber/fiber.h"

struct call {
    struct lc_fiber *fiber;
    struct lc_response *response;
};

static void
call_done(struct lc_exchange *exchange, struct lc_response *response, void *arg)
{
    struct call *call = arg;
    call->response = response;
    lc__fiber_wake(call->fiber, 0);
}

int
lc_session_call(struct lc_session *session, const struct lc_request *request, struct lc_response **response,
                struct lc_error *error)
{
    int err = lc__fiber_check();
    if (err < 0) {
        return lc_error_set(error, err, "%s", err == LCE_INVALID ? "not called from a fiber" : lc_error_text(err));
    }
    struct call call = {.fiber = lc_fiber_self()};
    struct lc_exchange *exchange;
    err = lc_session_start(session, request, 0, call_done, &call, &exchange, error);
    if (err < 0) {
        return err;
    }
    err = lc__fiber_park();
    if (err < 0) {
        lc_exchange_cancel(exchange);
        return lc_error_set(error, err, "%s", lc_error_text(err));
    }
    *response = call.response;
    return 0;
}
