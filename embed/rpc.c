#include "rpc.h"

#include "greenlet.h"
#include "object.h"
#include "pack.h"
#include "stats.h"
#include "stats_values.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "rpc/node.h"
#include "rpc/pace.h"
#include "rpc/silence.h"

/* Messages taken in a row before others get their turn. */
#define RECEIVE_BURST 64
/* Nor for longer than this, which is looked at after so many. */
#define RECEIVE_NS LCORE_NS_PER_MS
#define TIME_CHECKS 2

struct channel_object {
    PyObject_HEAD
    struct cload_hub *hub;
    struct lc_channel *core; /* NULL: closed */
    struct lc_list link;
    struct cload_waiter *waiter; /* who is in recv(), or NULL */
    int burst;                   /* messages taken in a row, and since when */
    int64_t burst_ns;
    struct lc_pace pace; /* of a listening channel */
};

static void
on_ready(struct lc_channel *core, void *arg)
{
    struct channel_object *self = arg;
    if (self->waiter != NULL) {
        cload_waiter_wake(self->waiter);
    }
}

static struct cload_rpc *
rpc_of_hub(struct cload_hub *hub)
{
    if (hub->rpc != NULL) {
        return hub->rpc;
    }
    struct cload_rpc *rpc = lc__calloc(1, sizeof(*rpc));
    if (rpc == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    rpc->core = lc_rpc_new(hub->loop);
    if (rpc->core == NULL) {
        lc__free(rpc);
        PyErr_SetString(PyExc_OSError, "ZeroMQ could not be started (out of memory or open files)");
        return NULL;
    }
    lc_list_init(&rpc->channels);
    hub->rpc = rpc;
    return rpc;
}

static PyObject *
raise_system(int err, const struct lc_error *error)
{
    if (err != LCE_SYSTEM) {
        return cload_raise(err, error);
    }
    PyObject *arguments = Py_BuildValue("(is)", error->errnum, error->text);
    if (arguments != NULL) {
        PyErr_SetObject(PyExc_OSError, arguments);
        Py_DECREF(arguments);
    }
    return NULL;
}

static PyObject *
channel_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"host", "port", "identity", "secret", NULL};
    const char *host, *secret = NULL;
    int port;
    struct lc_str identity = {0};
    Py_ssize_t identity_len = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "si|z#z:Channel", keywords, &host, &port, &identity.data,
                                     &identity_len, &secret)) {
        return NULL;
    }
    identity.len = (size_t)identity_len;
    if (port < 0 || port > 65535 || strlen(host) > 255) {
        PyErr_Format(PyExc_ValueError, "%s:%d is no address", host, port);
        return NULL;
    }
    struct cload_state *state = cload_state_find(type);
    struct cload_hub *hub = state == NULL ? NULL : cload_hub_get(state);
    if (hub == NULL) {
        if (PyErr_Occurred() == NULL) {
            PyErr_SetString(PyExc_RuntimeError, "a channel belongs into the thread of the other channels and users");
        }
        return NULL;
    }
    struct cload_rpc *rpc = rpc_of_hub(hub);
    struct channel_object *self = rpc == NULL ? NULL : (struct channel_object *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->hub = hub;
    struct lc_error error = {0};
    struct lc_channel_options options = {.host = host, .port = port, .secret = secret, .fn = on_ready, .arg = self};
    int err = identity.data == NULL ? lc_channel_listen(rpc->core, &options, &self->core, &error)
                                    : lc_channel_connect(rpc->core, &options, identity, &self->core, &error);
    if (err < 0) {
        Py_DECREF(self);
        return raise_system(err, &error);
    }
    lc_list_append(&rpc->channels, &self->link);
    return (PyObject *)self;
}

static void
channel_shut(struct channel_object *self)
{
    if (self->core != NULL) {
        lc_list_remove(&self->link);
        if (self->hub->is_left) {
            /* The parent's, in a forked child, where libzmq waits for threads that are not there. */
            self->core = NULL;
            return;
        }
        lc_channel_free(self->core);
        self->core = NULL;
        if (self->waiter != NULL) {
            cload_waiter_wake(self->waiter);
        }
    }
}

static void
channel_dealloc(struct channel_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    channel_shut(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static bool
is_open(struct channel_object *self)
{
    if (self->core == NULL || self->hub->is_left) {
        PyErr_SetString(PyExc_OSError, self->core == NULL
                                           ? "the channel is closed"
                                           : "the channel belongs to the process that this one forked from");
        return false;
    }
    return true;
}

static PyObject *
channel_send(struct channel_object *self, PyObject *args)
{
    Py_buffer frame;
    struct lc_str to = {0};
    Py_ssize_t to_len = 0;
    if (!PyArg_ParseTuple(args, "y*|z#:send", &frame, &to.data, &to_len)) {
        return NULL;
    }
    to.len = (size_t)to_len;
    PyObject *result = NULL;
    if (!is_open(self)) {
        goto out;
    }
    if ((lc_channel_port(self->core) != 0) != (to.len > 0)) {
        PyErr_SetString(PyExc_ValueError, to.len > 0 ? "a worker sends to its master only" : "to whom?");
        goto out;
    }
    struct lc_error error = {0};
    int err = lc_channel_send(self->core, to, (struct lc_str){frame.buf, (size_t)frame.len}, &error);
    if (err < 0 && err != LCE_LIMIT && err != LCE_NOTFOUND) {
        raise_system(err, &error);
    } else if (cload_hub_kick(self->hub) == 0) {
        result = err == LCE_NOTFOUND ? Py_NewRef(Py_None) : PyBool_FromLong(err == 0);
    }
out:
    PyBuffer_Release(&frame);
    return result;
}

/* Parks the greenlet until a message may be there. */
static int
wait_for_message(struct channel_object *self)
{
    struct cload_waiter *waiter = cload_waiter_new(self->hub);
    if (waiter == NULL) {
        return -1;
    }
    self->waiter = waiter;
    int err = cload_waiter_wait(waiter);
    self->waiter = NULL;
    cload_waiter_free(waiter);
    return err;
}

static PyObject *
channel_recv(struct channel_object *self, PyObject *Py_UNUSED(ignored))
{
    bool is_late =
        self->burst > 0 && self->burst % TIME_CHECKS == 0 && lc_clock_monotonic_ns() - self->burst_ns > RECEIVE_NS;
    if (is_late || self->burst >= RECEIVE_BURST) {
        self->burst = 0;
        if (cload_greenlet_sleep(self->hub, 0) < 0) {
            return NULL;
        }
    }
    while (is_open(self)) {
        /* Another one may have come while this one let others have their turn. */
        if (self->waiter != NULL) {
            PyErr_SetString(PyExc_RuntimeError, "another greenlet receives from this channel");
            return NULL;
        }
        const char *refusal = lc_channel_take_refusal(self->core);
        if (refusal != NULL) {
            PyErr_SetString(PyExc_ConnectionRefusedError, refusal);
            return NULL;
        }
        struct lc_frame frame;
        struct lc_error error = {0};
        int got = lc_channel_receive(self->core, &frame, &error);
        if (got < 0) {
            return raise_system(got, &error);
        }
        if (got > 0) {
            if (self->burst++ == 0) {
                self->burst_ns = lc_clock_monotonic_ns();
            }
            const char *body = frame.is_odd || frame.body.data == NULL ? "" : frame.body.data;
            /* Copied before there is a tuple: garbage that is collected for that may close the channel. */
            PyObject *from = PyBytes_FromStringAndSize(frame.from.data, (Py_ssize_t)frame.from.len);
            PyObject *content = PyBytes_FromStringAndSize(body, frame.is_odd ? 0 : (Py_ssize_t)frame.body.len);
            return Py_BuildValue("(NN)", from, content);
        }
        self->burst = 0;
        int err = wait_for_message(self);
        lc__pace_catch_up(&self->pace, lc_clock_monotonic_ns());
        if (err < 0) {
            return NULL;
        }
    }
    return NULL;
}

static PyObject *
channel_close(struct channel_object *self, PyObject *Py_UNUSED(ignored))
{
    channel_shut(self);
    Py_RETURN_NONE;
}

static PyObject *
channel_note_report(struct channel_object *self, PyObject *Py_UNUSED(ignored))
{
    lc__pace_take(&self->pace);
    Py_RETURN_NONE;
}

static PyObject *
channel_pause(struct channel_object *self, PyObject *args)
{
    Py_ssize_t own_count, other_count;
    if (!PyArg_ParseTuple(args, "nn:pause", &own_count, &other_count)) {
        return NULL;
    }
    if (own_count < 0 || other_count < 0) {
        PyErr_SetString(PyExc_ValueError, "there cannot be fewer than no workers");
        return NULL;
    }
    int64_t now_ns = lc_clock_monotonic_ns();
    if (self->waiter != NULL) {
        lc__pace_catch_up(&self->pace, now_ns);
    }
    lc__pace_look(&self->pace, (size_t)own_count, (size_t)other_count, now_ns);
    return PyFloat_FromDouble((double)self->pace.pause_ns / (double)LCORE_NS_PER_S);
}

static PyObject *
get_behind(struct channel_object *self, void *Py_UNUSED(closure))
{
    int64_t behind_ns = self->waiter != NULL ? 0 : lc__pace_behind_ns(&self->pace, lc_clock_monotonic_ns());
    return PyFloat_FromDouble((double)behind_ns / (double)LCORE_NS_PER_S);
}

static PyObject *
get_unconnected(struct channel_object *self, void *Py_UNUSED(closure))
{
    if (!is_open(self)) {
        return NULL;
    }
    return PyFloat_FromDouble((double)lc_channel_unconnected_ns(self->core) / (double)LCORE_NS_PER_S);
}

static PyObject *
get_port(struct channel_object *self, void *Py_UNUSED(closure))
{
    return is_open(self) ? PyLong_FromLong(lc_channel_port(self->core)) : NULL;
}

static PyMethodDef channel_methods[] = {
    {"send", (PyCFunction)channel_send, METH_VARARGS,
     PyDoc_STR(
         "send(frame, to=None)\n\nSends or queues. False: the queue is full; None: nobody of that name is there.")},
    {"recv", (PyCFunction)channel_recv, METH_NOARGS,
     PyDoc_STR("recv()\n\nWaits for a message: identity of the sender, and the frame (empty if it had several). "
               "ConnectionRefusedError: somebody was refused; the channel goes on.")},
    {"note_report", (PyCFunction)channel_note_report, METH_NOARGS,
     PyDoc_STR("note_report()\n\nA report that recv() gave was taken.")},
    {"pause", (PyCFunction)channel_pause, METH_VARARGS,
     PyDoc_STR(
         "pause(own, others)\n\nTo be called about once a second: the seconds that so many workers of ours should "
         "let pass between two reports; 0: as always.")},
    {"close", (PyCFunction)channel_close, METH_NOARGS, PyDoc_STR("close()\n\nWhat was sent still leaves.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef channel_getset[] = {
    {"port", (getter)get_port, NULL, PyDoc_STR("The port of a listening channel, else 0."), NULL},
    {"behind", (getter)get_behind, NULL,
     PyDoc_STR("For how many seconds there has always been something for recv() to take; 0: there is nothing."), NULL},
    {"unconnected", (getter)get_unconnected, NULL,
     PyDoc_STR("For how many seconds a channel that connects has had no connection; 0: it has one."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot channel_slots[] = {
    {Py_tp_doc,
     (void *)PyDoc_STR("Channel(host, port, identity=None, secret=None)\n\nListens, or with an identity connects.")},
    {Py_tp_new, channel_new},
    {Py_tp_dealloc, channel_dealloc},
    {Py_tp_methods, channel_methods},
    {Py_tp_getset, channel_getset},
    {0, NULL},
};

static PyType_Spec channel_spec = {
    .name = "_cload.Channel",
    .basicsize = sizeof(struct channel_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = channel_slots,
};

static PyObject *
pack_message(PyObject *module, PyObject *args)
{
    struct lc_message message = {0};
    PyObject *data;
    Py_ssize_t type_len, node_len;
    if (!PyArg_ParseTuple(args, "s#Os#:pack_message", &message.type.data, &type_len, &data, &message.node_id.data,
                          &node_len)) {
        return NULL;
    }
    message.type.len = (size_t)type_len;
    message.node_id.len = (size_t)node_len;
    PyObject *result = NULL;
    struct lc_buffer packed = {0}, frame = {0};
    if (cload_pack(cload_state_of_module(module), &packed, data) == 0) {
        message.data = (struct lc_str){packed.data, packed.len};
        int err = lc_message_write(&frame, &message);
        result = err < 0 ? cload_raise(err, NULL) : PyBytes_FromStringAndSize(frame.data, (Py_ssize_t)frame.len);
    }
    lc_buffer_fini(&packed);
    lc_buffer_fini(&frame);
    return result;
}

static PyObject *
unpack_message(PyObject *module, PyObject *args)
{
    Py_buffer view;
    struct lc_str late = {0};
    Py_ssize_t late_len = 0;
    if (!PyArg_ParseTuple(args, "y*|s#:unpack_message", &view, &late.data, &late_len)) {
        return NULL;
    }
    late.len = (size_t)late_len;
    PyObject *result = NULL;
    struct lc_message message;
    if (lc_message_read((struct lc_str){view.buf, (size_t)view.len}, &message) < 0) {
        PyErr_SetString(PyExc_ValueError, "no message: [type, data, node id] in MessagePack is expected");
    } else {
        struct lc_pack_reader reader = lc_pack_reader_from(message.data);
        bool is_late = late.len > 0 && lc_str_equal(message.type, late);
        PyObject *data = is_late ? Py_NewRef(Py_None) : cload_unpack(cload_state_of_module(module), &reader);
        if (data != NULL) {
            result = Py_BuildValue("(s#Ns#)", message.type.data, (Py_ssize_t)message.type.len, data,
                                   message.node_id.data, (Py_ssize_t)message.node_id.len);
        }
    }
    PyBuffer_Release(&view);
    return result;
}

static PyObject *
merge_report(PyObject *module, PyObject *args)
{
    PyObject *stats, *result = NULL;
    Py_buffer view;
    if (!PyArg_ParseTuple(args, "Oy*:merge_report", &stats, &view)) {
        return NULL;
    }
    struct lc_str data;
    struct lc_report_told told;
    struct lc_stats *core = cload__stats_get(stats);
    if (core == NULL) {
        goto out;
    }
    int err = lc_message_data((struct lc_str){view.buf, (size_t)view.len}, &data);
    if (err == 0) {
        err = lc_report_merge(core, data, cload__stats_now(), &told);
    }
    if (err == 0) {
        struct lc_pack_reader users = told.users;
        PyObject *counts = users.at == NULL ? Py_NewRef(Py_None) : cload_unpack(cload_state_of_module(module), &users);
        result = counts == NULL ? NULL : Py_BuildValue("(Nd)", counts, told.until_unix_s);
        err = result == NULL ? LCE_FORMAT : 0;
    }
    if (err < 0) {
        Py_CLEAR(result);
        if (PyErr_Occurred() == NULL) {
            cload_raise(err, NULL);
        }
    }
out:
    PyBuffer_Release(&view);
    return result;
}

static PyObject *
write_report(PyObject *module, PyObject *stats)
{
    struct lc_stats *core = cload__stats_get(stats);
    if (core == NULL) {
        return NULL;
    }
    PyObject *result = NULL;
    struct lc_buffer data = {0}, frame = {0};
    int err = lc_pack_map(&data, LCORE_REPORT_KEYS + 1);
    err = err < 0 ? err : lc_report_write(&data, core);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("user_classes_count"));
    err = err < 0 ? err : lc_pack_map(&data, 0);
    err = err < 0 ? err : lc__node_frame(&frame, "stats", (struct lc_str){data.data, data.len}, LCORE_STR(""));
    result = err < 0 ? cload_raise(err, NULL) : PyBytes_FromStringAndSize(frame.data, (Py_ssize_t)frame.len);
    lc_buffer_fini(&data);
    lc_buffer_fini(&frame);
    return result;
}

/* The bytes are made before what they say is zeroed: nothing is lost where there is no memory for them. No Python code
 * runs between. */
static PyObject *
take_report(PyObject *module, PyObject *args)
{
    PyObject *stats, *users;
    struct lc_str node_id;
    unsigned long long number, user_count;
    double until_unix_s;
    Py_ssize_t node_len;
    if (!PyArg_ParseTuple(args, "Os#KdOK:take_report", &stats, &node_id.data, &node_len, &number, &until_unix_s, &users,
                          &user_count)) {
        return NULL;
    }
    node_id.len = (size_t)node_len;
    struct lc_stats *core = cload__stats_get(stats);
    if (core == NULL) {
        return NULL;
    }
    PyObject *result = NULL;
    struct lc_buffer counts = {0}, data = {0}, frame = {0};
    if (cload_pack(cload_state_of_module(module), &counts, users) < 0) {
        goto out;
    }
    int err = lc_pack_map(&data, LCORE_REPORT_KEYS + 2 + (number > 0 ? LCORE_REPORT_OWN_KEYS : 0));
    if (number > 0) {
        err = err < 0 ? err : lc_report_write_own(&data, number, until_unix_s);
    }
    err = err < 0 ? err : lc_report_write(&data, core);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("user_classes_count"));
    err = err < 0 ? err : lc_buffer_append(&data, counts.data, counts.len);
    err = err < 0 ? err : lc_pack_str(&data, LCORE_STR("user_count"));
    err = err < 0 ? err : lc_pack_uint(&data, user_count);
    err = err < 0 ? err : lc__node_frame(&frame, "stats", (struct lc_str){data.data, data.len}, node_id);
    result = err < 0 ? cload_raise(err, NULL) : PyBytes_FromStringAndSize(frame.data, (Py_ssize_t)frame.len);
    if (result != NULL) {
        lc__stats_reported(core, cload__stats_now());
    }
out:
    lc_buffer_fini(&counts);
    lc_buffer_fini(&data);
    lc_buffer_fini(&frame);
    return result;
}

static PyObject *
silence_limit(PyObject *module, PyObject *count)
{
    size_t workers = PyLong_AsSize_t(count);
    return workers == (size_t)-1 && PyErr_Occurred() != NULL ? NULL : PyFloat_FromDouble(lc__silence_limit(workers));
}

static PyObject *
silence_counts(PyObject *module, PyObject *args)
{
    struct lc_silence silence;
    int is_behind, are_many;
    if (!PyArg_ParseTuple(args, "Ipp:silence_counts", &silence.excused_s, &is_behind, &are_many)) {
        return NULL;
    }
    bool is_counted = lc__silence_counts(&silence, is_behind, are_many);
    return Py_BuildValue("(IN)", silence.excused_s, PyBool_FromLong(is_counted));
}

static PyObject *
report_number(PyObject *module, PyObject *frame)
{
    Py_buffer view;
    if (PyObject_GetBuffer(frame, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    struct lc_str data, key;
    struct lc_pack_item head, number = {0};
    /* It is the first key, or there is none. */
    if (lc_message_data((struct lc_str){view.buf, (size_t)view.len}, &data) == 0) {
        struct lc_pack_reader reader = lc_pack_reader_from(data);
        bool has_number = lc_pack_read(&reader, &head) == 0 && head.kind == LCORE_PACK_MAP && head.count > 0 &&
                          lc_pack_read_str(&reader, &key) == 0 &&
                          lc_str_equal(key, LCORE_STR(LCORE_REPORT_NUMBER_KEY)) &&
                          lc_pack_read(&reader, &number) == 0 && number.kind == LCORE_PACK_INT && number.integer > 0;
        number.integer = has_number ? number.integer : 0;
    }
    PyBuffer_Release(&view);
    return PyLong_FromLongLong(number.integer);
}

static PyObject *
set_rpc_helpers(PyObject *module, PyObject *helpers)
{
    Py_XSETREF(cload_state_of_module(module)->rpc_helpers, Py_NewRef(helpers));
    Py_RETURN_NONE;
}

static PyObject *
end_rpc(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = cload_state_of_module(module);
    if (state->hub == NULL || state->hub->rpc == NULL) {
        Py_RETURN_NONE;
    }
    struct cload_rpc *rpc = state->hub->rpc;
    while (!lc_list_is_empty(&rpc->channels)) {
        channel_shut(LCORE_CONTAINER(rpc->channels.next, struct channel_object, link));
    }
    state->hub->rpc = NULL;
    Py_BEGIN_ALLOW_THREADS;
    lc_rpc_free(rpc->core);
    Py_END_ALLOW_THREADS;
    lc__free(rpc);
    Py_RETURN_NONE;
}

static PyMethodDef rpc_methods[] = {
    {"pack_message", pack_message, METH_VARARGS, PyDoc_STR("pack_message(type, data, node_id) -> bytes\n\nOne frame.")},
    {"unpack_message", unpack_message, METH_VARARGS,
     PyDoc_STR("unpack_message(frame, late='') -> (type, data, node_id)\n\nValueError: that is no message. Of messages "
               "of the type `late` the frame is checked, but None is given for the data.")},
    {"merge_report", merge_report, METH_VARARGS,
     PyDoc_STR("merge_report(stats, frame) -> (user_classes_count or None, until)\n\nAdds the report of a stats "
               "message, and says up to when it has all of its worker, by that one's clock; 0: it has no requests. "
               "ValueError: it is none, and nothing was added.")},
    {"write_report", write_report, METH_O,
     PyDoc_STR("write_report(stats) -> bytes\n\nA stats message with all that was counted, for merge_report().")},
    {"take_report", take_report, METH_VARARGS,
     PyDoc_STR("take_report(stats, node_id, number, until, user_classes_count, user_count) -> bytes\n\nA stats message "
               "with what was counted since the last one, which is zeroed. number 0: for a master that is not ours.")},
    {"silence_limit", silence_limit, METH_O,
     PyDoc_STR("silence_limit(workers) -> float\n\nMore than this of so many workers have to be silent at once, and "
               "connected, to be many.")},
    {"silence_counts", silence_counts, METH_VARARGS,
     PyDoc_STR("silence_counts(excused, is_behind, are_many) -> (excused, bool)\n\nTo be called every second with what "
               "it said before, 0 at first: whether the second counts of those in which workers were not heard of.")},
    {"report_number", report_number, METH_O,
     PyDoc_STR("report_number(frame) -> int\n\nThe number of a stats message between nodes of ours; 0: it has none.")},
    {"set_rpc_helpers", set_rpc_helpers, METH_O,
     PyDoc_STR("set_rpc_helpers(helpers)\n\nGives the object that turns rare values into what a message can hold.")},
    {"end_rpc", end_rpc, METH_NOARGS,
     PyDoc_STR("end_rpc()\n\nCloses all channels and waits until what they sent has left, two seconds at most.")},
    {NULL, NULL, 0, NULL},
};

int
cload__rpc_add_types(PyObject *module)
{
    if (cload_type_add(module, &channel_spec, NULL) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, rpc_methods);
}
