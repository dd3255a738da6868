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
        /// Of a gateway: subnets of its network in which the port has no address. The router finds their hosts on the link. Sorted.
        public var onLinkPrefixes: [IPPrefix]
        public var mtu: Int
        public var isAdminStateUp: Bool
        public var revision: Int
        /// Address scopes of the port's IPv4 and IPv6 addresses; nil for addresses that belong to none.
        public var scope4: ResourceID?
        public var scope6: ResourceID?
        /// What the router advertises to the port's network (RFC 4861); nil where it does not advertise.
        public var advertisement: Advertisement?
        /// What becomes of requests for metadata that come in here; nil: nothing.
        public var metadata: Metadata?
        /// Of the port's own QoS policy: for what passes between it and its network.
        public var quality: HostQuality?

        public init(
            id: ResourceID, networkID: ResourceID, mac: MACAddress, addresses: [InterfaceAddress], gateways: [IPAddress] = [], mtu: Int,
            isAdminStateUp: Bool = true, revision: Int = 0, scope4: ResourceID? = nil, scope6: ResourceID? = nil,
            advertisement: Advertisement? = nil, onLinkPrefixes: [IPPrefix] = [], metadata: Metadata? = nil,
            quality: HostQuality? = nil
        ) {
            self.id = id
            self.networkID = networkID
            self.mac = mac
            self.addresses = addresses
            self.gateways = gateways
            self.mtu = mtu
            self.isAdminStateUp = isAdminStateUp
            self.revision = revision
            self.scope4 = scope4
            self.scope6 = scope6
            self.advertisement = advertisement
            self.onLinkPrefixes = onLinkPrefixes
            self.metadata = metadata
            self.quality = quality
        }
    }

    /// Who answers requests to 169.254.169.254 and fe80::a9fe:a9fe on an internal network: its DHCP server where it has one, else the router.
    public struct Metadata: Hashable, Sendable, Codable {
        /// The DHCP port on the same link that requests of IPv4 are passed on to.
        public var neighbour: IPAddress?
        /// Whether the router answers 169.254.169.254 itself.
        public var answersIPv4: Bool
        /// Whether the router has fe80::a9fe:a9fe and answers there: of several routers of a network one.
        public var answersIPv6: Bool

        public init(neighbour: IPAddress? = nil, answersIPv4: Bool = false, answersIPv6: Bool = false) {
            self.neighbour = neighbour
            self.answersIPv4 = answersIPv4
            self.answersIPv6 = answersIPv6
        }

        public var answers: Bool { answersIPv4 || answersIPv6 }
    }

    /// Router advertisements on one interface: what radvd says there.
    public struct Advertisement: Hashable, Sendable, Codable {
        public struct Prefix: Hashable, Sendable, Codable {
            public var prefix: IPPrefix
            /// Whether hosts form addresses of their own in it (SLAAC, RFC 4862).
            public var isAutonomous: Bool

            public init(prefix: IPPrefix, isAutonomous: Bool) {
                self.prefix = prefix
                self.isAutonomous = isAutonomous
            }
        }

        /// In the order of their creation.
        public var prefixes: [Prefix]
        /// Addresses come from DHCPv6 (the M flag).
        public var isManaged: Bool
        /// Other settings come from DHCPv6 (the O flag).
        public var hasOtherConfiguration: Bool
        /// For the RDNSS option (RFC 8106).
        public var dnsNameservers: [IPAddress]

        public init(prefixes: [Prefix], isManaged: Bool, hasOtherConfiguration: Bool, dnsNameservers: [IPAddress] = []) {
            self.prefixes = prefixes
            self.isManaged = isManaged
            self.hasOtherConfiguration = hasOtherConfiguration
            self.dnsNameservers = dnsNameservers
        }
    }

    /// Another member of the same VRRP group.
    public struct Peer: Hashable, Sendable, Codable {
        public var hostID: String
        /// The member's own address on the HA network: where its advertisements come from.
        public var address: IPAddress
        /// The MAC address of its port on the HA network. Nil when it is not known: the member is then asked for it (ARP).
        public var mac: MACAddress?
        /// Where its host can be reached beside the HA network: its tunnel endpoint. Nil for a host that has none.
        public var endpoint: IPAddress?
        /// 1...254.
        public var priority: Int
        /// Its agent is administratively down: it takes over only when nobody else can.
        public var isDraining: Bool

        public init(
            hostID: String, address: IPAddress, mac: MACAddress? = nil, endpoint: IPAddress?, priority: Int, isDraining: Bool = false
        ) {
            self.hostID = hostID
            self.address = address
            self.mac = mac
            self.endpoint = endpoint
            self.priority = priority
            self.isDraining = isDraining
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
        /// The password of the group (VRRP version 2 only, RFC 2338: type PASS, at most 8 octets).
        public var password: String?
        /// The other members, by falling priority.
        public var peers: [Peer]
        /// This host's agent is administratively down: the member gives mastership away as soon as another can take it.
        public var isDraining: Bool
        /// Whether connections are replicated to the other members.
        public var replicatesConnections: Bool

        public init(
            virtualRouterID: Int, priority: Int, port: RouterPort, vrrpVersion: Int = 3, advertisementIntervalMilliseconds: Int = 1000,
            password: String? = nil, peers: [Peer] = [], isDraining: Bool = false, replicatesConnections: Bool = true
        ) {
            self.virtualRouterID = virtualRouterID
            self.priority = priority
            self.port = port
            self.vrrpVersion = vrrpVersion
            self.advertisementIntervalMilliseconds = advertisementIntervalMilliseconds
            self.password = password
            self.peers = peers
            self.isDraining = isDraining
            self.replicatesConnections = replicatesConnections
        }
    }

    /// Limits of bandwidth, from QoS rules. Directions are the router's: ingress comes in from the external network.
    public struct RateLimits: Hashable, Sendable, Codable {
        public struct Limit: Hashable, Sendable, Codable {
            public var kilobitsPerSecond: Int
            /// 0 leaves the choice to the host.
            public var burstKilobits: Int

            public init(kilobitsPerSecond: Int, burstKilobits: Int) {
                self.kilobitsPerSecond = kilobitsPerSecond
                self.burstKilobits = burstKilobits
            }
        }

        public var ingress: Limit?
        public var egress: Limit?

        public init(ingress: Limit? = nil, egress: Limit? = nil) {
            self.ingress = ingress
            self.egress = egress
        }
    }

    /// A gateway beside the first.
    public struct FurtherGateway: Hashable, Sendable, Codable {
        public var port: RouterPort
        public var isSNATEnabled: Bool
        /// Limits of everything that passes this gateway and belongs to no floating IP with limits of its own.
        public var limits: RateLimits?

        public init(port: RouterPort, isSNATEnabled: Bool = true, limits: RateLimits? = nil) {
            self.port = port
            self.isSNATEnabled = isSNATEnabled
            self.limits = limits
        }
    }

    public struct Floating: Hashable, Sendable, Codable {
        public var id: ResourceID
        public var address: IPAddress
        public var fixedAddress: IPAddress
        public var limits: RateLimits?
        /// The port of the further gateway that the address is on; nil: it is on the first gateway.
        public var gatewayID: ResourceID?

        public init(
            id: ResourceID, address: IPAddress, fixedAddress: IPAddress, limits: RateLimits? = nil, gatewayID: ResourceID? = nil
        ) {
            self.id = id
            self.address = address
            self.fixedAddress = fixedAddress
            self.limits = limits
            self.gatewayID = gatewayID
        }
    }

    /// Ports of a floating IP that lead to ports of an internal address. The ranges have the same length, or the internal one has length 1.
    public struct PortForwarding: Hashable, Sendable, Codable {
        public var id: ResourceID
        public var protocolNumber: Int
        public var externalAddress: IPAddress
        public var externalPorts: ClosedRange<Int>
        public var internalAddress: IPAddress
        public var internalPorts: ClosedRange<Int>
        /// Of the floating IP, for all of its forwardings together.
        public var limits: RateLimits?
        /// As a floating IP's: the port of the further gateway that the external address is on.
        public var gatewayID: ResourceID?

        public init(
            id: ResourceID, protocolNumber: Int, externalAddress: IPAddress, externalPorts: ClosedRange<Int>, internalAddress: IPAddress,
            internalPorts: ClosedRange<Int>, limits: RateLimits? = nil, gatewayID: ResourceID? = nil
        ) {
            self.id = id
            self.protocolNumber = protocolNumber
            self.externalAddress = externalAddress
            self.externalPorts = externalPorts
            self.internalAddress = internalAddress
            self.internalPorts = internalPorts
            self.limits = limits
            self.gatewayID = gatewayID
        }
    }

    /// A helper that lets the router track a protocol with related connections, such as `ftp` on TCP port 21.
    public struct ConnectionHelper: Hashable, Sendable, Codable {
        public var id: ResourceID
        /// As the kernel names it: amanda, ftp, h323, irc, netbios-ns, pptp, sane, sip, snmp, tftp.
        public var helper: String
        public var protocolNumber: Int
        public var port: Int

        public init(id: ResourceID, helper: String, protocolNumber: Int, port: Int) {
            self.id = id
            self.helper = helper
            self.protocolNumber = protocolNumber
            self.port = port
        }
    }

    public var id: ResourceID
    public var isAdminStateUp: Bool
    /// Nil for a standalone router.
    public var redundancy: Redundancy?
    /// The first gateway, which has the default route.
    public var gateway: RouterPort?
    /// Whether the first gateway translates.
    public var isSNATEnabled: Bool
    /// Those beside ``gateway``, in the order of the router's owner; nil where there are none.
    public var furtherGateways: [FurtherGateway]?
    /// Whether all gateways share what has no more specific route (ECMP); nil: the first one has all of it.
    public var sharesDefaultRoute: Bool?
    /// Sorted by id.
    public var interfaces: [RouterPort]
    /// Sorted by id.
    public var floatingIPs: [Floating]
    /// Sorted by id.
    public var portForwardings: [PortForwarding]
    /// Sorted by id.
    public var connectionHelpers: [ConnectionHelper]
    /// Limits of everything that passes the first gateway and belongs to no floating IP with limits of its own.
    public var gatewayLimits: RateLimits?
    /// Several with one destination share its traffic (ECMP).
    public var routes: [StaticRoute]
    /// The router's revision number.
    public var revision: Int

    public init(
        id: ResourceID, isAdminStateUp: Bool = true, redundancy: Redundancy? = nil, gateway: RouterPort? = nil, isSNATEnabled: Bool = true,
        interfaces: [RouterPort] = [], floatingIPs: [Floating] = [], portForwardings: [PortForwarding] = [],
        connectionHelpers: [ConnectionHelper] = [], gatewayLimits: RateLimits? = nil, routes: [StaticRoute] = [], revision: Int = 0,
        furtherGateways: [FurtherGateway]? = nil, sharesDefaultRoute: Bool? = nil
    ) {
        self.id = id
        self.isAdminStateUp = isAdminStateUp
        self.redundancy = redundancy
        self.gateway = gateway
        self.isSNATEnabled = isSNATEnabled
        self.interfaces = interfaces
        self.floatingIPs = floatingIPs
        self.portForwardings = portForwardings
        self.connectionHelpers = connectionHelpers
        self.gatewayLimits = gatewayLimits
        self.routes = routes
        self.revision = revision
        self.furtherGateways = furtherGateways
        self.sharesDefaultRoute = sharesDefaultRoute
    }

    /// All ports on external networks, the first gateway's first.
    public var gatewayPorts: [RouterPort] { [gateway].compactMap { $0 } + (furtherGateways ?? []).map(\.port) }
}
