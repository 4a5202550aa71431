/* Doubly linked intrusive list. A head and a node are the same struct; an unlinked node points to itself or is zero. */
#ifndef LCORE_BASE_LIST_H
#define LCORE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct lc_list {
    struct lc_list *next;
    struct lc_list *prev;
};

#define LCORE_CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void
lc_list_init(struct lc_list *node)
{
    node->next = node->prev = node;
}

static inline bool
lc_list_is_empty(const struct lc_list *head)
{
    return head->next == head;
}

/* Whether a node is in some list. */
static inline bool
lc_list_is_linked(const struct lc_list *node)
{
    return node->next != NULL && node->next != node;
}

static inline void
lc_list_append(struct lc_list *head, struct lc_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void
lc_list_prepend(struct lc_list *head, struct lc_list *node)
{
    lc_list_append(head->next, node);
}

/* Fine on an unlinked node. */
static inline void
lc_list_remove(struct lc_list *node)
{
    if (node->next != NULL) {
        node->prev->next = node->next;
        node->next->prev = node->prev;
    }
    node->next = node->prev = node;
}

static inline struct lc_list *
lc_list_pop(struct lc_list *head)
{
    struct lc_list *node = head->next;
    if (node == head) {
        return NULL;
    }
    lc_list_remove(node);
    return node;
}

#endif
