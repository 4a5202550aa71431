#include "session.h"

#include "base/alloc.h"
#include "base/str.h"
#include "helpers.h"
#include "http/session.h"
#include "http/url.h"
#include "hub.h"
#include "stream.h"
#include "wire.h"

struct cload_retired {
    struct cload_retired *next;
    struct lc_session *core;
};

/* A list of (name, value), bytes, as default headers; what they borrow belongs to the list. PyMem_Free() them. */
static struct lc_header *
read_pairs(PyObject *pairs)
{
    Py_ssize_t count = PyList_GET_SIZE(pairs);
    struct lc_header *headers = PyMem_New(struct lc_header, (size_t)count + 1);
    if (headers == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i);
        char *name, *value;
        Py_ssize_t name_len, value_len;
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "a header is given as (name, value)");
            PyMem_Free(headers);
            return NULL;
        }
        if (PyBytes_AsStringAndSize(PyTuple_GET_ITEM(pair, 0), &name, &name_len) < 0 ||
            PyBytes_AsStringAndSize(PyTuple_GET_ITEM(pair, 1), &value, &value_len) < 0) {
            PyMem_Free(headers);
            return NULL;
        }
        headers[i] = (struct lc_header){{name, (size_t)name_len}, {value, (size_t)value_len}};
    }
    return headers;
}

int
cload__session_send_pairs(struct lc_session *core, PyObject *pairs)
{
    struct lc_header *headers = read_pairs(pairs);
    if (headers == NULL) {
        return -1;
    }
    lc_session_clear_headers(core);
    int err = 0;
    for (Py_ssize_t i = 0; err == 0 && i < PyList_GET_SIZE(pairs); i++) {
        err = lc_session_set_header(core, headers[i].name, headers[i].value);
    }
    PyMem_Free(headers);
    if (err < 0) {
        cload_raise(err, NULL);
    }
    return err;
}

int
cload__session_send_headers(struct cload_session *self)
{
    PyObject *pairs = cload__call_helper(self->state, "header_pairs", self->slots[CLOAD_SESSION_headers], NULL, NULL);
    if (pairs == NULL) {
        return -1;
    }
    int err = cload__session_send_pairs(self->core, pairs);
    Py_DECREF(pairs);
    self->are_headers_changed = err < 0;
    return err;
}

static bool
is_true(PyObject *value)
{
    int truth = value == NULL ? 0 : PyObject_IsTrue(value);
    if (truth < 0) {
        PyErr_Clear();
    }
    return truth != 0;
}

static void
judge(struct cload_session *self)
{
    self->is_general = self->is_mounted || self->is_class_general || self->is_auth_general ||
                       is_true(self->slots[CLOAD_SESSION_stream]) || is_true(self->slots[CLOAD_SESSION_trust_env]);
}

/* Whether a class is as it was when it had that version. One that was changed has none, which is 0, until something is
 * looked up in it; from 3.13 on one that was changed a thousand times never gets one again. */
static bool
is_unchanged(const PyTypeObject *type, unsigned version)
{
    return version != 0 && type->tp_version_tag == version;
}

int
cload__session_read_class(struct cload_session *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyTypeObject *senders = (PyTypeObject *)self->state->senders;
    if (is_unchanged(type, self->class_version) &&
        (self->is_fast || (senders != NULL && is_unchanged(senders, self->senders_version)))) {
        return 0;
    }
    if (senders == NULL && !self->is_fast) {
        PyObject *module = PyImport_ImportModule("cload._session");
        senders = module == NULL ? NULL : (PyTypeObject *)PyObject_GetAttrString(module, "Watched");
        Py_XDECREF(module);
        if (senders == NULL) {
            return -1;
        }
        Py_XSETREF(self->state->senders, (PyObject *)senders);
    }
    PyObject *request = _PyType_Lookup(type, self->state->str_request);
    self->is_request_overridden = request == NULL || !Py_IS_TYPE(request, &PyMethodDescr_Type);
    if (!self->is_fast) {
        PyObject *is_general = cload__call_helper(self->state, "is_class_general", (PyObject *)type, NULL, NULL);
        if (is_general == NULL) {
            return -1;
        }
        self->is_class_general = is_general == Py_True;
        Py_DECREF(is_general);
        judge(self);
        _PyType_Lookup(senders, self->state->str_request); /* gives it a version, if it has none */
        self->senders_version = senders->tp_version_tag;
    }
    self->class_version = type->tp_version_tag;
    return 0;
}

int
cload__session_is_general(struct cload_session *self)
{
    if (cload__session_read_class(self) < 0) {
        return -1;
    }
    if (self->is_general) {
        return 1;
    }
    if (self->dict != NULL && PyDict_GET_SIZE(self->dict) > 0 &&
        (PyDict_Contains(self->dict, self->state->str_send) > 0 ||
         PyDict_Contains(self->dict, self->state->str_request) > 0)) {
        return 1;
    }
    if (self->slots[CLOAD_SESSION_hooks] != NULL) {
        PyObject *has_hooks =
            cload__call_helper(self->state, "has_hooks", self->slots[CLOAD_SESSION_hooks], NULL, NULL);
        if (has_hooks == NULL) {
            return -1;
        }
        Py_DECREF(has_hooks);
        return has_hooks == Py_True;
    }
    return 0;
}

void
cload__session_free_retired(struct cload_session *self)
{
    while (self->retired != NULL && !self->hub->is_left) {
        struct cload_retired *retired = self->retired;
        self->retired = retired->next;
        lc_session_free(retired->core);
        lc__free(retired);
    }
}

/* In a forked child: the parent's connections are not even closed, which over TLS would be told to the server. */
static void
session_leave(struct cload_session *self)
{
    self->core = NULL;
    self->retired = NULL;
}

int
cload__session_rehome(struct cload_session *self)
{
    return cload__session_set_base_url((PyObject *)self, self->base_url, NULL);
}

PyObject *
cload__session_close(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_session *self = (struct cload_session *)object;
    if (self->core != NULL && !self->hub->is_left) {
        lc_session_close_idle(self->core);
    }
    if (self->slots[CLOAD_SESSION_adapters] != NULL) {
        PyObject *closed =
            cload__call_helper(self->state, "close_adapters", self->slots[CLOAD_SESSION_adapters], NULL, NULL);
        if (closed == NULL) {
            return NULL;
        }
        Py_DECREF(closed);
    }
    Py_RETURN_NONE;
}

const char *const cload__session_names[] = {
#define CLOAD_SLOT_NAME(name) #name,
    CLOAD_SESSION_SLOT_LIST(CLOAD_SLOT_NAME)
#undef CLOAD_SLOT_NAME
        "base_url",
    "request_event", "user", "request_name", NULL};

PyObject *
cload__session_get_slot(PyObject *object, void *closure)
{
    struct cload_session *self = (struct cload_session *)object;
    intptr_t slot = (intptr_t)closure;
    if (self->slots[slot] == NULL) {
        PyObject *name = PyUnicode_InternFromString(cload__session_names[slot]);
        PyObject *value =
            name == NULL ? NULL : cload__call_helper(self->state, "session_attribute", object, name, NULL);
        Py_XDECREF(name);
        if (value == NULL) {
            return NULL;
        }
        Py_XSETREF(self->slots[slot], value);
    }
    return Py_NewRef(self->slots[slot]);
}

static int
session_apply_auth(struct cload_session *self, PyObject *auth)
{
    Py_CLEAR(self->auth_value);
    self->is_auth_general = false;
    if (!cload__is_set(auth)) {
        return 0;
    }
    PyObject *value = cload__call_helper(self->state, "basic_auth", auth, NULL, NULL);
    if (value == NULL) {
        return -1;
    }
    if (value == Py_None) {
        self->is_auth_general = true;
        Py_DECREF(value);
    } else {
        self->auth_value = value;
    }
    return 0;
}

int
cload__session_set_slot(PyObject *object, PyObject *value, void *closure)
{
    struct cload_session *self = (struct cload_session *)object;
    intptr_t slot = (intptr_t)closure;
    if (value == NULL) {
        PyErr_Format(PyExc_AttributeError, "%s cannot be deleted", cload__session_names[slot]);
        return -1;
    }
    PyObject *kept = Py_NewRef(value);
    if (slot == CLOAD_SESSION_headers || slot == CLOAD_SESSION_cookies) {
        Py_DECREF(kept);
        kept = cload__call_helper(self->state, slot == CLOAD_SESSION_headers ? "wrap_headers" : "wrap_cookies", object,
                                  value, NULL);
        if (kept == NULL) {
            return -1;
        }
        self->are_headers_changed |= slot == CLOAD_SESSION_headers;
    } else if (slot == CLOAD_SESSION_auth) {
        if (session_apply_auth(self, value) < 0) {
            Py_DECREF(kept);
            return -1;
        }
    } else if (slot == CLOAD_SESSION_max_redirects) {
        long most = PyLong_AsLong(value);
        if (most == -1 && PyErr_Occurred()) {
            Py_DECREF(kept);
            return -1;
        }
        self->max_redirects = most <= 0 ? -1 : most > INT_MAX ? INT_MAX : (int)most;
    } else if (slot == CLOAD_SESSION_verify || slot == CLOAD_SESSION_cert) {
        Py_CLEAR(self->tls_owner);
    } else if (slot == CLOAD_SESSION_adapters) {
        self->is_mounted = true;
    }
    Py_XSETREF(self->slots[slot], kept);
    judge(self);
    return 0;
}

PyObject *
cload__session_get_base_url(PyObject *object, void *Py_UNUSED(closure))
{
    struct cload_session *self = (struct cload_session *)object;
    return Py_NewRef(self->base_url == NULL ? Py_None : self->base_url);
}

PyObject *
cload__session_has_core(PyObject *object, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((struct cload_session *)object)->core != NULL);
}

/* What requests would use; the options borrow from the state. */
static int
default_options(struct cload_session *self, struct lc_session_options *options)
{
    PyObject *defaults = cload__helper(self->state, "session_defaults");
    if (defaults == NULL) {
        return -1;
    }
    PyObject *agent;
    int accepts_br, accepts_zstd;
    int err = -1;
    if (PyArg_ParseTuple(defaults, "Upp", &agent, &accepts_br, &accepts_zstd)) {
        options->user_agent = PyUnicode_AsUTF8(agent);
        options->is_accepting_br = accepts_br;
        options->is_accepting_zstd = accepts_zstd;
        if (self->state->default_tls == NULL) {
            self->state->default_tls = cload__tls_find(self->state, NULL, NULL);
        }
        options->tls =
            self->state->default_tls == NULL ? NULL : PyCapsule_GetPointer(self->state->default_tls, "cload.tls");
        err = options->user_agent == NULL || options->tls == NULL ? -1 : 0;
    }
    Py_DECREF(defaults);
    return err;
}

int
cload__session_make_core(struct cload_session *self, PyObject *base_url)
{
    struct lc_session_options options;
    lc_session_options_init(&options);
    if (!cload__text_of(base_url, &options.base_url)) {
        PyErr_SetString(PyExc_TypeError, "base_url must be a str");
        return -1;
    }
    /* A session that another thread makes is like any other, only calls from there go through requests' own code. */
    struct cload_hub *hub = cload_hub_any(self->state);
    if (hub == NULL) {
        return -1;
    }
    PyObject *pairs = NULL;
    struct lc_session *core = NULL;
    struct cload_retired *retired = NULL;
    struct lc_header *headers = NULL;
    int err = self->is_fast ? cload__fast_options(self, &options, &pairs) : default_options(self, &options);
    if (err == 0 && pairs != NULL) {
        options.headers = headers = read_pairs(pairs);
        options.header_count = (size_t)PyList_GET_SIZE(pairs);
        err = headers == NULL ? -1 : 0;
    }
    if (err == 0 && self->conn_pool != NULL) {
        options.pool = cload__conn_pool_core(self->conn_pool, hub);
        err = options.pool == NULL ? -1 : 0;
    }
    if (err == 0) {
        options.version = (enum lc_http_version)((unsigned)self->http_version - 1);
        struct lc_error error = {0};
        core = lc_session_new(hub->http, &options, &error);
        if (core == NULL) {
            cload_raise(error.code, &error);
        }
    }
    PyMem_Free(headers);
    if (core == NULL) {
        return -1;
    }
    if (self->hub != NULL && self->hub->is_left) {
        session_leave(self);
    }
    if (self->flight_count > 0 && self->core != NULL && (retired = lc__alloc(sizeof(*retired))) == NULL) {
        PyErr_NoMemory();
        lc_session_free(core);
        return -1;
    }
    if (retired != NULL) {
        *retired = (struct cload_retired){self->retired, self->core};
        self->retired = retired;
    } else {
        lc_session_free(self->core);
    }
    self->core = core;
    self->hub = hub;
    self->are_headers_changed = self->slots[CLOAD_SESSION_headers] != NULL;
    struct lc_url url;
    bool is_parsed = lc_url_parse(options.base_url, &url, NULL) == 0 && url.fragment.data == NULL;
    self->has_plain_base = is_parsed && url.target.len == 0;
    self->has_slash_base = is_parsed && lc_str_equal(url.target, LCORE_STR("/"));
    Py_XSETREF(self->base_url, Py_NewRef(base_url));
    return 0;
}

int
cload__session_set_base_url(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct cload_session *self = (struct cload_session *)object;
    if (value == NULL || (value != Py_None && !PyUnicode_Check(value))) {
        PyErr_SetString(PyExc_TypeError, "base_url must be a str");
        return -1;
    }
    PyObject *cookies = self->core == NULL ? NULL : cload__session_cookie_list(object, NULL);
    if (self->core != NULL && cookies == NULL) {
        return -1;
    }
    /* Without a base every call names the whole URL. */
    PyObject *base_url = value == Py_None ? PyUnicode_FromString("") : Py_NewRef(value);
    int err = base_url == NULL ? -1 : cload__session_make_core(self, base_url);
    Py_XDECREF(base_url);
    for (Py_ssize_t i = 0; err == 0 && cookies != NULL && i < PyList_GET_SIZE(cookies); i++) {
        PyObject *set = cload__session_cookie_set(object, PyList_GET_ITEM(cookies, i));
        Py_XDECREF(set);
        err = set == NULL ? -1 : 0;
    }
    Py_XDECREF(cookies);
    return err;
}

bool
cload__session_is_plain(const struct cload_session *self)
{
    for (int i = 0; i < CLOAD_SESSION_SLOT_COUNT; i++) {
        if (self->slots[i] != NULL && !(i == CLOAD_SESSION_trust_env && self->slots[i] == Py_False)) {
            return false;
        }
    }
    bool is_settled = self->core != NULL && !self->hub->is_left && self->flight_count == 0;
    return is_settled && self->conn_pool == NULL && self->auth_value == NULL && self->request_name == NULL &&
           (self->pool_manager == NULL || self->pool_manager == Py_None) &&
           (self->dict == NULL || PyDict_GET_SIZE(self->dict) == 0);
}

PyObject *
cload__session_like(const struct cload_session *model, PyObject *request_event, PyObject *user)
{
    struct cload_session *self = (struct cload_session *)Py_TYPE(model)->tp_alloc(Py_TYPE(model), 0);
    if (self == NULL) {
        return NULL;
    }
    self->state = model->state;
    self->hub = model->hub;
    self->core = lc__session_like(model->core);
    if (self->core == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->base_url = Py_NewRef(model->base_url);
    self->request_event = Py_NewRef(request_event);
    self->user = Py_NewRef(user);
    self->pool_manager = Py_XNewRef(model->pool_manager);
    self->tls_owner = Py_XNewRef(model->tls_owner);
    self->response_class = (PyTypeObject *)Py_XNewRef(model->response_class);
    self->catching_class = (PyTypeObject *)Py_XNewRef(model->catching_class);
    self->error_class = (PyTypeObject *)Py_XNewRef(model->error_class);
    self->options = Py_XNewRef(model->options);
    self->valid_statuses = Py_XNewRef(model->valid_statuses);
    self->slots[CLOAD_SESSION_trust_env] = Py_XNewRef(model->slots[CLOAD_SESSION_trust_env]);
    self->is_general = model->is_general;
    self->class_version = model->class_version;
    self->senders_version = model->senders_version;
    self->is_request_overridden = model->is_request_overridden;
    self->is_class_general = model->is_class_general;
    self->is_mounted = model->is_mounted;
    self->is_fast = model->is_fast;
    self->http_version = model->http_version;
    self->max_redirects = model->max_redirects;
    self->max_retries = model->max_retries;
    self->has_slash_base = model->has_slash_base;
    self->has_plain_base = model->has_plain_base;
    return (PyObject *)self;
}

bool
cload__is_session(struct cload_state *state, PyObject *object)
{
    return PyObject_TypeCheck(object, state->session_type) || PyObject_TypeCheck(object, state->fast_session_type);
}

PyObject *
cload_session_user(struct cload_state *state, PyObject *client)
{
    return cload__is_session(state, client) ? ((struct cload_session *)client)->user : NULL;
}

PyObject *
cload__session_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    struct cload_session *self = (struct cload_session *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->state = cload_state_find(type);
        if (self->state == NULL) {
            Py_CLEAR(self);
        }
    }
    return (PyObject *)self;
}

int
cload__session_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct cload_session *self = (struct cload_session *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->request_event);
    Py_VISIT(self->user);
    Py_VISIT(self->request_name);
    Py_VISIT(self->pool_manager);
    Py_VISIT(self->response_class);
    Py_VISIT(self->catching_class);
    Py_VISIT(self->error_class);
    Py_VISIT(self->options);
    Py_VISIT(self->dict);
    for (int i = 0; i < CLOAD_SESSION_SLOT_COUNT; i++) {
        Py_VISIT(self->slots[i]);
    }
    return 0;
}

int
cload__session_clear(PyObject *object)
{
    struct cload_session *self = (struct cload_session *)object;
    Py_CLEAR(self->base_url);
    Py_CLEAR(self->request_event);
    Py_CLEAR(self->user);
    Py_CLEAR(self->request_name);
    Py_CLEAR(self->pool_manager);
    Py_CLEAR(self->auth_value);
    Py_CLEAR(self->tls_owner);
    Py_CLEAR(self->conn_pool);
    Py_CLEAR(self->response_class);
    Py_CLEAR(self->catching_class);
    Py_CLEAR(self->error_class);
    Py_CLEAR(self->options);
    Py_CLEAR(self->valid_statuses);
    Py_CLEAR(self->dict);
    for (int i = 0; i < CLOAD_SESSION_SLOT_COUNT; i++) {
        Py_CLEAR(self->slots[i]);
    }
    return 0;
}

void
cload__session_dealloc(PyObject *object)
{
    struct cload_session *self = (struct cload_session *)object;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    if (self->hub != NULL && self->hub->is_left) {
        session_leave(self);
    }
    cload__session_free_retired(self);
    lc_session_free(self->core);
    self->core = NULL;
    cload__session_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

int
cload__session_add_types(PyObject *module)
{
    return cload__session_http_add(module) < 0 || cload__session_fast_add(module) < 0 ||
                   cload__tls_options_add(module) < 0 || cload__conn_pool_add(module) < 0 ||
                   cload__wire_add(module) < 0 || cload__stream_add(module) < 0
               ? -1
               : 0;
}
