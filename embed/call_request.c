#include "call.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/str.h"
#include "form.h"
#include "helpers.h"

static int
call_settings(struct cload_session *self, struct cload_call *call)
{
    if (cload__is_set(call->verify) || cload__is_set(call->cert)) {
        call->tls_owner =
            cload__tls_find(self->state, cload__is_set(call->verify) ? call->verify : self->slots[CLOAD_SESSION_verify],
                            cload__is_set(call->cert) ? call->cert : self->slots[CLOAD_SESSION_cert]);
        if (call->tls_owner == NULL) {
            return -1;
        }
    } else if (self->slots[CLOAD_SESSION_verify] != NULL || self->slots[CLOAD_SESSION_cert] != NULL) {
        if (self->tls_owner == NULL) {
            self->tls_owner =
                cload__tls_find(self->state, self->slots[CLOAD_SESSION_verify], self->slots[CLOAD_SESSION_cert]);
            if (self->tls_owner == NULL) {
                return -1;
            }
        }
        call->tls_owner = Py_NewRef(self->tls_owner);
    }
    if (call->tls_owner == Py_None) {
        call->is_general = true; /* nothing usable in a file: requests' code tells of it as it does */
        return 0;
    }
    PyObject *proxies = cload__is_filled(call->proxies) ? call->proxies : self->slots[CLOAD_SESSION_proxies];
    if (cload__is_filled(proxies)) {
        PyObject *chosen = cload__call_helper(self->state, "choose_proxy", (PyObject *)self, call->url, proxies);
        if (chosen == NULL) {
            return -1;
        }
        call->proxy = chosen;
    }
    PyObject *auth = cload__is_set(call->auth) ? call->auth : NULL;
    if (auth != NULL) {
        call->auth_value = cload__call_helper(self->state, "basic_auth", auth, NULL, NULL);
        if (call->auth_value == NULL) {
            return -1;
        }
        call->is_general |= call->auth_value == Py_None;
    } else {
        call->auth_value = Py_XNewRef(self->auth_value);
    }
    return 0;
}

/* Makes the bytes of the body and its content type. */
static int
call_body(struct cload_session *self, struct cload_call *call)
{
    PyObject *data = call->data;
    if (cload__is_set(data) && (PyBytes_CheckExact(data) ? PyBytes_GET_SIZE(data) > 0 : true)) {
        if (PyBytes_CheckExact(data)) {
            call->body_owner = Py_NewRef(data);
            return 0;
        }
        if (PyUnicode_CheckExact(data) && PyUnicode_GET_LENGTH(data) > 0) {
            call->body_owner = Py_NewRef(data);
            return 0;
        }
        PyObject *form = PyDict_CheckExact(data) ? cload__form_encode(data, true, 0) : NULL;
        if (form == NULL && !PyErr_Occurred()) {
            form = cload__call_helper(self->state, "encode_form", data, NULL, NULL);
        }
        if (form == NULL) {
            return -1;
        }
        if (form == Py_None) {
            call->is_general = true;
            Py_DECREF(form);
            return 0;
        }
        bool is_empty = PyUnicode_GET_LENGTH(form) == 0 && !cload__is_filled(data);
        if (!is_empty) {
            call->body_owner = form;
            call->content_type = "application/x-www-form-urlencoded";
            return 0;
        }
        Py_DECREF(form);
    }
    if (cload__is_set(call->json)) {
        PyObject *body = cload__call_helper(self->state, "dump_json", call->json, NULL, NULL);
        if (body == NULL) {
            return -1;
        }
        if (body == Py_None) {
            call->is_general = true;
            Py_DECREF(body);
            return 0;
        }
        call->body_owner = body;
        call->content_type = "application/json";
        return 0;
    }
    return 0;
}

static bool
has_content_type(PyObject *headers)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (cload__is_set(headers) && PyDict_CheckExact(headers) && PyDict_Next(headers, &position, &key, &value)) {
        if (PyUnicode_Check(key) && PyUnicode_GET_LENGTH(key) == 12) {
            const char *name = PyUnicode_AsUTF8(key);
            if (name != NULL && strcasecmp(name, "Content-Type") == 0) {
                return true;
            }
        }
    }
    return false;
}

/* What response.request.body shows is what is sent: str where the caller (or json=) says what type it is. */
static int
fast_body(struct cload_session *self, struct cload_call *call)
{
    PyObject *data = call->data;
    if (cload__is_set(data)) {
        if (PyBytes_CheckExact(data) && PyBytes_GET_SIZE(data) > 0) {
            call->body_owner = Py_NewRef(data);
            call->content_type = "application/octet-stream";
            return 0;
        }
        if (PyUnicode_CheckExact(data) && PyUnicode_GET_LENGTH(data) > 0) {
            call->body_owner = has_content_type(call->headers) ? Py_NewRef(data) : PyUnicode_AsUTF8String(data);
            call->content_type = "text/plain; charset=utf-8";
            return call->body_owner == NULL ? -1 : 0;
        }
        if (PyDict_CheckExact(data) && PyDict_GET_SIZE(data) > 0) {
            PyObject *form = cload__form_encode(data, false, 0);
            if (form != NULL) {
                call->body_owner = PyUnicode_AsASCIIString(form);
                Py_DECREF(form);
            } else if (!PyErr_Occurred()) {
                call->body_owner = cload__call_helper(self->state, "encode_fast_form", data, NULL, NULL);
            }
            call->content_type = "application/x-www-form-urlencoded; charset=utf-8";
            return call->body_owner == NULL ? -1 : 0;
        }
        if (!PyBytes_CheckExact(data) && !PyUnicode_CheckExact(data) && !PyDict_CheckExact(data)) {
            call->is_general = true;
            return 0;
        }
    }
    if (cload__is_set(call->json)) {
        call->body_owner = cload__call_helper(self->state, "dump_fast_json", call->json, NULL, NULL);
        call->is_json = true;
        return call->body_owner == NULL ? -1 : 0;
    }
    return 0;
}

/* Whether a URL may hold credentials. requests has rules of its own for those, so it makes the call then. */
static bool
has_credentials(PyObject *url)
{
    if (PyUnicode_GET_LENGTH(url) == 0 || PyUnicode_READ_CHAR(url, 0) == '/') {
        return false;
    }
    return PyUnicode_FindChar(url, '@', 0, PyUnicode_GET_LENGTH(url), 1) >= 0;
}

/* The URL with the query of `params` behind it. New reference. */
static PyObject *
add_params(struct cload_session *self, PyObject *url, PyObject *params, PyObject *own)
{
    if (PyUnicode_CheckExact(url) && own == Py_None && PyDict_CheckExact(params) &&
        PyUnicode_FindChar(url, '#', 0, PyUnicode_GET_LENGTH(url), 1) < 0) {
        Py_ssize_t mark = PyUnicode_FindChar(url, '?', 0, PyUnicode_GET_LENGTH(url), 1);
        bool has_query = mark >= 0 && mark < PyUnicode_GET_LENGTH(url) - 1;
        PyObject *query = cload__form_encode(params, true, has_query ? '&' : mark < 0 ? '?' : 0);
        if (query != NULL) {
            PyObject *whole = PyUnicode_Concat(url, query);
            Py_DECREF(query);
            return whole;
        }
        if (PyErr_Occurred()) {
            return NULL;
        }
    }
    return cload__call_helper(self->state, "add_params", url, params, own);
}

static int
call_url(struct cload_session *self, struct cload_call *call)
{
    if (self->is_fast) {
        if (!PyUnicode_CheckExact(call->url)) {
            call->is_general = true;
        } else if (cload__is_set(call->params)) {
            call->full_url = add_params(self, call->url, call->params, Py_None);
        } else {
            call->full_url = Py_NewRef(call->url);
        }
        if (call->full_url != NULL && PyUnicode_GET_LENGTH(call->url) > 1 && PyUnicode_READ_CHAR(call->url, 0) == '/' &&
            (self->has_slash_base || PyUnicode_READ_CHAR(call->url, 1) == '/')) {
            PyErr_Format(PyExc_ValueError, "the path of %U%U begins with two slashes", self->base_url, call->url);
            return -1;
        }
        return call->full_url == NULL && !call->is_general ? -1 : 0;
    }
    PyObject *own = self->slots[CLOAD_SESSION_params];
    if (cload__is_set(call->params) || cload__is_filled(own)) {
        call->full_url = add_params(self, call->url, call->params == NULL ? Py_None : call->params,
                                    cload__is_filled(own) ? own : Py_None);
    } else if (PyUnicode_CheckExact(call->url)) {
        call->full_url = Py_NewRef(call->url);
    } else {
        call->full_url = cload__call_helper(self->state, "url_text", call->url, NULL, NULL);
    }
    if (call->full_url == NULL) {
        return -1;
    }
    call->is_general |= has_credentials(call->full_url);
    return 0;
}

/* Reads a dict of str or bytes; false: something else is in it, requests shall look at it. */
static bool
read_pairs(PyObject *dict, struct lc_header *pairs, size_t *count)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(dict, &position, &key, &value)) {
        struct lc_header *pair = &pairs[*count];
        if (!cload__text_of(key, &pair->name) || (PyUnicode_Check(key) && !PyUnicode_IS_ASCII(key))) {
            return false;
        }
        if (value == Py_None) {
            pair->value = (struct lc_str){NULL, 0};
        } else if (!cload__text_of(value, &pair->value) || (PyUnicode_Check(value) && !PyUnicode_IS_ASCII(value))) {
            return false;
        }
        (*count)++;
    }
    return true;
}

/* Names that mean something to what lies below requests: urllib3 frames a body by the first, and has values of its own
 * for the others where the caller wants none. */
static bool
is_for_urllib3(const struct lc_header *header)
{
    return lc_str_equal_nocase(header->name, LCORE_STR("Transfer-Encoding")) ||
           (header->value.data == NULL && (lc_str_equal_nocase(header->name, LCORE_STR("User-Agent")) ||
                                           lc_str_equal_nocase(header->name, LCORE_STR("Accept-Encoding"))));
}

/* Whether Python code has to look at them first: a name that is there twice (the last counts), and with FastHttpUser a
 * value that is None, or begins with a blank. */
static bool
are_headers_odd(const struct lc_header *headers, size_t count, bool is_fast)
{
    for (size_t i = 0; i < count; i++) {
        struct lc_str value = headers[i].value;
        if (is_fast && (value.data == NULL || (value.len > 0 && lc_ascii_is_blank(value.data[0])))) {
            return true;
        }
        if (!is_fast && is_for_urllib3(&headers[i])) {
            return true;
        }
        for (size_t j = 0; j < i; j++) {
            if (lc_str_equal_nocase(headers[i].name, headers[j].name)) {
                return true;
            }
        }
    }
    return false;
}

static int
seconds_to_ns(PyObject *value, int64_t *out)
{
    if (value == Py_None) {
        *out = -1;
        return 0;
    }
    double seconds = PyFloat_AsDouble(value);
    if (seconds == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return -1;
    }
    if (!(seconds > 0)) {
        return -1;
    }
    *out = seconds > 9e9 ? -1 : (int64_t)(seconds * 1e9);
    return 0;
}

/* false: leave it to requests, which knows how to complain. */
static bool
read_timeout(PyObject *timeout, struct lc_request *request)
{
    if (!cload__is_set(timeout)) {
        return true;
    }
    if (PyTuple_CheckExact(timeout)) {
        return PyTuple_GET_SIZE(timeout) == 2 &&
               seconds_to_ns(PyTuple_GET_ITEM(timeout, 0), &request->connect_timeout_ns) == 0 &&
               seconds_to_ns(PyTuple_GET_ITEM(timeout, 1), &request->read_timeout_ns) == 0;
    }
    if (!PyFloat_Check(timeout) && !PyLong_Check(timeout)) {
        return false;
    }
    if (seconds_to_ns(timeout, &request->connect_timeout_ns) < 0) {
        return false;
    }
    request->read_timeout_ns = request->connect_timeout_ns;
    return true;
}

/* As requests does: the method goes out in capitals, whatever it is called in the statistics. */
static int
set_method(struct cload_call *call, struct lc_str *out)
{
    if (!cload__text_of(call->method, out)) {
        return -1;
    }
    for (size_t i = 0; i < out->len; i++) {
        if (out->data[i] >= 'a' && out->data[i] <= 'z') {
            call->upper_method = PyObject_CallMethod((PyObject *)&PyUnicode_Type, "upper", "O", call->method);
            return call->upper_method != NULL && cload__text_of(call->upper_method, out) ? 0 : -1;
        }
    }
    return 0;
}

static bool
has_header(const struct lc_request *request, struct lc_str name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (lc_str_equal_nocase(request->headers[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Credentials replace an Authorization of headers=. */
static void
set_authorization(struct lc_request *request, struct lc_header *headers, PyObject *value)
{
    const struct lc_str name = LCORE_STR("Authorization");
    size_t at = 0;
    while (at < request->header_count && !lc_str_equal_nocase(headers[at].name, name)) {
        at++;
    }
    request->header_count += at == request->header_count;
    headers[at] = (struct lc_header){name, {PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)}};
}

/* Adds what json= implies, unless the call has these headers; they win over the session's defaults. */
static void
add_json_headers(struct lc_request *request, struct lc_header *headers)
{
    const struct lc_header added[] = {
        {LCORE_STR("Content-Type"), LCORE_STR("application/json")},
        {LCORE_STR("Accept"), LCORE_STR("application/json")},
    };
    bool is_missing[2] = {!has_header(request, added[0].name), !has_header(request, added[1].name)};
    for (int i = 0; i < 2; i++) {
        if (is_missing[i]) {
            headers[request->header_count++] = added[i];
        }
    }
}

/* Reads headers= into `room`, which has space for CLOAD_ADDED_HEADERS more. As cload__call_fill(). */
static int
fill_headers(PyObject *dict, struct cload_call_room *room, struct lc_header **pairs, size_t *count)
{
    *pairs = room->headers;
    if (!cload__is_set(dict)) {
        return 0;
    }
    if (!PyDict_CheckExact(dict)) {
        return 1;
    }
    if (PyDict_GET_SIZE(dict) > CLOAD_FEW_HEADERS) {
        *pairs = room->many_headers =
            lc__alloc(((size_t)PyDict_GET_SIZE(dict) + CLOAD_ADDED_HEADERS) * sizeof(**pairs));
        if (*pairs == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    if (read_pairs(dict, *pairs, count)) {
        return 0;
    }
    return PyErr_Occurred() ? -1 : 1;
}

/* Reads cookies=, which the call keeps: each hop of a redirect sends them, and the caller's own dictionary may have
 * changed by then. As cload__call_fill(). */
static int
fill_cookies(struct cload_call *call, struct lc_request *request)
{
    if (!cload__is_set(call->cookies)) {
        return 0;
    }
    if (!PyDict_CheckExact(call->cookies)) {
        return 1;
    }
    if (PyDict_GET_SIZE(call->cookies) == 0) {
        return 0;
    }
    call->cookies_owner = PyDict_Copy(call->cookies);
    if (call->cookies_owner == NULL) {
        return -1;
    }
    call->cookie_pairs = lc__alloc((size_t)PyDict_GET_SIZE(call->cookies_owner) * sizeof(*call->cookie_pairs));
    if (call->cookie_pairs == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    request->cookies = call->cookie_pairs;
    if (read_pairs(call->cookies_owner, call->cookie_pairs, &request->cookie_count)) {
        return 0;
    }
    return PyErr_Occurred() ? -1 : 1;
}

int
cload__call_prepare(struct cload_session *self, struct cload_call *call)
{
    if (call_url(self, call) < 0 || (self->is_fast ? fast_body(self, call) : call_body(self, call)) < 0) {
        return -1;
    }
    return call_settings(self, call);
}

int
cload__call_fill(struct cload_session *self, struct cload_call *call, struct cload_call_room *room,
                 struct lc_request *request)
{
    struct lc_header *headers;
    int err = fill_headers(call->headers, room, &headers, &request->header_count);
    if (err == 0 && are_headers_odd(headers, request->header_count, self->is_fast)) {
        return 1;
    }
    if (err == 0) {
        err = fill_cookies(call, request);
    }
    if (err != 0) {
        return err;
    }
    request->headers = headers;
    if (!read_timeout(call->timeout, request) || !PyUnicode_IS_ASCII(call->method)) {
        return 1;
    }
    if (set_method(call, &request->method) < 0 || !cload__text_of(call->full_url, &request->url) ||
        (call->body_owner != NULL && !cload__text_of(call->body_owner, &request->body))) {
        return -1;
    }
    if (call->auth_value != NULL) {
        set_authorization(request, headers, call->auth_value);
    }
    if (call->is_json) {
        add_json_headers(request, headers);
    }
    if (call->content_type != NULL) {
        request->content_type = lc_str_from(call->content_type);
    }
    if (call->tls_owner != NULL) {
        request->tls = PyCapsule_GetPointer(call->tls_owner, "cload.tls");
    }
    if (call->proxy != NULL) {
        request->proxy = PyUnicode_AsUTF8(call->proxy);
        if (request->proxy == NULL) {
            return -1;
        }
    }
    request->max_redirects = call->max_redirects;
    request->flags = self->is_fast ? LCORE_REQUEST_PLAIN_METHODS | LCORE_REQUEST_LOOSE_URL |
                                         LCORE_REQUEST_WHOLE_CODING | LCORE_REQUEST_LARGE_HEAD
                                   : 0;
    if (call->is_stream) {
        call->read_timeout_ns = request->read_timeout_ns;
        request->flags |= LCORE_REQUEST_STREAM;
        request->flags |= self->is_fast ? 0 : LCORE_REQUEST_NO_DECODE | LCORE_REQUEST_KEEP_CHUNKS;
    }
    if (!call->is_redirecting || (self->is_fast && call->max_redirects == 0)) {
        request->flags |= LCORE_REQUEST_NO_REDIRECT;
    }
    return 0;
}

void
cload__call_room_fini(struct cload_call_room *room)
{
    lc__free(room->many_headers);
}
