#include "loop/signals.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void
on_readable(struct lc_io *io, int events)
{
    struct lc_signals *signals = io->data;
    struct signalfd_siginfo info;
    if (read(signals->fd, &info, sizeof(info)) == sizeof(info)) {
        signals->fn(signals->arg);
    }
}

int
lc_signals_watch(struct lc_signals *signals, struct lc_loop *loop, void (*fn)(void *arg), void *arg,
                 struct lc_error *error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    *signals = (struct lc_signals){.loop = loop, .fn = fn, .arg = arg};
    signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->fd < 0) {
        return lc_error_set_errno(error, LCE_SYSTEM, errno, "signalfd");
    }
    pthread_sigmask(SIG_BLOCK, &set, &signals->before);
    lc_io_init(&signals->io, on_readable, signals->fd, EV_READ, signals);
    lc_io_start(loop, &signals->io);
    return 0;
}

void
lc_signals_unwatch(struct lc_signals *signals)
{
    lc_io_stop(signals->loop, &signals->io);
    /* A signal that came too late to be read must not end the process now. */
    struct signalfd_siginfo info;
    while (read(signals->fd, &info, sizeof(info)) == sizeof(info)) {
    }
    pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
    close(signals->fd);
}
