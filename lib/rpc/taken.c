#include "rpc/taken.h"

#include <string.h>

static void
drop_first(struct lc_taken *taken)
{
    taken->last = taken->early[0];
    memmove(taken->early, taken->early + 1, (size_t)--taken->early_count * sizeof(taken->early[0]));
}

bool
lc__taken_note(struct lc_taken *taken, uint64_t number)
{
    if (taken->last == 0 && taken->early_count == 0) {
        taken->last = number;
        return number > 0;
    }
    int place = 0;
    while (place < taken->early_count && taken->early[place] < number) {
        place++;
    }
    if (number <= taken->last || (place < taken->early_count && taken->early[place] == number)) {
        return false;
    }
    if (taken->early_count == LCORE_TAKEN_EARLY) {
        /* What is missing for that long will not come any more. */
        drop_first(taken);
        place = place > 0 ? place - 1 : 0;
        if (number <= taken->last) {
            return false;
        }
    }
    memmove(taken->early + place + 1, taken->early + place,
            (size_t)(taken->early_count - place) * sizeof(taken->early[0]));
    taken->early[place] = number;
    taken->early_count++;
    while (taken->early_count > 0 && taken->early[0] == taken->last + 1) {
        drop_first(taken);
    }
    return true;
}
