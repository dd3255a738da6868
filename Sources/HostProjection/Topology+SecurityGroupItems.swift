import Addressing
import HostModel
import NetworkModel

/// Security group items.
extension Topology {
    func securityGroupItem(_ id: ResourceID, for host: String) -> HostSecurityGroup? {
        guard let group = groups[id], groupHosts.contains(host, at: id) else { return nil }
        return HostSecurityGroup(
            id: id, rules: Set(rulesByGroup[id].compactMap { rules[$0].flatMap(hostRule) }), isStateful: group.isStateful)
    }

    /// Nil when the rule's protocol is not known: a rule that cannot be read permits nothing.
    private func hostRule(_ rule: SecurityGroupRule) -> HostSecurityGroup.Rule? {
        guard let networkProtocol = NetworkProtocol(rule.networkProtocol, version: rule.version) else { return nil }
        return HostSecurityGroup.Rule(
            direction: rule.direction, ipVersion: rule.version.rawValue, protocolNumber: networkProtocol.number,
            portRangeMinimum: rule.portRangeMinimum, portRangeMaximum: rule.portRangeMaximum, remotePrefix: rule.remotePrefix,
            remoteGroupID: rule.remoteGroupID, remoteAddressGroupID: rule.remoteAddressGroupID)
    }

    func addressGroupItem(_ id: ResourceID, for host: String) -> HostAddressGroup? {
        guard let group = addressGroups[id], groupsByAddressGroup[id].contains(where: { groupHosts.contains(host, at: $0) }) else {
            return nil
        }
        return HostAddressGroup(id: id, addresses: group.addresses)
    }

    /// Members count wherever they are bound, and before they are: so no packet of a new member is refused for a rule that is on its way.
    func groupMemberItem(_ id: ResourceID, of group: ResourceID, for host: String) -> HostGroupMember? {
        guard let port = ports[id], port.isAdminStateUp, port.securityGroupIDs.contains(group), isRemoteGroup(group, on: host) else {
            return nil
        }
        let fixed = port.fixedIPs.compactMap { IPPrefix(masking: $0.address, length: $0.address.version.addressBits) }
        let addresses = Set(fixed + port.allowedAddressPairs.map(\.prefix))
        guard !addresses.isEmpty else { return nil }
        return HostGroupMember(groupID: group, portID: id, addresses: addresses.sorted())
    }
}
