import HostModel
import NetworkModel

/// Changes of routers, their members and floating IPs.
extension Topology {
    mutating func replaceRouter(_ id: ResourceID, with new: Router?, _ concerned: inout ConcernedKeys) {
        let old = routers[id]
        guard old != new else { return }
        routers[id] = new
        indexGateway(id, of: old, new)
        concerned.note(.router, id, on: memberHosts[id])
        // The MAC addresses of a standalone router stay on one host, those of an HA router move.
        guard old?.isHighlyAvailable != new?.isHighlyAvailable else { return }
        for port in portsByRouter[id].compactMap({ ports[$0] }) { noteRemotePort(port, &concerned) }
    }

    mutating func replaceMember(_ key: RouterMemberKey, with new: RouterMember?, _ concerned: inout ConcernedKeys) {
        let old = members[key]
        guard old != new else { return }
        members[key] = new
        if let agent = old?.agentID { routersByAgent.remove(key, at: agent) }
        if let agent = new?.agentID { routersByAgent.insert(key, at: agent) }
        // The others know the member as their peer; its VRRP state no item tells.
        let isSamePlace = (old == nil) == (new == nil) && old?.haPortID == new?.haPortID
        let isSamePeer = isSamePlace && old?.priority == new?.priority && old?.agentID == new?.agentID
        if !isSamePeer { noteMembers(of: key, &concerned) }
        // Priority moves no port.
        if isSamePlace { return }

        let haPorts = [old?.haPortID, new?.haPortID].compactMap { $0 }
        let moved = portsByRouter[key.routerID].union(haPorts).compactMap { ports[$0] }
        let oldClaims = moved.flatMap { claims(of: $0) }
        if let port = old?.haPortID { membersByHAPort.remove(key, at: port) }
        if let port = new?.haPortID { membersByHAPort.insert(key, at: port) }
        if new == nil {
            memberHosts.remove(key.hostID, at: key.routerID)
            routersByHost.remove(key.routerID, at: key.hostID)
        } else {
            memberHosts.insert(key.hostID, at: key.routerID)
            routersByHost.insert(key.routerID, at: key.hostID)
        }
        replaceClaims(oldClaims, with: moved.flatMap { claims(of: $0) }, &concerned)
        for port in moved {
            noteRemotePort(port, &concerned)
            noteReservations(behind: port, on: [key.hostID], &concerned)
        }
    }

    /// Of an agent only its drain matters: to the members of its routers.
    mutating func replaceAgent(_ id: ResourceID, with new: Agent?, _ concerned: inout ConcernedKeys) {
        replaceMetadataRefusal(of: id, with: new, &concerned)
        let isDraining = new.map { $0.type == .l3 && !$0.isAdminStateUp } ?? false
        guard drainingAgents.contains(id) != isDraining else { return }
        if isDraining { drainingAgents.insert(id) } else { drainingAgents.remove(id) }
        guard concerned.isRecording else { return }
        for key in routersByAgent[id] { noteMembers(of: key, &concerned) }
    }

    /// The router of a member, on the member's host and on those of the others.
    func noteMembers(of key: RouterMemberKey, _ concerned: inout ConcernedKeys) {
        concerned.note(.router, key.routerID, on: key.hostID)
        concerned.note(.router, key.routerID, on: memberHosts[key.routerID])
    }

    mutating func replaceFloatingIP(_ id: ResourceID, with new: FloatingIP?, _ concerned: inout ConcernedKeys) {
        let old = floatingIPs[id]
        guard old != new else { return }
        if let router = old?.routerID {
            floatingIPsByRouter.remove(id, at: router)
            concerned.note(.router, router, on: memberHosts[router])
        }
        if let network = old?.floatingNetworkID { floatingIPsByNetwork.remove(id, at: network) }
        if let network = new?.floatingNetworkID { floatingIPsByNetwork.insert(id, at: network) }
        if let port = old?.portID { floatingIPsByPort.remove(id, at: port) }
        if let port = new?.portID { floatingIPsByPort.insert(id, at: port) }
        if let policy = old?.qosPolicyID { floatingIPsByQoSPolicy.remove(id, at: policy) }
        if let policy = new?.qosPolicyID { floatingIPsByQoSPolicy.insert(id, at: policy) }
        floatingIPs[id] = new
        if let router = new?.routerID {
            floatingIPsByRouter.insert(id, at: router)
            concerned.note(.router, router, on: memberHosts[router])
        }
        // Instances ask what they are called outside.
        for port in Set([old?.portID, new?.portID].compactMap { $0 }) {
            guard let network = ports[port]?.networkID else { continue }
            concerned.note(.reservation, port, on: reservationHosts(of: network))
        }
    }

    /// The router items that contain the port.
    func noteRouter(of port: Port, _ concerned: inout ConcernedKeys) {
        switch port.role {
        case .router(let id): concerned.note(.router, id, on: memberHosts[id])
        case .haInterface:
            for member in membersByHAPort[port.id] { noteMembers(of: member, &concerned) }
        case .instance, .dhcp, .floatingIP, .other: break
        }
    }
}
