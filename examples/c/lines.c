/* A protocol that the library does not know: users send lines over connections of their own and wait for the answer.
 *
 *     lines -u 20 -r 20 -t 10 -o report 127.0.0.1 7000
 *
 * It shows tasks that wait for their own sockets, and a program that runs the loop itself: reports as CSV files and
 * JSON (report_stats.csv, ..., report.json), percentiles, Ctrl-C.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* getaddrinfo(), getopt() */
#endif

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <locustcore.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define TIMEOUT_NS (5 * SECOND)

/* Looked up before the test: getaddrinfo() would block all users. */
static struct addrinfo *server;

static int64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

/* ---- What a user does ---- */

/* Each function here returns 0, LCE_CANCELED when the user is stopped, another LCE_* where the core could not do it, or
 * an errno, above 0, where the target failed. */

static int
wait_for(int fd, unsigned events)
{
    int ready = lc_fiber_wait_fd(fd, events, TIMEOUT_NS);
    return ready < 0 ? ready : ready == 0 ? ETIMEDOUT : 0;
}

static int
connect_to_server(int *out)
{
    int fd = socket(server->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *out = -1;
    if (fd < 0) {
        return errno;
    }
    int result = connect(fd, server->ai_addr, server->ai_addrlen) == 0 ? 0 : errno;
    if (result == EINPROGRESS) {
        result = wait_for(fd, LCORE_FD_WRITE);
        if (result == 0) {
            socklen_t size = sizeof(result);
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size);
        }
    }
    if (result != 0) {
        close(fd);
        return result;
    }
    *out = fd;
    return 0;
}

static int
send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent > 0) {
            text += sent;
            len -= (size_t)sent;
        } else {
            int result = errno == EAGAIN ? wait_for(fd, LCORE_FD_WRITE) : errno;
            if (result != 0) {
                return result;
            }
        }
    }
    return 0;
}

static int
read_line(int fd, char *line, size_t size)
{
    size_t len = 0;
    while (len + 1 < size) {
        ssize_t got = read(fd, line + len, size - 1 - len);
        if (got > 0) {
            len += (size_t)got;
            if (line[len - 1] == '\n') {
                line[len] = '\0';
                return 0;
            }
        } else {
            int result = got == 0 ? ECONNRESET : errno == EAGAIN ? wait_for(fd, LCORE_FD_READ) : errno;
            if (result != 0) {
                return result;
            }
        }
    }
    return EMSGSIZE;
}

/* Counts what began at start_ns and returns what a task returns: the target's failures are data, not the task's. */
static int
count(struct lc_user *user, const char *name, int64_t start_ns, size_t bytes, int result)
{
    if (result < 0) {
        return result;
    }
    return lc_user_count(user, "LINE", name, now_ns() - start_ns, bytes, result == 0 ? NULL : strerror(result));
}

/* A conversation: connect, and ask a few times over the same connection. */
static int
converse(struct lc_user *user)
{
    int fd = -1;
    int64_t start_ns = now_ns();
    int result = connect_to_server(&fd);
    int err = count(user, "connect", start_ns, 0, result);
    for (int i = 0; i < 5 && err == 0 && result == 0; i++) {
        char line[256];
        int len = snprintf(line, sizeof(line), "hello %d of user %" PRIu64 "\n", i, lc_user_number(user));
        start_ns = now_ns();
        result = send_all(fd, line, (size_t)len);
        result = result == 0 ? read_line(fd, line, sizeof(line)) : result;
        err = count(user, "ask", start_ns, result == 0 ? strlen(line) : 0, result);
    }
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

static const struct lc_task TASKS[] = {{.name = "converse", .run = converse}};
static const struct lc_user_class TALKER = {
    .size = sizeof(struct lc_user_class),
    .name = "Talker",
    .set = {LCORE_TASKS(TASKS), .wait = LCORE_WAIT_CONSTANT(0.05)},
};

/* ---- The program ---- */

struct program {
    struct lc_loop *loop;
    struct lc_http *http;
    struct lc_runner *runner;
    struct lc_csv *csv;
    struct lc_timer timer;
};

static void
on_state(struct lc_runner *runner, enum lc_runner_state state, void *arg)
{
    struct program *program = arg;
    fprintf(stderr, "lines: %s, %" PRIu64 " users\n", lc_runner_state_text(state), lc_runner_user_count(runner));
    if (state == LCORE_RUNNER_STOPPED) {
        lc_loop_stop(program->loop);
    }
}

static void
on_signal(int signal, void *arg)
{
    struct program *program = arg;
    lc_runner_stop(program->runner);
}

static int
write_csv(struct program *program, struct lc_error *error)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return lc_csv_write(program->csv, lc_runner_stats(program->runner), NULL, 0, lc_runner_user_count(program->runner),
                        (double)now.tv_sec + (double)now.tv_nsec / 1e9, error);
}

static void
each_second(struct lc_timer *timer)
{
    struct program *program = (struct program *)((char *)timer - offsetof(struct program, timer));
    struct lc_error error;
    if (write_csv(program, &error) < 0) {
        fprintf(stderr, "lines: %s\n", error.text); /* The disk may have room again in a second. */
    }
    lc_timer_start(program->loop, timer, timer->deadline_ns + SECOND, each_second);
}

static int
write_json(struct program *program, const char *prefix, struct lc_error *error)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s.json", prefix);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return lc_error_set_errno(error, LCE_SYSTEM, errno, "%s", path);
    }
    int err = lc_report_print_json(file, lc_runner_stats(program->runner));
    /* What did not fit on the disk may show only now. */
    if (fclose(file) != 0 || err < 0) {
        return lc_error_set_errno(error, LCE_SYSTEM, errno, "%s", path);
    }
    return 0;
}

static int
print_and_write(struct program *program, const char *prefix, struct lc_error *error)
{
    struct lc_stats *stats = lc_runner_stats(program->runner);
    struct lc_stats_entry *asked = lc_stats_entry(stats, LCORE_STR("ask"), LCORE_STR("LINE"));
    struct lc_report_options options;
    lc_report_options_init(&options);
    options.is_whole_run = true;
    lc_report_print_requests(stdout, stats, &options);
    lc_report_print_failures(stdout, stats, &options);
    if (asked != NULL) {
        printf("answers: half within %.3f ms, 99 %% within %.3f ms\n", lc_stats_entry_percentile_ms(asked, 0.5),
               lc_stats_entry_percentile_ms(asked, 0.99));
    }
    if (fflush(stdout) != 0) {
        return lc_error_set_errno(error, LCE_SYSTEM, errno, "standard output");
    }
    int err = write_csv(program, error);
    return err < 0 ? err : write_json(program, prefix, error);
}

static int
run(const struct lc_runner_options *given, uint64_t users, double rate, const char *prefix, struct lc_error *error)
{
    struct program program = {.loop = lc_loop_new()};
    if (program.loop == NULL) {
        return lc_error_set(error, LCE_NOMEM, "no loop: out of memory or descriptors");
    }
    int result = LCE_NOMEM;
    struct lc_report_options report;
    lc_report_options_init(&report);
    struct lc_runner_options options = *given;
    options.on_state = on_state;
    options.arg = &program;
    struct lc_signals *signals = lc_signals_new(program.loop, on_signal, &program, error);
    program.http = signals == NULL ? NULL : lc_http_new(program.loop, error);
    program.runner = program.http == NULL ? NULL : lc_runner_new(program.loop, program.http, &options, error);
    program.csv = program.runner == NULL ? NULL : lc_csv_new(prefix, &report, error);
    if (program.csv == NULL || lc_runner_start(program.runner, users, rate, error) < 0) {
        result = error->code;
        goto done;
    }
    lc_timer_start(program.loop, &program.timer, now_ns() + SECOND, each_second);
    lc_loop_run(program.loop);
    lc_timer_stop(program.loop, &program.timer);
    result = print_and_write(&program, prefix, error);
    result = result < 0 ? result : lc_runner_exit_code(program.runner);
done:
    lc_csv_free(program.csv);
    lc_runner_free(program.runner);
    lc_http_free(program.http);
    lc_signals_free(signals);
    lc_loop_free(program.loop);
    return result;
}

int
main(int argc, char **argv)
{
    double users = 1, rate = 1, seconds = 0;
    const char *prefix = "lines";
    int option;
    while ((option = getopt(argc, argv, "u:r:t:o:")) != -1) {
        switch (option) {
        case 'u':
            users = atof(optarg);
            break;
        case 'r':
            rate = atof(optarg);
            break;
        case 't':
            seconds = atof(optarg);
            break;
        case 'o':
            prefix = optarg;
            break;
        default:
            return 2;
        }
    }
    if (optind + 2 != argc || !(users >= 0 && users <= 1e6 && seconds >= 0 && seconds <= 1e9)) {
        fprintf(stderr, "usage: lines [-u users] [-r users per second] [-t seconds] [-o reports] HOST PORT\n");
        return 2;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int failed = getaddrinfo(argv[optind], argv[optind + 1], &hints, &server);
    if (failed != 0) {
        fprintf(stderr, "lines: %s port %s: %s\n", argv[optind], argv[optind + 1], gai_strerror(failed));
        return 1;
    }
    const struct lc_user_class *const classes[] = {&TALKER};
    const struct lc_runner_options options = {
        .size = sizeof(options),
        .classes = classes,
        .class_count = 1,
        .run_time_ns = (int64_t)(seconds * 1e9),
    };
    struct lc_error error;
    int result = run(&options, (uint64_t)users, rate, prefix, &error);
    freeaddrinfo(server);
    if (result < 0) {
        fprintf(stderr, "lines: %s\n", error.text);
        return 1;
    }
    return result;
}
