#include "base/options.h"

#include <string.h>

#include "locustcore/version.h"

int
lc__options_take(void *full, size_t size, const void *given, struct lc_error *error)
{
    size_t known;
    memcpy(&known, given, sizeof(known));
    if (known < sizeof(known)) {
        return lc_error_set(error, LCE_INVALID,
                            "options without their size: set it, or use the struct's _init() where there is one");
    }
    if (known > size) {
        return lc_error_set(error, LCE_INVALID,
                            "options of a newer version of the library than this one, " LCORE_VERSION);
    }
    memcpy(full, given, known);
    memcpy(full, &size, sizeof(size));
    return 0;
}
