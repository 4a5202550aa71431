#include "locustcore/report.h"

void
lc_report_options_init(struct lc_report_options *options)
{
    static const double percentiles[] = {0.50, 0.66, 0.75, 0.80, 0.90, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0};
    *options = (struct lc_report_options){
        .size = sizeof(*options),
        .name_width = 80,
        .type_width = 8,
        .recent_s = 10,
        .percentiles = percentiles,
        .percentile_count = sizeof(percentiles) / sizeof(percentiles[0]),
    };
}
