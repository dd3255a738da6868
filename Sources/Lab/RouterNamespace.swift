import CLinux
import Glibc
import KernelLinux

/// The namespace of a router on a host, looked at from outside: no process is started, so hundreds can be looked at often.
public struct RouterNamespace: Hashable, Sendable {
    public let host: String
    public let router: String
    /// The name that the host gave the namespace, seen through the host's root directory (proc(5), /proc/PID/root).
    private let path: String

    public init(of router: String, on host: LabHost) {
        self.host = host.name
        self.router = router
        path = "/proc/\(host.place.processID)/root" + "/run/netns/qrouter-\(router)"
    }

    /// The number of the namespace; nil when it is not there.
    var inode: UInt64? {
        var status = stat()
        guard clinux_is_namespace_file(path) == 1, stat(path, &status) == 0 else { return nil }
        return UInt64(status.st_ino)
    }

    public var exists: Bool { clinux_is_namespace_file(path) == 1 }

    /// Its IPv4 addresses; none when the namespace is not there.
    public func addresses() async throws -> Set<String> { try await Self.addresses(of: [self])[0] }

    /// The same for many, in the given order, by one thread that visits them.
    public static func addresses(of namespaces: [RouterNamespace]) async throws -> [Set<String>] {
        try await BackgroundThread.run { namespaces.map { $0.enter() ? localAddresses() : [] } }
    }

    /// Opens a socket in each namespace; a body answers the descriptor or -errno. What is not there has none.
    static func openSockets(in namespaces: [RouterNamespace], _ open: @escaping @Sendable () -> Int32) async throws -> [Int32] {
        try await BackgroundThread.run { namespaces.map { $0.enter() ? open() : -ENOENT } }
    }

    /// Moves the calling thread there, for good: only for threads that end soon.
    private func enter() -> Bool {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return clinux_enter_network_namespace(descriptor) == 0
    }

    private static func localAddresses() -> Set<String> {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var found: Set<String> = []
        var next = first
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let address = entry.ifa_addr else { continue }
            switch Int32(address.pointee.sa_family) {
            case AF_INET:
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { _ = found.insert(SocketAddress.text($0.pointee.sin_addr)) }
            case AF_INET6:
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { _ = found.insert(SocketAddress.text($0.pointee.sin6_addr)) }
            default: continue
            }
        }
        return found
    }
}

/// Counts changes of the addresses of routers, thus of mastership, from its start on, without looking again and again.
public final class MastershipWatch: Sendable {
    /// RTMGRP_IPV4_IFADDR: the kernel tells every address that comes or goes (rtnetlink(7)).
    private static let addressGroup: UInt32 = 0x10
    private static let bufferBytes: Int32 = 64 * 1024

    private let sockets: [(namespace: RouterNamespace, descriptor: Int32)]

    /// Watches the namespaces that are there.
    public init(_ namespaces: [RouterNamespace]) async throws {
        try Self.allowDescriptors(namespaces.count)
        let descriptors = try await RouterNamespace.openSockets(in: namespaces) {
            clinux_netlink_socket(NETLINK_ROUTE, Self.addressGroup, Self.bufferBytes, 0)
        }
        sockets = zip(namespaces, descriptors).filter { $1 >= 0 }.map { (namespace: $0, descriptor: $1) }
    }

    deinit { for socket in sockets { close(socket.descriptor) } }

    /// The routers any of whose members got or lost an address since the last call.
    public func changedRouters() -> Set<String> {
        var changed: Set<String> = []
        var message = [UInt8](repeating: 0, count: 16 * 1024)
        for (namespace, descriptor) in sockets {
            // ENOBUFS: so many changes that the kernel lost some of them.
            while recv(descriptor, &message, message.count, Int32(MSG_DONTWAIT)) > 0 || errno == ENOBUFS {
                changed.insert(namespace.router)
                errno = 0
            }
        }
        return changed
    }

    private static func allowDescriptors(_ count: Int) throws(LabError) {
        let needed = UInt64(count + 1024)
        guard OpenFiles.allowMost() >= needed else {
            throw LabError("\(needed) files cannot be open at once: raise the limit ('ulimit -n').")
        }
    }
}
