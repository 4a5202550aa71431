/* The order in which classes of users are taken so that every prefix of it is as close as can be to the wanted mix
 * (Locust's rule, compat DST-67): class i has weight w and a counter x that starts at w; the next one is the class
 * with the smallest w * log2(x / (x + 1)), ties by smaller counter, weight, then rank; then its counter grows by 1. */
#ifndef LCORE_RUN_MIX_H
#define LCORE_RUN_MIX_H

#include <stddef.h>
#include <stdint.h>

struct lc_mix_item {
    double gain;    /* how much taking the class once more lowers the divergence; negative */
    double counter; /* after it was taken */
    double weight;
    uint32_t rank;
    uint32_t class_index;
};

/* A binary heap in memory of the caller, who provides room for all classes. */
struct lc_mix {
    struct lc_mix_item *items;
    size_t count;
};

/* Rank decides between classes that are equal in all else. A weight of 0 or less is left out. */
void lc_mix_add(struct lc_mix *mix, uint32_t class_index, uint32_t rank, double weight);
/* The class to take next; UINT32_MAX when there is none. */
uint32_t lc_mix_next(struct lc_mix *mix);

#endif
