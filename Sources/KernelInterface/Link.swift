import Addressing

/// What a link is, with the properties that the agent sets and compares.
public enum LinkKind: Hashable, Sendable {
    /// A bridge without STP, without forward delay, with multicast snooping and VLAN filtering off, that forgets MACs after five minutes, learns
    /// nothing from link-local frames and shows them all to netfilter, and learns a limited number of MACs (Linux 6.8 and later).
    case bridge
    /// A VXLAN device with the given identifier that sends from `local`, to UDP `port`.
    case vxlan(vni: Int, local: IPAddress, port: Int, isLearning: Bool)
    /// One end of a veth pair; the other end is `peer` in `peerNamespace` (nil: the agent's own namespace). As found, `peer` is empty when
    /// the other end is in a namespace that has no name here.
    case veth(peer: String, peerNamespace: NamespaceName?)
    /// An 802.1Q sub-interface: the frames of `parent` that carry the tag `id` (1 to 4094), without it. Goes with its parent.
    case vlan(parent: String, id: Int)
    /// A device that somebody else made (an instance's tap, a physical interface): wired and watched, never created or deleted.
    case foreign
}

/// A flag of a bridge's port that the agent never sets, as `bridge link` calls it and shows it then (bridge(8)).
public enum BridgePortAlteration: String, CaseIterable, Comparable, Sendable {
    /// Neither the other isolated ports nor this one get anything of each other.
    case isolated = "isolated on"
    /// Frames go back to where they came from.
    case hairpin = "hairpin on"
    /// Nothing for a MAC that the bridge does not know comes out here.
    case flood = "flood off"
    case multicastFlood = "mcast_flood off"
    case broadcastFlood = "bcast_flood off"
    /// Frames from MACs that the bridge does not know are dropped.
    case locked = "locked on"
    /// The bridge answers ARP in place of whom it asks for.
    case proxyARP = "proxy_arp on"
    case proxyARPWiFi = "proxy_arp_wifi on"
    /// A port that could forward does not.
    case state = "state not forwarding"

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Flags of a link that is a port of a bridge.
public struct BridgePortOptions: Hashable, Sendable {
    /// The bridge answers ARP for known neighbours instead of flooding to this port (`neigh_suppress`).
    public var suppressesNeighbours = false
    public var learns = true
    /// As found: what is otherwise than any port of ours. Changing a port that has some takes them away.
    public var alterations: Set<BridgePortAlteration> = []

    public init(suppressesNeighbours: Bool = false, learns: Bool = true) {
        self.suppressesNeighbours = suppressesNeighbours
        self.learns = learns
    }
}

/// A link as it shall be, or as it was found.
public struct Link: Hashable, Sendable {
    public var name: String
    public var kind: LinkKind
    /// Nil leaves the kernel's choice.
    public var mac: MACAddress?
    public var mtu: Int?
    public var isUp: Bool = true
    /// The bridge that the link is a port of.
    public var bridge: String?
    public var bridgePort = BridgePortOptions()
    /// Written as the link's alias (`ip link show`: `alias neutrino:…`), so that our own devices are known without memory.
    public var alias: String?
    /// As found: what of a bridge is otherwise than ``LinkKind/bridge`` says, as ip(8) shows it (`vlan_filtering 1`), sorted. Changing a bridge that has some
    /// takes them away.
    public var alterations: [String] = []

    public init(
        name: String, kind: LinkKind, mac: MACAddress? = nil, mtu: Int? = nil, isUp: Bool = true, bridge: String? = nil,
        bridgePort: BridgePortOptions = BridgePortOptions(), alias: String? = nil
    ) {
        precondition((1...15).contains(name.utf8.count), "a device name has 1 to 15 characters")
        self.name = name
        self.kind = kind
        self.mac = mac
        self.mtu = mtu
        self.isUp = isUp
        self.bridge = bridge
        self.bridgePort = bridgePort
        self.alias = alias
    }
}
