// The parts of Linux that Glibc's Swift module does not show: uapi constants for rtnetlink and nfnetlink, and thin functions for
// system calls whose C declarations are macros, variadic or hidden behind _GNU_SOURCE.
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
// Before the uapi headers, which then leave struct in6_addr and its like alone.
#include <netinet/in.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

// All functions answer a value >= 0, or -errno. Descriptors that they open are close-on-exec.

/// Moves a descriptor that is kept for long to a number of FD_SETSIZE and above: libnftables waits for its own with select(2), which is
/// undefined there. Answers the number that it has now.
int clinux_lift(int descriptor);

/// A netlink socket of `protocol` (NETLINK_ROUTE, NETLINK_NETFILTER), bound to `groups`, with extended acknowledgements and strict checks.
int clinux_netlink_socket(int protocol, uint32_t groups, int receive_buffer_bytes, int timeout_milliseconds);
/// Of RTM_NEWNEIGH, lets only those through that tell of an entry that somebody set for good: a neighbour, or one of a tunnel's own table. What traffic
/// teaches is kept away, and so are the entries of bridges: traffic moves also static ones, which looks like somebody's doing.
int clinux_netlink_ignore_learned(int descriptor);
/// Makes a socket hear of every namespace that has a number in its own one (netlink(7), NETLINK_LISTEN_ALL_NSID). Needs CAP_NET_BROADCAST.
int clinux_netlink_listen_everywhere(int descriptor);
/// Sends one datagram to the kernel.
int clinux_netlink_send(int descriptor, const void *bytes, size_t count);
/// Receives one datagram: its bytes, or -EMSGSIZE when it did not fit. 0 for a datagram that is not the kernel's.
int clinux_netlink_receive(int descriptor, void *bytes, size_t capacity, int is_waiting);
/// The same without waiting, for a socket that listens everywhere: `number` is that of the namespace that the datagram is about, -1 for the socket's own.
int clinux_netlink_receive_numbered(int descriptor, void *bytes, size_t capacity, int32_t *number);

/// The index of a device in the namespace that the socket was opened in.
int clinux_link_index(int descriptor, const char *name);
/// The name of a device; `name` holds 16 bytes.
int clinux_link_name(int descriptor, int index, char *name);
/// The Ethernet address of a device, 6 bytes.
int clinux_link_mac(int descriptor, const char *name, uint8_t *mac);

/// Whether a device is up and has its carrier (1 or 0). Asks the kernel for no lock.
int clinux_link_is_running(int descriptor, const char *name);

/// A packet socket on a device of the calling thread's namespace: whole Ethernet frames, each behind a virtio_net_hdr (10 bytes) that keeps what
/// is left to do for checksums and segments. Frames that are sent are not received; reads do not wait.
int clinux_packet_socket(const char *device);

/// Moves the calling thread into a network namespace.
int clinux_enter_network_namespace(int descriptor);
/// Moves the calling thread into a new network namespace.
int clinux_new_network_namespace(void);
/// 1 when the path is on nsfs (a mounted namespace), 0 when it is an ordinary file.
int clinux_is_namespace_file(const char *path);
/// Mounts the calling thread's network namespace onto a file.
int clinux_mount_network_namespace(const char *path);
/// Makes a directory a shared mount point, as `ip netns add` does with /run/netns.
int clinux_make_shared_mount(const char *directory);
/// Takes one mount off a path, at once for new users and when the last old user goes.
int clinux_unmount(const char *path);

/// A descriptor that becomes readable when the process ends.
int clinux_open_process(int process);
/// A signal to the process of such a descriptor: to no other that has its number by now.
int clinux_signal_process(int descriptor, int signal);
/// A pipe: `ends[0]` to read, `ends[1]` to write.
int clinux_pipe(int *ends);
/// An anonymous file of a fixed size, which a writer can fill but never grow.
int clinux_fixed_memory_file(const char *name, size_t bytes);
/// How many arenas malloc makes at most, and from how many free bytes on it gives memory back to the kernel (mallopt(3)).
void clinux_bound_heap(int arenas, int bytes);
/// Gives all whole pages that are free back to the kernel (malloc_trim(3)).
void clinux_trim_heap(void);

/// Starts `arguments[0]` (looked up on PATH) with default signal mask and dispositions, in a process group of its own, with the given
/// descriptors as standard input, output and error (-1: /dev/null), and nothing else open. Answers the process id.
int clinux_spawn(char *const arguments[], int standard_input, int standard_output, int standard_error);

/// Takes a device of the namespace that the socket was opened in up (1) or down (0).
int clinux_set_link_up(int descriptor, const char *name, int is_up);
/// Replaces the calling process by `arguments[0]` (looked up on PATH), with default signal mask. Answers only when it fails.
int clinux_execute(char *const arguments[]);

/// A TCP or UDP socket over IPv4 in the calling thread's namespace.
int clinux_stream_socket(void);
int clinux_datagram_socket(void);
/// A raw ICMP socket in the calling thread's namespace, which does not wait.
int clinux_icmp_socket(void);
/// The next connection of a listening socket.
int clinux_accept(int descriptor);
/// Waits until there is something to read, at most so long: 1, or 0 when the time is over.
int clinux_wait_readable(int descriptor, int64_t nanoseconds);

// Peers.c

/// An address of a host: 4 octets, or 16 when `is_ipv6` is not 0.
typedef struct {
    int is_ipv6;
    uint8_t octets[16];
} clinux_peer;

/// A UDP socket for pulses, bound to an address of the host, which does not wait.
int clinux_pulse_socket(const clinux_peer *local, uint16_t port);
int clinux_pulse_send(int descriptor, const clinux_peer *peer, uint16_t port, const void *bytes, size_t count);
/// The next datagram and who sent it; 0 for one that did not fit or came from another port, -EAGAIN when there is none, -ECONNREFUSED and its like for an error that
/// waits in the error queue too.
int clinux_pulse_receive(int descriptor, clinux_peer *peer, uint16_t port, void *bytes, size_t capacity);
/// The next entry of the error queue: 1 when `peer` itself said that nobody listens on the port there, 0 for any other, -EAGAIN for none.
int clinux_pulse_refusal(int descriptor, clinux_peer *peer);

/// Lets only what comes from these peers into a socket for pulses or echo replies: the rest neither fills its buffer nor wakes its reader. By the
/// last four octets of the source, so readers still compare. At most CLINUX_MAXIMUM_PEERS.
int clinux_admit_peers(int descriptor, const clinux_peer *peers, size_t count);
enum { CLINUX_MAXIMUM_PEERS = 2000 };

/// A socket for echo requests (RFC 792, RFC 4443) that only echo replies reach.
int clinux_echo_socket(const clinux_peer *local);
int clinux_echo_send(int descriptor, const clinux_peer *peer, uint16_t identifier, uint16_t sequence);
/// The next reply and who sent it: 1 when it answers a request with this identifier, else 0.
int clinux_echo_receive(int descriptor, clinux_peer *peer, uint16_t identifier);

/// A socket to send whole Ethernet frames on any device of the calling thread's namespace.
int clinux_frame_socket(void);
int clinux_frame_send(int descriptor, int link_index, const void *frame, size_t count);
/// A socket that shows frames on one device with this Ethernet type, this octet at this offset of the frame and, when its offset is not negative,
/// these four octets (big endian); sent ones included.
int clinux_sniffer_socket(
    int link_index, uint16_t ether_type, int byte_offset, uint8_t byte_value, int word_offset, uint32_t word_value);
int clinux_sniffer_receive(int descriptor, void *bytes, size_t capacity);

/// Runs the calling thread before all of normal priority (sched(7), SCHED_FIFO); what it starts is normal again.
int clinux_become_realtime(int priority);

/// Has a thread that is made with the attributes run before all of normal priority, too, if the calling thread does.
void clinux_inherit_realtime(pthread_attr_t *attributes);

/// A descriptor that becomes readable when 8 bytes are written to it (eventfd(2)).
int clinux_event_descriptor(void);
/// A set of descriptors to wait for (epoll(7)); one that is closed leaves it by itself.
int clinux_poll_set(void);
int clinux_poll_add(int set, int descriptor);
/// One that is not closed at once must not wake anybody any more.
int clinux_poll_remove(int set, int descriptor);
/// The descriptors that are readable, at most 64; 0 when the time is over, or a signal came. A negative time waits for ever.
int clinux_poll_wait(int set, int *descriptors, int capacity, int timeout_milliseconds);
