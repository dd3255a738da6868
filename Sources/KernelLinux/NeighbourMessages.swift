import Addressing
import CLinux
import KernelInterface

/// RTM_*NEIGH requests and answers: neighbours (family IPv4 or IPv6) and forwarding entries (family bridge).
enum NeighbourMessages {
    /// Length of `struct ndmsg`.
    static let headerLength = 12

    // MARK: Neighbours

    static func replacement(_ neighbour: Neighbour, index: Int32) -> NetlinkMessage {
        var message = request(
            Int(RTM_NEWNEIGH), Int(NLM_F_CREATE) | Int(NLM_F_REPLACE), family: neighbour.address.version.family, index, state: NUD_PERMANENT
        )
        message.attribute(Int(NDA_DST), neighbour.address)
        message.attribute(Int(NDA_LLADDR), neighbour.mac)
        return message
    }

    static func removal(_ neighbour: Neighbour, index: Int32) -> NetlinkMessage {
        var message = request(Int(RTM_DELNEIGH), 0, family: neighbour.address.version.family, index)
        message.attribute(Int(NDA_DST), neighbour.address)
        return message
    }

    static func dump(_ version: IPVersion) -> NetlinkMessage { dump(family: version.family) }

    /// The link's index and what a permanent neighbour entry says.
    static func parse(_ reply: NetlinkReply) -> (index: Int32, address: IPAddress, mac: MACAddress)? {
        guard reply.type == Int(RTM_NEWNEIGH), let entry = Entry(reply), entry.state & Int(NUD_PERMANENT) != 0, let address = entry.address,
            let mac = entry.mac
        else {
            return nil
        }
        return (entry.index, address, mac)
    }

    // MARK: Forwarding entries

    static func addition(_ entry: ForwardingEntry, index: Int32) -> NetlinkMessage {
        switch entry {
        case .tunnel(let mac, _, let remote):
            // The list of the all-zero address (or of a multicast one) takes any number of remotes; any other address has exactly one, and
            // the kernel would quietly ignore a second that is appended.
            let isList = mac == .zero || mac.isMulticast
            let flags = Int(NLM_F_CREATE) | Int(isList ? NLM_F_APPEND : NLM_F_REPLACE)
            var message = request(Int(RTM_NEWNEIGH), flags, family: bridgeFamily, index, state: NUD_NOARP | NUD_PERMANENT, flags: NTF_SELF)
            message.attribute(Int(NDA_LLADDR), mac)
            message.attribute(Int(NDA_DST), remote)
            return message
        case .bridgePort(let mac, _):
            // "permanent" would make the address the bridge's own; "static" is a neighbour that never ages.
            let flags = Int(NLM_F_CREATE) | Int(NLM_F_REPLACE)
            var message = request(
                Int(RTM_NEWNEIGH), flags, family: bridgeFamily, index, state: NUD_NOARP | NUD_REACHABLE, flags: NTF_MASTER)
            message.attribute(Int(NDA_LLADDR), mac)
            return message
        }
    }

    static func removal(_ entry: ForwardingEntry, index: Int32) -> NetlinkMessage {
        switch entry {
        case .tunnel(let mac, _, let remote):
            var message = request(Int(RTM_DELNEIGH), 0, family: bridgeFamily, index, flags: NTF_SELF)
            message.attribute(Int(NDA_LLADDR), mac)
            message.attribute(Int(NDA_DST), remote)
            return message
        case .bridgePort(let mac, _):
            var message = request(Int(RTM_DELNEIGH), 0, family: bridgeFamily, index, flags: NTF_MASTER)
            message.attribute(Int(NDA_LLADDR), mac)
            return message
        }
    }

    static func forwardingDump() -> NetlinkMessage { dump(family: bridgeFamily) }

    /// A forwarding entry that somebody set, with its link still a number. `remote` nil: behind a port of a bridge.
    ///
    ///     VXLAN device's own table    NTF_SELF, NDA_DST, NUD_PERMANENT       ours: tunnel
    ///     bridge, static              NDA_MASTER, NUD_NOARP                  ours: bridge port
    ///     bridge, device's own MAC    NDA_MASTER, NUD_PERMANENT              the kernel's
    ///     bridge, VXLAN, learned      NUD_REACHABLE or NUD_STALE             traffic's
    ///     any device's multicast list NTF_SELF, NUD_PERMANENT, no NDA_DST    the kernel's
    static func parseForwarding(_ reply: NetlinkReply) -> (index: Int32, mac: MACAddress, remote: IPAddress?)? {
        guard reply.type == Int(RTM_NEWNEIGH), let entry = Entry(reply) else { return nil }
        return forwarding(entry)
    }

    private static func forwarding(_ entry: Entry) -> (index: Int32, mac: MACAddress, remote: IPAddress?)? {
        guard let mac = entry.mac else { return nil }
        let isPermanent = entry.state & Int(NUD_PERMANENT) != 0
        if entry.flags & Int(NTF_SELF) != 0 {
            guard isPermanent, let remote = entry.address else { return nil }
            return (entry.index, mac, remote)
        }
        guard entry.hasMaster, !isPermanent, entry.state & Int(NUD_NOARP) != 0 else { return nil }
        return (entry.index, mac, nil)
    }

    /// What an entry said that was removed.
    enum Removal: Hashable {
        case neighbour(IPAddress)
        case tunnel(mac: MACAddress, remote: IPAddress)
        case bridgePort(mac: MACAddress)
    }

    /// Of neighbours it is not told whether they were permanent: the kernel marks them as failed before it removes them.
    static func parseRemoval(_ reply: NetlinkReply) -> (index: Int32, entry: Removal)? {
        guard reply.type == Int(RTM_DELNEIGH), let entry = Entry(reply) else { return nil }
        guard reply.payload.uint8 == bridgeFamily else { return entry.address.map { (entry.index, .neighbour($0)) } }
        guard let (index, mac, remote) = forwarding(entry) else { return nil }
        return (index, remote.map { .tunnel(mac: mac, remote: $0) } ?? .bridgePort(mac: mac))
    }

    // MARK: Parts

    private struct Entry {
        var index: Int32
        var state: Int
        var flags: Int
        var address: IPAddress?
        var mac: MACAddress?
        var hasMaster = false

        init?(_ reply: NetlinkReply) {
            guard reply.payload.count >= headerLength else { return nil }
            index = reply.payload.number(at: 4, as: Int32.self)
            state = Int(reply.payload.number(at: 8, as: UInt16.self))
            flags = Int(reply.payload.number(at: 10, as: UInt8.self))
            for (type, value) in reply.attributes(after: headerLength) {
                switch type {
                case Int(NDA_DST): address = value.address
                case Int(NDA_LLADDR): mac = value.mac
                case Int(NDA_MASTER): hasMaster = true
                default: break
                }
            }
        }
    }

    private static func request(
        _ type: Int, _ requestFlags: Int, family: UInt8, _ index: Int32, state: Int32 = 0, flags: Int32 = 0
    ) -> NetlinkMessage {
        var message = NetlinkMessage(type: type, flags: requestFlags | Int(NLM_F_ACK))
        message.append(family)
        message.append(zeros: 3)
        message.append(index)
        message.append(UInt16(state))
        message.append(UInt8(flags))
        message.append(UInt8(0))
        return message
    }

    private static func dump(family: UInt8) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_GETNEIGH), flags: Int(NLM_F_ROOT | NLM_F_MATCH))
        message.append(family)
        message.append(zeros: headerLength - 1)
        return message
    }
}
