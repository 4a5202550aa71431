/* Begins and ends what callgrind counts; for locustfiles/calls.py, which calls it by ctypes. */
#include <valgrind/callgrind.h>

void window_begin(void);
void window_end(void);

void
window_begin(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

void
window_end(void)
{
    CALLGRIND_DUMP_STATS;
    CALLGRIND_STOP_INSTRUMENTATION;
}
