import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// The table `bridge neutrino` under construction.
struct SecurityGroupTable: Sendable {
    private(set) var table = FirewallTable(family: .bridge, name: "neutrino")
    private let fixedChains: [String: FirewallTable.Chain]

    init(hasBridgeConntrack: Bool) {
        table.sets = [
            // Devices that send what they like: services, and instances without port security.
            "trusted": .init(type: "type ifname"),
            "guarded": .init(type: "type ifname"),
            // Where bridges lead to physical networks.
            "uplinks": .init(type: "type ifname"),
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
        var chains = SecurityGroupChains(hasBridgeConntrack: hasBridgeConntrack).chains
        if hasBridgeConntrack {
            chains["zone"] = .init(
                hook: "type filter hook prerouting priority -310; policy accept;", rules: ["ct zone set iifname map @zones"])
        }
        fixedChains = chains
        table.chains = chains
    }

    // MARK: Elements

    /// An element of a set or map.
    struct Element: Hashable, Sendable {
        var set: String
        var text: String
    }

    /// What lets a device send what it likes and receive everything.
    static func trusting(_ device: String) -> [Element] {
        [Element(set: "trusted", text: quoted(device)), Element(set: "to_port", text: "\(quoted(device)) : accept")]
    }

    /// What lets a port send and receive what its groups, sorted, allow.
    static func guarding(_ port: HostPort, groups: [ResourceID]) -> [Element] {
        let device = quoted(port.deviceName)
        let name = combinationName(groups)
        let pairs = PortIdentity.pairs(of: port)
        var elements = [
            Element(set: "guarded", text: device), Element(set: "from_port", text: "\(device) : goto from_\(name)"),
            Element(set: "to_port", text: "\(device) : goto to_\(name)"),
        ]
        for mac in Set(pairs.map(\.mac)) {
            elements.append(Element(set: "port_macs", text: "\(device) . \(mac)"))
            elements.append(Element(set: "port_hardware", text: "\(device) . \(hexadecimal(mac.rawValue))"))
        }
        for pair in pairs { elements += allowing(pair, device) }
        return elements
    }

    private static func allowing(_ pair: HostPort.Pair, _ device: String) -> [Element] {
        let (prefix, source) = (pair.prefix, "\(device) . \(pair.mac) . ")
        let family = prefix.version == .v4 ? "port_ipv4" : "port_ipv6"
        let element = Element(
            set: prefix.isHost ? family : family + "_prefixes", text: source + (prefix.isHost ? "\(prefix.address)" : "\(prefix)"))
        guard prefix.version == .v6 else { return [element] }
        let first = hexadecimal(prefix.address.number)
        if prefix.isHost { return [element, Element(set: "port_targets", text: source + first)] }
        return [element, Element(set: "port_target_prefixes", text: source + "\(first)-\(hexadecimal(prefix.last.number))")]
    }

    private static func hexadecimal(_ number: some BinaryInteger) -> String { "0x" + String(number, radix: 16) }

    mutating func insert(_ elements: [Element]) {
        for element in elements { table.sets[element.set]?.elements.insert(element.text) }
    }

    mutating func remove(_ elements: [Element]) {
        for element in elements { table.sets[element.set]?.elements.remove(element.text) }
    }

    // MARK: Groups

    mutating func setElements(of old: RemoteGroupSets?, to new: RemoteGroupSets?) {
        if let old { removeSets(Set(old.names)) }
        if let new { table.sets.merge(new.sets) { $1 } }
    }

    mutating func removeSets(_ names: Set<String>) {
        for name in names { table.sets[name] = nil }
    }

    /// Chains of every combination of groups that a port has, and of every group among them.
    mutating func setGroups(
        _ combinations: [[ResourceID]], _ remotes: [RemoteGroup: RemoteGroupSets], _ groups: [ResourceID: HostSecurityGroup]
    ) {
        var chains = fixedChains
        for combination in combinations {
            let name = Self.combinationName(combination)
            let isStateless = !combination.isEmpty && combination.allSatisfy { groups[$0]?.isStateful == false }
            if isStateless { chains.merge(SecurityGroupChains.stateless) { $1 } }
            let all = isStateless ? "stateless" : "any"
            let (from, to) = (combination.map { "jump egress_\($0)" }, combination.map { "jump ingress_\($0)" })
            chains["from_\(name)"] = .init(rules: ["jump from_\(all)"] + from + [DropReason.refusedEgress.drop])
            chains["to_\(name)"] = .init(rules: ["jump to_\(all)"] + to + [DropReason.refusedIngress.drop])
        }
        for id in Set(combinations.joined()) {
            guard let group = groups[id] else { continue }
            chains["egress_\(id)"] = chain(group, .egress, remotes)
            chains["ingress_\(id)"] = chain(group, .ingress, remotes)
        }
        table.chains = chains
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

    // MARK: Uplinks

    mutating func setUplinks(_ links: [String: Link], physicalInterfaces: Set<String>) {
        let uplinks = links.values.filter { link in
            guard link.bridge != nil else { return false }
            if case .vlan = link.kind { return true }
            return physicalInterfaces.contains(link.name)
        }
        let elements = Set(uplinks.map { Self.quoted($0.name) })
        if table.sets["uplinks"]?.elements != elements { table.sets["uplinks"]?.elements = elements }
    }

    // MARK: Bridge conntrack

    /// With bridge conntrack the zone goes by the device that a frame came in through.
    mutating func setZones(_ links: [String: Link], _ bridgeZones: [String: Int]) {
        let elements = links.values.compactMap { link in
            link.bridge.flatMap { bridgeZones[$0] }.map { "\(Self.quoted(link.name)) : \($0)" }
        }
        table.sets["zones"] = .init(form: .map, type: "typeof iifname : ct zone", elements: Set(elements))
    }

    /// Device names hold hyphens and may begin with digits.
    private static func quoted(_ device: String) -> String { "\"\(device)\"" }
}
