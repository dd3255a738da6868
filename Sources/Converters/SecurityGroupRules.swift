import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// Addresses of one family that have a name: the members of a security group, or what clients put into an address group.
struct RemoteGroup: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case members, addresses
    }

    var kind: Kind
    var id: ResourceID
    var version: IPVersion

    /// Nil for a rule without a remote group.
    init?(_ rule: HostSecurityGroup.Rule) {
        guard let version = IPVersion(rawValue: rule.ipVersion) else { return nil }
        if let id = rule.remoteGroupID {
            (kind, self.id) = (.members, id)
        } else if let id = rule.remoteAddressGroupID {
            (kind, self.id) = (.addresses, id)
        } else {
            return nil
        }
        self.version = version
    }

    /// The addresses of both families.
    func addresses(in view: HostView) -> [IPPrefix] {
        switch kind {
        case .members: view.groupMembers[id, default: [:]].values.flatMap(\.addresses)
        case .addresses: view.addressGroups[id]?.addresses ?? []
        }
    }
}

/// The sets that hold a remote group's addresses.
struct RemoteGroupSets: Sendable {
    private let group: RemoteGroup
    /// Of an address group, one member that is the group itself.
    private var members: [ResourceID: HostGroupMember] = [:]
    /// How many members have each prefix of the group's family.
    private var counts: [IPPrefix: Int] = [:]
    private let hostsName: String
    private let rangesName: String
    /// By name: one set of addresses, to which a member is added at a cost that does not grow with it. Members with larger prefixes (allowed
    /// address pairs) need a set of intervals beside it; most groups have none.
    private(set) var sets: [String: FirewallTable.ElementSet]

    var names: [String] { sets.keys.sorted() }

    init(_ group: RemoteGroup) {
        self.group = group
        let version = group.version == .v4 ? "ipv4" : "ipv6"
        let (hosts, ranges) = group.kind == .members ? ("members", "prefixes") : ("addresses", "ranges")
        hostsName = "\(hosts)_\(version)_\(group.id)"
        rangesName = "\(ranges)_\(version)_\(group.id)"
        sets = [hostsName: .init(type: "type \(version)_addr")]
    }

    /// Takes over the members that the view has now. Whether an element changed.
    mutating func update(_ view: HostView) -> Bool {
        let current: [ResourceID: HostGroupMember] =
            switch group.kind {
            case .members: view.groupMembers[group.id, default: [:]]
            case .addresses:
                [group.id: HostGroupMember(groupID: group.id, portID: group.id, addresses: view.addressGroups[group.id]?.addresses ?? [])]
            }
        guard members != current else { return false }
        var changed: Set<IPPrefix> = []
        for (id, member) in members where current[id] != member { count(member, -1, &changed) }
        for (id, member) in current where members[id] != member { count(member, 1, &changed) }
        members = current
        if changed.isEmpty { return false }
        for prefix in changed where prefix.isHost {
            if counts[prefix] == nil {
                sets[hostsName]?.elements.remove(prefix.address.description)
            } else {
                sets[hostsName]?.elements.insert(prefix.address.description)
            }
        }
        if changed.contains(where: { !$0.isHost }) {
            let ranges = counts.keys.filter { !$0.isHost }.disjoint.map(\.description)
            sets[rangesName] = ranges.isEmpty ? nil : .init(type: sets[hostsName]?.type ?? "", flags: ["interval"], elements: Set(ranges))
        }
        return true
    }

    private mutating func count(_ member: HostGroupMember, _ step: Int, _ changed: inout Set<IPPrefix>) {
        // A client may have named one twice.
        for prefix in Set(member.addresses) where prefix.version == group.version {
            let number = counts[prefix, default: 0] + step
            counts[prefix] = number == 0 ? nil : number
            changed.insert(prefix)
        }
    }
}

/// Rules as nft writes them.
enum SecurityGroupRuleText {
    /// The matches of a rule, without a verdict: one for each of the `members` sets of its remote group, else one. None for a rule that
    /// cannot match, such as one whose prefix is of the other family: nft would refuse it, and with it the rules of the whole host.
    static func matches(_ rule: HostSecurityGroup.Rule, members: [String]) -> [String] {
        guard let version = IPVersion(rawValue: rule.ipVersion), isPossible(rule) else { return [] }
        let field = (version == .v4 ? "ip " : "ip6 ") + (rule.direction == .ingress ? "saddr" : "daddr")
        var clauses = ["ether type \(version == .v4 ? "ip" : "ip6")"]
        if let prefix = rule.remotePrefix {
            guard prefix.version == version else { return [] }
            if prefix.length > 0 { clauses.append("\(field) \(prefix)") }
        }
        let transport = transportClause(rule, version)
        guard RemoteGroup(rule) != nil else { return [(clauses + transport).joined(separator: " ")] }
        return members.map { (clauses + ["\(field) @\($0)"] + transport).joined(separator: " ") }
    }

    static func isPossible(_ rule: HostSecurityGroup.Rule) -> Bool {
        let isICMP = rule.protocolNumber == 1 || rule.protocolNumber == 58
        let values = 0...(isICMP ? 255 : 65535)
        let range = [rule.portRangeMinimum, rule.portRangeMaximum].compactMap { $0 }
        return range.allSatisfy(values.contains) && (isICMP || range == range.sorted())
            && rule.protocolNumber.map((0...255).contains) ?? true
    }

    /// As nft calls them, by number.
    static let protocolsWithPorts = [6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"]

    private static func transportClause(_ rule: HostSecurityGroup.Rule, _ version: IPVersion) -> [String] {
        guard let number = rule.protocolNumber else { return [] }
        switch number {
        case 1, 58:
            // Either number means the family's own ICMP, as in Neutron.
            return icmpClause(rule, version)
        default: return protocolsWithPorts[number].map { portClause($0, number, rule) } ?? ["meta l4proto \(number)"]
        }
    }

    private static func portClause(_ name: String, _ number: Int, _ rule: HostSecurityGroup.Rule) -> [String] {
        guard let minimum = rule.portRangeMinimum ?? rule.portRangeMaximum else { return ["meta l4proto \(number)"] }
        let maximum = rule.portRangeMaximum ?? minimum
        return ["\(name) dport " + (minimum == maximum ? "\(minimum)" : "\(minimum)-\(maximum)")]
    }

    /// The range of an ICMP rule is its type and its code.
    private static func icmpClause(_ rule: HostSecurityGroup.Rule, _ version: IPVersion) -> [String] {
        let name = version == .v4 ? "icmp" : "icmpv6"
        guard let type = rule.portRangeMinimum else { return ["meta l4proto \(version == .v4 ? 1 : 58)"] }
        guard let code = rule.portRangeMaximum else { return ["\(name) type \(type)"] }
        return ["\(name) type \(type) \(name) code \(code)"]
    }
}
