#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "locustcore.h"
#include "base/clock.h"

static char *printed;
static char log_text[512];

static void
on_log(const char *text, void *arg)
{
    assert_ptr_equal(arg, log_text);
    strncat(log_text, text, sizeof(log_text) - strlen(log_text) - 1);
}

/* lc_run() with what it writes to stdout kept in `printed`. */
static int
run(const struct lc_runner_options *options, uint64_t users, double rate, struct lc_error *error)
{
    free(printed);
    log_text[0] = '\0';
    fflush(stdout);
    FILE *file = tmpfile();
    int kept = dup(STDOUT_FILENO);
    assert_true(file != NULL && kept >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    int result = lc_run(options, users, rate, error);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    off_t len = lseek(fileno(file), 0, SEEK_END);
    printed = calloc((size_t)len + 1, 1);
    assert_non_null(printed);
    assert_int_equal(pread(fileno(file), printed, (size_t)len, 0), len);
    fclose(file);
    return result;
}

static int
count(struct lc_user *user)
{
    assert_int_equal(lc_user_count(user, "JOB", "thing", 5 * LCORE_NS_PER_MS, 1, lc_user_class(user)->data), 0);
    return 0;
}

static int
count_and_signal(struct lc_user *user)
{
    kill(getpid(), SIGTERM);
    return lc_user_sleep(user, INT64_MAX);
}

static int
complain(struct lc_user *user)
{
    return LCE_NOTFOUND;
}

static struct lc_user_class
class_with(lc_user_fn *fn, struct lc_task *task, void *data)
{
    *task = (struct lc_task){.name = "task", .run = fn};
    return (struct lc_user_class){.size = sizeof(struct lc_user_class),
                                  .name = "Worker",
                                  .set = {.tasks = task, .task_count = 1, .wait = LCORE_WAIT_CONSTANT(0.01)},
                                  .data = data};
}

static int
run_class(const struct lc_user_class *class, int64_t run_time_ns)
{
    const struct lc_user_class *const classes[] = {class};
    const struct lc_runner_options options = {.size = sizeof(options),
                                              .classes = classes,
                                              .class_count = 1,
                                              .run_time_ns = run_time_ns,
                                              .on_log = on_log,
                                              .arg = log_text};
    struct lc_error error;
    return run(&options, 2, 10, &error);
}

/* CLI-81, CLI-82, CLI-99, CLI-100 */
static void
test_exit_codes_and_tables(void **state)
{
    struct lc_task task;
    struct lc_user_class class = class_with(count, &task, NULL);
    assert_int_equal(run_class(&class, 100 * LCORE_NS_PER_MS), 0);
    assert_non_null(strstr(printed, "JOB      thing "));
    assert_non_null(strstr(printed, "Aggregated"));
    assert_null(strstr(printed, "Exceptions"));
    class.data = "broken";
    assert_int_equal(run_class(&class, 50 * LCORE_NS_PER_MS), 1);
    assert_non_null(strstr(printed, "JOB thing: broken"));
    class = class_with(complain, &task, NULL);
    assert_int_equal(run_class(&class, 50 * LCORE_NS_PER_MS), 1);
    assert_non_null(strstr(printed, "Worker task: not found"));
    assert_string_equal(log_text, "user Worker, task: not found");
}

/* CLI-90 */
static void
test_signal_ends_it(void **state)
{
    struct lc_task task;
    struct lc_user_class class = class_with(count_and_signal, &task, NULL);
    assert_int_equal(run_class(&class, 0), 0);
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    assert_false(sigismember(&now, SIGTERM));
}

static void
ignore_state(struct lc_runner *runner, enum lc_runner_state to, void *arg)
{
}

static void
test_bad_arguments(void **state)
{
    struct lc_task task;
    const struct lc_user_class class = class_with(count, &task, NULL);
    const struct lc_user_class *const classes[] = {&class};
    struct lc_runner_options options = {.size = sizeof(options), .classes = classes, .class_count = 1};
    struct lc_error error;
    assert_int_equal(run(&options, 1, 0, &error), LCE_INVALID);
    assert_int_equal(error.code, LCE_INVALID);
    options.class_count = 0;
    assert_int_equal(run(&options, 1, 1, NULL), LCE_INVALID);
    options.on_state = ignore_state;
    assert_int_equal(run(&options, 1, 1, &error), LCE_INVALID);
    assert_string_equal(printed, "");
}

static int
tear_down(void **state)
{
    free(printed);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes_and_tables),
        cmocka_unit_test(test_signal_ends_it),
        cmocka_unit_test(test_bad_arguments),
    };
    return cmocka_run_group_tests_name("headless", tests, NULL, tear_down);
}
