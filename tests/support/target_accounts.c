/* Pages of a server that knows its visitors: cookies, logins, and collections of what they made. */
#include <stdio.h>
#include <string.h>

#include "target_pages.h"

enum { COOKIE_BYTES = 256 };

/* Walks the cookies of all Cookie headers. */
static bool
next_cookie(const struct request *request, size_t *header, struct text *line, struct text *name, struct text *value)
{
    while (line->len == 0) {
        struct text header_name;
        if (!request_next_header(request, header, &header_name, line)) {
            return false;
        }
        if (!text_equals_nocase(header_name, "Cookie")) {
            line->len = 0;
        }
    }
    const char *end = memchr(line->data, ';', line->len);
    struct text pair = {line->data, end ? (size_t)(end - line->data) : line->len};
    size_t taken = pair.len + (end != NULL);
    while (taken < line->len && line->data[taken] == ' ') {
        taken++;
    }
    *line = (struct text){line->data + taken, line->len - taken};
    const char *equals = memchr(pair.data, '=', pair.len);
    size_t name_len = equals ? (size_t)(equals - pair.data) : pair.len;
    *name = (struct text){pair.data, name_len};
    *value = equals ? (struct text){equals + 1, pair.len - name_len - 1} : (struct text){pair.data + pair.len, 0};
    return true;
}

static bool
cookie_value(const struct request *request, const char *wanted, char *out, size_t size)
{
    size_t header = 0;
    struct text line = {0}, name, value;
    while (next_cookie(request, &header, &line, &name, &value)) {
        if (text_equals(name, wanted) && value.len < size) {
            memcpy(out, value.data, value.len);
            out[value.len] = '\0';
            return true;
        }
    }
    return false;
}

static void
json_cookies(const struct request *request, struct buf *out)
{
    size_t header = 0;
    struct text line = {0}, name, value;
    const char *separator = "";
    buf_puts(out, "{");
    while (next_cookie(request, &header, &line, &name, &value)) {
        buf_puts(out, separator);
        buf_json(out, name);
        buf_puts(out, ": ");
        buf_json(out, value);
        separator = ", ";
    }
    buf_puts(out, "}");
}

static void
page_cookies(struct call *call)
{
    struct buf body = {0};
    buf_puts(&body, "{\"cookies\": ");
    json_cookies(call->request, &body);
    buf_puts(&body, "}");
    reply_json(call, 200, &body);
}

/* /cookies/set?name=value&...  and  /cookies/raw?line=<a whole Set-Cookie value> */
static void
page_cookies_set(struct call *call)
{
    struct text query = call->request->query;
    size_t position = 0;
    while (position < query.len) {
        const char *end = memchr(query.data + position, '&', query.len - position);
        size_t len = end ? (size_t)(end - query.data) - position : query.len - position;
        buf_printf(&call->headers, "Set-Cookie: %.*s; Path=/\r\n", (int)len, query.data + position);
        position += len + 1;
    }
    page_cookies(call);
}

static void
page_cookies_raw(struct call *call)
{
    char line[2048];
    if (form_field(call->request->query, "line", line, sizeof(line)) && strpbrk(line, "\r\n") == NULL) {
        buf_printf(&call->headers, "Set-Cookie: %s\r\n", line);
    }
    page_cookies(call);
}

/* GET shows a form with a token; POST of username, password ("secret") and that token begins a session. */
static void
page_login(struct call *call)
{
    static const char form[] =
        "<!doctype html>\n<form method=\"post\" action=\"/login\">\n"
        "<input type=\"hidden\" name=\"csrf_token\" value=\"token-4711\">\n"
        "<input name=\"username\"> <input name=\"password\" type=\"password\"> <button>Log in</button>\n</form>\n";
    if (!text_equals(call->request->method, "POST")) {
        buf_puts(&call->headers, "Set-Cookie: visitor=1; Path=/\r\n");
        reply(call, 200, "text/html; charset=utf-8", (struct text){form, sizeof(form) - 1});
        return;
    }
    char user[128], password[128], csrf[128], token[64];
    struct text body = call->request->body;
    if (!form_field(body, "csrf_token", csrf, sizeof(csrf)) || strcmp(csrf, "token-4711") != 0) {
        reply_error(call, 403, "the form's token is missing");
    } else if (!form_field(body, "username", user, sizeof(user)) ||
               !form_field(body, "password", password, sizeof(password)) || strcmp(password, "secret") != 0) {
        reply_error(call, 401, "wrong user name or password");
    } else {
        store_session_new(user, token, sizeof(token));
        buf_printf(&call->headers, "Set-Cookie: session=%s; Path=/; HttpOnly\r\n", token);
        reply_redirect(call, 303, "/account");
    }
}

static void
page_account(struct call *call)
{
    char token[COOKIE_BYTES];
    unsigned visits;
    const char *user =
        cookie_value(call->request, "session", token, sizeof(token)) ? store_session_find(token, &visits) : NULL;
    if (user == NULL) {
        reply_error(call, 401, "not logged in");
        return;
    }
    struct buf body = {0};
    buf_puts(&body, "{\"user\": ");
    buf_json(&body, (struct text){user, strlen(user)});
    buf_printf(&body, ", \"visits\": %u}", visits);
    reply_json(call, 200, &body);
}

static void
page_logout(struct call *call)
{
    char token[COOKIE_BYTES];
    if (cookie_value(call->request, "session", token, sizeof(token))) {
        store_session_end(token);
    }
    buf_puts(&call->headers, "Set-Cookie: session=; Path=/; Max-Age=0\r\n");
    reply_redirect(call, 303, "/login");
}

/* POST gives a token; what lies below /api/me wants it as a bearer. */
static void
page_token(struct call *call)
{
    char user[128] = "guest", token[64];
    form_field(call->request->body, "username", user, sizeof(user));
    store_session_new(user, token, sizeof(token));
    struct buf body = {0};
    buf_printf(&body, "{\"access_token\": \"%s\", \"token_type\": \"bearer\"}", token);
    reply_json(call, 200, &body);
}

static void
page_me(struct call *call)
{
    char token[COOKIE_BYTES];
    struct text given = request_header(call->request, "Authorization");
    unsigned visits;
    const char *user = NULL;
    if (text_has_prefix(given, "Bearer ") && given.len - 7 < sizeof(token)) {
        memcpy(token, given.data + 7, given.len - 7);
        token[given.len - 7] = '\0';
        user = store_session_find(token, &visits);
    }
    if (user == NULL) {
        buf_puts(&call->headers, "WWW-Authenticate: Bearer\r\n");
        reply_error(call, 401, "a token is needed");
        return;
    }
    struct buf body = {0};
    buf_puts(&body, "{\"user\": ");
    buf_json(&body, (struct text){user, strlen(user)});
    buf_puts(&body, "}");
    reply_json(call, 200, &body);
}

/* User "user", password "secret". */
static void
page_basic_auth(struct call *call)
{
    if (!text_equals(request_header(call->request, "Authorization"), "Basic dXNlcjpzZWNyZXQ=")) {
        buf_puts(&call->headers, "WWW-Authenticate: Basic realm=\"target\"\r\n");
        reply_error(call, 401, "name and password are needed");
        return;
    }
    reply(call, 200, "text/plain", TEXT("welcome\n"));
}

void
page_collection(struct call *call, int collection)
{
    struct text method = call->request->method;
    struct buf body = {0};
    if (call->rest.len == 0) {
        if (text_equals(method, "POST")) {
            int64_t id = store_add(collection, call->request->body);
            if (id < 0) {
                reply_error(call, 503, "full");
                return;
            }
            store_print(collection, id, &body);
            reply_json(call, 201, &body);
        } else if (text_equals(method, "GET") || call->request->is_head) {
            store_print_list(collection, query_number(call, "limit", 10), &body);
            reply_json(call, 200, &body);
        } else {
            reply_error(call, 405, "GET or POST");
        }
        return;
    }
    int64_t id = text_number(call->rest, -1);
    bool is_found;
    if (text_equals(method, "DELETE")) {
        is_found = store_remove(collection, id);
        if (is_found) {
            reply(call, 204, NULL, TEXT(""));
            return;
        }
    } else if (text_equals(method, "PUT") || text_equals(method, "PATCH")) {
        is_found = store_set(collection, id, call->request->body) && store_print(collection, id, &body);
    } else {
        is_found = store_print(collection, id, &body);
    }
    if (is_found) {
        reply_json(call, 200, &body);
    } else {
        reply_error(call, 404, "no such thing");
    }
}

const struct route account_routes[] = {
    {"/cookies", page_cookies},
    {"/cookies/set", page_cookies_set},
    {"/cookies/raw", page_cookies_raw},
    {"/login", page_login},
    {"/logout", page_logout},
    {"/account", page_account},
    {"/token", page_token},
    {"/me", page_me},
    {"/basic-auth", page_basic_auth},
    {NULL, NULL},
};
