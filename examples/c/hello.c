/* A complete load test in C: two tasks, one user class, the command line.
 *
 *     hello http://127.0.0.1:8080 -u 100 -r 50 -t 10 -m 9646
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem() */
#endif

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <locustcore.h>

static int
front_page(struct lc_user *user)
{
    return lc_user_get(user, "/hello", NULL, NULL);
}

static int
submit(struct lc_user *user)
{
    const struct lc_response *response;
    int err = lc_user_post_json(user, "/echo?from=c", "/echo", "{\"answer\": 42}", &response);
    if (err < 0) {
        return err;
    }
    /* What the status cannot say, the task checks itself. */
    if (response->status == 200 && memmem(response->body.data, response->body.len, "42", 2) == NULL) {
        lc_user_fail(user, "the answer is missing");
    }
    return LCORE_TASK_DONE;
}

static const struct lc_task TASKS[] = {
    {.name = "front_page", .run = front_page, .weight = 3},
    {.name = "submit", .run = submit},
};
static const struct lc_user_class VISITOR = {
    .size = sizeof(struct lc_user_class),
    .name = "Visitor",
    .set = {LCORE_TASKS(TASKS), .wait = LCORE_WAIT_BETWEEN(0.1, 0.5)},
};

/* Whole string, 0 or more; exits otherwise. */
static double
number(const char *text, const char *what)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(value >= 0 && value <= 1e9)) {
        fprintf(stderr, "hello: %s must be a number from 0 to 1e9, not \"%s\"\n", what, text);
        exit(2);
    }
    return value;
}

int
main(int argc, char **argv)
{
    double users = 1, rate = 1, seconds = 0, metrics_port = 0;
    int option;
    while ((option = getopt(argc, argv, "u:r:t:m:")) != -1) {
        switch (option) {
        case 'u':
            users = number(optarg, "users");
            break;
        case 'r':
            rate = number(optarg, "spawn rate");
            break;
        case 't':
            seconds = number(optarg, "run time");
            break;
        case 'm':
            metrics_port = number(optarg, "port for metrics");
            break;
        default:
            return 2;
        }
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: hello [-u users] [-r users per second] [-t seconds] [-m port for metrics] URL\n");
        return 2;
    }
    const struct lc_user_class *const classes[] = {&VISITOR};
    const struct lc_runner_options options = {
        .size = sizeof(options),
        .classes = classes,
        .class_count = 1,
        .host = argv[optind],
        .run_time_ns = (int64_t)(seconds * 1e9),
        .metrics_port = (int)metrics_port,
    };
    struct lc_error error;
    int result = lc_run(&options, (uint64_t)users, rate, &error);
    if (result < 0) {
        fprintf(stderr, "hello: %s\n", error.text);
        return 1;
    }
    return result;
}
