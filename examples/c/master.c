/* A master in C, headless: it waits for workers (of any kind), lets them run Visitor users, and prints what they
 * report.
 *
 *     master -w 2 -u 100 -r 50 -t 10 http://127.0.0.1:8080
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* getopt() */
#endif

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <locustcore.h>

static const struct lc_user_class VISITOR = {.size = sizeof(struct lc_user_class), .name = "Visitor"};
static const struct lc_user_class GUEST = {.size = sizeof(struct lc_user_class), .name = "Guest"};

/* Whole string, 0 or more; exits otherwise. */
static double
number(const char *text, const char *what)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(value >= 0 && value <= 1e9)) {
        fprintf(stderr, "master: %s must be a number from 0 to 1e9, not \"%s\"\n", what, text);
        exit(2);
    }
    return value;
}

int
main(int argc, char **argv)
{
    double workers = 1, users = 1, rate = 1, seconds = 0, port = LCORE_MASTER_PORT, metrics_port = 0;
    int option;
    while ((option = getopt(argc, argv, "w:u:r:t:p:m:")) != -1) {
        switch (option) {
        case 'w':
            workers = number(optarg, "workers");
            break;
        case 'u':
            users = number(optarg, "users");
            break;
        case 'r':
            rate = number(optarg, "spawn rate");
            break;
        case 't':
            seconds = number(optarg, "run time");
            break;
        case 'p':
            port = number(optarg, "port");
            break;
        case 'm':
            metrics_port = number(optarg, "port for metrics");
            break;
        default:
            return 2;
        }
    }
    if (optind + 1 != argc || port > 65535) {
        fprintf(stderr, "usage: master [-w workers] [-u users] [-r users per second] [-t seconds] [-p port] "
                        "[-m port for metrics] URL\n");
        return 2;
    }
    const struct lc_user_class *const classes[] = {&VISITOR, &GUEST};
    const struct lc_master_options options = {
        .size = sizeof(options),
        .bind_port = (int)port,
        .secret = getenv("LOCUST_MASTER_SECRET"),
        .classes = classes,
        .class_count = 2,
        .host = argv[optind],
        .run_time_ns = (int64_t)(seconds * 1e9),
        .is_rebalancing = true,
        .metrics_port = (int)metrics_port,
    };
    struct lc_error error;
    int result = lc_master_run(&options, (size_t)workers, (uint64_t)users, rate, &error);
    if (result < 0) {
        fprintf(stderr, "master: %s\n", error.text);
        return 1;
    }
    return result;
}
