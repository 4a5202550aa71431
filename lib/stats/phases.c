#include "stats/phases.h"

#include "base/clock.h"
#include "stats/entry.h"

const char *
lc_phase_text(enum lc_phase phase)
{
    static const char *const texts[] = {
#define LCORE_PHASE_TEXT(name, text) [LCORE_PHASE_##name] = text,
        LCORE_PHASE_LIST(LCORE_PHASE_TEXT)
#undef LCORE_PHASE_TEXT
    };
    return (unsigned)phase < LCORE_PHASE_COUNT ? texts[phase] : "";
}

void
lc__phases_merge(struct lc_phase_sum target[LCORE_PHASE_COUNT], const struct lc_phase_sum source[LCORE_PHASE_COUNT])
{
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        target[i].count += source[i].count;
        target[i].total_ns += source[i].total_ns;
        target[i].max_ns = source[i].max_ns > target[i].max_ns ? source[i].max_ns : target[i].max_ns;
    }
}

void
lc_stats_entry_phase(const struct lc_stats_entry *entry, enum lc_phase phase, struct lc_phase_numbers *out)
{
    const struct lc_phase_sum *sum = &entry->phases[phase];
    double total_ms = (double)sum->total_ns / (double)LCORE_NS_PER_MS;
    *out = (struct lc_phase_numbers){
        .count = sum->count,
        .total_ms = total_ms,
        .average_ms = sum->count == 0 ? 0 : total_ms / (double)sum->count,
        .max_ms = (double)sum->max_ns / (double)LCORE_NS_PER_MS,
    };
}
