import Addressing
import KernelInterface

/// A lease that dnsmasq must forget.
///
/// dnsmasq does not lease an address to a client while another client holds an unexpired lease of it, even when the hosts file says so
/// ("not using configured address … because it is leased to …"). A port whose address belonged to a port deleted a minute ago would
/// wait for a day. dhcp_release(1) and dhcp_release6(1) send the release that the deleted port's instance did not send.
public struct LeaseRelease: Hashable, Sendable {
    /// Who holds the lease.
    public enum Client: Hashable, Sendable {
        /// Of DHCPv4.
        case mac(MACAddress)
        /// Of DHCPv6: the client's and the server's DUID, as the lease file has them, and the number of the client's interface.
        case identifier(DnsmasqLeases.IPv6Lease.Client, server: String)
    }

    /// Where dnsmasq runs.
    public var namespace: NamespaceName
    public var interface: String
    public var address: IPAddress
    public var client: Client

    public init(namespace: NamespaceName, interface: String, address: IPAddress, client: Client) {
        self.namespace = namespace
        self.interface = interface
        self.address = address
        self.client = client
    }

    /// To be run in ``namespace``, after dnsmasq has read its new hosts file (else a client may renew in between). It does no harm
    /// when there is no such lease. UDP to the own host, whose answer nobody waits for: run again when the lease file still shows the lease.
    ///
    /// dhcp_release6 sends at once, then looks for the answer once a second; it is left alone with that.
    public var command: [String] {
        switch client {
        case .mac(let mac): ["dhcp_release", interface, address.description, mac.description]
        case .identifier(let client, let server):
            [
                "sh", "-c", "timeout 2 \"$@\" </dev/null >/dev/null 2>&1 &", "release", "dhcp_release6", "--ip", address.description,
                "--iface", interface, "--server-id", server, "--client-id", client.identifier, "--iaid", "\(client.association)",
            ]
        }
    }
}

/// dnsmasq's lease file: a line per lease, `expiry MAC address hostname client-id`; a line that begins with `duid` has the server's DUID, and
/// starts the part about DHCPv6, `expiry IAID address hostname client-DUID`.
public enum DnsmasqLeases {
    public struct Lease: Hashable, Sendable {
        public var mac: MACAddress
        public var address: IPAddress

        public init(mac: MACAddress, address: IPAddress) {
            self.mac = mac
            self.address = address
        }
    }

    /// A lease of DHCPv6. It names no MAC address.
    public struct IPv6Lease: Hashable, Sendable {
        public struct Client: Hashable, Sendable {
            /// Its DUID (RFC 8415, section 11), as octets in hexadecimal with colons.
            public var identifier: String
            /// The IAID (section 12).
            public var association: UInt32

            public init(identifier: String, association: UInt32) {
                self.identifier = identifier
                self.association = association
            }
        }

        public var client: Client
        public var address: IPAddress
    }

    /// The DHCPv4 leases of the file. Lines that are no such leases are skipped.
    public static func parse(_ text: String) -> Set<Lease> {
        var leases: Set<Lease> = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == "duid" { break }
            guard words.count >= 4, let mac = MACAddress(words[1]), let address = IPAddress(words[2]), address.version == .v4 else {
                continue
            }
            leases.insert(Lease(mac: mac, address: address))
        }
        return leases
    }

    /// The server's DUID and the DHCPv6 leases of the file. Lines that are no such leases, temporary addresses among them, are skipped. Nil
    /// when the server has no DUID yet.
    public static func parseIPv6(_ text: String) -> (server: String, leases: [IPv6Lease])? {
        var server: String?
        var leases: [IPv6Lease] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "duid" {
                server = String(words[1])
                continue
            }
            guard server != nil, words.count >= 5, let association = UInt32(words[1]), let address = IPAddress(words[2]),
                address.version == .v6
            else { continue }
            leases.append(IPv6Lease(client: .init(identifier: String(words[4]), association: association), address: address))
        }
        return server.map { ($0, leases) }
    }

    /// What must be released because no reservation says so any more, sorted by address.
    public static func releases(
        of leases: Set<Lease>, for reservations: [DnsmasqConfiguration.Reservation], namespace: NamespaceName, interface: String
    ) -> [LeaseRelease] {
        let wanted = Set(reservations.map { Lease(mac: $0.mac, address: $0.address) })
        return leases.subtracting(wanted)
            .sorted { ($0.address, $0.mac) < ($1.address, $1.mac) }
            .map { LeaseRelease(namespace: namespace, interface: interface, address: $0.address, client: .mac($0.mac)) }
    }

    /// Releases of those DHCPv6 leases of the file whose address the condition holds for, sorted by address.
    public static func releases(
        ofIPv6 text: String, namespace: NamespaceName, interface: String, where isStale: (IPAddress) -> Bool
    ) -> [LeaseRelease] {
        guard let (server, leases) = parseIPv6(text) else { return [] }
        return leases.filter { isStale($0.address) }.sorted { $0.address < $1.address }
            .map {
                LeaseRelease(
                    namespace: namespace, interface: interface, address: $0.address, client: .identifier($0.client, server: server))
            }
    }
}
