/* Drives a piece of work with its 1st, 2nd, 3rd ... allocation failing, until it gets through without a failure. The
 * work must clean up after itself whatever happens; AddressSanitizer tells what it left behind. */
#ifndef TESTS_UNIT_CHAOS_H
#define TESTS_UNIT_CHAOS_H

#include "../support.h"
#include "base/alloc.h"

/* `work` returns 0, or a negative code if an allocation failed it. */
static inline void
run_with_every_failure(int (*work)(void))
{
    for (long nth = 1; nth < 100000; nth++) {
        lc__alloc_fail_at(nth);
        int err = work();
        lc__alloc_fail_at(0);
        if (err == 0) {
            assert_true(nth > 1);
            return;
        }
    }
    fail_msg("the work never got through");
}

#endif
