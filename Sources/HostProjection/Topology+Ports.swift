import HostModel
import Metadata
import NetworkModel

/// Changes of ports.
extension Topology {
    mutating func replacePort(_ id: ResourceID, with new: Port?, _ concerned: inout ConcernedKeys) {
        let old = ports[id]
        guard old != new else { return }
        if let old, let new, old.differsOnlyInStatus(from: new) {
            ports[id] = new
            return
        }
        let oldClaims = old.map { claims(of: $0) } ?? []
        if let old {
            notePort(old, &concerned)
            unindex(old)
        }
        ports[id] = new
        if old?.bindingProfile != new?.bindingProfile { instanceFacts[id] = new.flatMap { InstanceFacts(profile: $0.bindingProfile) } }
        if let new { index(new) }
        replaceClaims(oldClaims, with: new.map { claims(of: $0) } ?? [], &concerned)
        replaceMembership(of: old, with: new, &concerned)
        if let new { notePort(new, &concerned) }
    }

    private mutating func index(_ port: Port) {
        portsByNetwork.insert(port.id, at: port.networkID)
        for host in port.wiringHostIDs { portsByHost.insert(port.id, at: host) }
        for group in port.securityGroupIDs { portsByGroup.insert(port.id, at: group) }
        if let policy = port.qosPolicyID { portsByQoSPolicy.insert(port.id, at: policy) }
        switch port.role {
        case .dhcp: dhcpPortsByNetwork.insert(port.id, at: port.networkID)
        case .haInterface: routerPortsByNetwork.insert(port.id, at: port.networkID)
        case .router(let router):
            routerPortsByNetwork.insert(port.id, at: port.networkID)
            portsByRouter.insert(port.id, at: router)
        case .instance, .floatingIP, .other: break
        }
    }

    private mutating func unindex(_ port: Port) {
        portsByNetwork.remove(port.id, at: port.networkID)
        for host in port.wiringHostIDs { portsByHost.remove(port.id, at: host) }
        for group in port.securityGroupIDs { portsByGroup.remove(port.id, at: group) }
        if let policy = port.qosPolicyID { portsByQoSPolicy.remove(port.id, at: policy) }
        dhcpPortsByNetwork.remove(port.id, at: port.networkID)
        routerPortsByNetwork.remove(port.id, at: port.networkID)
        if let router = port.routerID { portsByRouter.remove(port.id, at: router) }
    }

    /// Notes every item that reads this row of the port, in the present state of all other rows.
    private func notePort(_ port: Port, _ concerned: inout ConcernedKeys) {
        guard concerned.isRecording else { return }
        noteRemotePort(port, &concerned)
        concerned.note(.reservation, port.id, on: reservationHosts(of: port.networkID))
        for group in port.securityGroupIDs { noteGroupMember(port.id, of: group, &concerned) }
        switch port.role {
        case .instance:
            concerned.note(.port, port.id, on: port.wiringHostIDs)
        case .dhcp:
            if !port.hostID.isEmpty { concerned.note(.dhcp, port.networkID, on: port.hostID) }
            noteMetadata(on: port.networkID, &concerned)
        case .router(let router):
            noteRouter(of: port, &concerned)
            noteReservations(behind: port, on: memberHosts[router], &concerned)
            if answersIPv6(port) { noteRouters(on: port.networkID, &concerned) }
        case .haInterface: noteRouter(of: port, &concerned)
        case .floatingIP, .other: break
        }
    }
}

extension Port {
    /// What the server says of a port when hosts have realised it tells no host anything.
    fileprivate func differsOnlyInStatus(from other: Port) -> Bool {
        var same = other
        same.status = status
        return same == self
    }
}
