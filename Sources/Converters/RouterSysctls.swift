/// Kernel settings of a router's namespace. All of them hold for devices that are made later too (`all`, `default`), so they are set
/// before there are any: a device's own setting could only follow after the device has spoken.
enum RouterSysctls {
    static func values(carriesIPv6: Bool, isRedundant: Bool) -> [String: String] {
        base.merging(carriesIPv6 ? withIPv6 : withoutIPv6) { _, new in new }.merging(ownership(isRedundant: isRedundant)) { _, new in new }
    }

    /// Those of a gateway's device of a router that carries IPv6. Without a gateway on its network's IPv6 subnets it takes its default route from router advertisements,
    /// as in Neutron, and nothing else: addresses and MTU are the server's to give. (2: although it forwards.)
    static func gateway(_ device: String, hasIPv6Gateway: Bool) -> [String: String] {
        let values = hasIPv6Gateway ? ["accept_ra": "0"] : ["accept_ra": "2", "accept_ra_pinfo": "0", "accept_ra_mtu": "0"]
        return values.reduce(into: [:]) { $0["net/ipv6/conf/\(device)/\($1.key)"] = $1.value }
    }

    /// Whether the kernel gives devices link-local addresses (0), or keepalived does (1): backups share the master's MACs, and with them
    /// the addresses made of these. See ``RouterSilence``.
    private static func ownership(isRedundant: Bool) -> [String: String] {
        let mode = isRedundant ? "1" : "0"
        return [
            "net/ipv6/conf/all/addr_gen_mode": mode,
            "net/ipv6/conf/default/addr_gen_mode": mode,
        ]
    }

    private static let base = [
        "net/ipv4/ip_forward": "1",
        // An address answers ARP only on its own device, and speaks only from it.
        "net/ipv4/conf/all/arp_ignore": "1",
        "net/ipv4/conf/all/arp_announce": "2",
        // A new namespace takes these from the host's settings. Routers of a cloud have asymmetric paths (extra routes, floating IPs
        // behind one router); spoofed sources are stopped at the instances' ports.
        "net/ipv4/conf/all/rp_filter": "0",
        "net/ipv4/conf/default/rp_filter": "0",
        // An instance that follows a redirect goes past the router, into its neighbour's anti-spoofing rules.
        "net/ipv4/conf/all/send_redirects": "0",
        "net/ipv4/conf/default/send_redirects": "0",
        "net/ipv4/conf/all/accept_redirects": "0",
        // The removal of one address must not take others of its subnet along: keepalived would resign.
        "net/ipv4/conf/all/promote_secondaries": "1",
        // A backup must not serve what the master has.
        "net/ipv4/ip_nonlocal_bind": "0",
        // A new master picks up connections in their middle: it knows neither their handshake nor their windows.
        "net/netfilter/nf_conntrack_tcp_be_liberal": "1",
        "net/netfilter/nf_conntrack_tcp_loose": "1",
        // Connections, not pairs of hosts, are shared among the next hops of a route.
        "net/ipv4/fib_multipath_hash_policy": "1",
        // The server gives an address to one port only: nobody waits a second for a new one to be probed for (RFC 4862).
        "net/ipv6/conf/default/accept_dad": "0",
    ]

    private static let withoutIPv6 = [
        "net/ipv6/conf/default/disable_ipv6": "1",
        "net/ipv6/conf/all/disable_ipv6": "1",
    ]

    private static let withIPv6 = [
        "net/ipv6/conf/default/disable_ipv6": "0",
        "net/ipv6/conf/all/disable_ipv6": "0",
        "net/ipv6/conf/default/accept_ra": "0",
        "net/ipv6/conf/all/accept_ra": "0",
        "net/ipv6/conf/all/forwarding": "1",
        "net/ipv6/fib_multipath_hash_policy": "1",
    ]
}
