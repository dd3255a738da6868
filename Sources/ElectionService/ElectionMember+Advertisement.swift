import Addressing
import Election
import ServiceProcesses

extension MemberState {
    /// What keepalived says of itself.
    init(_ state: KeepalivedNotification.State) {
        switch state {
        case .master, .masterHeardLowerPriority, .masterPriority: self = .master
        case .backup, .backupPriority: self = .backup
        case .fault, .stop, .deleted: self = .fault
        }
    }
}

extension ElectionMember {
    /// The frame that hands an advertisement of another member to this one's keepalived. Nil for an address that VRRP here does not run on.
    func advertisement(from source: IPAddress, priority: Int) -> [UInt8]? {
        guard case .v4(let source) = source, case .v4(let destination) = router.localAddress,
            case .v4(let primary) = KeepalivedConfiguration.primaryAddress(virtualRouterID: virtualRouterID, interface: device).address
                .address
        else { return nil }
        return VRRPAdvertisement(
            version: vrrpVersion, source: source, destination: destination, sourceMAC: Self.senderMAC, destinationMAC: mac,
            virtualRouterID: virtualRouterID, priority: priority, intervalMilliseconds: advertisementIntervalMilliseconds,
            password: password, addresses: [primary]
        ).bytes
    }

    /// Of no device: the frame goes from one end of a veth pair to the other, and nobody learns from it.
    private static let senderMAC = MACAddress(rawValue: 0x02_00_00_00_00_01)
}
