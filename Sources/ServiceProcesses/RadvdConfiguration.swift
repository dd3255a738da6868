import Addressing
import KernelInterface

/// One radvd: router advertisements (RFC 4861) of one router. See radvd.conf(5).
///
/// radvd speaks only on interfaces that have a link-local address, which it sends from, and looks again whenever an address or a link
/// changes. So on a redundant router it runs on every member, and the one with the addresses speaks.
public struct RadvdConfiguration: Hashable, Sendable {
    public struct Interface: Hashable, Sendable {
        public struct Prefix: Hashable, Sendable {
            public var prefix: IPPrefix
            /// Hosts form addresses of their own in it (the A flag).
            public var isAutonomous: Bool

            public init(prefix: IPPrefix, isAutonomous: Bool) {
                self.prefix = prefix
                self.isAutonomous = isAutonomous
            }
        }

        public var name: String
        /// In octets; announced from 1280 up, the least that IPv6 allows.
        public var mtu: Int
        public var prefixes: [Prefix]
        /// The M flag: addresses come from DHCPv6.
        public var isManaged: Bool
        /// The O flag: other settings come from DHCPv6.
        public var hasOtherConfiguration: Bool
        /// For the RDNSS option (RFC 8106); the first three count.
        public var dnsServers: [IPAddress]

        /// Which of several link-local addresses is the router's; nil where there is one.
        public var source: IPAddress?

        public init(
            name: String, mtu: Int, prefixes: [Prefix], isManaged: Bool, hasOtherConfiguration: Bool, dnsServers: [IPAddress] = [],
            source: IPAddress? = nil
        ) {
            self.name = name
            self.mtu = mtu
            self.prefixes = prefixes
            self.isManaged = isManaged
            self.hasOtherConfiguration = hasOtherConfiguration
            self.dnsServers = dnsServers
            self.source = source
        }
    }

    /// Neutron's `min_rtr_adv_interval` and `max_rtr_adv_interval`.
    public static let intervalSeconds = 30...100
    /// Resolvers use no more than three.
    public static let maximumDNSServers = 3
    static let minimumMTU = 1280

    public var interfaces: [Interface]

    public init(interfaces: [Interface]) { self.interfaces = interfaces }

    /// The contents of radvd.conf. Equal configurations have equal texts.
    public var rendered: String { interfaces.sorted { $0.name < $1.name }.flatMap(Self.lines).map { $0 + "\n" }.joined() }

    private static func lines(_ interface: Interface) -> [String] {
        var lines = [
            "interface \(interface.name)",
            "{",
            "    AdvSendAdvert on;",
            // An interface without link-local address is one of a backup: the others go on.
            "    IgnoreIfMissing on;",
            "    MinRtrAdvInterval \(intervalSeconds.lowerBound);",
            "    MaxRtrAdvInterval \(intervalSeconds.upperBound);",
            "    AdvManagedFlag \(interface.isManaged ? "on" : "off");",
            "    AdvOtherConfigFlag \(interface.hasOtherConfiguration ? "on" : "off");",
        ]
        if interface.mtu >= minimumMTU { lines.append("    AdvLinkMTU \(interface.mtu);") }
        if let source = interface.source { lines.append("    AdvRASrcAddress { \(source); };") }
        for prefix in interface.prefixes {
            lines += [
                "    prefix \(prefix.prefix)", "    {", "        AdvOnLink on;",
                "        AdvAutonomous \(prefix.isAutonomous ? "on" : "off");", "    };",
            ]
        }
        let servers = interface.dnsServers.filter { $0.version == .v6 }.prefix(maximumDNSServers)
        if !servers.isEmpty { lines.append("    RDNSS \(servers.map(\.description).joined(separator: " ")) {};") }
        return lines + ["};"]
    }
}
