// Sockets by which hosts know that they live: pulses over UDP, echo requests, frames on single devices.
#define _GNU_SOURCE
#include "CLinux.h"
#include "Closing.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t make_address(struct sockaddr_storage *storage, const clinux_peer *peer, uint16_t port) {
    memset(storage, 0, sizeof *storage);
    if (peer->is_ipv6) {
        struct sockaddr_in6 *address = (struct sockaddr_in6 *)storage;
        address->sin6_family = AF_INET6;
        address->sin6_port = htons(port);
        memcpy(&address->sin6_addr, peer->octets, 16);
        return sizeof *address;
    }
    struct sockaddr_in *address = (struct sockaddr_in *)storage;
    address->sin_family = AF_INET;
    address->sin_port = htons(port);
    memcpy(&address->sin_addr, peer->octets, 4);
    return sizeof *address;
}

static void read_address(const struct sockaddr_storage *storage, clinux_peer *peer) {
    memset(peer, 0, sizeof *peer);
    if (storage->ss_family == AF_INET6) {
        peer->is_ipv6 = 1;
        memcpy(peer->octets, &((const struct sockaddr_in6 *)storage)->sin6_addr, 16);
    } else {
        memcpy(peer->octets, &((const struct sockaddr_in *)storage)->sin_addr, 4);
    }
}

static uint16_t read_port(const struct sockaddr_storage *storage) {
    return ntohs(storage->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)storage)->sin6_port
                                                : ((const struct sockaddr_in *)storage)->sin_port);
}

int clinux_pulse_socket(const clinux_peer *local, uint16_t port) {
    int descriptor = socket(local->is_ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    int on = 1;
    // ICMP errors about what was sent reach the error queue: a port that is closed is a sign of life of the host behind it.
    int error = local->is_ipv6 ? setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on)
                               : setsockopt(descriptor, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    if (error < 0) return fail_closing(descriptor);
    // Ahead of what fills the queues of the uplink (RFC 4594: network control).
    int class = 0xC0;
    if (local->is_ipv6) setsockopt(descriptor, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
    else setsockopt(descriptor, IPPROTO_IP, IP_TOS, &class, sizeof class);
    struct sockaddr_storage address;
    socklen_t length = make_address(&address, local, port);
    if (bind(descriptor, (struct sockaddr *)&address, length) < 0) return fail_closing(descriptor);
    return descriptor;
}

int clinux_pulse_send(int descriptor, const clinux_peer *peer, uint16_t port, const void *bytes, size_t count) {
    struct sockaddr_storage address;
    socklen_t length = make_address(&address, peer, port);
    // Where errors are asked for (IP_RECVERR), a complaint about an earlier datagram, to whomever, is told by the next call, which sends nothing.
    ssize_t sent = -1;
    for (int attempt = 0; attempt < 2 && sent < 0; attempt++) {
        sent = sendto(descriptor, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, length);
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) break;
    }
    return sent < 0 ? -errno : (int)sent;
}

int clinux_pulse_receive(int descriptor, clinux_peer *peer, uint16_t port, void *bytes, size_t capacity) {
    struct sockaddr_storage address = {0};
    struct iovec area = {.iov_base = bytes, .iov_len = capacity};
    struct msghdr header = {.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &area, .msg_iovlen = 1};
    ssize_t count;
    do count = recvmsg(descriptor, &header, MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    read_address(&address, peer);
    // Only one process of a host has the port: another one there cannot speak for its agent.
    if (read_port(&address) != port) return 0;
    return header.msg_flags & MSG_TRUNC ? 0 : (int)count;
}

int clinux_pulse_refusal(int descriptor, clinux_peer *peer) {
    struct sockaddr_storage address = {0};
    char ignored[1];
    char control[512];
    struct iovec area = {.iov_base = ignored, .iov_len = sizeof ignored};
    struct msghdr header = {
        .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &area, .msg_iovlen = 1, .msg_control = control,
        .msg_controllen = sizeof control};
    ssize_t count;
    do count = recvmsg(descriptor, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    // The name is where the datagram went; the one who complains must be the same, or a router on the way speaks.
    read_address(&address, peer);
    for (struct cmsghdr *message = CMSG_FIRSTHDR(&header); message; message = CMSG_NXTHDR(&header, message)) {
        int is_ours = (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_RECVERR) ||
                      (message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_RECVERR);
        if (!is_ours) continue;
        const struct sock_extended_err *error = (const struct sock_extended_err *)CMSG_DATA(message);
        if (error->ee_errno != ECONNREFUSED) continue;
        clinux_peer offender;
        read_address((const struct sockaddr_storage *)SO_EE_OFFENDER(error), &offender);
        if (offender.is_ipv6 == peer->is_ipv6 && memcmp(offender.octets, peer->octets, 16) == 0) return 1;
    }
    return 0;
}

int clinux_admit_peers(int descriptor, const clinux_peer *peers, size_t count) {
    // A conditional jump reaches 255 instructions far: after each run of comparisons stands an exit of its own.
    enum { RUN = 250 };
    if (count > CLINUX_MAXIMUM_PEERS) return -E2BIG;
    struct sock_filter program[CLINUX_MAXIMUM_PEERS + 2 * (CLINUX_MAXIMUM_PEERS / RUN + 1) + 2];
    unsigned short length = 0;
    // Of the source address, behind the network header: the last octets of an IPv6 address, all of an IPv4 one.
    uint32_t offset = count > 0 && peers[0].is_ipv6 ? 20 : 12;
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + offset);
    for (size_t start = 0; start < count; start += RUN) {
        size_t run = count - start < RUN ? count - start : RUN;
        for (size_t index = 0; index < run; index++) {
            const uint8_t *last = peers[start + index].octets + (peers[start + index].is_ipv6 ? 12 : 0);
            uint32_t word = (uint32_t)last[0] << 24 | (uint32_t)last[1] << 16 | (uint32_t)last[2] << 8 | last[3];
            program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word, (uint8_t)(run - index), 0);
        }
        program[length++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1);
        program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0xFFFF);
    }
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog filter = {.len = length, .filter = program};
    return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno : 0;
}

int clinux_echo_socket(const clinux_peer *local) {
    int protocol = local->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    int descriptor = socket(local->is_ipv6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (descriptor < 0) return -errno;
    // Only echo replies wake the reader.
    if (local->is_ipv6) {
        struct icmp6_filter filter;
        memset(&filter, 0xFF, sizeof filter);
        filter.data[ICMPV6_ECHO_REPLY >> 5] &= ~(1u << (ICMPV6_ECHO_REPLY & 31));
        if (setsockopt(descriptor, IPPROTO_ICMPV6, ICMPV6_FILTER, &filter, sizeof filter) < 0) return fail_closing(descriptor);
    } else {
        uint32_t filter = ~(1u << ICMP_ECHOREPLY);
        if (setsockopt(descriptor, SOL_RAW, ICMP_FILTER, &filter, sizeof filter) < 0) return fail_closing(descriptor);
    }
    struct sockaddr_storage address;
    socklen_t length = make_address(&address, local, 0);
    if (bind(descriptor, (struct sockaddr *)&address, length) < 0) return fail_closing(descriptor);
    return descriptor;
}

int clinux_echo_send(int descriptor, const clinux_peer *peer, uint16_t identifier, uint16_t sequence) {
    // Type, code, checksum, identifier, sequence. The kernel fills the checksum of ICMPv6 in.
    uint8_t message[8] = {
        peer->is_ipv6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO, 0, 0, 0, identifier >> 8, identifier & 0xFF, sequence >> 8, sequence & 0xFF};
    if (!peer->is_ipv6) {
        uint32_t sum = (uint32_t)ICMP_ECHO << 8;
        sum += identifier;
        sum += sequence;
        while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >> 16);
        message[2] = (uint8_t)(~sum >> 8);
        message[3] = (uint8_t)~sum;
    }
    struct sockaddr_storage address;
    socklen_t length = make_address(&address, peer, 0);
    ssize_t sent = sendto(descriptor, message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, length);
    return sent < 0 ? -errno : (int)sent;
}

int clinux_echo_receive(int descriptor, clinux_peer *peer, uint16_t identifier) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    uint8_t bytes[256];
    ssize_t count;
    do count = recvfrom(descriptor, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&address, &length);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    read_address(&address, peer);
    // A raw IPv4 socket shows the IP header, one over IPv6 does not.
    size_t offset = peer->is_ipv6 ? 0 : (size_t)(bytes[0] & 0x0F) * 4;
    if ((size_t)count < offset + 8) return 0;
    return ((uint16_t)bytes[offset + 4] << 8 | bytes[offset + 5]) == identifier;
}

int clinux_frame_socket(void) {
    // Protocol 0: the socket receives nothing.
    int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_frame_send(int descriptor, int link_index, const void *frame, size_t count) {
    if (count < 14) return -EINVAL;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = link_index, .sll_halen = 6};
    memcpy(address.sll_addr, frame, 6);
    memcpy(&address.sll_protocol, (const char *)frame + 12, 2);
    ssize_t sent = sendto(descriptor, frame, count, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address);
    return sent < 0 ? -errno : (int)sent;
}

int clinux_sniffer_socket(
    int link_index, uint16_t ether_type, int byte_offset, uint8_t byte_value, int word_offset, uint32_t word_value) {
    int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    // Filtered before it is bound, so that not one other frame gets in. Bound to all types: a bridge takes the frames of its ports before
    // sockets of one type see them, and sent frames are shown to sockets of all types only.
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ether_type, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)byte_offset),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, byte_value, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)word_offset),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word_value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xFFFF),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    // Without a word: over its comparison.
    if (word_offset < 0) program[4] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1);
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
    if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0) return fail_closing(descriptor);
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = link_index, .sll_protocol = htons(ETH_P_ALL)};
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) return fail_closing(descriptor);
    return clinux_lift(descriptor);
}

int clinux_sniffer_receive(int descriptor, void *bytes, size_t capacity) {
    ssize_t count;
    do count = recv(descriptor, bytes, capacity, MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : (int)count;
}

int clinux_become_realtime(int priority) {
    struct sched_param parameters = {.sched_priority = priority};
    int error = pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters);
    return -error;
}

void clinux_inherit_realtime(pthread_attr_t *attributes) {
    int policy = SCHED_OTHER;
    struct sched_param parameters;
    if (pthread_getschedparam(pthread_self(), &policy, &parameters) != 0) return;
    policy &= ~SCHED_RESET_ON_FORK;
    if (policy != SCHED_FIFO) return;
    pthread_attr_setschedpolicy(attributes, policy);
    pthread_attr_setschedparam(attributes, &parameters);
    pthread_attr_setinheritsched(attributes, PTHREAD_EXPLICIT_SCHED);
}

int clinux_event_descriptor(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_poll_set(void) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    return set < 0 ? -errno : set;
}

int clinux_poll_add(int set, int descriptor) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

int clinux_poll_remove(int set, int descriptor) { return epoll_ctl(set, EPOLL_CTL_DEL, descriptor, NULL) < 0 ? -errno : 0; }

int clinux_poll_wait(int set, int *descriptors, int capacity, int timeout_milliseconds) {
    struct epoll_event events[64];
    int count = epoll_wait(set, events, capacity < 64 ? capacity : 64, timeout_milliseconds);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int index = 0; index < count; index++) descriptors[index] = events[index].data.fd;
    return count;
}
