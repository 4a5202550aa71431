/* Makes one TCP connection to one of several addresses. The first family of addresses has a head start of 200 ms before
 * the other is tried beside it (Happy Eyeballs, RFC 8305); within a family an address follows when the one before it
 * failed. */
#ifndef LCORE_HTTP_DIAL_H
#define LCORE_HTTP_DIAL_H

#include "http/resolver.h"
#include "loop/io.h"

struct lc_dial;

/* The addresses of one family. */
struct lc_dial_lane {
    struct lc_io io;
    struct lc_dial *dial;
    int family;  /* 0: there is no such lane */
    size_t next; /* how many addresses, in the order of the dial, were looked at */
    size_t at;   /* the address being tried */
    int fd;      /* -1: not started, or all failed */
};

/* The caller's memory; zero-initialise. */
struct lc_dial {
    struct lc_loop *loop;
    struct lc_addresses *addresses; /* borrowed */
    uint32_t ports;
    size_t first;
    struct lc_dial_lane lanes[2];
    struct lc_timer head_start;
    struct lc_deferred failed;
    int errnum;
    int64_t begin_ns;
    int64_t connected_ns; /* valid in done */
    void (*done)(struct lc_dial *dial, int fd, int errnum);
};

/* done is called once, from the loop, never from in here: with a descriptor that is the receiver's (non-blocking,
 * TCP_NODELAY, receive time stamps on), or with -1 and what the addresses failed of. ports: the range of local ports,
 * highest << 16 | lowest; 0 if unknown. now_ns: CLOCK_MONOTONIC. */
void lc_dial_start(struct lc_dial *dial, struct lc_loop *loop, struct lc_addresses *addresses, uint32_t ports,
                   int64_t now_ns, void (*done)(struct lc_dial *dial, int fd, int errnum));
/* Gone at once, done is not called. Fine on one that was never started, or is over. */
void lc_dial_stop(struct lc_dial *dial);

/* A TCP socket with receive time stamps on, or -1 with errno. */
int lc__socket_open(int family, int type, int protocol, uint32_t ports);
/* EMFILE and ENFILE. */
bool lc__is_short_of_descriptors(int errnum);
/* Such an errno if no descriptor can be had now, else 0: resolvers do not say that this was what they lacked. */
int lc__descriptor_shortage(void);

#endif
