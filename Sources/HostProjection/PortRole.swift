import NetworkModel

/// What a port is to the projection.
enum PortRole: Hashable {
    /// The port of an instance: wired and filtered on the host that it is bound to.
    case instance
    case dhcp
    /// An interface or a gateway of a router, by the router's record: wired on every member of the router. A port that only says so is ``other``,
    /// or who may set `device_id` could plug a network into any router.
    case router(ResourceID)
    /// A member's own port on the HA network.
    case haInterface
    /// Keeps the address of a floating IP; no device exists for it.
    case floatingIP
    /// Owned by the network, and nothing that hosts realise by itself.
    case other
}

extension Port {
    var role: PortRole {
        guard DeviceOwner.isNetworkOwned(deviceOwner) else { return .instance }
        switch deviceOwner {
        case DeviceOwner.dhcp: return .dhcp
        case DeviceOwner.haInterface: return .haInterface
        case DeviceOwner.floatingIP: return .floatingIP
        case DeviceOwner.routerInterface, DeviceOwner.haReplicatedInterface, DeviceOwner.routerGateway:
            guard let router = attachedRouterID else { return .other }
            return .router(router)
        default: return .other
        }
    }

    /// The router that the port is an interface or the gateway of.
    var routerID: ResourceID? {
        guard case .router(let id) = role else { return nil }
        return id
    }
}
