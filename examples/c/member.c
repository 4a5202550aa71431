/* Members of a site: each logs in with a form, lives on its cookie, uploads a file, and logs out.
 *
 *     member -u 10 -r 10 -t 10 https://site:8443 --ca ca.pem --cert me.pem --key me-key.pem --proxy http://proxy:3128
 *
 * It shows what a session does by itself (cookies, redirects) and what it can be told (TLS, proxies, timeouts), forms,
 * data of a user's own, and two calls at once.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem() */
#endif

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <locustcore.h>

/* What a user keeps from on_start to on_stop. */
struct member {
    char name[32];
};

/* Sends a form; the answer is borrowed until the user's next call. */
static int
post_form(struct lc_user *user, const char *url, const struct lc_form *form, const struct lc_response **response)
{
    struct lc_request request = {.method = LCORE_STR("POST"), .url = lc_str_from(url)};
    lc_form_fill(form, &request);
    return lc_user_call(user, &request, NULL, response);
}

static int
log_in(struct lc_user *user)
{
    struct member *member = lc_user_data(user);
    struct lc_form *form = lc_form_new();
    if (form == NULL) {
        return LCE_NOMEM;
    }
    const struct lc_response *response;
    int err = lc_user_get(user, "/login", NULL, NULL);
    err = err < 0 ? err : lc_form_add(form, LCORE_STR("username"), lc_str_from(member->name));
    err = err < 0 ? err : lc_form_add(form, LCORE_STR("password"), LCORE_STR("secret"));
    err = err < 0 ? err : lc_form_add(form, LCORE_STR("csrf_token"), LCORE_STR("token-4711"));
    err = err < 0 ? err : post_form(user, "/login", form, &response);
    lc_form_free(form);
    if (err < 0) {
        return err;
    }
    /* The redirect to /account was followed, with the cookie that came along: both are the session's business. */
    if (response->fail == LCORE_FAIL_NONE && response->redirect_count != 1) {
        lc_user_fail(user, "the login led nowhere: %d", response->status);
        return LCORE_TASK_STOP;
    }
    return 0;
}

static int
on_start(struct lc_user *user)
{
    struct member *member = calloc(1, sizeof(*member));
    if (member == NULL) {
        return LCE_NOMEM;
    }
    snprintf(member->name, sizeof(member->name), "member%llu", (unsigned long long)lc_user_number(user));
    lc_user_set_data(user, member);
    int result = log_in(user);
    if (result != 0) {
        /* on_stop runs only for those that got through on_start. */
        free(member);
    }
    return result;
}

static int
on_stop(struct lc_user *user)
{
    struct lc_request request = {
        .method = LCORE_STR("GET"), .url = LCORE_STR("/logout"), .flags = LCORE_REQUEST_NO_REDIRECT};
    int err = lc_user_call(user, &request, NULL, NULL);
    free(lc_user_data(user));
    return err;
}

static int
account(struct lc_user *user)
{
    const struct member *member = lc_user_data(user);
    const struct lc_response *response;
    int err = lc_user_get(user, "/account", NULL, &response);
    if (err == 0 && response->status == 200 &&
        memmem(response->body.data, response->body.len, member->name, strlen(member->name)) == NULL) {
        lc_user_fail(user, "somebody else's account");
    }
    return err;
}

static int
upload(struct lc_user *user)
{
    static const char picture[20000] = "a picture";
    struct lc_form *form = lc_form_new();
    if (form == NULL) {
        return LCE_NOMEM;
    }
    int err = lc_form_add(form, LCORE_STR("title"), LCORE_STR("My holidays"));
    err = err < 0 ? err
                  : lc_form_add_file(form, LCORE_STR("file"), LCORE_STR("beach.png"), LCORE_STR("image/png"),
                                     (struct lc_str){picture, sizeof(picture)});
    err = err < 0 ? err : post_form(user, "/echo", form, NULL);
    lc_form_free(form);
    return err;
}

/* A call in a fiber of its own, beside the user's. */
struct side_call {
    struct lc_session *session;
    const char *url;
    struct lc_response *response; /* NULL: there was none */
};

static int
call_beside(void *arg)
{
    struct side_call *call = arg;
    struct lc_request request = {.method = LCORE_STR("GET"), .url = lc_str_from(call->url)};
    return lc_session_call(call->session, &request, &call->response, NULL);
}

/* A page's two parts are asked for at once, as a browser does it, on two connections of the session. */
static int
two_at_once(struct lc_user *user)
{
    struct lc_session *session = lc_user_session(user, NULL);
    struct side_call call = {.session = session, .url = "/delay/20"};
    struct lc_fiber *beside;
    int err = session == NULL ? LCE_NOMEM
                              : lc_fiber_start(lc_runner_fibers(lc_user_runner(user)), call_beside, &call, &beside);
    if (err < 0) {
        return err;
    }
    int result;
    err = lc_user_get(user, "/hello", NULL, NULL);
    if (err < 0 || lc_fiber_join(beside, &result) < 0) {
        /* Canceled, perhaps: nothing of the task may stay behind it. */
        lc_fiber_cancel(beside);
        lc_fiber_join(beside, &result);
    }
    if (call.response != NULL) {
        int counted = lc_user_count_response(user, call.response, NULL);
        err = err < 0 ? err : counted;
        lc_response_free(call.response);
    }
    return err;
}

static const struct lc_task TASKS[] = {
    {.name = "account", .run = account, .weight = 5},
    {.name = "upload", .run = upload},
    {.name = "two_at_once", .run = two_at_once},
};

static void
usage(void)
{
    fprintf(stderr, "usage: member [-u users] [-r users per second] [-t seconds] [--ca FILE] [--cert FILE --key FILE]\n"
                    "              [--proxy URL] URL\n");
    exit(2);
}

int
main(int argc, char **argv)
{
    static const struct option known[] = {{"ca", required_argument, NULL, 'a'},
                                          {"cert", required_argument, NULL, 'c'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"proxy", required_argument, NULL, 'p'},
                                          {NULL, 0, NULL, 0}};
    struct lc_tls_options files = {.size = sizeof(files)};
    struct lc_session_options session;
    lc_session_options_init(&session);
    session.connect_timeout_ns = 10 * INT64_C(1000000000);
    session.read_timeout_ns = 30 * INT64_C(1000000000);
    double users = 1, rate = 1, seconds = 0;
    int option;
    while ((option = getopt_long(argc, argv, "u:r:t:", known, NULL)) != -1) {
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
        case 'a':
            files.ca_file = optarg;
            break;
        case 'c':
            files.cert_file = optarg;
            break;
        case 'k':
            files.key_file = optarg;
            break;
        case 'p':
            session.proxy = optarg;
            break;
        default:
            usage();
        }
    }
    if (optind + 1 != argc || users < 0 || users > 1e6 || seconds < 0 || seconds > 1e9) {
        usage();
    }
    struct lc_error error;
    session.tls = lc_tls_new(&files, &error);
    if (session.tls == NULL) {
        fprintf(stderr, "member: %s\n", error.text);
        return 1;
    }
    const struct lc_user_class member = {
        .size = sizeof(member),
        .name = "Member",
        .set = {LCORE_TASKS(TASKS), .wait = LCORE_WAIT_BETWEEN(0.05, 0.2), .on_start = on_start, .on_stop = on_stop},
        .session = &session,
    };
    const struct lc_user_class *const classes[] = {&member};
    const struct lc_runner_options options = {
        .size = sizeof(options),
        .classes = classes,
        .class_count = 1,
        .host = argv[optind],
        .run_time_ns = (int64_t)(seconds * 1e9),
    };
    int result = lc_run(&options, (uint64_t)users, rate, &error);
    lc_tls_unref(session.tls);
    if (result < 0) {
        fprintf(stderr, "member: %s\n", error.text);
        return 1;
    }
    return result;
}
