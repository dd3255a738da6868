import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// Builds the table `bridge neutrino`.
struct SecurityGroupTable {
    private(set) var table = FirewallTable(family: .bridge, name: "neutrino")
    private let hasBridgeConntrack: Bool
    /// Every combination of groups that some port has, sorted by id.
    private var combinations: Set<[ResourceID]> = []

    init(hasBridgeConntrack: Bool) {
        self.hasBridgeConntrack = hasBridgeConntrack
        table.sets = [
            // Devices that send what they like: services, and instances without port security.
            "trusted": .init(type: "type ifname"),
            "guarded": .init(type: "type ifname"),
            "port_macs": .init(type: "type ifname . ether_addr"),
            "port_ipv4": .init(type: "type ifname . ether_addr . ipv4_addr"),
            "port_ipv6": .init(type: "type ifname . ether_addr . ipv6_addr"),
            // Allowed address pairs with a prefix; apart, because adding to a set without intervals is cheap however large it is.
            "port_ipv4_prefixes": .init(type: "type ifname . ether_addr . ipv4_addr", flags: ["interval"]),
            "port_ipv6_prefixes": .init(type: "type ifname . ether_addr . ipv6_addr", flags: ["interval"]),
            "from_port": .init(form: .map, type: "type ifname : verdict"),
            "to_port": .init(form: .map, type: "type ifname : verdict"),
        ]
        table.chains = [
            "prerouting": .init(hook: "type filter hook prerouting priority -300; policy accept;", rules: Self.prerouting),
            "antispoof": .init(rules: Self.antispoof),
            "antispoof_arp": .init(rules: Self.antispoofARP),
            "forward": .init(hook: "type filter hook forward priority filter; policy accept;", rules: Self.forward),
            "deliver": .init(rules: Self.deliver),
            "from_any": .init(rules: fromAny),
            "to_any": .init(rules: toAny),
            // The host does not speak with instances: neither its addresses nor its services are theirs.
            "input": .init(
                hook: "type filter hook input priority filter; policy accept;",
                rules: ["iifname \"tap*\" drop", "iifname \"vxlan-*\" drop"]),
            "output": .init(
                hook: "type filter hook output priority filter; policy accept;",
                rules: ["oifname \"tap*\" drop", "oifname \"vxlan-*\" drop"]),
        ]
    }

    // MARK: Ports

    mutating func trust(_ device: String) {
        insert(quoted(device), "trusted")
        insert("\(quoted(device)) : accept", "to_port")
    }

    mutating func guardPort(_ port: HostPort, groups: [ResourceID]) {
        let device = quoted(port.deviceName)
        let combination = Set(groups).sorted()
        combinations.insert(combination)
        let name = Self.combinationName(combination)
        insert(device, "guarded")
        insert("\(device) : goto from_\(name)", "from_port")
        insert("\(device) : goto to_\(name)", "to_port")
        let pairs = PortIdentity.pairs(of: port)
        for mac in Set(pairs.map(\.mac)) { insert("\(device) . \(mac)", "port_macs") }
        for pair in pairs {
            let family = pair.prefix.version == .v4 ? "port_ipv4" : "port_ipv6"
            if pair.prefix.isHost {
                insert("\(device) . \(pair.mac) . \(pair.prefix.address)", family)
            } else {
                insert("\(device) . \(pair.mac) . \(pair.prefix)", family + "_prefixes")
            }
        }
    }

    // MARK: Groups

    /// Chains of every group that a port has, chains of every combination, and the members of every remote group that they name.
    mutating func addGroups(_ view: HostView) {
        for combination in combinations {
            let name = Self.combinationName(combination)
            let isStateless = !combination.isEmpty && combination.allSatisfy { view.securityGroups[$0]?.isStateful == false }
            if isStateless { addStatelessChains() }
            let all = isStateless ? "stateless" : "any"
            table.chains["from_\(name)"] = .init(rules: ["jump from_\(all)"] + combination.map { "jump egress_\($0)" } + ["drop"])
            table.chains["to_\(name)"] = .init(rules: ["jump to_\(all)"] + combination.map { "jump ingress_\($0)" } + ["drop"])
        }
        var remoteGroups: [RemoteGroup: RemoteGroupSets] = [:]
        for id in Set(combinations.joined()) {
            guard let group = view.securityGroups[id] else { continue }
            for rule in group.rules {
                guard let remote = RemoteGroup(rule), remoteGroups[remote] == nil else { continue }
                remoteGroups[remote] = RemoteGroupSets(remote, remote.addresses(in: view))
            }
            table.chains["egress_\(id)"] = chain(group, .egress, remoteGroups)
            table.chains["ingress_\(id)"] = chain(group, .ingress, remoteGroups)
        }
        for sets in remoteGroups.values { table.sets.merge(sets.sets) { first, _ in first } }
    }

    /// For ports of stateless groups: what is known to the tracking of connections passes no easier, and what is not passes no harder. Their
    /// packets are tracked all the same, for the ports at the other end.
    private mutating func addStatelessChains() {
        table.chains["from_stateless"] = .init(rules: ["ether type arp goto deliver"] + Self.fromServiceClients)
        table.chains["to_stateless"] = .init(rules: Self.toEverybody + Self.toServiceClients)
    }

    /// The group's rules of one direction. A packet that no rule allows returns to the chain of its combination, where the
    /// next group is asked.
    private func chain(
        _ group: HostSecurityGroup, _ direction: RuleDirection, _ remoteGroups: [RemoteGroup: RemoteGroupSets]
    ) -> FirewallTable.Chain {
        let verdict = direction == .egress ? "goto deliver" : "accept"
        let matches = group.rules.filter { $0.direction == direction }.flatMap { rule in
            SecurityGroupRuleText.matches(rule, members: RemoteGroup(rule).flatMap { remoteGroups[$0] }?.names ?? [])
        }
        return .init(rules: Set(matches).sorted().map { "\($0) \(verdict)" })
    }

    /// `none`, the id of the only group, or a hash of all ids.
    static func combinationName(_ groups: [ResourceID]) -> String {
        switch groups.count {
        case 0: "none"
        case 1: groups[0].description
        default: ResourceID(rawValue: StableHash.hash128(groups)).description
        }
    }

    // MARK: Bridge conntrack

    /// With bridge conntrack the zone goes by the device that a frame came in through.
    mutating func addZones(_ links: [String: Link], _ bridgeZones: [String: Int]) {
        let elements = links.values.compactMap { link in
            link.bridge.flatMap { bridgeZones[$0] }.map { "\(quoted(link.name)) : \($0)" }
        }
        table.sets["zones"] = .init(form: .map, type: "typeof iifname : ct zone", elements: Set(elements))
        table.chains["zone"] = .init(
            hook: "type filter hook prerouting priority -310; policy accept;", rules: ["ct zone set iifname map @zones"])
    }

    private mutating func insert(_ element: String, _ set: String) { table.sets[set]?.elements.insert(element) }

    /// Device names hold hyphens and may begin with digits.
    private func quoted(_ device: String) -> String { "\"\(device)\"" }
}

// MARK: - Chains that do not depend on the host

extension SecurityGroupTable {
    /// Before br_netfilter and before the bridge learns the source MAC.
    private static let prerouting = [
        "iifname @guarded goto antispoof",
        "iifname @trusted accept",
        "iifname \"tap*\" drop",
        // A packet out of a tunnel may still carry the mark of the packet that it came in.
        "iifname \"vxlan-*\" meta mark set \(ConnectionStateTable.Mark.fresh)",
    ]

    private static let antispoof = [
        "iifname . ether saddr != @port_macs drop",
        // Instances do not send tagged frames: the tag would hide the packet from connection tracking.
        "ether type { 8021q, 8021ad } drop",
        "ether type arp goto antispoof_arp",
        // An instance is no DHCP server and no IPv6 router.
        "udp sport 67 udp dport 68 drop",
        "udp sport 547 udp dport 546 drop",
        "icmpv6 type nd-router-advert drop",
        "iifname . ether saddr . ip saddr @port_ipv4 accept",
        "iifname . ether saddr . ip saddr @port_ipv4_prefixes accept",
        "ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept",
        "iifname . ether saddr . ip6 saddr @port_ipv6 accept",
        "iifname . ether saddr . ip6 saddr @port_ipv6_prefixes accept",
        "ip6 saddr :: icmpv6 type { mld-listener-report, mld2-listener-report, nd-router-solicit, nd-neighbor-solicit } accept",
        "drop",
    ]

    private static let antispoofARP = [
        "iifname . arp saddr ether . arp saddr ip @port_ipv4 accept",
        "iifname . arp saddr ether . arp saddr ip @port_ipv4_prefixes accept",
        // A probe for an address that nobody may have yet (RFC 5227).
        "iifname . arp saddr ether @port_macs arp saddr ip 0.0.0.0 accept",
        "drop",
    ]

    private static let forward = ["iifname vmap @from_port", "goto deliver"]

    private static let deliver = ["oifname vmap @to_port", "oifname \"tap*\" drop", "accept"]

    private var known: String { hasBridgeConntrack ? "ct state established,related" : "meta mark \(ConnectionStateTable.Mark.known)" }
    private var invalid: String { hasBridgeConntrack ? "ct state invalid" : "meta mark \(ConnectionStateTable.Mark.invalid)" }

    private var fromAny: [String] {
        [
            "ether type arp goto deliver",
            "\(known) goto deliver",
            "\(invalid) drop",
        ] + Self.fromServiceClients
    }

    /// Who asks for an address or a neighbour.
    private static let fromServiceClients = [
        "udp sport 68 udp dport 67 goto deliver",
        "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report } "
            + "goto deliver",
    ]

    private var toAny: [String] {
        Self.toEverybody + ["\(known) accept", "\(invalid) drop"] + Self.toServiceClients
    }

    private static let toEverybody = ["ether type arp accept", "ether type { 8021q, 8021ad } drop"]
    private static let toServiceClients = [
        "udp sport 67 udp dport 68 accept",
        "icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query } accept",
    ]
}
