#include "user_client.h"

#include "object.h"
#include "session.h"
#include "user.h"

/* What Python code says of a kind of clients; see set_client_source(). All references are strong. */
struct cload_source {
    struct cload_source *next;
    PyTypeObject *user_class;
    PyObject *names;        /* of the module that the class of clients is taken from */
    PyObject *client_name;  /* its name there */
    PyObject *attributes;   /* tuple of names: what of the user's class decides about the client */
    PyTypeObject *settings; /* a class whose attributes do, too; or NULL */
};

static unsigned
version_of(const PyTypeObject *type)
{
    return type == NULL ? 0 : type->tp_version_tag;
}

static struct cload_model *
model_place(struct cload_state *state, const PyTypeObject *type)
{
    return &state->models[type->tp_version_tag % CLOAD_MODELS];
}

/* The options that count where the class leaves it to them: bit 0 for HTTP/2, bit 1 for HTTP/3. -1 with an exception.
 */
static int
wanted_versions(struct cload_state *state, PyObject *environment)
{
    PyObject *options;
    if (PyObject_GetOptionalAttr(environment, state->str_parsed_options, &options) < 0) {
        return -1;
    }
    if (options == NULL || options == Py_None) {
        Py_XDECREF(options);
        return 0;
    }
    PyObject *const names[] = {state->str_http2, state->str_http3};
    int bits = 0;
    for (int i = 0; i < 2 && bits >= 0; i++) {
        PyObject *value;
        int found = PyObject_GetOptionalAttr(options, names[i], &value);
        int truth = found <= 0 ? found : PyObject_IsTrue(value);
        bits = truth < 0 ? -1 : bits | truth << i;
        Py_XDECREF(value);
    }
    Py_DECREF(options);
    return bits;
}

/* Whether it is a value that stays what it is for as long as the class is not changed. */
static bool
is_constant(PyObject *value)
{
    return value == Py_None || PyUnicode_CheckExact(value) || PyLong_CheckExact(value) || PyBool_Check(value) ||
           PyFloat_CheckExact(value);
}

static struct cload_source *
find_source(struct cload_state *state, PyTypeObject *type)
{
    struct cload_source *source = state->sources;
    while (source != NULL && !PyType_IsSubtype(type, source->user_class)) {
        source = source->next;
    }
    return source;
}

static PyTypeObject *
client_class(const struct cload_source *source)
{
    PyObject *found = PyDict_GetItemWithError(source->names, source->client_name);
    return found != NULL && PyType_Check(found) ? (PyTypeObject *)found : NULL;
}

/* Notes what the client of this user is like, if there is no more to it than its class and attributes say. */
static int
model_take(struct cload_state *state, struct cload_user *user, PyObject *client, int versions)
{
    PyTypeObject *type = Py_TYPE(user);
    struct cload_source *source = find_source(state, type);
    if (source == NULL || type->tp_version_tag == 0 || type->tp_getattro != PyObject_GenericGetAttr ||
        client_class(source) != Py_TYPE(client) || (user->dict != NULL && PyDict_GET_SIZE(user->dict) > 0)) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(source->attributes); i++) {
        PyObject *value = _PyType_Lookup(type, PyTuple_GET_ITEM(source->attributes, i));
        if (value == NULL || !is_constant(value)) {
            return 0;
        }
    }
    /* The script may have put a class of its own in the place of ours. */
    if (!cload__is_session(state, client) || !cload__session_is_plain((struct cload_session *)client)) {
        return 0;
    }
    PyObject *session = cload__session_like((struct cload_session *)client, Py_None, Py_None);
    if (session == NULL) {
        return -1;
    }
    PyObject_GC_UnTrack(session); /* in no cycle, and nobody's: it is not to be found */
    struct cload_model *model = model_place(state, type);
    PyObject *former = model->session;
    *model = (struct cload_model){
        .user_version = type->tp_version_tag,
        .client_version = version_of(Py_TYPE(client)),
        .settings_version = version_of(source->settings),
        .http_versions = versions,
        .source = source,
        .session = session,
    };
    Py_XDECREF(former);
    return 0;
}

/* A client as the last users of this class had it; NULL without an exception: Python code has to say. */
static PyObject *
client_like_last(struct cload_state *state, struct cload_user *user, int versions)
{
    const struct cload_model *model = model_place(state, Py_TYPE(user));
    if (model->user_version != Py_TYPE(user)->tp_version_tag || model->user_version == 0 ||
        model->http_versions != versions || (user->dict != NULL && PyDict_GET_SIZE(user->dict) > 0)) {
        return NULL;
    }
    PyTypeObject *type = Py_TYPE(model->session);
    if (client_class(model->source) != type || version_of(type) != model->client_version ||
        version_of(model->source->settings) != model->settings_version ||
        !cload__session_is_plain((struct cload_session *)model->session)) {
        return NULL;
    }
    PyObject *session = Py_NewRef(model->session); /* another may take its place while the environment is asked */
    PyObject *events = PyObject_GetAttr(user->environment, state->str_events);
    PyObject *event = events == NULL ? NULL : PyObject_GetAttr(events, state->str_request);
    Py_XDECREF(events);
    PyObject *client =
        event == NULL ? NULL : cload__session_like((struct cload_session *)session, event, (PyObject *)user);
    Py_XDECREF(event);
    Py_DECREF(session);
    return client;
}

static int
client_user_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    struct cload_user *self = (struct cload_user *)object;
    struct cload_state *state = cload_user_init(object, args, kwargs);
    int versions = state == NULL ? -1 : wanted_versions(state, self->environment);
    if (versions < 0) {
        return -1;
    }
    PyObject *client = client_like_last(state, self, versions);
    if (client == NULL && !PyErr_Occurred()) {
        client = PyObject_CallMethodNoArgs(object, state->str__make_client);
        if (client != NULL && model_take(state, self, client, versions) < 0) {
            Py_CLEAR(client);
        }
    }
    int err = client == NULL ? -1 : PyObject_SetAttr(object, state->str_client, client);
    Py_XDECREF(client);
    return err;
}

/* set_client_source(user_class, names, client_name, attributes, settings=None) */
static PyObject *
set_client_source(PyObject *module, PyObject *args)
{
    struct cload_state *state = cload_state_of_module(module);
    PyObject *user_class, *names, *client_name, *attributes, *settings = Py_None;
    if (!PyArg_ParseTuple(args, "O!O!UO!|O", &PyType_Type, &user_class, &PyDict_Type, &names, &client_name,
                          &PyTuple_Type, &attributes, &settings)) {
        return NULL;
    }
    struct cload_source *source = PyMem_New(struct cload_source, 1);
    if (source == NULL) {
        return PyErr_NoMemory();
    }
    *source = (struct cload_source){
        .next = state->sources,
        .user_class = (PyTypeObject *)Py_NewRef(user_class),
        .names = Py_NewRef(names),
        .client_name = Py_NewRef(client_name),
        .attributes = Py_NewRef(attributes),
        .settings = PyType_Check(settings) ? (PyTypeObject *)Py_NewRef(settings) : NULL,
    };
    state->sources = source;
    Py_RETURN_NONE;
}

int
cload__models_traverse(struct cload_state *state, visitproc visit, void *arg)
{
    for (size_t i = 0; i < CLOAD_MODELS; i++) {
        Py_VISIT(state->models[i].session);
    }
    for (struct cload_source *source = state->sources; source != NULL; source = source->next) {
        Py_VISIT(source->user_class);
        Py_VISIT(source->names);
        Py_VISIT(source->attributes);
        Py_VISIT(source->settings);
    }
    return 0;
}

void
cload__models_clear(struct cload_state *state)
{
    for (size_t i = 0; i < CLOAD_MODELS; i++) {
        state->models[i].user_version = 0;
        Py_CLEAR(state->models[i].session);
    }
    while (state->sources != NULL) {
        struct cload_source *source = state->sources;
        state->sources = source->next;
        Py_DECREF(source->user_class);
        Py_DECREF(source->names);
        Py_DECREF(source->client_name);
        Py_DECREF(source->attributes);
        Py_XDECREF(source->settings);
        PyMem_Free(source);
    }
}

static PyMethodDef client_functions[] = {
    {"set_client_source", set_client_source, METH_VARARGS,
     PyDoc_STR("set_client_source(user_class, names, client_name, attributes, settings=None)\n\n"
               "Says where users of a class have their clients from: the class `client_name` of the module with these "
               "`names`, by these attributes of the user's class and by those of the class `settings`.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot client_user_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("ClientUser(environment)\n--\n\nBase of the users that get a client when they are "
                                  "made: what _make_client() returns.")},
    {Py_tp_init, client_user_init},
    {0, NULL},
};

static PyType_Spec client_user_spec = {
    .name = "_cload.ClientUser",
    .basicsize = sizeof(struct cload_user),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = client_user_slots,
};

int
cload__user_client_add_types(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    PyObject *bases = PyTuple_Pack(1, state->user_type);
    PyObject *type = bases == NULL ? NULL : PyType_FromModuleAndSpec(module, &client_user_spec, bases);
    int err = type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0 ? -1 : 0;
    Py_XDECREF(type);
    Py_XDECREF(bases);
    return err < 0 ? -1 : PyModule_AddFunctions(module, client_functions);
}
