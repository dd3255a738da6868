import Addressing
import HostModel
import KernelInterface
import NetworkModel

extension SecurityGroupConverter {
    /// Puts the members of a group, as the view has them now, into the sets that hold them. Costs as much as the group has members, whatever else
    /// there is on the host.
    ///
    /// - Returns: false when that is not enough, because a set comes or goes, and the rules that name it with it; nothing is changed then.
    static func replaceMembers(of group: ResourceID, in tables: inout [FirewallTable], _ view: HostView) -> Bool {
        for index in tables.indices where tables[index].family == .bridge && tables[index].name == "neutrino" {
            var replaced: [String: FirewallTable.ElementSet] = [:]
            for version in [IPVersion.v4, .v6] {
                let remote = RemoteGroup(kind: .members, id: group, version: version)
                let known = RemoteGroupSets.possibleNames(remote).filter { tables[index].sets[$0] != nil }
                // No rule names the group.
                if known.isEmpty { continue }
                let sets = RemoteGroupSets(remote, remote.addresses(in: view)).sets
                guard Set(known) == Set(sets.keys) else { return false }
                replaced.merge(sets) { first, _ in first }
            }
            for (name, set) in replaced { tables[index].sets[name] = set }
        }
        return true
    }
}

extension RemoteGroup {
    init(kind: Kind, id: ResourceID, version: IPVersion) {
        (self.kind, self.id, self.version) = (kind, id, version)
    }
}

extension RemoteGroupSets {
    /// The names of all sets that may hold a group's addresses.
    static func possibleNames(_ group: RemoteGroup) -> [String] {
        // Of an address and a larger prefix each goes into another set.
        let all = [group.version.addressBits, 1].compactMap { IPPrefix(masking: group.version == .v4 ? anyIPv4 : anyIPv6, length: $0) }
        return RemoteGroupSets(group, all).names
    }

    private static let anyIPv4 = IPAddress.v4(IPv4Address(rawValue: 0x8000_0000))
    private static let anyIPv6 = IPAddress.v6(IPv6Address(rawValue: 1 << 127))
}
