import Addressing
import HostModel
import NetworkModel

/// Where ports live, and which hosts therefore carry which networks.
extension Topology {
    /// A reason for a host to carry a network.
    struct PresenceClaim: Hashable {
        var networkID: ResourceID
        var hostID: String
    }

    /// The hosts that must carry the network of a port because they realise the port.
    func claims(of port: Port) -> [PresenceClaim] {
        switch port.role {
        case .instance:
            port.wiringHostIDs.map { PresenceClaim(networkID: port.networkID, hostID: $0) }
        case .router(let id):
            memberHosts[id].map { PresenceClaim(networkID: port.networkID, hostID: $0) }
        case .haInterface:
            membersByHAPort[port.id].map { PresenceClaim(networkID: port.networkID, hostID: $0.hostID) }
        case .dhcp, .floatingIP, .other:
            // The DHCP service is there for its binding, with or without a port.
            []
        }
    }

    /// The one host that frames to the port's MAC address must be sent to; nil when there is none or when it moves with a VRRP master.
    func location(of port: Port) -> String? {
        switch port.role {
        case .instance, .dhcp, .other:
            return port.hostID.isEmpty ? nil : port.hostID
        case .haInterface:
            return membersByHAPort[port.id].lazy.map(\.hostID).min()
        case .router(let id):
            guard port.deviceOwner != DeviceOwner.haReplicatedInterface, routers[id]?.isHighlyAvailable == false else { return nil }
            let hosts = memberHosts[id]
            return hosts.count == 1 ? hosts.first : nil
        case .floatingIP:
            return nil
        }
    }

    /// Replaces reasons. The new ones are added first: a port that merely changed never makes its network leave and come back.
    mutating func replaceClaims(_ old: [PresenceClaim], with new: [PresenceClaim], _ concerned: inout ConcernedKeys) {
        for claim in new where presence.add(claim.hostID, at: claim.networkID) {
            networksByHost.insert(claim.networkID, at: claim.hostID)
            notePresence(of: claim, &concerned)
        }
        for claim in old where presence.subtract(claim.hostID, at: claim.networkID) {
            networksByHost.remove(claim.networkID, at: claim.hostID)
            notePresence(of: claim, &concerned)
        }
    }

    /// A network came to a host or left it: the others flood to one host more or less, and the host itself needs all remote ports or none.
    private func notePresence(of claim: PresenceClaim, _ concerned: inout ConcernedKeys) {
        guard concerned.isRecording else { return }
        concerned.note(.network, claim.networkID, on: claim.hostID)
        guard isTunnelled(claim.networkID) else { return }
        concerned.note(.network, claim.networkID, on: presence[claim.networkID])
        for port in portsByNetwork[claim.networkID] { concerned.note(.remotePort, port, on: claim.hostID) }
    }

    /// Whether the network is carried in tunnels: only then do hosts need to know each other and each other's ports.
    func isTunnelled(_ networkID: ResourceID) -> Bool { networks[networkID]?.type == .vxlan }

    func noteRemotePort(_ port: Port, _ concerned: inout ConcernedKeys) {
        guard concerned.isRecording, isTunnelled(port.networkID) else { return }
        concerned.note(.remotePort, port.id, on: presence[port.networkID])
    }
}
