#define _GNU_SOURCE
#include "CLinux.h"
#include "Closing.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/filter.h>

// linux/if_packet.h, which cannot be included beside netpacket/packet.h; glibc 2.36 does not know it.
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

// linux/magic.h: the file system of /proc/PID/ns.
#define NAMESPACE_FILE_SYSTEM 0x6e736673

extern char **environ;

int clinux_lift(int descriptor) {
    if (descriptor < 0 || descriptor >= FD_SETSIZE) return descriptor;
    int lifted = fcntl(descriptor, F_DUPFD_CLOEXEC, FD_SETSIZE);
    // Above the limit of open files there is no room: then it stays where it is.
    if (lifted < 0) return descriptor;
    close(descriptor);
    return lifted;
}

int clinux_netlink_socket(int protocol, uint32_t groups, int receive_buffer_bytes, int timeout_milliseconds) {
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (descriptor < 0) return -errno;
    int on = 1;
    // The kernel's sentence comes with an error; the request that failed does not.
    if (setsockopt(descriptor, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on) < 0) return fail_closing(descriptor);
    if (setsockopt(descriptor, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) < 0) return fail_closing(descriptor);
    // Strict checking makes the kernel honour the filters of a dump instead of ignoring them.
    if (setsockopt(descriptor, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on) < 0) return fail_closing(descriptor);
    if (receive_buffer_bytes > 0 &&
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes, sizeof receive_buffer_bytes) < 0 &&
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes) < 0)
        return fail_closing(descriptor);
    if (timeout_milliseconds > 0) {
        struct timeval limit = {.tv_sec = timeout_milliseconds / 1000, .tv_usec = timeout_milliseconds % 1000 * 1000};
        if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0) return fail_closing(descriptor);
    }
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) return fail_closing(descriptor);
    return clinux_lift(descriptor);
}

int clinux_netlink_ignore_learned(int descriptor) {
    // The filter reads numbers as big endian. The kernel sends each of these messages by itself.
    enum { type = 4, family = sizeof(struct nlmsghdr), state = family + 8, flags = family + 10 };
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, type),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 0, 6),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, state),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NUD_PERMANENT | NUD_NOARP), 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, family),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_BRIDGE, 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NTF_SELF, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xFFFFFFFF),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
    return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno : 0;
}

int clinux_netlink_listen_everywhere(int descriptor) {
    int on = 1;
    return setsockopt(descriptor, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof on) < 0 ? -errno : 0;
}

int clinux_netlink_send(int descriptor, const void *bytes, size_t count) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;
    do sent = sendto(descriptor, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&kernel, sizeof kernel);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : (int)sent;
}

static int receive_netlink(int descriptor, void *bytes, size_t capacity, int flags, int32_t *number) {
    struct sockaddr_nl sender = {0};
    struct iovec area = {.iov_base = bytes, .iov_len = capacity};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct msghdr header = {.msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = &area, .msg_iovlen = 1};
    if (number) {
        header.msg_control = &control;
        header.msg_controllen = sizeof control;
    }
    ssize_t count;
    do count = recvmsg(descriptor, &header, flags);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    if (header.msg_flags & MSG_TRUNC) return -EMSGSIZE;
    if (number) {
        *number = -1;
        for (struct cmsghdr *entry = CMSG_FIRSTHDR(&header); entry; entry = CMSG_NXTHDR(&header, entry))
            if (entry->cmsg_level == SOL_NETLINK && entry->cmsg_type == NETLINK_LISTEN_ALL_NSID) memcpy(number, CMSG_DATA(entry), sizeof *number);
    }
    return sender.nl_pid == 0 ? (int)count : 0;
}

int clinux_netlink_receive(int descriptor, void *bytes, size_t capacity, int is_waiting) {
    return receive_netlink(descriptor, bytes, capacity, is_waiting ? 0 : MSG_DONTWAIT, NULL);
}

int clinux_netlink_receive_numbered(int descriptor, void *bytes, size_t capacity, int32_t *number) {
    return receive_netlink(descriptor, bytes, capacity, MSG_DONTWAIT, number);
}

static int copy_name(struct ifreq *request, const char *name) {
    if (strlen(name) >= IFNAMSIZ) return -ENAMETOOLONG;
    memset(request, 0, sizeof *request);
    strcpy(request->ifr_name, name);
    return 0;
}

int clinux_link_index(int descriptor, const char *name) {
    struct ifreq request;
    int error = copy_name(&request, name);
    if (error < 0) return error;
    return ioctl(descriptor, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

int clinux_link_name(int descriptor, int index, char *name) {
    struct ifreq request = {.ifr_ifindex = index};
    if (ioctl(descriptor, SIOCGIFNAME, &request) < 0) return -errno;
    memcpy(name, request.ifr_name, IFNAMSIZ);
    name[IFNAMSIZ - 1] = 0;
    return 0;
}

int clinux_link_mac(int descriptor, const char *name, uint8_t *mac) {
    struct ifreq request;
    int error = copy_name(&request, name);
    if (error < 0) return error;
    if (ioctl(descriptor, SIOCGIFHWADDR, &request) < 0) return -errno;
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    return 0;
}

int clinux_link_is_running(int descriptor, const char *name) {
    struct ifreq request;
    int error = copy_name(&request, name);
    if (error < 0) return error;
    return ioctl(descriptor, SIOCGIFFLAGS, &request) < 0 ? -errno : (request.ifr_flags & IFF_RUNNING) != 0;
}

int clinux_packet_socket(const char *device) {
    // Protocol 0 until the socket is bound: nothing of other devices is received.
    int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    int on = 1, buffer = 8 * 1024 * 1024;
    if (setsockopt(descriptor, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0) return fail_closing(descriptor);
    if (setsockopt(descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0) return fail_closing(descriptor);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    address.sll_ifindex = (int)if_nametoindex(device);
    if (address.sll_ifindex == 0) return fail_closing(descriptor);
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) return fail_closing(descriptor);
    return descriptor;
}

int clinux_enter_network_namespace(int descriptor) { return setns(descriptor, CLONE_NEWNET) < 0 ? -errno : 0; }

int clinux_new_network_namespace(void) { return unshare(CLONE_NEWNET) < 0 ? -errno : 0; }

int clinux_is_namespace_file(const char *path) {
    struct statfs status;
    if (statfs(path, &status) < 0) return -errno;
    return (unsigned long)status.f_type == NAMESPACE_FILE_SYSTEM;
}

int clinux_mount_network_namespace(const char *path) {
    // Not /proc/self: that is the process's first thread, which stays where it is.
    return mount("/proc/thread-self/ns/net", path, "none", MS_BIND, NULL) < 0 ? -errno : 0;
}

int clinux_make_shared_mount(const char *directory) {
    if (mount("", directory, "none", MS_SHARED | MS_REC, NULL) == 0) return 0;
    // EINVAL: the directory is not a mount point yet.
    if (errno != EINVAL) return -errno;
    if (mount(directory, directory, "none", MS_BIND | MS_REC, NULL) < 0) return -errno;
    return mount("", directory, "none", MS_SHARED | MS_REC, NULL) < 0 ? -errno : 0;
}

int clinux_unmount(const char *path) { return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0; }

int clinux_open_process(int process) {
    // pidfd_open(2) sets close-on-exec by itself.
    long descriptor = syscall(SYS_pidfd_open, process, 0);
    return descriptor < 0 ? -errno : clinux_lift((int)descriptor);
}

int clinux_signal_process(int descriptor, int signal) {
    return syscall(SYS_pidfd_send_signal, descriptor, signal, NULL, 0) < 0 ? -errno : 0;
}

int clinux_pipe(int *ends) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

int clinux_fixed_memory_file(const char *name, size_t bytes) {
    int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return -errno;
    if (ftruncate(descriptor, (off_t)bytes) < 0) return fail_closing(descriptor);
    if (fcntl(descriptor, F_ADD_SEALS, F_SEAL_GROW) < 0) return fail_closing(descriptor);
    return descriptor;
}

void clinux_bound_heap(int arenas, int bytes) {
    mallopt(M_ARENA_MAX, arenas);
    mallopt(M_MMAP_THRESHOLD, bytes);
    mallopt(M_TRIM_THRESHOLD, bytes);
}

void clinux_trim_heap(void) { malloc_trim(0); }

static int add_stream(posix_spawn_file_actions_t *actions, int descriptor, int target) {
    if (descriptor < 0) return posix_spawn_file_actions_addopen(actions, target, "/dev/null", target == 0 ? O_RDONLY : O_WRONLY, 0);
    return posix_spawn_file_actions_adddup2(actions, descriptor, target);
}

int clinux_spawn(char *const arguments[], int standard_input, int standard_output, int standard_error) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    pid_t process = 0;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return -error;
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return -error;
    }
    if (!error) error = posix_spawnattr_setsigmask(&attributes, &none);
    if (!error) error = posix_spawnattr_setsigdefault(&attributes, &all);
    if (!error) error = posix_spawnattr_setpgroup(&attributes, 0);
    if (!error)
        error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (!error) error = add_stream(&actions, standard_input, 0);
    if (!error) error = add_stream(&actions, standard_output, 1);
    if (!error) error = add_stream(&actions, standard_error, 2);
    // Descriptors that a library opened without close-on-exec end here.
    if (!error) error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (!error) error = posix_spawnp(&process, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error ? -error : process;
}

int clinux_set_link_up(int descriptor, const char *name, int is_up) {
    struct ifreq request;
    int error = copy_name(&request, name);
    if (error < 0) return error;
    if (ioctl(descriptor, SIOCGIFFLAGS, &request) < 0) return -errno;
    if (is_up) request.ifr_flags |= IFF_UP;
    else request.ifr_flags &= ~IFF_UP;
    return ioctl(descriptor, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

int clinux_execute(char *const arguments[]) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(arguments[0], arguments);
    return -errno;
}

static int open_socket(int type, int protocol) {
    int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, protocol);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_stream_socket(void) { return open_socket(SOCK_STREAM, 0); }

int clinux_datagram_socket(void) { return open_socket(SOCK_DGRAM, 0); }

int clinux_icmp_socket(void) { return open_socket(SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP); }

int clinux_accept(int descriptor) {
    int connection = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC);
    return connection < 0 ? -errno : connection;
}

int clinux_wait_readable(int descriptor, int64_t nanoseconds) {
    struct pollfd entry = {.fd = descriptor, .events = POLLIN};
    struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    int count = ppoll(&entry, 1, &limit, NULL);
    return count < 0 ? (errno == EINTR ? 0 : -errno) : count;
}
