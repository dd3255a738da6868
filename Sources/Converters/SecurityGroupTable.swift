import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// Builds the table `bridge neutrino`.
struct SecurityGroupTable {
    private(set) var table = FirewallTable(family: .bridge, name: "neutrino")
    /// Every combination of groups that some port has, sorted by id.
    private var combinations: Set<[ResourceID]> = []

    init(hasBridgeConntrack: Bool) {
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
            // The same MACs and IPv6 addresses as numbers, for what is inside of a message: nft 1.0.6 has no names for these fields.
            "port_hardware": .init(type: "typeof iifname . @th,208,48"),
            "port_targets": .init(type: "typeof iifname . ether saddr . @th,64,128"),
            "port_target_prefixes": .init(type: "typeof iifname . ether saddr . @th,64,128", flags: ["interval"]),
            "from_port": .init(form: .map, type: "type ifname : verdict"),
            "to_port": .init(form: .map, type: "type ifname : verdict"),
        ]
        table.objects = DropReason.counters
        table.chains = SecurityGroupChains(hasBridgeConntrack: hasBridgeConntrack).chains
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
        for mac in Set(pairs.map(\.mac)) {
            insert("\(device) . \(mac)", "port_macs")
            insert("\(device) . \(Self.hexadecimal(mac.rawValue))", "port_hardware")
        }
        for pair in pairs { allow(pair, device) }
    }

    private mutating func allow(_ pair: HostPort.Pair, _ device: String) {
        let (prefix, mac) = (pair.prefix, pair.mac)
        let family = prefix.version == .v4 ? "port_ipv4" : "port_ipv6"
        insert("\(device) . \(mac) . " + (prefix.isHost ? "\(prefix.address)" : "\(prefix)"), prefix.isHost ? family : family + "_prefixes")
        guard prefix.version == .v6 else { return }
        let first = Self.hexadecimal(prefix.address.number)
        if prefix.isHost {
            insert("\(device) . \(mac) . \(first)", "port_targets")
        } else {
            insert("\(device) . \(mac) . \(first)-\(Self.hexadecimal(prefix.last.number))", "port_target_prefixes")
        }
    }

    private static func hexadecimal(_ number: some BinaryInteger) -> String { "0x" + String(number, radix: 16) }

    // MARK: Groups

    /// Chains of every group that a port has, chains of every combination, and the members of every remote group that they name.
    mutating func addGroups(_ view: HostView) {
        for combination in combinations {
            let name = Self.combinationName(combination)
            let isStateless = !combination.isEmpty && combination.allSatisfy { view.securityGroups[$0]?.isStateful == false }
            if isStateless { table.chains.merge(SecurityGroupChains.stateless) { $1 } }
            let all = isStateless ? "stateless" : "any"
            table.chains["from_\(name)"] = .init(rules: ["jump from_\(all)"] + combination.map { "jump egress_\($0)" } + [DropReason.refusedEgress.drop])
            table.chains["to_\(name)"] = .init(rules: ["jump to_\(all)"] + combination.map { "jump ingress_\($0)" } + [DropReason.refusedIngress.drop])
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
