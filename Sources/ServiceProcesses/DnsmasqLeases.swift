import Addressing
import KernelInterface

/// A lease that dnsmasq must forget.
///
/// dnsmasq does not lease an address to a MAC while another MAC holds an unexpired lease of it, even when the hosts file says so
/// ("not using configured address … because it is leased to …"). A port whose address belonged to a port deleted a minute ago would
/// wait for a day. dhcp_release(1) sends the DHCPRELEASE that the deleted port's instance did not send.
public struct LeaseRelease: Hashable, Sendable {
    /// Where dnsmasq runs.
    public var namespace: NamespaceName
    public var interface: String
    public var address: IPAddress
    public var mac: MACAddress

    public init(namespace: NamespaceName, interface: String, address: IPAddress, mac: MACAddress) {
        self.namespace = namespace
        self.interface = interface
        self.address = address
        self.mac = mac
    }

    /// To be run in ``namespace``, after dnsmasq has read its new hosts file (else a client may renew in between). It does no harm
    /// when there is no such lease. UDP to the own host, but without an answer: run again when ``DnsmasqLeases`` still shows the lease.
    public var command: [String] { ["dhcp_release", interface, address.description, mac.description] }
}

/// dnsmasq's lease file: a line per lease, `expiry MAC address hostname client-id`; a line that begins with `duid` starts the part about
/// DHCPv6.
public enum DnsmasqLeases {
    public struct Lease: Hashable, Sendable {
        public var mac: MACAddress
        public var address: IPAddress

        public init(mac: MACAddress, address: IPAddress) {
            self.mac = mac
            self.address = address
        }
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

    /// What must be released because no reservation says so any more, sorted by address.
    public static func releases(
        of leases: Set<Lease>, for reservations: [DnsmasqConfiguration.Reservation], namespace: NamespaceName, interface: String
    ) -> [LeaseRelease] {
        let wanted = Set(reservations.map { Lease(mac: $0.mac, address: $0.address) })
        return leases.subtracting(wanted)
            .sorted { ($0.address, $0.mac) < ($1.address, $1.mac) }
            .map { LeaseRelease(namespace: namespace, interface: interface, address: $0.address, mac: $0.mac) }
    }
}
