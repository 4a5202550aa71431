/* What a runner tells of failures: lines of the log, and a row for each kind of exception. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "run/runner_state.h"
#include "run/user.h"

void
lc__runner_log(struct lc_runner *runner, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    lc_log_line_format(runner->options.on_log, runner->options.arg, format, args);
    va_end(args);
}

void
lc__runner_log_once(struct lc_runner *runner, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    uint64_t hash = lc_str_hash(lc_str_from(text));
    for (size_t i = 0; i < runner->reason_count; i++) {
        if (runner->reasons[i] == hash) {
            return;
        }
    }
    if (runner->reason_count < LCORE_RUNNER_REASONS) {
        runner->reasons[runner->reason_count++] = hash;
        lc__runner_log(runner, "%s", text);
    }
}

static struct lc_runner_exception *
exception_row(struct lc_runner *runner, const char *user_class, const char *where, int err)
{
    for (size_t i = 0; i < runner->exception_rows; i++) {
        struct lc_runner_exception *row = &runner->exceptions[i];
        if (row->code == err && row->user_class == user_class && strcmp(row->where, where) == 0) {
            return row;
        }
    }
    if (runner->exception_rows == LCORE_RUNNER_EXCEPTION_ROWS) {
        return NULL;
    }
    struct lc_runner_exception *row = &runner->exceptions[runner->exception_rows++];
    *row = (struct lc_runner_exception){.user_class = user_class, .where = where, .code = err};
    return row;
}

void
lc__runner_exception(struct lc_runner *runner, struct lc_user *user, const char *where, int err)
{
    runner->exception_count++;
    struct lc_runner_exception *row = exception_row(runner, lc_user_class(user)->name, where == NULL ? "" : where, err);
    /* Said once: a task that always fails does so thousands of times a second. */
    if (row != NULL && row->count++ == 0) {
        lc__runner_log(runner, "user %s, %s: %s", row->user_class, where == NULL ? "a task" : where,
                       lc_error_text(err));
    }
}

uint64_t
lc_runner_exception_count(const struct lc_runner *runner)
{
    return runner->exception_count;
}

bool
lc_runner_next_exception(const struct lc_runner *runner, size_t *position, struct lc_runner_exception *out)
{
    if (*position >= runner->exception_rows) {
        return false;
    }
    *out = runner->exceptions[(*position)++];
    return true;
}
