#include "rpc/silence.h"

/* Every so many seconds count while the master is behind, and while many are silent. */
#define SLOWLY 4
#define VERY_SLOWLY 15
/* Fewer may be silent for reasons of their own, and so may a smaller part. */
#define FEW 10
#define PART 0.25

double
lc__silence_limit(size_t worker_count)
{
    double part = PART * (double)worker_count;
    return part > FEW ? part : FEW;
}

bool
lc__silence_counts(struct lc_silence *silence, bool is_behind, bool are_many)
{
    silence->excused_s = is_behind || are_many ? silence->excused_s + 1 : 0;
    return silence->excused_s % (are_many ? VERY_SLOWLY : SLOWLY) == 0;
}
