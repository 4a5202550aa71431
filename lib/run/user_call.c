/* The calls a user makes, and how they are counted. */
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"
#include "base/str.h"
#include "run/runner.h"
#include "run/user.h"

static const struct lc_user_class *
class_of(const struct lc_user *user)
{
    return lc__runner_shared(user->runner)->classes[user->class_index];
}

struct lc_runner *
lc_user_runner(struct lc_user *user)
{
    return user->runner;
}

const struct lc_user_class *
lc_user_class(const struct lc_user *user)
{
    return class_of(user);
}

uint64_t
lc_user_number(const struct lc_user *user)
{
    return user->number;
}

void *
lc_user_data(const struct lc_user *user)
{
    return user->data;
}

void
lc_user_set_data(struct lc_user *user, void *data)
{
    user->data = data;
}

struct lc_session *
lc_user_session(struct lc_user *user, struct lc_error *error)
{
    if (user->session != NULL) {
        return user->session;
    }
    const struct lc_user_class *class = class_of(user);
    struct lc_runner_shared *shared = lc__runner_shared(user->runner);
    struct lc_session_options options;
    lc_session_options_init(&options);
    if (class->session != NULL && lc__options_take(&options, sizeof(options), class->session, error) < 0) {
        return NULL;
    }
    options.base_url = lc_str_from(shared->host != NULL ? shared->host : class->host);
    user->session = lc_session_new(shared->http, &options, error);
    return user->session;
}

static void
record_reset(struct lc_user_record *record)
{
    lc_response_free(record->response);
    lc__free(record->failure);
    *record = (struct lc_user_record){0};
}

static const struct lc_response *
first_hop(const struct lc_response *response)
{
    while (response->previous != NULL) {
        response = response->previous;
    }
    return response;
}

/* failure: the task's own words, or NULL for those of the response. */
static int
log_response(struct lc_runner_shared *shared, struct lc_stats_entry *entry, const struct lc_response *response,
             bool is_failed, const char *failure)
{
    double unix_s = (double)(response->timings.end_ns + shared->unix_offset_ns) / (double)LCORE_NS_PER_S;
    int err = lc_stats_log_request(shared->stats, entry, lc_response_time_ns(response), response->body.len, unix_s);
    for (const struct lc_response *hop = response; err == 0 && hop != NULL; hop = hop->previous) {
        struct lc_phases phases;
        lc_timings_phases(&hop->timings, &phases);
        err = lc_stats_log_phases(shared->stats, entry, &phases);
    }
    if (err < 0 || !is_failed) {
        return err;
    }
    char status[160];
    struct lc_str text = lc_str_from(failure);
    if (text.data == NULL && response->fail == LCORE_FAIL_NONE) {
        snprintf(status, sizeof(status), "%d %.*s", response->status, (int)response->reason.len, response->reason.data);
        text = lc_str_from(status);
    } else if (text.data == NULL) {
        text = response->fail_text.len > 0 ? response->fail_text : lc_str_from(lc_fail_text(response->fail));
    }
    return lc_stats_log_failure(shared->stats, entry, text, unix_s);
}

void
lc__user_settle(struct lc_user *user)
{
    struct lc_user_record *record = &user->record;
    if (record->response == NULL) {
        return;
    }
    /* Statistics that were cleared meanwhile do not want a call from before. */
    struct lc_runner_shared *shared = lc__runner_shared(user->runner);
    if (record->is_pending && lc_stats_generation(shared->stats) == record->generation) {
        int err = log_response(shared, record->entry, record->response, record->is_failed, record->failure);
        if (err < 0) {
            lc__runner_log_once(user->runner, "a request could not be counted: %s", lc_error_text(err));
        }
    }
    record_reset(record);
}

void
lc__user_fini(struct lc_user *user)
{
    record_reset(&user->record);
    lc_session_free(user->session);
    user->session = NULL;
}

/* Path and query of the URL that was sent first. */
static struct lc_str
default_name(const struct lc_response *response)
{
    struct lc_str url = first_hop(response)->url;
    size_t begin = 0;
    for (size_t i = 0; i + 2 < url.len; i++) {
        if (memcmp(url.data + i, "://", 3) == 0) {
            begin = i + 3;
            break;
        }
    }
    while (begin < url.len && strchr("/?#", url.data[begin]) == NULL) {
        begin++;
    }
    size_t end = begin;
    while (end < url.len && url.data[end] != '#') {
        end++;
    }
    return begin == end ? LCORE_STR("/") : (struct lc_str){url.data + begin, end - begin};
}

static struct lc_stats_entry *
entry_of(struct lc_runner_shared *shared, const struct lc_response *response, const char *name, struct lc_str method)
{
    return lc_stats_entry(shared->stats, name == NULL ? default_name(response) : lc_str_from(name), method);
}

static bool
has_failed(const struct lc_response *response)
{
    return response->fail != LCORE_FAIL_NONE || response->status >= 400;
}

int
lc_user_call(struct lc_user *user, const struct lc_request *request, const char *name,
             const struct lc_response **response)
{
    lc__user_settle(user);
    struct lc_runner_shared *shared = lc__runner_shared(user->runner);
    struct lc_user_record *record = &user->record;
    struct lc_error error = {0};
    struct lc_response *answer = NULL;
    struct lc_session *session = lc_user_session(user, &error);
    int err = session == NULL ? error.code : lc_session_call(session, request, &answer, &error);
    if (err < 0) {
        if (err != LCE_CANCELED) {
            lc__runner_log_once(user->runner, "%s %.*s: %s", class_of(user)->name, (int)request->url.len,
                                request->url.data, error.text);
        }
        return err;
    }
    record->response = answer;
    record->entry = entry_of(shared, answer, name, request->method);
    if (record->entry == NULL) {
        record_reset(record);
        return LCE_NOMEM;
    }
    record->generation = lc_stats_generation(shared->stats);
    record->is_failed = has_failed(answer);
    record->is_pending = true;
    if (response != NULL) {
        *response = answer;
    }
    return 0;
}

int
lc_user_get(struct lc_user *user, const char *url, const char *name, const struct lc_response **response)
{
    const struct lc_request request = {.method = LCORE_STR("GET"), .url = lc_str_from(url)};
    return lc_user_call(user, &request, name, response);
}

int
lc_user_post_json(struct lc_user *user, const char *url, const char *name, const char *json,
                  const struct lc_response **response)
{
    const struct lc_request request = {.method = LCORE_STR("POST"),
                                       .url = lc_str_from(url),
                                       .body = lc_str_from(json),
                                       .content_type = LCORE_STR("application/json")};
    return lc_user_call(user, &request, name, response);
}

void
lc_user_fail(struct lc_user *user, const char *format, ...)
{
    struct lc_user_record *record = &user->record;
    if (!record->is_pending) {
        return;
    }
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    lc__free(record->failure);
    /* Without memory for the task's words the failure is still counted, in the response's. */
    record->failure = lc_str_dup(lc_str_from(text));
    record->is_failed = true;
}

void
lc_user_pass(struct lc_user *user)
{
    user->record.is_failed = false;
}

int
lc_user_count(struct lc_user *user, const char *type, const char *name, int64_t response_time_ns,
              uint64_t content_bytes, const char *error_text)
{
    struct lc_runner_shared *shared = lc__runner_shared(user->runner);
    struct lc_stats_entry *entry = lc_stats_entry(shared->stats, lc_str_from(name), lc_str_from(type));
    if (entry == NULL) {
        return LCE_NOMEM;
    }
    double unix_s = (double)(lc_clock_monotonic_ns() + shared->unix_offset_ns) / (double)LCORE_NS_PER_S;
    int err = lc_stats_log_request(shared->stats, entry, response_time_ns, content_bytes, unix_s);
    if (err == 0 && error_text != NULL) {
        err = lc_stats_log_failure(shared->stats, entry, lc_str_from(error_text), unix_s);
    }
    return err;
}

int
lc_user_count_response(struct lc_user *user, const struct lc_response *response, const char *name)
{
    struct lc_runner_shared *shared = lc__runner_shared(user->runner);
    struct lc_stats_entry *entry = entry_of(shared, response, name, first_hop(response)->method);
    return entry == NULL ? LCE_NOMEM : log_response(shared, entry, response, has_failed(response), NULL);
}

int
lc_user_sleep(struct lc_user *user, int64_t duration_ns)
{
    lc__user_settle(user);
    return lc_fiber_sleep(duration_ns);
}
