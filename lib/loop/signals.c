#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "loop/io.h"

struct lc_signals {
    struct lc_loop *loop;
    int fd;
    struct lc_io io;
    sigset_t before;
    void (*fn)(int signal, void *arg);
    void *arg;
};

static void
on_readable(struct lc_io *io, int events)
{
    struct lc_signals *signals = io->data;
    struct signalfd_siginfo info;
    if (read(signals->fd, &info, sizeof(info)) == sizeof(info)) {
        signals->fn((int)info.ssi_signo, signals->arg);
    }
}

struct lc_signals *
lc_signals_new(struct lc_loop *loop, void (*fn)(int signal, void *arg), void *arg, struct lc_error *error)
{
    struct lc_signals *signals = lc__calloc(1, sizeof(*signals));
    if (signals == NULL) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        return NULL;
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    signals->loop = loop;
    signals->fn = fn;
    signals->arg = arg;
    signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->fd < 0) {
        lc_error_set_errno(error, LCE_SYSTEM, errno, "signalfd");
        lc__free(signals);
        return NULL;
    }
    pthread_sigmask(SIG_BLOCK, &set, &signals->before);
    lc_io_init(&signals->io, on_readable, signals->fd, EV_READ, signals);
    lc_io_start(loop, &signals->io);
    return signals;
}

void
lc_signals_free(struct lc_signals *signals)
{
    if (signals == NULL) {
        return;
    }
    lc_io_stop(signals->loop, &signals->io);
    /* A signal that came too late to be read must not end the process now. */
    struct signalfd_siginfo info;
    while (read(signals->fd, &info, sizeof(info)) == sizeof(info)) {
    }
    pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
    close(signals->fd);
    lc__free(signals);
}
