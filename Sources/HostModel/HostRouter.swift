import Addressing
import NetworkModel

/// A router that this host realises, alone or as one member of a VRRP group.
public struct HostRouter: Hashable, Sendable, Codable {
    /// A port of the router: qr-, qg- or ha-.
    public struct RouterPort: Hashable, Sendable, Codable {
        public var id: ResourceID
        public var networkID: ResourceID
        public var mac: MACAddress
        public var addresses: [InterfaceAddress]
        /// Gateways of the port's subnets: the next hops of the default routes when the port is the router's gateway.
        public var gateways: [IPAddress]
        public var mtu: Int
        public var isAdminStateUp: Bool
        public var revision: Int

        public init(
            id: ResourceID, networkID: ResourceID, mac: MACAddress, addresses: [InterfaceAddress], gateways: [IPAddress] = [], mtu: Int,
            isAdminStateUp: Bool = true, revision: Int = 0
        ) {
            self.id = id
            self.networkID = networkID
            self.mac = mac
            self.addresses = addresses
            self.gateways = gateways
            self.mtu = mtu
            self.isAdminStateUp = isAdminStateUp
            self.revision = revision
        }
    }

    /// Membership in a VRRP group.
    public struct Redundancy: Hashable, Sendable, Codable {
        /// 1...254.
        public var virtualRouterID: Int
        /// 1...254.
        public var priority: Int
        /// This member's port on the HA network.
        public var port: RouterPort
        /// 2 or 3.
        public var vrrpVersion: Int
        public var advertisementIntervalMilliseconds: Int

        public init(
            virtualRouterID: Int, priority: Int, port: RouterPort, vrrpVersion: Int = 3, advertisementIntervalMilliseconds: Int = 100
        ) {
            self.virtualRouterID = virtualRouterID
            self.priority = priority
            self.port = port
            self.vrrpVersion = vrrpVersion
            self.advertisementIntervalMilliseconds = advertisementIntervalMilliseconds
        }
    }

    public struct Floating: Hashable, Sendable, Codable {
        public var id: ResourceID
        public var address: IPAddress
        public var fixedAddress: IPAddress

        public init(id: ResourceID, address: IPAddress, fixedAddress: IPAddress) {
            self.id = id
            self.address = address
            self.fixedAddress = fixedAddress
        }
    }

    public var id: ResourceID
    public var isAdminStateUp: Bool
    /// Nil for a standalone router.
    public var redundancy: Redundancy?
    public var gateway: RouterPort?
    public var isSNATEnabled: Bool
    /// Sorted by id.
    public var interfaces: [RouterPort]
    /// Sorted by id.
    public var floatingIPs: [Floating]
    public var routes: [StaticRoute]
    /// The router's revision number.
    public var revision: Int

    public init(
        id: ResourceID, isAdminStateUp: Bool = true, redundancy: Redundancy? = nil, gateway: RouterPort? = nil, isSNATEnabled: Bool = true,
        interfaces: [RouterPort] = [], floatingIPs: [Floating] = [], routes: [StaticRoute] = [], revision: Int = 0
    ) {
        self.id = id
        self.isAdminStateUp = isAdminStateUp
        self.redundancy = redundancy
        self.gateway = gateway
        self.isSNATEnabled = isSNATEnabled
        self.interfaces = interfaces
        self.floatingIPs = floatingIPs
        self.routes = routes
        self.revision = revision
    }
}
