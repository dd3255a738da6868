import Addressing
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses

extension HAState {
    /// What the API calls the state: MASTER is active; BACKUP, FAULT and STOP are standby.
    public init(_ state: KeepalivedNotification.State) { self = state.isMaster ? .active : .standby }

    /// What Neutron writes into the `state` file beside keepalived.conf; ``unknown`` is nothing that a member says of itself.
    public var stateFileText: String { self == .active ? "master" : "backup" }
}

/// What the addresses in an HA router's namespace say about its member here: the truth for an agent that was not there to read the
/// notify FIFO. It holds while keepalived runs; a killed keepalived leaves a master's addresses behind.
public enum RouterOwnership {
    /// Whether this member is the master: it holds 169.254.0.<VRID>/24 on its ha- device.
    ///
    /// - Parameter addresses: Every address of the router's namespace.
    /// - Returns: Nil for a standalone router.
    public static func state(of router: HostRouter, addresses: Set<LinkAddress>) -> HAState? {
        guard let redundancy = router.redundancy else { return nil }
        return addresses.contains(primaryAddress(redundancy)) ? .active : .standby
    }

    /// Addresses that a standby has and must not have: what a killed keepalived left, of qr- and qg- all and of ha- all but its own.
    ///
    /// Where no keepalived runs, nothing of the group's may be there at all. Else empty for the master, whose addresses keepalived sets and removes by its configuration: it tracks them, so that the removal of
    /// one by somebody else ends its mastership.
    public static func staleAddresses(
        of router: HostRouter, addresses: Set<LinkAddress>, isKeepalivedRunning: Bool = true
    ) -> Set<LinkAddress> {
        guard let redundancy = router.redundancy else { return [] }
        if isKeepalivedRunning, state(of: router, addresses: addresses) == .active { return [] }
        let device = RouterLayout.redundancyDevice(redundancy)
        let own = Set(redundancy.port.addresses.map { LinkAddress(link: device, address: $0) })
        return addresses.filter { address in
            switch address.link {
            case device: address.address.address.version == .v4 && !own.contains(address)
            case let link: link.hasPrefix("qr-") || link.hasPrefix("qg-")
            }
        }
    }

    private static func primaryAddress(_ redundancy: HostRouter.Redundancy) -> LinkAddress {
        KeepalivedConfiguration.primaryAddress(
            virtualRouterID: redundancy.virtualRouterID, interface: RouterLayout.redundancyDevice(redundancy))
    }
}
