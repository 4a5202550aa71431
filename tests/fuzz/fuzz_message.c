/* A frame from the network. What msgpack-c takes our reader takes, and the other way round where depth allows. */
#include "fuzz.h"

#include <msgpack.h>
#include "rpc/message.h"
#include "rpc/report.h"

static bool
msgpack_takes(const char *data, size_t size, bool *is_too_deep)
{
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t at = 0;
    msgpack_unpack_return found = msgpack_unpack_next(&unpacked, data, size, &at);
    *is_too_deep = found == MSGPACK_UNPACK_NOMEM_ERROR;
    msgpack_unpacked_destroy(&unpacked);
    return found == MSGPACK_UNPACK_SUCCESS && at == size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lc_str frame = {(const char *)data, size};
    struct lc_pack_reader reader = lc_pack_reader_from(frame);
    bool is_whole = lc_pack_skip(&reader) == 0 && reader.at == reader.end;
    bool is_too_deep;
    bool is_expected = is_whole && size <= 4096 && msgpack_takes(frame.data, size, &is_too_deep);
    FUZZ_CHECK(is_expected || !is_whole || size > 4096 || is_too_deep);

    struct lc_message message;
    if (lc_message_read(frame, &message) < 0) {
        return 0;
    }
    FUZZ_CHECK(is_whole);
    struct lc_buffer out = {0};
    FUZZ_CHECK(lc_message_write(&out, &message) == 0);
    struct lc_message again;
    FUZZ_CHECK(lc_message_read((struct lc_str){out.data, out.len}, &again) == 0);
    FUZZ_CHECK(lc_str_equal(message.type, again.type) && lc_str_equal(message.data, again.data) &&
               lc_str_equal(message.node_id, again.node_id));
    lc_buffer_fini(&out);

    struct lc_stats *stats = lc_stats_new();
    FUZZ_CHECK(stats != NULL);
    if (lc_report_merge(stats, message.data, 1795234975.5, NULL) < 0) {
        FUZZ_CHECK(lc_stats_count(stats) == 0 && lc_stats_failure_count(stats) == 0);
    }
    lc_stats_free(stats);
    return 0;
}
