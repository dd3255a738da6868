import Addressing
import CLinux
import KernelInterface

/// What creating a link needs beside the ``Link``: numbers that only mean something in the running system.
struct LinkCreationContext: Hashable, Sendable {
    /// The index of ``Link/bridge``.
    var bridgeIndex: Int32?
    /// The index of a VLAN device's parent.
    var parentIndex: Int32?
    /// A descriptor of a veth's peer's namespace; nil when the peer stays in the link's own.
    var peerNamespace: Int32?
}

/// RTM_*LINK requests (rtnetlink(7); linux/if_link.h).
enum LinkMessages {
    private static let acknowledged = Int(NLM_F_ACK)
    /// Statistics are half of a link's dump, and nothing here reads them.
    private static let dumpFilter = UInt32(RTEXT_FILTER_SKIP_STATS)

    /// One message that makes the link, and a veth's peer in its own namespace with it. The kernel takes MAC, MTU, bridge and "up" along,
    /// but neither the alias nor the flags of a bridge port: a link with these comes up with ``completion(of:index:)``, so that it never
    /// carries a packet before it is finished and marked as ours.
    static func creation(of link: Link, _ context: LinkCreationContext) -> NetlinkMessage {
        let flags = Int(NLM_F_CREATE) | Int(NLM_F_EXCL) | acknowledged
        var message = NetlinkMessage(type: Int(RTM_NEWLINK), flags: flags)
        message.appendLinkHeader(isUp: link.isUp && !needsCompletion(link) ? true : nil)
        message.attribute(Int(IFLA_IFNAME), text: link.name)
        if let mac = link.mac { message.attribute(Int(IFLA_ADDRESS), mac) }
        if let mtu = link.mtu { message.attribute(Int(IFLA_MTU), UInt32(mtu)) }
        if let bridge = context.bridgeIndex { message.attribute(Int(IFLA_MASTER), UInt32(bridge)) }
        if let parent = context.parentIndex { message.attribute(Int(IFLA_LINK), parent) }
        message.nested(Int(IFLA_LINKINFO)) { appendKind(of: link, context, to: &$0) }
        return message
    }

    /// Whether one message is not enough for the link.
    static func needsCompletion(_ link: Link) -> Bool {
        link.alias != nil || link.bridge != nil && link.bridgePort != BridgePortOptions()
    }

    /// The second message of ``creation(of:_:)``: port flags, alias and, last, up. The kernel works in this order.
    static func completion(of link: Link, index: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_NEWLINK), flags: acknowledged)
        message.appendLinkHeader(index: index, isUp: link.isUp ? true : nil)
        if let alias = link.alias { message.attribute(Int(IFLA_IFALIAS), Array(alias.utf8)) }
        if link.bridge != nil {
            message.nested(Int(IFLA_LINKINFO)) { message in
                message.attribute(Int(IFLA_INFO_SLAVE_KIND), text: "bridge")
                message.nested(Int(IFLA_INFO_SLAVE_DATA)) { appendPortFlags(link.bridgePort, to: &$0) }
            }
        }
        return message
    }

    /// Changes of a link that exists. Nil members stay as they are.
    struct Change: Hashable, Sendable {
        var mac: MACAddress?
        var mtu: Int?
        var alias: String?
        /// 0 takes the link out of its bridge.
        var bridgeIndex: Int32?
        var isUp: Bool?

        var isEmpty: Bool { self == Change() }
    }

    static func change(index: Int32, _ change: Change) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_NEWLINK), flags: acknowledged)
        message.appendLinkHeader(index: index, isUp: change.isUp)
        if let mac = change.mac { message.attribute(Int(IFLA_ADDRESS), mac) }
        if let mtu = change.mtu { message.attribute(Int(IFLA_MTU), UInt32(mtu)) }
        if let bridge = change.bridgeIndex { message.attribute(Int(IFLA_MASTER), UInt32(bridge)) }
        // Without a closing zero: the kernel keeps the bytes as they come.
        if let alias = change.alias { message.attribute(Int(IFLA_IFALIAS), Array(alias.utf8)) }
        return message
    }

    /// The flags of a bridge port (`bridge link set dev … neigh_suppress on learning off`), and those that the port has otherwise than it shall as they are
    /// by themselves.
    static func portFlags(
        index: Int32, _ options: BridgePortOptions, ending alterations: Set<BridgePortAlteration> = []
    ) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_SETLINK), flags: acknowledged)
        message.appendLinkHeader(family: bridgeFamily, index: index)
        message.nested(Int(IFLA_PROTINFO)) { message in
            appendPortFlags(options, to: &message)
            for alteration in alterations.sorted() {
                let (type, value) = usual(alteration)
                message.attribute(type, value)
            }
        }
        return message
    }

    private static func usual(_ alteration: BridgePortAlteration) -> (type: Int, value: UInt8) {
        switch alteration {
        case .isolated: (Int(IFLA_BRPORT_ISOLATED), 0)
        case .hairpin: (Int(IFLA_BRPORT_MODE), 0)
        case .flood: (Int(IFLA_BRPORT_UNICAST_FLOOD), 1)
        case .multicastFlood: (Int(IFLA_BRPORT_MCAST_FLOOD), 1)
        case .broadcastFlood: (Int(IFLA_BRPORT_BCAST_FLOOD), 1)
        case .locked: (Int(IFLA_BRPORT_LOCKED), 0)
        case .proxyARP: (Int(IFLA_BRPORT_PROXYARP), 0)
        case .proxyARPWiFi: (Int(IFLA_BRPORT_PROXYARP_WIFI), 0)
        case .state: (Int(IFLA_BRPORT_STATE), portIsForwarding)
        }
    }

    /// What makes a bridge that somebody else made like those of ``creation(of:_:)``: no spanning tree, no snooping (a bridge that snoops gives multicast
    /// to those alone who joined, as long as somebody asks for members), no frames that no rule sees. Two messages in this order: the
    /// kernel looks at the delay first, and a spanning tree has one of two seconds at least.
    ///
    /// - Parameter alterations: The numbers of options that are otherwise than the agent's bridges have them. What bridges have by themselves is only set where it was
    ///   changed: a kernel without VLAN filtering refuses even to be told to do none.
    static func adoption(index: Int32, ending alterations: some Sequence<Int> = []) -> [NetlinkMessage] {
        let withoutDelay = bridgeOptions(index: index) { $0.attribute(Int(IFLA_BR_FORWARD_DELAY), UInt32(0)) }
        let options = bridgeOptions(index: index) { message in
            appendPassiveOptions(to: &message)
            for type in alterations.sorted() {
                switch type {
                case Int(IFLA_BR_AGEING_TIME): message.attribute(type, ageingTicks)
                case Int(IFLA_BR_VLAN_FILTERING), Int(IFLA_BR_NF_CALL_IPTABLES), Int(IFLA_BR_NF_CALL_IP6TABLES),
                    Int(IFLA_BR_NF_CALL_ARPTABLES):
                    message.attribute(type, UInt8(0))
                default: break
                }
            }
        }
        return [options, withoutDelay]
    }

    private static func bridgeOptions(index: Int32, _ append: (inout NetlinkMessage) -> Void) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_NEWLINK), flags: acknowledged)
        message.appendLinkHeader(index: index)
        message.nested(Int(IFLA_LINKINFO)) { message in
            message.attribute(Int(IFLA_INFO_KIND), text: "bridge")
            message.nested(Int(IFLA_INFO_DATA)) { append(&$0) }
        }
        return message
    }

    private static func appendPassiveOptions(to message: inout NetlinkMessage) {
        message.attribute(Int(IFLA_BR_STP_STATE), UInt32(0))
        message.attribute(Int(IFLA_BR_MCAST_SNOOPING), UInt8(0))
        message.attribute(Int(IFLA_BR_MULTI_BOOLOPT), noLinkLocalLearning)
        message.attribute(Int(IFLA_BR_GROUP_FWD_MASK), groupForwardMask)
        message.attribute(maximumLearnedType, maximumLearnedMACs)
    }

    static func removal(index: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_DELLINK), flags: acknowledged)
        message.appendLinkHeader(index: index)
        return message
    }

    static func dump() -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_GETLINK), flags: Int(NLM_F_ROOT | NLM_F_MATCH))
        message.appendLinkHeader()
        message.attribute(Int(IFLA_EXT_MASK), dumpFilter)
        return message
    }

    /// One link, by index or by name; with `namespaceID`, in the namespace that the socket's namespace knows by that number.
    static func get(index: Int32 = 0, name: String? = nil, namespaceID: Int32? = nil) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_GETLINK), flags: acknowledged)
        message.appendLinkHeader(index: index)
        message.attribute(Int(IFLA_EXT_MASK), dumpFilter)
        if let name { message.attribute(Int(IFLA_IFNAME), text: name) }
        if let namespaceID { message.attribute(Int(IFLA_TARGET_NETNSID), namespaceID) }
        return message
    }

    /// Gives the namespace that a descriptor stands for a number in the socket's own one, any that is free; EEXIST when it has one.
    static func namespaceNumbering(descriptor: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_NEWNSID), flags: acknowledged)
        // struct rtgenmsg, padded.
        message.append(zeros: 4)
        message.attribute(Int(NETNSA_NSID), Int32(-1))
        message.attribute(Int(NETNSA_FD), descriptor)
        return message
    }

    /// Asks by which number the socket's namespace knows the namespace behind a descriptor (RTM_GETNSID).
    static func namespaceID(descriptor: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_GETNSID), flags: acknowledged)
        // struct rtgenmsg is one byte, padded to four.
        message.append(zeros: 4)
        message.attribute(Int(NETNSA_FD), UInt32(descriptor))
        return message
    }

    /// The answer to ``namespaceID(descriptor:)``; nil when the two namespaces share nothing yet.
    static func parseNamespaceID(_ reply: NetlinkReply) -> Int32? {
        for (type, value) in reply.attributes(after: 4) where type == Int(NETNSA_NSID) { return value.int32 < 0 ? nil : value.int32 }
        return nil
    }

    private static func appendKind(of link: Link, _ context: LinkCreationContext, to message: inout NetlinkMessage) {
        switch link.kind {
        case .bridge:
            message.attribute(Int(IFLA_INFO_KIND), text: "bridge")
            message.nested(Int(IFLA_INFO_DATA)) { message in
                message.attribute(Int(IFLA_BR_FORWARD_DELAY), UInt32(0))
                appendPassiveOptions(to: &message)
            }
        case .vxlan(let vni, let local, let port, let isLearning):
            message.attribute(Int(IFLA_INFO_KIND), text: "vxlan")
            message.nested(Int(IFLA_INFO_DATA)) { message in
                message.attribute(Int(IFLA_VXLAN_ID), UInt32(vni))
                message.attribute(Int(local.version == .v4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6), local)
                message.attribute(Int(IFLA_VXLAN_PORT), UInt16(port).bigEndian)
                message.attribute(Int(IFLA_VXLAN_LEARNING), UInt8(isLearning ? 1 : 0))
            }
        case .vlan(_, let id):
            message.attribute(Int(IFLA_INFO_KIND), text: "vlan")
            message.nested(Int(IFLA_INFO_DATA)) { message in
                message.attribute(Int(IFLA_VLAN_ID), UInt16(id))
                // struct ifla_vlan_flags: the flags, and which of them are meant. The device may be up while its parent is not: else its parent had to
                // be up first, and took it down with itself.
                message.attribute(Int(IFLA_VLAN_FLAGS), UInt64(looseBinding) << 32 | UInt64(looseBinding))
            }
        case .veth(let peer, _):
            message.attribute(Int(IFLA_INFO_KIND), text: "veth")
            message.nested(Int(IFLA_INFO_DATA)) { message in
                message.nested(Int(VETH_INFO_PEER), isMarked: false) { message in
                    message.append(zeros: 16)
                    message.attribute(Int(IFLA_IFNAME), text: peer)
                    // Both ends of one wire: a frame that fits one end must fit the other.
                    if let mtu = link.mtu { message.attribute(Int(IFLA_MTU), UInt32(mtu)) }
                    if let descriptor = context.peerNamespace { message.attribute(Int(IFLA_NET_NS_FD), UInt32(descriptor)) }
                }
            }
        case .foreign:
            preconditionFailure("a foreign link is never created")
        }
    }

    private static func appendPortFlags(_ options: BridgePortOptions, to message: inout NetlinkMessage) {
        message.attribute(Int(IFLA_BRPORT_LEARNING), UInt8(options.learns ? 1 : 0))
        message.attribute(Int(IFLA_BRPORT_NEIGH_SUPPRESS), UInt8(options.suppressesNeighbours ? 1 : 0))
    }
}

extension NetlinkMessage {
    /// `struct ifinfomsg`. `isUp` nil leaves the flag alone.
    mutating func appendLinkHeader(family: UInt8 = 0, index: Int32 = 0, isUp: Bool? = nil) {
        append(family)
        append(zeros: 3)
        append(index)
        append(UInt32(isUp == true ? interfaceIsUp : 0))
        append(UInt32(isUp == nil ? 0 : interfaceIsUp))
    }
}

/// VLAN_FLAG_LOOSE_BINDING (linux/if_vlan.h).
private let looseBinding: UInt32 = 4
/// struct br_boolopt_multi with BR_BOOLOPT_NO_LL_LEARN (linux/if_bridge.h): values, then which of them are meant. A bridge learns the source MACs of
/// LLDP frames without showing them to netfilter (br_handle_frame in net/bridge/br_input.c): an instance could draw another's frames to itself.
private let noLinkLocalLearning = UInt64(1) << 32 | noLinkLocalLearningBit
let noLinkLocalLearningBit: UInt64 = 1
/// What a bridge does with frames for 01:80:c2:00:00:0e, the address of LLDP (a bit for each last octet): as any other, through the rules, which drop
/// them. Else it hands them to the host's own protocols, whatever is in them, without showing them to netfilter (br_handle_frame): IP from
/// an instance to any address of the host, the tunnels' port included. Those for the other link-local addresses pass the rules by themselves.
let groupForwardMask: UInt16 = 1 << 0x0E
/// After how long without a frame a bridge forgets a MAC, in ticks of 10 ms: five minutes, as by itself. One that forgets sooner floods; one that never does
/// sends astray what moved.
let ageingTicks: UInt32 = 30_000
/// IFLA_BR_FDB_MAX_LEARNED, which headers before Linux 6.8 have not; kernels before pass it over.
let maximumLearnedType = 49
/// How many MACs a bridge learns. By itself it learns any number for five minutes each: an instance without port security would fill the memory of all hosts
/// of its network with invented ones. Frames for MACs beyond are flooded, and ports whose MAC they do not name drop them.
let maximumLearnedMACs: UInt32 = 16_384
/// IFF_UP.
let interfaceIsUp: UInt32 = 1
/// IFF_RUNNING.
let interfaceIsRunning: UInt32 = 0x40
/// BR_STATE_FORWARDING (linux/if_bridge.h).
let portIsForwarding: UInt8 = 3
/// PF_BRIDGE: the family of requests to the bridge itself.
let bridgeFamily: UInt8 = 7
