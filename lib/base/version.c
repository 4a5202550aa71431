#include "locustcore/version.h"

const char *
lc_version(void)
{
    return LCORE_VERSION;
}
