/* What the hub keeps for Python's channels between master and workers. */
#ifndef CLOAD_RPC_H
#define CLOAD_RPC_H

#include "base/list.h"
#include "rpc/channel.h"

struct cload_rpc {
    struct lc_rpc *core;
    struct lc_list channels; /* that are open */
};

#endif
