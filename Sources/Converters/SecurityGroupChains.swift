import KernelInterface

/// The chains of the security groups' table that do not depend on the host.
///
///     prerouting ─▶ antispoof ─▶ antispoof_ipv4, …_ipv6, …_arp, …_rarp     frame by frame, before anybody learns or reassembles
///     forward ─▶ from_…  ─▶ deliver ─▶ to_…                                packet by packet: fragments are whole here
///
/// Connection tracking puts fragments together between the two and takes them apart behind. What a fragment can hide from the first is
/// asked again by the second, in `announcements`.
///
/// Rules have no maps of their own (`vmap { … }`): the elements of one go with its rule, so that a packet that is on its way through a rule while it is
/// replaced would find none.
struct SecurityGroupChains {
    let hasBridgeConntrack: Bool

    var chains: [String: FirewallTable.Chain] {
        [
            "prerouting": .init(hook: "type filter hook prerouting priority -300; policy accept;", rules: Self.prerouting),
            "tagged": .init(rules: Self.tagged),
            "link_local": .init(rules: Self.linkLocal),
            "antispoof": .init(rules: Self.antispoof),
            "antispoof_ipv4": .init(rules: Self.antispoofIPv4),
            "antispoof_ipv6": .init(rules: Self.antispoofIPv6),
            "antispoof_arp": .init(rules: Self.antispoofARP),
            "antispoof_rarp": .init(rules: Self.antispoofRARP),
            "antispoof_dhcp": .init(rules: Self.antispoofDHCP),
            "antispoof_multicast": .init(rules: Self.antispoofMulticast),
            "announcements": .init(rules: Self.announcements),
            "router_solicitation": .init(rules: Self.routerSolicitation),
            "solicitation": .init(rules: Self.solicitation),
            "advertisement": .init(rules: Self.advertisement),
            // The policy (here, and of what follows) is what is left when somebody flushes the table: nothing passes until the agent has loaded it again.
            "forward": .init(hook: "type filter hook forward priority filter; policy drop;", rules: Self.forward),
            "deliver": .init(rules: Self.deliver),
            // The tag would hide the packet from connection tracking.
            "refuse_tagged": .init(rules: [DropReason.tagged.drop]),
            "from_any": .init(rules: fromAny),
            "from_ipv6": .init(rules: Self.fromIPv6),
            "to_ipv6": .init(rules: Self.toIPv6),
            "to_any": .init(rules: toAny),
            // The host does not speak with instances: neither its addresses nor its services are theirs.
            "input": .init(
                hook: "type filter hook input priority filter; policy drop;",
                rules: ["iifname \"tap*\" \(DropReason.toHost.drop)", "iifname \"vxlan-*\" \(DropReason.toHost.drop)", "accept"]),
            "output": .init(
                hook: "type filter hook output priority filter; policy drop;",
                rules: ["oifname \"tap*\" \(DropReason.fromHost.drop)", "oifname \"vxlan-*\" \(DropReason.fromHost.drop)", "accept"]),
        ]
    }

    /// For ports of stateless groups: what is known to the tracking of connections passes no easier, and what is not passes no harder. Their
    /// packets are tracked all the same, for the ports at the other end.
    static let stateless: [String: FirewallTable.Chain] = [
        "from_stateless": .init(rules: fromEverybody), "to_stateless": .init(rules: addressed + toEverybody),
    ]

    // MARK: Frames, before br_netfilter and before the bridge learns the source MAC

    private static let prerouting = [
        "ether type { 8021q, 8021ad, 0x9100 } jump tagged",
        "ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 jump link_local",
        "iifname @guarded goto antispoof",
        "iifname @trusted accept",
        "iifname \"tap*\" \(DropReason.unknownDevice.drop)",
        // A packet out of a tunnel may still carry the mark of the packet that it came in.
        "iifname \"vxlan-*\" meta mark set \(ConnectionStateTable.Mark.fresh)",
    ]

    /// No network is VLAN-transparent, so nobody sends tags into one, with port security or without: out of a physical interface the frame would be
    /// in whatever VLAN it names. The tag of a VLAN network is not seen here: its sub-interface puts it on behind the bridge, and takes it off
    /// before. What a switch sends with the priority tag (VLAN 0) is in no other network than what it sends without (IEEE 802.1Q, section 6.9);
    /// some switches do it with everything.
    private static let tagged = [
        "iifname @uplinks vlan id 0 vlan type { ip, ip6, arp } return",
        "iifname @uplinks \(DropReason.tagged.drop)",
        "iifname \"tap*\" \(DropReason.tagged.drop)",
        "iifname \"vxlan-*\" \(DropReason.tagged.drop)",
    ]

    /// What is between neighbours on one wire (LLDP, spanning trees, 802.1X; IEEE 802.1Q, table 8-1) goes through no bridge: a switch that hears an instance's
    /// spanning tree may close the host's port.
    private static let linkLocal = [
        "iifname @uplinks \(DropReason.linkLocal.drop)",
        "iifname \"tap*\" \(DropReason.linkLocal.drop)",
        "iifname \"vxlan-*\" \(DropReason.linkLocal.drop)",
    ]

    private static let antispoof = [
        "ether type ip goto antispoof_ipv4",
        "ether type ip6 goto antispoof_ipv6",
        "ether type arp goto antispoof_arp",
        "ether type \(rarp) goto antispoof_rarp",
        DropReason.otherProtocol.drop,
    ]

    /// RFC 903. nft has no name for it.
    private static let rarp = "0x8035"

    private static let antispoofIPv4 = [
        "udp dport 67-68 jump antispoof_dhcp",
        "ip protocol { 2, \(pim) } jump antispoof_multicast",
        "iifname . ether saddr . ip saddr @port_ipv4 accept",
        "iifname . ether saddr . ip saddr @port_ipv4_prefixes accept",
        "iifname . ether saddr != @port_macs \(DropReason.spoofedMAC.drop)",
        "ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept",
        DropReason.spoofedIPv4.drop,
    ]

    /// A request names its client by the MAC in `chaddr` (RFC 2131), 28 octets into the UDP payload: in another's name it could release or
    /// decline that one's address. Neither servers nor clients look at the port that a message comes from.
    private static let antispoofDHCP = [
        "udp dport 68 \(DropReason.dhcpServer.drop)",
        "udp dport 67 ip frag-off & 0x3fff != 0 \(DropReason.spoofedDHCPClient.drop)",
        "udp dport 67 iifname . @th,288,48 != @port_hardware \(DropReason.spoofedDHCPClient.drop)",
    ]

    /// Whoever asks for members becomes the querier of switches that snoop, and gets the reports; to whom says that it is a multicast router they send all multicast,
    /// whoever joined it (RFC 4541, section 2.1.1): by MRD (RFC 4286: IGMP type 0x30), by DVMRP (0x13), or by PIM. (A first fragment has the type.)
    private static let antispoofMulticast = [
        "igmp type membership-query \(DropReason.multicastQuery.drop)",
        "igmp type { 0x13, 0x30 } \(DropReason.multicastRouter.drop)",
        "ip protocol \(pim) \(DropReason.multicastRouter.drop)",
    ]

    /// IP's number of PIM.
    private static let pim = 103

    private static let antispoofIPv6 = [
        "meta l4proto { 17, 58, \(pim) } jump announcements",
        "iifname . ether saddr . ip6 saddr @port_ipv6 accept",
        "iifname . ether saddr . ip6 saddr @port_ipv6_prefixes accept",
        "iifname . ether saddr != @port_macs \(DropReason.spoofedMAC.drop)",
        "ip6 saddr :: icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-neighbor-solicit } "
            + "accept",
        DropReason.spoofedIPv6.drop,
    ]

    private static let antispoofARP = [
        "iifname . ether saddr != @port_macs \(DropReason.spoofedMAC.drop)",
        // Hardware and protocol, and how long their addresses are: of others, what is looked at here is something else. (RFC 826.)
        "@nh,0,48 != 0x000108000604 \(DropReason.spoofedARP.drop)",
        "arp operation != { request, reply } \(DropReason.spoofedARP.drop)",
        "iifname . arp saddr ether . arp saddr ip @port_ipv4 accept",
        "iifname . arp saddr ether . arp saddr ip @port_ipv4_prefixes accept",
        // A probe for an address of its own that somebody else may have (RFC 5227); for another's it would keep that one from using it.
        "arp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether . arp daddr ip @port_ipv4 accept",
        "arp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether . arp daddr ip @port_ipv4_prefixes accept",
        DropReason.spoofedARP.drop,
    ]

    /// QEMU announces a guest that has arrived by requests of its own MAC for its own address (`announce_self`): switches turn to it at once. An
    /// answer would give somebody an address.
    private static let antispoofRARP = [
        "iifname . ether saddr != @port_macs \(DropReason.spoofedMAC.drop)",
        // Operation 3: request. The sender's hardware address is 8 octets into the packet, the target's 18.
        "@nh,48,16 3 iifname . @nh,64,48 @port_hardware iifname . @nh,144,48 @port_hardware accept",
        DropReason.spoofedARP.drop,
    ]

    // MARK: What an instance must not announce, in frames and in packets

    /// Over IPv6: an instance is no router, of multicast neither, and no DHCP server, and is neighbour by its own addresses only. (Over IPv4 a first fragment always
    /// has the ports.)
    private static let announcements = [
        "icmpv6 type nd-router-advert \(DropReason.routerAdvertisement.drop)",
        "icmpv6 type nd-neighbor-advert goto advertisement",
        "icmpv6 type nd-neighbor-solicit goto solicitation",
        "icmpv6 type nd-router-solicit goto router_solicitation",
        "icmpv6 type mld-listener-query \(DropReason.multicastQuery.drop)",
        // MRD, which nft 1.0.6 has no name for.
        "icmpv6 type 151 \(DropReason.multicastRouter.drop)",
        "meta l4proto \(pim) \(DropReason.multicastRouter.drop)",
        "udp dport 546 \(DropReason.dhcpServer.drop)",
    ]

    /// RFC 4861, section 4.4: the target address is 8 octets into the message, the first option 24. It is the target link-layer address (type 2, length
    /// 1) or there is none: behind another one could be hidden what nobody looks at here. (Of two, receivers take the first.) A match of octets that
    /// a packet has not fails, whatever it is.
    private static let advertisement = [
        "@th,192,16 != 0x0201 \(DropReason.spoofedNeighbourDiscovery.drop)",
        "iifname . @th,208,48 != @port_hardware \(DropReason.spoofedNeighbourDiscovery.drop)",
        "iifname . ether saddr . @th,64,128 @port_targets return",
        "iifname . ether saddr . @th,64,128 @port_target_prefixes return",
        DropReason.spoofedNeighbourDiscovery.drop,
    ]

    /// Section 4.1: the first option is 8 octets into the message (1: source link-layer address).
    private static let routerSolicitation = [
        "@th,64,16 != 0x0101 \(DropReason.spoofedNeighbourDiscovery.drop)",
        "iifname . @th,80,48 != @port_hardware \(DropReason.spoofedNeighbourDiscovery.drop)",
    ]

    /// Section 4.3. The first option is the source link-layer address or a nonce (type 14, RFC 7527), with which a detection of duplicates knows its own
    /// echo; the nonce may be followed by the source link-layer address. Whoever has no address yet asks for its own only: for another's it would
    /// keep that one from using it (RFC 4862, section 5.4.3).
    private static let solicitation = [
        "@th,192,16 != { 0x0101, 0x0e01 } \(DropReason.spoofedNeighbourDiscovery.drop)",
        "@th,192,16 0x0101 iifname . @th,208,48 != @port_hardware \(DropReason.spoofedNeighbourDiscovery.drop)",
        "@th,192,16 0x0e01 @th,256,16 != 0x0101 \(DropReason.spoofedNeighbourDiscovery.drop)",
        "@th,192,16 0x0e01 iifname . @th,272,48 != @port_hardware \(DropReason.spoofedNeighbourDiscovery.drop)",
        "ip6 saddr != :: return",
        "iifname . ether saddr . @th,64,128 @port_targets return",
        "iifname . ether saddr . @th,64,128 @port_target_prefixes return",
        DropReason.spoofedNeighbourDiscovery.drop,
    ]

    // MARK: Packets

    private static let forward = ["iifname vmap @from_port", "goto deliver"]

    private static let deliver = ["oifname vmap @to_port", "oifname \"tap*\" \(DropReason.unknownDevice.drop)", "accept"]

    private var known: String { hasBridgeConntrack ? "ct state established,related" : "meta mark \(ConnectionStateTable.Mark.known)" }
    private var invalid: String { hasBridgeConntrack ? "ct state invalid" : "meta mark \(ConnectionStateTable.Mark.invalid)" }

    private var fromAny: [String] { ["\(known) goto deliver", "\(invalid) \(DropReason.invalidState.drop)"] + Self.fromEverybody }

    /// Who asks for an address or a neighbour needs no rule.
    private static let fromEverybody = [
        "ether type { arp, \(rarp) } goto deliver",
        "ether type ip6 jump from_ipv6",
        "ether type ip udp sport 68 udp dport 67 goto deliver",
    ]

    /// Also of packets that came in fragments.
    private static let fromIPv6 = [
        "meta l4proto { 17, 58, \(pim) } jump announcements",
        "ip6 daddr ff02::1:2 udp sport 546 udp dport 547 goto deliver",
        "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld-listener-done, "
            + "mld2-listener-report } goto deliver",
    ]

    private var toAny: [String] {
        Self.addressed + ["\(known) accept", "\(invalid) \(DropReason.invalidState.drop)"] + Self.toEverybody
    }

    /// A bridge floods what is for a MAC that it does not know: it is nobody else's business.
    private static let addressed = [
        "ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 oifname . ether daddr != @port_macs \(DropReason.notAddressed.drop)"
    ]

    private static let toEverybody = [
        "ether type { arp, \(rarp) } accept",
        "ether type ip6 jump to_ipv6",
        "ether type { 8021q, 8021ad } goto refuse_tagged",
        "ether type ip udp sport 67 udp dport 68 accept",
    ]

    private static let toIPv6 = [
        "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
        "icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query } accept",
    ]
}
