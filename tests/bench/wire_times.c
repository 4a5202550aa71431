/* What the requests to a port of this machine took by the clock of the kernel's packets, whatever client and server say
 * of themselves: from the first packet of the request to the last one of the answer before the connection's next
 * request. With `connections`, where each request has one of its own: what the server needed for each of its turns,
 * from the last packet of the client's (SYN, handshake, request) to the last one of its own.
 *
 * wire_times PORT SECONDS [connections]: prints count, median and 99 % in ms, at SIGTERM or after so long. Needs the
 * right to open packet sockets (root). */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256, SNAP = 128 };

static int64_t sent_ns[65536], answered_ns[65536]; /* by the client's port; 0: none */
static int64_t turns_ns[65536];                    /* of its connection, so far */
static int64_t *times_ns;
static uint32_t answered_to[65536]; /* the highest sequence number of that */
static uint32_t sent_to[65536];
static size_t count, capacity;
static bool is_by_connection;
static volatile sig_atomic_t is_over;

static void
on_signal(int number)
{
    is_over = number;
}

static int
compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void
finish(uint16_t client)
{
    int64_t taken_ns = is_by_connection ? turns_ns[client] : answered_ns[client] - sent_ns[client];
    if (sent_ns[client] != 0 && answered_ns[client] != 0) {
        if (count == capacity) {
            capacity = capacity == 0 ? 65536 : capacity * 2;
            times_ns = realloc(times_ns, capacity * sizeof(*times_ns));
            if (times_ns == NULL) {
                abort();
            }
        }
        times_ns[count++] = taken_ns;
    }
    sent_ns[client] = answered_ns[client] = turns_ns[client] = 0;
}

/* sent_ns is when the turn began, or the last packet of it came. */
static void
take_turn(bool is_of_client, uint16_t client, bool is_data, const struct tcphdr *tcp, int64_t now_ns, uint32_t end)
{
    if (is_of_client && tcp->syn) {
        finish(client);
        sent_ns[client] = now_ns;
        sent_to[client] = end;
    } else if (is_of_client && is_data && sent_ns[client] != 0 && (int32_t)(end - sent_to[client]) > 1) {
        /* Not what is sent again because a busy server is slow to acknowledge it. A SYN counts as a byte. */
        sent_ns[client] = now_ns;
        sent_to[client] = end;
    } else if (!is_of_client && sent_ns[client] != 0 && (tcp->syn || is_data)) {
        if (tcp->syn || answered_ns[client] == 0 || (int32_t)(end - answered_to[client]) > 0) {
            turns_ns[client] += now_ns - sent_ns[client];
            sent_ns[client] = now_ns;
            answered_ns[client] = is_data ? now_ns : 0;
            answered_to[client] = end;
        }
    }
}

static void
take(const unsigned char *data, size_t len, int64_t now_ns, uint16_t port)
{
    struct iphdr ip;
    struct tcphdr tcp;
    if (len < sizeof(ip) + sizeof(tcp)) {
        return;
    }
    memcpy(&ip, data, sizeof(ip));
    memcpy(&tcp, data + ip.ihl * 4u, sizeof(tcp));
    int carried = ntohs(ip.tot_len) - ip.ihl * 4 - tcp.doff * 4;
    uint16_t source = ntohs(tcp.source);
    if (is_by_connection) {
        bool is_of_client = ntohs(tcp.dest) == port;
        uint16_t client = is_of_client ? source : ntohs(tcp.dest);
        take_turn(is_of_client, client, carried > 0, &tcp, now_ns, ntohl(tcp.seq) + (uint32_t)carried);
        return;
    }
    if (carried <= 0) {
        return;
    }
    if (ntohs(tcp.dest) == port) {
        if (sent_ns[source] == 0 || answered_ns[source] != 0) {
            finish(source);
            sent_ns[source] = now_ns;
        }
    } else if (sent_ns[ntohs(tcp.dest)] != 0) {
        uint16_t client = ntohs(tcp.dest);
        uint32_t end = ntohl(tcp.seq) + (uint32_t)carried;
        /* Servers send the last packet again when a busy client is slow to acknowledge it. */
        if (answered_ns[client] == 0 || (int32_t)(end - answered_to[client]) > 0) {
            answered_ns[client] = now_ns;
            answered_to[client] = end;
        }
    }
}

/* Only TCP from or to the port; the header of IP is taken to have no options, as on the loopback device. */
static int
open_socket(uint16_t port)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 4),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 3, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 22), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),           BPF_STMT(BPF_RET | BPF_K, SNAP),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    int on = 1;
    int room = 64 << 20;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex("lo")};
    int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        perror("packet socket");
        exit(1);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    return fd;
}

static int64_t
stamp_ns(struct msghdr *message)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    struct timespec at = {0};
    if (control != NULL && control->cmsg_type == SO_TIMESTAMPNS) {
        memcpy(&at, CMSG_DATA(control), sizeof(at));
    }
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

int
main(int argc, char **argv)
{
    is_by_connection = argc == 4 && strcmp(argv[3], "connections") == 0;
    if (argc != 3 && !is_by_connection) {
        fprintf(stderr, "usage: wire_times PORT SECONDS [connections]\n");
        return 2;
    }
    uint16_t port = (uint16_t)atoi(argv[1]);
    int fd = open_socket(port);
    signal(SIGTERM, on_signal);
    static unsigned char data[BATCH][SNAP];
    static char control[BATCH][CMSG_SPACE(sizeof(struct timespec))];
    static struct sockaddr_ll from[BATCH];
    static struct iovec parts[BATCH];
    static struct mmsghdr messages[BATCH];
    struct timespec wait = {.tv_nsec = 100000000};
    time_t end_s = time(NULL) + atoi(argv[2]);
    while (!is_over && time(NULL) < end_s) {
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){data[i], SNAP};
            messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                                  .msg_namelen = sizeof(from[i]),
                                                  .msg_iov = &parts[i],
                                                  .msg_iovlen = 1,
                                                  .msg_control = control[i],
                                                  .msg_controllen = sizeof(control[i])};
        }
        int got = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++) {
            /* The loopback device shows each packet leaving and arriving. */
            if (from[i].sll_pkttype != PACKET_OUTGOING) {
                take(data[i], messages[i].msg_len, stamp_ns(&messages[i].msg_hdr), port);
            }
        }
        if (got < BATCH) {
            wait.tv_nsec = 5000000;
            nanosleep(&wait, NULL);
        }
    }
    struct tpacket_stats lost;
    socklen_t len = sizeof(lost);
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &lost, &len) == 0 && lost.tp_drops > 0) {
        fprintf(stderr, "%u packets were lost\n", lost.tp_drops);
    }
    for (int client = 0; client < 65536; client++) {
        finish((uint16_t)client);
    }
    if (count == 0) {
        fprintf(stderr, "no request was seen\n");
        return 1;
    }
    qsort(times_ns, count, sizeof(*times_ns), compare);
    printf("%zu %.3f %.3f\n", count, (double)times_ns[count / 2] / 1e6, (double)times_ns[count * 99 / 100] / 1e6);
    free(times_ns);
    close(fd);
    return 0;
}
