/* Who is there, and how they are spoken to. */
#include "rpc/master_state.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

void
lc__master_say(struct lc_master *master, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    lc_log_line_format(master->options.on_log, master->options.arg, format, args);
    va_end(args);
}

void
lc__master_set_state(struct lc_master *master, enum lc_runner_state state)
{
    if (master->state != state) {
        master->state = state;
        if (master->options.on_state != NULL) {
            master->options.on_state(master, state, master->options.arg);
        }
    }
}

uint64_t
lc__master_users_of(const struct lc_master *master, const struct lc_master_node *node)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < master->options.class_count; i++) {
        sum += node->counts[i];
    }
    return sum;
}

void
lc__master_forget_users(struct lc_master *master, struct lc_master_node *node)
{
    memset(node->counts, 0, master->options.class_count * sizeof(*node->counts));
}

struct lc_master_node *
lc__master_find(const struct lc_master *master, struct lc_str id)
{
    return lc_map_get(&master->by_id, id, (struct lc_str){0});
}

struct lc_master_node *
lc__master_add(struct lc_master *master, struct lc_str id)
{
    struct lc_master_node *node = lc__calloc(1, sizeof(*node) + id.len + 1);
    if (node == NULL) {
        return NULL;
    }
    node->counts = lc__calloc(master->options.class_count, sizeof(*node->counts));
    if (node->counts == NULL || lc_map_add(&master->by_id, id, (struct lc_str){0}, node, NULL) < 0) {
        lc__free(node->counts);
        lc__free(node);
        return NULL;
    }
    memcpy(node->id, id.data, id.len);
    node->index = master->next_index++;
    lc_list_append(&master->nodes, &node->link);
    return node;
}

void
lc__master_send_to(struct lc_master *master, struct lc_str id, const char *type, const struct lc_buffer *data)
{
    struct lc_error error;
    struct lc_str packed = data == NULL ? (struct lc_str){0} : (struct lc_str){data->data, data->len};
    int err = lc__node_send(master->channel, id, type, packed, id, &error);
    if (err < 0 && err != LCE_NOTFOUND) {
        lc__master_say(master, "%s to %.*s could not be sent: %s", type, (int)id.len, id.data, error.text);
    }
}
