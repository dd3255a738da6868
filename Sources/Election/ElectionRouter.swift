import Addressing
import NetworkModel

/// What the election must know of one HA router and its group.
public struct ElectionRouter: Hashable, Sendable {
    /// Another member of the group.
    public struct Peer: Hashable, Sendable {
        public var hostID: String
        /// Its own address on the HA network: where its advertisements come from.
        public var address: IPAddress
        /// Where its host exchanges pulses; nil for a host that has no tunnel endpoint, which leaves it to VRRP alone.
        public var endpoint: IPAddress?
        /// 1...254.
        public var priority: Int
        /// What the server says; the peer's own word counts more.
        public var isDraining: Bool

        public init(hostID: String, address: IPAddress, endpoint: IPAddress?, priority: Int, isDraining: Bool = false) {
            self.hostID = hostID
            self.address = address
            self.endpoint = endpoint
            self.priority = priority
            self.isDraining = isDraining
        }
    }

    public var id: ResourceID
    /// This member's own address on the HA network.
    public var localAddress: IPAddress
    /// 1...254.
    public var priority: Int
    /// This member gives mastership away as soon as another can take it.
    public var isDraining: Bool
    public var peers: [Peer]
    /// How often a master of the group advertises itself; what keepalived waits for is counted in it.
    public var advertisementIntervalMilliseconds: Int
    /// Identifies the external gateway whose reachability counts (see `ElectionEvent.gateway`); nil when none does.
    public var gatewayKey: String?

    public init(
        id: ResourceID, localAddress: IPAddress, priority: Int, isDraining: Bool = false, peers: [Peer],
        advertisementIntervalMilliseconds: Int, gatewayKey: String? = nil
    ) {
        self.id = id
        self.localAddress = localAddress
        self.priority = priority
        self.isDraining = isDraining
        self.peers = peers
        self.advertisementIntervalMilliseconds = advertisementIntervalMilliseconds
        self.gatewayKey = gatewayKey
    }
}
