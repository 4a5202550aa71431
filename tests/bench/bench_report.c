/* What a master needs for one report: `bench_report [names] [rounds] [plain]`. A report such as players.c sends, of so
 * many names with 30 requests each, is read and added to one table again and again, each time a second later. plain: as
 * Locust's workers send it. Prints one line; under callgrind, the instructions of two numbers of rounds are compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "played_report.h"

int
main(int argc, char **argv)
{
    int names = argc > 1 ? atoi(argv[1]) : 1000;
    int rounds = argc > 2 ? atoi(argv[2]) : 200;
    bool is_plain = argc > 3 && strcmp(argv[3], "plain") == 0;
    struct lc_stats *stats = lc_stats_new();
    struct lc_buffer frames[4] = {0};
    const struct lc_buffer no_users = {0};
    for (int i = 0; i < 4; i++) {
        struct lc_buffer data = played_report(names, is_plain, &no_users, 1800000000.0 + i);
        if (lc__node_frame(&frames[i], "stats", (struct lc_str){data.data, data.len}, LCORE_STR("host_1")) < 0) {
            return 1;
        }
        lc_buffer_fini(&data);
    }
    double begin_s = cpu_s();
    for (int i = 0; i < rounds; i++) {
        struct lc_message message;
        struct lc_buffer *frame = &frames[i % 4];
        if (lc_message_read((struct lc_str){frame->data, frame->len}, &message) < 0 ||
            lc_report_merge(stats, message.data, 1800000000.0, NULL) < 0) {
            fprintf(stderr, "bench_report: the report is not taken\n");
            return 1;
        }
    }
    double spent_s = cpu_s() - begin_s;
    printf("%d names, %zu bytes: %.3f ms of CPU time a report, %.2f us a name\n", names, frames[0].len,
           1e3 * spent_s / rounds, 1e6 * spent_s / rounds / names);
    for (int i = 0; i < 4; i++) {
        lc_buffer_fini(&frames[i]);
    }
    lc_stats_free(stats);
    return 0;
}
