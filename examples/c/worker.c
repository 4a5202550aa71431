/* A worker in C: it joins a master (cload's, Locust's, or the one in master.c) and runs what that says.
 *
 *     worker --master-host 127.0.0.1 --master-port 5557
 *
 * The master needs classes of the same names; its users may have no tasks at all:
 *
 *     class Visitor(HttpUser):
 *         pass
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <locustcore.h>

static int
front_page(struct lc_user *user)
{
    return lc_user_get(user, "/hello", NULL, NULL);
}

static int
missing(struct lc_user *user)
{
    return lc_user_get(user, "/status/404", "/missing", NULL);
}

static int
broken(struct lc_user *user)
{
    return lc_user_get(user, "no scheme, no slash", NULL, NULL);
}

static const struct lc_task TASKS[] = {
    {.name = "front_page", .run = front_page, .weight = 3},
    {.name = "missing", .run = missing},
};
static const struct lc_task GUEST_TASKS[] = {
    {.name = "front_page", .run = front_page},
    {.name = "broken", .run = broken},
};
static const struct lc_user_class VISITOR = {
    .size = sizeof(struct lc_user_class),
    .name = "Visitor",
    .set = {LCORE_TASKS(TASKS), .wait = LCORE_WAIT_CONSTANT(0.05)},
};
static const struct lc_user_class GUEST = {
    .size = sizeof(struct lc_user_class),
    .name = "Guest",
    .set = {LCORE_TASKS(GUEST_TASKS), .wait = LCORE_WAIT_CONSTANT(0.05)},
};

/* Answers a message of the master's with what came. */
static void
on_message(struct lc_worker *worker, struct lc_str type, struct lc_str data, void *arg)
{
    printf("message %.*s, %zu bytes, to worker %d\n", (int)type.len, type.data, data.len, lc_worker_index(worker));
    fflush(stdout);
    if (lc_worker_send(worker, "pong", data, NULL) < 0) {
        fprintf(stderr, "worker: no answer could be sent\n");
    }
}

int
main(int argc, char **argv)
{
    static const struct option known[] = {{"master-host", required_argument, NULL, 'h'},
                                          {"master-port", required_argument, NULL, 'p'},
                                          {"metrics-port", required_argument, NULL, 'm'},
                                          {NULL, 0, NULL, 0}};
    struct lc_worker_options options = {
        .size = sizeof(options),
        .secret = getenv("LOCUST_MASTER_SECRET"),
        .on_message = on_message,
    };
    int option, metrics_port = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'h') {
            options.master_host = optarg;
        } else if (option == 'p') {
            options.master_port = atoi(optarg);
        } else if (option == 'm') {
            metrics_port = atoi(optarg);
        } else {
            return 2;
        }
    }
    if (optind != argc || options.master_port < 0 || options.master_port > 65535) {
        fprintf(stderr, "usage: worker [--master-host HOST] [--master-port PORT] [--metrics-port PORT]\n");
        return 2;
    }
    const struct lc_user_class *const classes[] = {&VISITOR, &GUEST};
    const struct lc_runner_options runner = {
        .size = sizeof(runner), .classes = classes, .class_count = 2, .metrics_port = metrics_port};
    struct lc_error error;
    int result = lc_worker_run(&runner, &options, &error);
    if (result < 0) {
        fprintf(stderr, "worker: %s\n", error.text);
        return 1;
    }
    return result;
}
