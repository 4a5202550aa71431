/* TLS options as Python objects: capsules of the core's shared, reference counted struct lc_tls. */
#include "helpers.h"
#include "session.h"

PyObject *
cload__tls_find(struct cload_state *state, PyObject *verify, PyObject *cert)
{
    return cload__call_helper(state, "find_tls", verify == NULL ? Py_True : verify, cert == NULL ? Py_None : cert,
                              NULL);
}

static void
tls_capsule_free(PyObject *capsule)
{
    lc_tls_unref(PyCapsule_GetPointer(capsule, "cload.tls"));
}

/* tls_options(is_insecure, ca_file, ca_dir, cert_file, key_file) -> capsule */
static PyObject *
make_tls(PyObject *Py_UNUSED(module), PyObject *args)
{
    struct lc_tls_options options = {.size = sizeof(options)};
    int is_insecure;
    if (!PyArg_ParseTuple(args, "pzzzz", &is_insecure, &options.ca_file, &options.ca_dir, &options.cert_file,
                          &options.key_file)) {
        return NULL;
    }
    options.is_insecure = is_insecure;
    struct lc_error error = {0};
    struct lc_tls *tls = lc_tls_new(&options, &error);
    if (tls == NULL) {
        return cload_raise(error.code, &error);
    }
    PyObject *capsule = PyCapsule_New(tls, "cload.tls", tls_capsule_free);
    if (capsule == NULL) {
        lc_tls_unref(tls);
    }
    return capsule;
}

static PyMethodDef module_functions[] = {
    {"make_tls", make_tls, METH_VARARGS,
     PyDoc_STR("make_tls(is_insecure, ca_file, ca_dir, cert_file, key_file) -> capsule\n\n"
               "TLS options; paths are str or None. OSError or ValueError when a file cannot be used.")},
    {NULL, NULL, 0, NULL},
};

int
cload__tls_options_add(PyObject *module)
{
    return PyModule_AddFunctions(module, module_functions);
}
