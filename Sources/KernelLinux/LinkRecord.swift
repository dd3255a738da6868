import Addressing
import CLinux
import KernelInterface

/// A link as RTM_NEWLINK describes it, with numbers still unresolved.
struct LinkRecord: Hashable, Sendable {
    var index: Int32
    var name = ""
    var isUp: Bool
    /// It has a carrier: a bridge's port is then forwarding, unless somebody decided otherwise.
    var isRunning: Bool
    var mac: MACAddress?
    var mtu: Int?
    var alias: String?
    /// "bridge", "vxlan", "veth", "tun"…; nil for hardware.
    var kind: String?
    /// The index of the device that this one is a port of.
    var masterIndex: Int32?
    /// "bridge" for a port of a bridge.
    var masterKind: String?
    var bridgePort = BridgePortOptions()
    /// A veth's other end, or a VLAN device's parent: its index, and the number of its namespace when that is another one.
    var peerIndex: Int32?
    var peerNamespaceID: Int32?
    var vxlan = VXLAN()
    /// The tag of a VLAN device of 802.1Q.
    var vlanID: Int?
    /// What of a bridge is otherwise than the agent makes them. What the kernel does not tell it has not.
    /// In the words of ip(8), by the option's number.
    var bridgeAlterations: [Int: String] = [:]

    struct VXLAN: Hashable, Sendable {
        var vni: Int?
        var local: IPAddress?
        var port: Int?
        var isLearning = false
        /// It sends with another TTL or TOS than by itself, or to a group or through a device that the agent never names.
        var isAltered = false
    }

    /// ETH_P_8021Q.
    private static let dot1Q: UInt16 = 0x8100
    /// Length of `struct ifinfomsg`.
    static let headerLength = 16

    /// Nil for a message that is no link.
    init?(_ reply: NetlinkReply) {
        guard reply.type == Int(RTM_NEWLINK) || reply.type == Int(RTM_DELLINK), reply.payload.count >= Self.headerLength else { return nil }
        index = reply.payload.number(at: 4, as: Int32.self)
        let flags = reply.payload.number(at: 8, as: UInt32.self)
        isUp = flags & interfaceIsUp != 0
        isRunning = flags & interfaceIsRunning != 0
        for (type, value) in reply.attributes(after: Self.headerLength) { read(type, value) }
    }

    private mutating func read(_ type: Int, _ value: ArraySlice<UInt8>) {
        switch type {
        case Int(IFLA_IFNAME): name = value.text
        case Int(IFLA_ADDRESS): mac = value.mac
        case Int(IFLA_MTU): mtu = Int(value.uint32)
        case Int(IFLA_IFALIAS): alias = value.text
        case Int(IFLA_MASTER): masterIndex = value.int32
        case Int(IFLA_LINK): peerIndex = value.int32 > 0 ? value.int32 : nil
        case Int(IFLA_LINK_NETNSID): peerNamespaceID = value.int32 >= 0 ? value.int32 : nil
        case Int(IFLA_LINKINFO): readKind(value.attributes)
        default: break
        }
    }

    private mutating func readKind(_ attributes: NetlinkAttributes) {
        // The kind comes before its data.
        for (type, value) in attributes {
            switch type {
            case Int(IFLA_INFO_KIND): kind = value.text
            case Int(IFLA_INFO_DATA) where kind == "vxlan": readVXLAN(value.attributes)
            case Int(IFLA_INFO_DATA) where kind == "vlan": readVLAN(value.attributes)
            case Int(IFLA_INFO_DATA) where kind == "bridge": readBridge(value.attributes)
            case Int(IFLA_INFO_SLAVE_KIND): masterKind = value.text
            case Int(IFLA_INFO_SLAVE_DATA) where masterKind == "bridge": readPortFlags(value.attributes)
            default: break
            }
        }
    }

    private mutating func readVXLAN(_ attributes: NetlinkAttributes) {
        for (type, value) in attributes {
            switch type {
            case Int(IFLA_VXLAN_ID): vxlan.vni = Int(value.uint32)
            case Int(IFLA_VXLAN_LOCAL), Int(IFLA_VXLAN_LOCAL6): vxlan.local = value.address
            case Int(IFLA_VXLAN_PORT): vxlan.port = Int(UInt16(bigEndian: value.uint16))
            case Int(IFLA_VXLAN_LEARNING): vxlan.isLearning = value.uint8 != 0
            // Told only where there is one.
            case Int(IFLA_VXLAN_GROUP), Int(IFLA_VXLAN_GROUP6), Int(IFLA_VXLAN_LINK): vxlan.isAltered = true
            case Int(IFLA_VXLAN_TTL), Int(IFLA_VXLAN_TTL_INHERIT), Int(IFLA_VXLAN_TOS):
                if value.uint8 != 0 { vxlan.isAltered = true }
            default: break
            }
        }
    }

    private mutating func readVLAN(_ attributes: NetlinkAttributes) {
        var isDot1Q = true
        for (type, value) in attributes {
            switch type {
            case Int(IFLA_VLAN_ID): vlanID = Int(value.uint16)
            case Int(IFLA_VLAN_PROTOCOL): isDot1Q = UInt16(bigEndian: value.uint16) == Self.dot1Q
            default: break
            }
        }
        if !isDot1Q { vlanID = nil }
    }

    private mutating func readBridge(_ attributes: NetlinkAttributes) {
        for (type, value) in attributes {
            guard let (words, isOurs) = Self.bridgeOption(type, value), !isOurs else { continue }
            bridgeAlterations[type] = words
        }
    }

    /// What the agent's bridges are told, or have by themselves and need: a snooping bridge gives multicast to those alone who joined, one that filters VLANs looks for its
    /// entries in VLAN 1, and one that calls the host's own rules has its packets dropped by them.
    private static func bridgeOption(_ type: Int, _ value: ArraySlice<UInt8>) -> (words: String, isOurs: Bool)? {
        switch type {
        case Int(IFLA_BR_STP_STATE): ("stp_state \(value.uint32)", value.uint32 == 0)
        case Int(IFLA_BR_FORWARD_DELAY): ("forward_delay \(value.uint32)", value.uint32 == 0)
        case Int(IFLA_BR_AGEING_TIME): ("ageing_time \(value.uint32)", value.uint32 == ageingTicks)
        case Int(IFLA_BR_MCAST_SNOOPING): ("mcast_snooping \(value.uint8)", value.uint8 == 0)
        case Int(IFLA_BR_VLAN_FILTERING): ("vlan_filtering \(value.uint8)", value.uint8 == 0)
        case Int(IFLA_BR_NF_CALL_IPTABLES): ("nf_call_iptables \(value.uint8)", value.uint8 == 0)
        case Int(IFLA_BR_NF_CALL_IP6TABLES): ("nf_call_ip6tables \(value.uint8)", value.uint8 == 0)
        case Int(IFLA_BR_NF_CALL_ARPTABLES): ("nf_call_arptables \(value.uint8)", value.uint8 == 0)
        case Int(IFLA_BR_GROUP_FWD_MASK):
            ("group_fwd_mask 0x\(String(value.uint16, radix: 16))", value.uint16 == groupForwardMask)
        case maximumLearnedType: ("fdb_max_learned \(value.uint32)", value.uint32 == maximumLearnedMACs)
        case Int(IFLA_BR_MULTI_BOOLOPT): ("no_linklocal_learn 0", value.uint32 & UInt32(noLinkLocalLearningBit) != 0)
        default: nil
        }
    }

    private mutating func readPortFlags(_ attributes: NetlinkAttributes) {
        for (type, value) in attributes {
            let flag = value.uint8 != 0
            switch type {
            case Int(IFLA_BRPORT_LEARNING): bridgePort.learns = flag
            case Int(IFLA_BRPORT_NEIGH_SUPPRESS): bridgePort.suppressesNeighbours = flag
            case Int(IFLA_BRPORT_STATE):
                if isRunning, value.uint8 != portIsForwarding { bridgePort.alterations.insert(.state) }
            default:
                if let (alteration, usual) = Self.portFlags[type], flag != usual { bridgePort.alterations.insert(alteration) }
            }
        }
    }

    /// What else a port of a bridge can be told, and how it is by itself.
    private static let portFlags: [Int: (BridgePortAlteration, usual: Bool)] = [
        Int(IFLA_BRPORT_ISOLATED): (.isolated, false), Int(IFLA_BRPORT_MODE): (.hairpin, false), Int(IFLA_BRPORT_LOCKED): (.locked, false),
        Int(IFLA_BRPORT_PROXYARP): (.proxyARP, false), Int(IFLA_BRPORT_PROXYARP_WIFI): (.proxyARPWiFi, false),
        Int(IFLA_BRPORT_UNICAST_FLOOD): (.flood, true), Int(IFLA_BRPORT_MCAST_FLOOD): (.multicastFlood, true),
        Int(IFLA_BRPORT_BCAST_FLOOD): (.broadcastFlood, true),
    ]

    /// The link with its numbers resolved. A kind that the agent never makes, and a VXLAN device without one sender address or with what the agent never
    /// gives it, are foreign; a veth whose other end cannot be named has the empty text as its peer.
    ///
    /// - Parameter parent: The name of what a VLAN device stands on, when that is in the same namespace.
    func link(bridge: String?, peer: (name: String, namespace: NamespaceName?)?, parent: String? = nil) -> Link {
        var link = Link(
            name: name, kind: linkKind(peer: peer, parent: parent), mac: mac, mtu: mtu, isUp: isUp, bridge: bridge,
            bridgePort: masterKind == "bridge" ? bridgePort : BridgePortOptions(), alias: alias)
        link.alterations = bridgeAlterations.values.sorted()
        return link
    }

    private func linkKind(peer: (name: String, namespace: NamespaceName?)?, parent: String?) -> LinkKind {
        switch kind {
        case "bridge": return .bridge
        case "vxlan":
            guard let vni = vxlan.vni, let local = vxlan.local, let port = vxlan.port, !vxlan.isAltered else { return .foreign }
            return .vxlan(vni: vni, local: local, port: port, isLearning: vxlan.isLearning)
        case "vlan":
            guard let parent, let vlanID else { return .foreign }
            return .vlan(parent: parent, id: vlanID)
        case "veth":
            return .veth(peer: peer?.name ?? "", peerNamespace: peer?.namespace)
        default: return .foreign
        }
    }
}
