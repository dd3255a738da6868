import HostModel
import NetworkModel

/// Changes of security groups, their rules and their members.
extension Topology {
    mutating func replaceGroup(_ id: ResourceID, with new: SecurityGroup?, _ concerned: inout ConcernedKeys) {
        guard groups[id] != new else { return }
        groups[id] = new
        concerned.note(.securityGroup, id, on: groupHosts[id])
    }

    mutating func replaceAddressGroup(_ id: ResourceID, with new: AddressGroup?, _ concerned: inout ConcernedKeys) {
        guard addressGroups[id] != new else { return }
        addressGroups[id] = new
        for group in groupsByAddressGroup[id] { concerned.note(.addressGroup, id, on: groupHosts[group]) }
    }

    mutating func replaceRule(_ id: ResourceID, with new: SecurityGroupRule?, _ concerned: inout ConcernedKeys) {
        let old = rules[id]
        guard old != new else { return }
        if let old { rulesByGroup.remove(id, at: old.securityGroupID) }
        rules[id] = new
        if let new {
            rulesByGroup.insert(id, at: new.securityGroupID)
            concerned.note(.securityGroup, new.securityGroupID, on: groupHosts[new.securityGroupID])
            addReference(of: new, &concerned)
        }
        if let old {
            concerned.note(.securityGroup, old.securityGroupID, on: groupHosts[old.securityGroupID])
            subtractReference(of: old, &concerned)
        }
    }

    private mutating func addReference(of rule: SecurityGroupRule, _ concerned: inout ConcernedKeys) {
        if let addresses = rule.remoteAddressGroupID {
            _ = groupsByAddressGroup.add(rule.securityGroupID, at: addresses)
            if remoteAddressGroups.add(addresses, at: rule.securityGroupID) {
                concerned.note(.addressGroup, addresses, on: groupHosts[rule.securityGroupID])
            }
        }
        guard let remote = rule.remoteGroupID else { return }
        _ = referringGroups.add(rule.securityGroupID, at: remote)
        guard remoteGroups.add(remote, at: rule.securityGroupID) else { return }
        for host in groupHosts[rule.securityGroupID] { noteGroupMembers(of: remote, on: host, &concerned) }
    }

    private mutating func subtractReference(of rule: SecurityGroupRule, _ concerned: inout ConcernedKeys) {
        if let addresses = rule.remoteAddressGroupID {
            _ = groupsByAddressGroup.subtract(rule.securityGroupID, at: addresses)
            if remoteAddressGroups.subtract(addresses, at: rule.securityGroupID) {
                concerned.note(.addressGroup, addresses, on: groupHosts[rule.securityGroupID])
            }
        }
        guard let remote = rule.remoteGroupID else { return }
        _ = referringGroups.subtract(rule.securityGroupID, at: remote)
        guard remoteGroups.subtract(remote, at: rule.securityGroupID) else { return }
        for host in groupHosts[rule.securityGroupID] { noteGroupMembers(of: remote, on: host, &concerned) }
    }

    /// The groups of a port become reasons for the port's hosts to filter by them. New reasons come first, as with presence.
    mutating func replaceMembership(of old: Port?, with new: Port?, _ concerned: inout ConcernedKeys) {
        for host in new?.wiringHostIDs ?? [] {
            for group in new.map(filteredGroups) ?? [] where groupHosts.add(host, at: group) { noteGroup(group, on: host, &concerned) }
        }
        for host in old?.wiringHostIDs ?? [] {
            for group in old.map(filteredGroups) ?? [] where groupHosts.subtract(host, at: group) { noteGroup(group, on: host, &concerned) }
        }
    }

    /// The groups that the port's hosts filter by because of the port.
    func filteredGroups(of port: Port) -> Set<ResourceID> { port.role == .instance ? Set(port.securityGroupIDs) : [] }

    /// A group came to a host or left it, and with it the members of the groups that its rules name.
    private func noteGroup(_ group: ResourceID, on host: String, _ concerned: inout ConcernedKeys) {
        concerned.note(.securityGroup, group, on: host)
        for addresses in remoteAddressGroups[group] { concerned.note(.addressGroup, addresses, on: host) }
        for remote in remoteGroups[group] { noteGroupMembers(of: remote, on: host, &concerned) }
    }

    private func noteGroupMembers(of group: ResourceID, on host: String, _ concerned: inout ConcernedKeys) {
        guard concerned.isRecording else { return }
        for port in portsByGroup[group] { concerned.note(.groupMember, port, of: group, on: host) }
    }

    /// Notes one member on every host with a group whose rules name the member's group.
    func noteGroupMember(_ port: ResourceID, of group: ResourceID, _ concerned: inout ConcernedKeys) {
        for referring in referringGroups[group] { concerned.note(.groupMember, port, of: group, on: groupHosts[referring]) }
    }

    /// Whether rules on the host name the group as remote.
    func isRemoteGroup(_ group: ResourceID, on host: String) -> Bool {
        referringGroups[group].contains { groupHosts.contains(host, at: $0) }
    }
}
