import Addressing
import CLinux
import Glibc
import KernelInterface

/// A change of a namespace's links, addresses, neighbours or forwarding entries that somebody made.
public enum NetworkEvent: Hashable, Sendable {
    /// A link appeared or changed: its flags, its bridge, its name.
    case linkChanged(name: String, isUp: Bool)
    case linkRemoved(name: String)
    case addressAdded(LinkAddress)
    case addressRemoved(LinkAddress)
    /// An entry that somebody had set, not one that traffic had taught.
    case forwardingRemoved(ForwardingEntry)
    case neighbourRemoved(link: String, address: IPAddress)
    /// An entry of a tunnel that somebody set, this process included, perhaps in the place of another one.
    case tunnelSet(ForwardingEntry)
    /// The same of a permanent neighbour.
    case neighbourSet(Neighbour)
    /// Events were lost: look at everything.
    case resync
}

/// What the kernel tells of the links and addresses of a namespace, and of entries that go, as it happens.
///
/// Events wait in the socket's buffer, whose size is the bound: when a reader is too slow the kernel drops events and says so once, which is
/// read as one ``NetworkEvent/resync``. One task reads. The socket keeps the namespace alive: close it before removing the namespace.
public struct NetworkEvents: AsyncSequence, Sendable {
    public typealias Element = NetworkEvent
    public typealias Failure = Never

    /// Some 300 events of a link.
    public static let bufferBytes = 512 * 1024

    private let descriptor: ReadableDescriptor

    public init(namespace: NamespaceName?) throws(KernelError) {
        let groups = UInt32(RTMGRP_LINK) | UInt32(RTMGRP_IPV4_IFADDR) | UInt32(RTMGRP_IPV6_IFADDR) | UInt32(RTMGRP_NEIGH)
        let result = try NamespaceRunner.runTyped(in: namespace) { () throws(KernelError) in
            let result = clinux_netlink_socket(NETLINK_ROUTE, groups, Int32(Self.bufferBytes), 0)
            guard result >= 0 else { throw KernelError(-result, "listen to network events\(place(namespace))") }
            // Traffic makes and changes entries all the time, also some hundred routers' at once: these messages wake nobody up.
            _ = clinux_netlink_ignore_learned(result)
            return result
        }
        descriptor = ReadableDescriptor(result)
    }

    /// Ends the iteration. The socket is closed without it, too, when nobody refers to it any more.
    public func close() { descriptor.close() }

    public func makeAsyncIterator() -> Iterator { Iterator(descriptor: descriptor) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let descriptor: ReadableDescriptor
        /// Events of the datagram that was read last, latest first.
        private var pending: [NetworkEvent] = []

        fileprivate init(descriptor: ReadableDescriptor) { self.descriptor = descriptor }

        /// Nil when the socket is closed or the task was cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> NetworkEvent? {
            while true {
                if let event = pending.popLast() { return event }
                var result = 0
                let datagram = [UInt8](unsafeUninitializedCapacity: NetlinkSocket.datagramBytes) { area, length in
                    result = descriptor.read { Int(clinux_netlink_receive($0, area.baseAddress, area.count, 0)) } ?? -Int(EAGAIN)
                    length = Swift.max(result, 0)
                }
                if result >= 0 {
                    pending = events(datagram).reversed()
                } else if result == -Int(EAGAIN) {
                    guard await descriptor.waitUntilReadable() else { return nil }
                } else {
                    // ENOBUFS: the buffer was full. Any other error leaves just as little to rely on.
                    return .resync
                }
            }
        }

        private func events(_ datagram: [UInt8]) -> [NetworkEvent] {
            NetlinkReply.split(datagram[...]).compactMap { reply in
                switch reply.type {
                case Int(RTM_NEWLINK): return LinkRecord(reply).map { .linkChanged(name: $0.name, isUp: $0.isUp) }
                case Int(RTM_DELLINK):
                    // Of family bridge: the link left a bridge, and lives on.
                    let hasLeftBridge = reply.payload.uint8 == bridgeFamily
                    return LinkRecord(reply).map {
                        hasLeftBridge ? .linkChanged(name: $0.name, isUp: $0.isUp) : .linkRemoved(name: $0.name)
                    }
                case Int(RTM_NEWADDR), Int(RTM_DELADDR): return addressEvent(reply)
                case Int(RTM_DELNEIGH): return entryEvent(reply)
                case Int(RTM_NEWNEIGH): return settingEvent(reply)
                default: return nil
                }
            }
        }

        /// Nil for what was learned, and for an entry of a link that is gone.
        private func entryEvent(_ reply: NetlinkReply) -> NetworkEvent? {
            guard let (index, entry) = NeighbourMessages.parseRemoval(reply), let link = link(index) else { return nil }
            switch entry {
            case .neighbour(let address): return .neighbourRemoved(link: link, address: address)
            case .tunnel(let mac, let remote): return .forwardingRemoved(.tunnel(mac: mac, link: link, remote: remote))
            case .bridgePort(let mac): return .forwardingRemoved(.bridgePort(mac: mac, link: link))
            }
        }

        /// Nil for what was learned, and for an entry of a link that is gone.
        private func settingEvent(_ reply: NetlinkReply) -> NetworkEvent? {
            if let (index, address, mac) = NeighbourMessages.parse(reply), reply.payload.uint8 != bridgeFamily {
                return link(index).map { .neighbourSet(Neighbour(address: address, mac: mac, link: $0)) }
            }
            guard let (index, mac, to) = NeighbourMessages.parseForwarding(reply), let remote = to else { return nil }
            return link(index).map { .tunnelSet(.tunnel(mac: mac, link: $0, remote: remote)) }
        }

        private func link(_ index: Int32) -> String? {
            var name = [CChar](repeating: 0, count: 16)
            guard let result = descriptor.read({ Int(clinux_link_name($0, index, &name)) }), result >= 0 else { return nil }
            return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        /// Nil for an address of a link that is gone: its removal says it all.
        private func addressEvent(_ reply: NetlinkReply) -> NetworkEvent? {
            guard let (index, address) = AddressMessages.parse(reply), let link = link(index) else { return nil }
            let linkAddress = LinkAddress(link: link, address: address)
            return reply.type == Int(RTM_NEWADDR) ? .addressAdded(linkAddress) : .addressRemoved(linkAddress)
        }
    }
}
