import Addressing
import CLinux
import Dispatch
import Glibc
import KernelInterface

/// The real kernel behind ``NetworkKernel``: rtnetlink and nfnetlink in process, one socket per namespace, nftables through libnftables.
///
/// Calls block and may come from several threads. Errors carry the kernel's own sentence where it has one. Needs root (CAP_NET_ADMIN and
/// CAP_SYS_ADMIN) and Linux 5.18; see ``KernelRequirements``.
public final class LinuxKernel: NetworkKernel {
    let handles = NamespaceHandles()

    public init() {}

    public func perform(_ operation: KernelOperation) throws(KernelError) {
        switch operation {
        case .addNamespace(let name):
            handles.drop(name)
            try NamespaceRegistry.add(name)
        case .removeNamespace(let name):
            handles.drop(name)
            try NamespaceRegistry.remove(name)
        case .setSysctl(let path, let value, let namespace): try SystemControls.write(path, value, in: namespace)
        case .applyFirewall(let script, let namespace): try FirewallScript.run(script, in: namespace)
        case .announce(let address, let namespace): try announce([address], in: namespace)
        case .addLink(let link, let namespace): try addLink(link, in: namespace)
        case .changeLink(let link, let namespace): try changeLink(link, in: namespace)
        case .removeLink(let name, let namespace):
            try send(operation, name, namespace) { LinkMessages.removal(index: $0) }
        case .addAddress(let address, let namespace):
            try send(operation, address.link, namespace) { AddressMessages.addition(address.address, index: $0) }
        case .removeAddress(let address, let namespace):
            try send(operation, address.link, namespace) { AddressMessages.removal(address.address, index: $0) }
        case .setRoute(let route, let namespace):
            try send(operation, route, namespace) { RouteMessages.replacement(route, index: $0, furtherIndices: $1) }
        case .removeRoute(let route, let namespace):
            try send(operation, route, namespace) { RouteMessages.removal(route, index: $0, furtherIndices: $1) }
        case .addRule(let rule, let namespace): try send(operation, namespace, RuleMessages.addition(rule))
        case .removeRule(let rule, let namespace): try send(operation, namespace, RuleMessages.removal(rule))
        case .addForwarding(let entry, let namespace):
            try send(operation, entry.link, namespace) { NeighbourMessages.addition(entry, index: $0) }
        case .removeForwarding(let entry, let namespace):
            try send(operation, entry.link, namespace) { NeighbourMessages.removal(entry, index: $0) }
        case .setNeighbour(let neighbour, let namespace):
            try send(operation, neighbour.link, namespace) { NeighbourMessages.replacement(neighbour, index: $0) }
        case .removeNeighbour(let neighbour, let namespace):
            try send(operation, neighbour.link, namespace) { NeighbourMessages.removal(neighbour, index: $0) }
        }
    }

    private func send(_ operation: KernelOperation, _ namespace: NamespaceName?, _ message: NetlinkMessage) throws(KernelError) {
        let socket = try handles.handle(namespace).route
        try attempt(operation.action) { () throws(NetlinkError) in try socket.perform(message) }
    }

    /// One message about a link that exists.
    private func send(
        _ operation: KernelOperation, _ link: String, _ namespace: NamespaceName?, _ message: (Int32) -> NetlinkMessage
    ) throws(KernelError) {
        let socket = try handles.handle(namespace).route
        try attempt(operation.action) { () throws(NetlinkError) in try socket.perform(message(socket.indexOfLink(link))) }
    }

    /// One message about a route, whose links all exist.
    private func send(
        _ operation: KernelOperation, _ route: Route, _ namespace: NamespaceName?, _ message: (Int32, [Int32]) -> NetlinkMessage
    ) throws(KernelError) {
        let socket = try handles.handle(namespace).route
        try attempt(operation.action) { () throws(NetlinkError) in
            var further: [Int32] = []
            for hop in route.furtherHops { further.append(try socket.indexOfLink(hop.link)) }
            try socket.perform(message(try socket.indexOfLink(route.link), further))
        }
    }

    /// All frames leave by one socket. To close it takes some 12 ms, since the kernel waits until no processor hands it a frame any more
    /// (packet(7) sockets leave by `synchronize_net`): nobody waits for that. An address whose device just went holds up no other.
    public func announce(_ addresses: [LinkAddress], in namespace: NamespaceName?) throws(KernelError) {
        guard let first = addresses.first else { return }
        let action = KernelOperation.announce(first, namespace).action
        let descriptor = try NamespaceRunner.runTyped(in: namespace) { () throws(KernelError) in
            let descriptor = clinux_frame_socket()
            guard descriptor >= 0 else { throw KernelError(-descriptor, action) }
            return descriptor
        }
        defer { Self.closers[Int(descriptor) % Self.closers.count].async { _ = close(descriptor) } }
        var failure: KernelError?
        for address in addresses {
            do throws(KernelError) { try announce(address, in: namespace, by: descriptor) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    private func announce(_ address: LinkAddress, in namespace: NamespaceName?, by descriptor: Int32) throws(KernelError) {
        let (index, frames) = try announcement(of: address, in: namespace)
        for frame in frames {
            let result = clinux_frame_send(descriptor, index, frame, frame.count)
            guard result >= 0 else { throw KernelError(-result, KernelOperation.announce(address, namespace).action) }
        }
    }

    /// Several, since those who wait at the same time wait for the same.
    private static let closers = (0..<8).map { DispatchQueue(label: "kernel.closing.\($0)") }

    /// The frames for an address, and the device that they leave by.
    private func announcement(of address: LinkAddress, in namespace: NamespaceName?) throws(KernelError) -> (Int32, [[UInt8]]) {
        let socket = try handles.handle(namespace).route
        let (index, mac) = try attempt(KernelOperation.announce(address, namespace).action) { () throws(NetlinkError) in
            (try socket.indexOfLink(address.link), try socket.macOfLink(address.link))
        }
        // A link without IPv6 has no such value, and nothing to announce either.
        let isRouter =
            address.address.address.version == .v6
            && (try? SystemControls.read("net/ipv6/conf/\(address.link)/forwarding", in: namespace)) == "1"
        return (index, AnnouncementFrames.frames(for: address.address.address, mac: mac, isRouter: isRouter))
    }
}

extension NetlinkSocket {
    /// The index of a link in the socket's namespace.
    func indexOfLink(_ name: String) throws(NetlinkError) -> Int32 {
        let result = clinux_link_index(descriptor, name)
        guard result >= 0 else { throw NetlinkError(code: -result, sentence: "there is no link \(name)") }
        return result
    }

    /// Nil when the link went meanwhile.
    func nameOfLink(_ index: Int32) -> String? {
        var name = [UInt8](repeating: 0, count: 16)
        let result = name.withUnsafeMutableBytes { area in
            clinux_link_name(descriptor, index, area.baseAddress?.assumingMemoryBound(to: CChar.self))
        }
        return result < 0 ? nil : name[...].text
    }

    func macOfLink(_ name: String) throws(NetlinkError) -> MACAddress {
        var octets = [UInt8](repeating: 0, count: 6)
        let result = clinux_link_mac(descriptor, name, &octets)
        guard result >= 0, let mac = octets[...].mac else { throw NetlinkError(code: -result, sentence: "there is no link \(name)") }
        return mac
    }
}
