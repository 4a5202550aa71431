/* SIGINT and SIGTERM as events of the loop. */
#ifndef LCORE_LOOP_SIGNALS_H
#define LCORE_LOOP_SIGNALS_H

#include <signal.h>

#include "loop/io.h"

struct lc_signals {
    struct lc_loop *loop;
    int fd;
    struct lc_io io;
    sigset_t before;
    void (*fn)(void *arg);
    void *arg;
};

/* Before anything that makes threads: they must not take the signals. fn is called once for each that came. LCE_SYSTEM.
 */
int lc_signals_watch(struct lc_signals *signals, struct lc_loop *loop, void (*fn)(void *arg), void *arg,
                     struct lc_error *error);
/* One that came too late is dropped. */
void lc_signals_unwatch(struct lc_signals *signals);

#endif
