import Addressing
import KernelInterface

/// One dnsmasq: DHCP of both families and the names of one network. See dnsmasq(8).
///
/// Its files live in one directory and have the names that Neutron gives them: `host`, `addn_hosts`, `opts`, `leases`, `pid`.
/// dnsmasq gives up root's rights after its start and reads `host`, `addn_hosts` and `opts` only then, so the directory must be open to
/// others.
public struct DnsmasqConfiguration: Hashable, Sendable {
    /// A subnet that addresses are handed out in.
    public struct Subnet: Hashable, Sendable {
        public var prefix: IPPrefix
        /// Nil: no router is announced.
        public var gateway: IPAddress?
        /// Empty: none is announced.
        public var dnsServers: [IPAddress]
        /// Routes besides the default one, in the order in which they are announced.
        public var routes: [ClasslessRoute]

        public init(prefix: IPPrefix, gateway: IPAddress?, dnsServers: [IPAddress] = [], routes: [ClasslessRoute] = []) {
            self.prefix = prefix
            self.gateway = gateway
            self.dnsServers = dnsServers
            self.routes = routes
        }
    }

    /// A route of RFC 3442. A next hop of 0.0.0.0 means that the destination is on the link.
    public struct ClasslessRoute: Hashable, Sendable {
        public var destination: IPPrefix
        public var nextHop: IPAddress

        public init(destination: IPPrefix, nextHop: IPAddress) {
            self.destination = destination
            self.nextHop = nextHop
        }
    }

    /// What one MAC is answered.
    public struct Reservation: Hashable, Sendable {
        public var mac: MACAddress
        public var address: IPAddress
        /// Without domain.
        public var hostname: String

        public init(mac: MACAddress, address: IPAddress, hostname: String) {
            self.mac = mac
            self.address = address
            self.hostname = hostname
        }
    }

    /// What names an address has, the first one being the whole name.
    public struct Name: Hashable, Sendable {
        public var address: IPAddress
        public var names: [String]

        public init(address: IPAddress, names: [String]) {
            self.address = address
            self.names = names
        }
    }

    /// What one MAC is told besides the options of its subnets, or instead of them.
    public struct PortOptions: Hashable, Sendable {
        public struct Option: Hashable, Sendable {
            public var version: IPVersion
            /// A name that dnsmasq knows, or a number; behind `tag:TAG,` for clients with that tag only.
            public var name: String
            /// Empty: the option is left out.
            public var value: String

            public init(version: IPVersion, name: String, value: String) {
                self.version = version
                self.name = name
                self.value = value
            }
        }

        /// Unique in the network.
        public var tag: String
        public var mac: MACAddress
        public var options: [Option]

        public init(tag: String, mac: MACAddress, options: [Option]) {
            self.tag = tag
            self.mac = mac
            self.options = options
        }
    }

    /// Neutron's `dhcp_lease_duration` for leases without an end.
    public static let infiniteLeaseSeconds = -1

    /// Unique on the host: the network's id.
    public var name: String
    public var namespace: NamespaceName
    /// The interface that dnsmasq serves.
    public var interface: String
    /// The MAC of the interface, by which DHCPv6 clients know the server.
    public var mac: MACAddress
    /// Absolute.
    public var directory: String
    /// Empty: none.
    public var domain: String
    /// ``infiniteLeaseSeconds`` for leases that do not end.
    public var leaseSeconds: Int
    public var mtu: Int
    /// IPv6 subnets announce name servers only: gateways and routes are told by router advertisements.
    public var subnets: [Subnet]
    /// Everybody else gets no address.
    public var reservations: [Reservation]
    public var names: [Name]
    public var options: [PortOptions]
    /// Whether each message of a client and each answer is written down, in ``logPath``.
    public var logsMessages: Bool

    public init(
        name: String, namespace: NamespaceName, interface: String, mac: MACAddress, directory: String, domain: String, leaseSeconds: Int,
        mtu: Int,
        subnets: [Subnet], reservations: [Reservation], names: [Name] = [], options: [PortOptions] = [], logsMessages: Bool = false
    ) {
        self.name = name
        self.namespace = namespace
        self.interface = interface
        self.mac = mac
        self.directory = directory
        self.domain = domain
        self.leaseSeconds = leaseSeconds
        self.mtu = mtu
        self.subnets = subnets
        self.reservations = reservations
        self.names = names
        self.options = options
        self.logsMessages = logsMessages
    }

    /// Grows without end.
    public var logPath: String { "\(directory)/log" }

    /// dnsmasq's own record of what it leased, which outlives it: not a file of ours.
    public var leasesPath: String { Self.leasesPath(directory: directory) }

    public static func leasesPath(directory: String) -> String { "\(directory)/leases" }
}
