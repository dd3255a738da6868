import Addressing
import NetworkModel

/// One HA router of this host, with all that whoever runs an ``Election`` must know to hear and to speak for its member.
public struct ElectionMember: Hashable, Sendable {
    /// The gateway of the external network, which any host that carries the network can ask for.
    public struct Gateway: Hashable, Sendable {
        /// The bridge of the external network on this host.
        public var bridge: String
        public var address: IPAddress

        public init(bridge: String, address: IPAddress) {
            self.bridge = bridge
            self.address = address
        }

        /// The same on every host: it names the network and the address.
        public var key: String { "\(bridge)/\(address)" }
    }

    public var router: ElectionRouter
    /// The host's end of the ha- veth pair: what is sent there arrives at keepalived.
    public var device: String
    /// Of the ha- device.
    public var mac: MACAddress
    public var virtualRouterID: Int
    /// 2 or 3.
    public var vrrpVersion: Int
    public var password: String?
    /// keepalived's notify FIFO.
    public var notifyPipe: String
    public var gateway: Gateway?

    public var advertisementIntervalMilliseconds: Int { router.advertisementIntervalMilliseconds }

    public init(
        router: ElectionRouter, device: String, mac: MACAddress, virtualRouterID: Int, vrrpVersion: Int, password: String?,
        notifyPipe: String, gateway: Gateway?
    ) {
        self.router = router
        self.device = device
        self.mac = mac
        self.virtualRouterID = virtualRouterID
        self.vrrpVersion = vrrpVersion
        self.password = password
        self.notifyPipe = notifyPipe
        self.gateway = gateway
    }
}
