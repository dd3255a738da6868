import CLinux
import Glibc
import KernelInterface
import Synchronization

/// The open sockets of one namespace. They keep the namespace alive, so a handle is dropped as soon as its name is gone.
final class NamespaceHandle: Sendable {
    /// Which namespace a name stood for: device, inode and change time of the file.
    ///
    /// The kernel gives the lowest free inode number to a new namespace, so that one which was removed and made again often has the same; the change time is
    /// when the inode was made, and stays for as long as the name does.
    struct Identity: Hashable, Sendable {
        var device: UInt64
        var inode: UInt64
        var changeSeconds: Int
        var changeNanoseconds: Int

        /// Nil when there is no such file.
        init?(of path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            changeSeconds = status.st_ctim.tv_sec
            changeNanoseconds = status.st_ctim.tv_nsec
        }
    }

    let name: NamespaceName?
    /// Nil for the process's own namespace.
    let identity: Identity?
    let route: NetlinkSocket
    private let state = Mutex(State())

    private struct State {
        var netfilter: NetlinkSocket?
        /// Names of other namespaces by the numbers under which this one knows them.
        var peers: [Int32: Peer] = [:]
    }

    private struct Peer {
        var name: NamespaceName?
        var identity: Identity?
    }

    init(_ name: NamespaceName?) throws(KernelError) {
        self.name = name
        identity = name.flatMap { Identity(of: NamespaceRunner.path(of: $0)) }
        route = try Self.openSocket(NETLINK_ROUTE, in: name)
    }

    /// For nftables; opened when first asked for, since most namespaces never need it.
    func netfilter() throws(KernelError) -> NetlinkSocket {
        if let socket = state.withLock({ $0.netfilter }) { return socket }
        let socket = try Self.openSocket(NETLINK_NETFILTER, in: name)
        return state.withLock { state in
            if let earlier = state.netfilter { return earlier }
            state.netfilter = socket
            return socket
        }
    }

    /// Whether the name still stands for the namespace that the sockets are in.
    var isCurrent: Bool {
        guard let name else { return true }
        return identity != nil && Identity(of: NamespaceRunner.path(of: name)) == identity
    }

    /// The name of the namespace with this number: `.some(nil)` is the process's own, nil one without a name.
    ///
    /// The kernel has no way from a number to a name, so names are asked for their numbers until one matches: first the process's own (where
    /// the other end of nearly every veth is), then those not asked before. A remembered name is believed only while its file is still the
    /// same.
    func peerName(_ number: Int32, names: () throws(KernelError) -> Set<NamespaceName>) throws(KernelError) -> NamespaceName?? {
        if let known = knownPeer(number) { return known }
        if let own = try numberOfNamespace(nil) {
            remember(own, Peer(name: nil, identity: nil))
            if own == number { return .some(nil) }
        }
        let asked = state.withLock { state in
            Dictionary(state.peers.values.compactMap { peer in peer.name.map { ($0, peer.identity) } }) { first, _ in first }
        }
        for name in try names() {
            let identity = Identity(of: NamespaceRunner.path(of: name))
            if let known = asked[name], known == identity { continue }
            guard let found = try numberOfNamespace(name) else { continue }
            remember(found, Peer(name: name, identity: identity))
            if found == number { break }
        }
        return knownPeer(number)
    }

    private func remember(_ number: Int32, _ peer: Peer) {
        state.withLock { state in
            // The own namespace stays the own one, whatever names it has besides.
            if let known = state.peers[number], known.name == nil, peer.name != nil { return }
            state.peers[number] = peer
        }
    }

    /// Forgets a name that will stand for something else.
    func forgetPeer(_ name: NamespaceName) {
        state.withLock { state in state.peers = state.peers.filter { $0.value.name != name } }
    }

    private func knownPeer(_ number: Int32) -> NamespaceName?? {
        guard let peer = state.withLock({ $0.peers[number] }) else { return nil }
        guard let name = peer.name else { return .some(nil) }
        return Identity(of: NamespaceRunner.path(of: name)) == peer.identity ? .some(name) : nil
    }

    private func numberOfNamespace(_ name: NamespaceName?) throws(KernelError) -> Int32? {
        let descriptor: Int32
        do throws(KernelError) {
            descriptor = try NamespaceRunner.openNamespace(name)
        } catch {
            // It went since the names were listed.
            return nil
        }
        defer { close(descriptor) }
        return try attempt("ask for the number of a namespace") { () throws(NetlinkError) in
            try route.get(LinkMessages.namespaceID(descriptor: descriptor), LinkMessages.parseNamespaceID)
        }
    }

    private static func openSocket(_ protocolNumber: Int32, in name: NamespaceName?) throws(KernelError) -> NetlinkSocket {
        try NamespaceRunner.runTyped(in: name) { () throws(KernelError) in
            try attempt("open a netlink socket\(place(name))") { () throws(NetlinkError) in try NetlinkSocket(protocol: protocolNumber) }
        }
    }
}

/// The handles of the namespaces in use, at most ``limit``: the least recently used is closed for a new one.
final class NamespaceHandles: Sendable {
    /// Two descriptors each; a process may have 1024 unless it asks for more.
    static let limit = 256

    private let state = Mutex(State())

    private struct State {
        var clock: UInt64 = 0
        var handles: [NamespaceName?: (handle: NamespaceHandle, lastUse: UInt64)] = [:]
    }

    /// The handle of a namespace, opened if need be. One whose name went, or stands for another namespace now, is replaced.
    func handle(_ name: NamespaceName?) throws(KernelError) -> NamespaceHandle {
        if let handle = cached(name) {
            if handle.isCurrent { return handle }
            drop(name)
        }
        let handle = try NamespaceHandle(name)
        state.withLock { state in
            state.clock += 1
            if state.handles.count >= Self.limit, let oldest = state.handles.min(by: { $0.value.lastUse < $1.value.lastUse })?.key {
                state.handles[oldest] = nil
            }
            state.handles[name] = (handle, state.clock)
        }
        return handle
    }

    func drop(_ name: NamespaceName?) {
        state.withLock { state in
            state.handles[name] = nil
            guard let name else { return }
            for entry in state.handles.values { entry.handle.forgetPeer(name) }
        }
    }

    /// Closes what belongs to names that are gone, so that those namespaces can end.
    func keep(only names: Set<NamespaceName>) {
        state.withLock { state in
            state.handles = state.handles.filter { key, _ in key.map { names.contains($0) } ?? true }
        }
    }

    private func cached(_ name: NamespaceName?) -> NamespaceHandle? {
        state.withLock { state in
            state.clock += 1
            state.handles[name]?.lastUse = state.clock
            return state.handles[name]?.handle
        }
    }
}
