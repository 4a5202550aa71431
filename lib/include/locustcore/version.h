/* Which library this is. */
#ifndef LOCUSTCORE_VERSION_H
#define LOCUSTCORE_VERSION_H

#include "locustcore/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that the process runs with, such as "0.1.0"; constant. The version that is installed for
 * building is told by `pkg-config --modversion locustcore`. */
LCORE_API const char *lc_version(void);

#ifdef __cplusplus
}
#endif
#endif
