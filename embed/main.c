/* The executable `cload`. */
#include "host.h"

int
main(int argc, char **argv)
{
    return cload_host_run(argc, argv);
}
