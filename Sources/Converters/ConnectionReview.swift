import Addressing
import HostModel
import NetworkModel

/// Which ports of a host may have connections that the groups no longer allow after a change.
public enum ConnectionReview {
    /// Ports that lost something: a rule, a group, a member of a remote group, an address, port security that was off, or themselves. What only
    /// gained has nothing to lose.
    ///
    /// - Parameter old: the view whose rules were enforced before; nil after a start, when every port is suspect.
    public static func suspects(from old: HostView?, to new: HostView) -> [ResourceID: HostPort?] {
        var suspects: [ResourceID: HostPort?] = [:]
        guard let old else {
            for port in new.ports.all { suspects.updateValue(nil, forKey: port.id) }
            return suspects
        }
        if old.ports != new.ports {
            for port in old.ports.all where port.isAdminStateUp {
                if new.ports[port.id].map({ hasLost(port, $0) }) ?? true { suspects[port.id] = port }
            }
        }
        addHeirs(old, new, to: &suspects)
        let groups = narrowedGroups(old, new)
        guard !groups.isEmpty else { return suspects }
        for port in new.ports.all where port.securityGroupIDs.contains(where: groups.contains) && suspects[port.id] == nil {
            suspects.updateValue(old.ports[port.id], forKey: port.id)
        }
        return suspects
    }

    /// One judge for each network of the suspects. Two may have the same zone.
    ///
    /// - Parameter suspects: each as it was before, which counts of those that are not in the view any more; nil for what nobody knew before.
    public static func judges(_ suspects: [ResourceID: HostPort?], in view: HostView) -> [ConnectionJudge] {
        guard !suspects.isEmpty else { return [] }
        var byNetwork: [ResourceID: [HostPort]] = [:]
        for (id, former) in suspects {
            let port = view.ports[id]
            if let port { byNetwork[port.networkID, default: []].append(port) }
            // With another address or in another network now, it left connections behind.
            if let former, port.map({ hasLeft(former, $0) }) ?? true { byNetwork[former.networkID, default: []].append(former) }
        }
        let zones = ConntrackZones.assign(view.networks.keys)
        // A network that is gone left its connections in the zone that it had beside those that are there, which may be one of theirs now.
        let gone = Set(byNetwork.keys).subtracting(view.networks.keys)
        let former = gone.isEmpty ? [:] : ConntrackZones.assign(gone.union(view.networks.keys))
        return byNetwork.sorted { $0.key < $1.key }.compactMap { network, ports in
            (zones[network] ?? former[network]).map { ConnectionJudge(ports, on: network, zone: $0, in: view) }
        }
    }

    private static func hasLost(_ old: HostPort, _ new: HostPort) -> Bool {
        if old == new { return false }
        if !new.isAdminStateUp || hasLeft(old, new) { return true }
        guard new.isPortSecurityEnabled else { return false }
        return !old.isPortSecurityEnabled || !Set(old.securityGroupIDs).isSubset(of: new.securityGroupIDs)
    }

    /// Whether the port had an address that it has no more.
    private static func hasLeft(_ old: HostPort, _ new: HostPort) -> Bool {
        if old == new { return false }
        return new.networkID != old.networkID || !Set(PortIdentity.pairs(of: old)).isSubset(of: PortIdentity.pairs(of: new))
    }

    // MARK: Heirs of addresses

    /// Ports that have an address of others, whose connections their own rules must allow now: those that left it in the same change, and, where
    /// connections outlive a port (``ConnectionJudge``), those that left it before.
    private static func addHeirs(_ old: HostView, _ new: HostView, to suspects: inout [ResourceID: HostPort?]) {
        guard old.ports != new.ports else { return }
        var left: [ResourceID: Set<IPPrefix>] = [:]
        for case let former? in suspects.values {
            var prefixes = Set(PortIdentity.pairs(of: former).map(\.prefix))
            if let port = new.ports[former.id], port.isAdminStateUp, port.networkID == former.networkID {
                prefixes.subtract(PortIdentity.pairs(of: port).map(\.prefix))
            }
            left[former.networkID, default: []].formUnion(prefixes)
        }
        for (network, prefixes) in left {
            let wide = prefixes.filter { !$0.isHost }
            for port in new.ports.items(of: network) where port.isAdminStateUp && suspects[port.id] == nil {
                let isHeir = PortIdentity.pairs(of: port).contains { pair in
                    prefixes.contains(pair.prefix) || wide.contains { $0.overlaps(pair.prefix) }
                        || !pair.prefix.isHost && prefixes.contains { $0.overlaps(pair.prefix) }
                }
                if isHeir { suspects.updateValue(old.ports[port.id], forKey: port.id) }
            }
        }
        for (id, network) in new.networks where network.mayHaveUnknownPorts {
            for port in new.ports.items(of: id) where port.isAdminStateUp && suspects[port.id] == nil {
                let former = old.ports[port.id]
                if former.map({ hasLeft(port, $0) }) ?? true { suspects.updateValue(former, forKey: port.id) }
            }
        }
    }

    // MARK: Groups

    private static func narrowedGroups(_ old: HostView, _ new: HostView) -> Set<ResourceID> {
        var narrowed: Set<ResourceID> = []
        if old.securityGroups != new.securityGroups {
            for (id, group) in old.securityGroups {
                guard let now = new.securityGroups[id], now.isStateful == group.isStateful, group.rules.isSubset(of: now.rules) else {
                    narrowed.insert(id)
                    continue
                }
            }
        }
        let remotes = narrowedRemotes(old, new)
        guard !remotes.isEmpty else { return narrowed }
        for (id, group) in new.securityGroups {
            let names = group.rules.flatMap { [$0.remoteGroupID, $0.remoteAddressGroupID].compactMap { $0 } }
            if names.contains(where: remotes.contains) { narrowed.insert(id) }
        }
        return narrowed
    }

    /// Remote groups and address groups that lost an address.
    private static func narrowedRemotes(_ old: HostView, _ new: HostView) -> Set<ResourceID> {
        var narrowed: Set<ResourceID> = []
        if old.groupMembers != new.groupMembers {
            for (id, members) in old.groupMembers where new.groupMembers[id] != members {
                let now = new.groupMembers[id, default: [:]]
                let hasLost = members.contains { port, member in
                    now[port] != member && !Set(member.addresses).isSubset(of: now[port]?.addresses ?? [])
                }
                if hasLost { narrowed.insert(id) }
            }
        }
        if old.addressGroups != new.addressGroups {
            for (id, group) in old.addressGroups where new.addressGroups[id] != group {
                if !Set(group.addresses).isSubset(of: new.addressGroups[id]?.addresses ?? []) { narrowed.insert(id) }
            }
        }
        return narrowed
    }
}
