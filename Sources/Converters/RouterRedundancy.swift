import Addressing
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses

/// What makes a router one member of a VRRP group: its keepalived, and its conntrackd.
extension RouterConverter {
    /// The agent only adds its own address to ha-, and manages none: the primary address on ha- is keepalived's too.
    ///
    /// What VRRP cannot say is a problem of the router, and has no keepalived: it must not end the agent, or keepalived for all.
    static func addRedundancy(
        _ router: HostRouter, _ redundancy: HostRouter.Redundancy, _ layout: RouterLayout, _ settings: AgentSettings,
        to pieces: inout RouterPieces
    ) {
        let device = RouterLayout.redundancyDevice(redundancy)
        pieces.configuration.addresses = Set(redundancy.port.addresses.map { LinkAddress(link: device, address: $0) })
        pieces.configuration.neighbours = neighbours(of: redundancy, device)
        // A member that has no address on the HA network yet cannot speak to the others.
        guard let source = source(of: redundancy) else { return }
        if let problem = problem(of: redundancy) {
            pieces.problems.append(problem)
            return
        }
        let paths = paths(of: router.id, settings: settings)
        let configuration = KeepalivedConfiguration(
            virtualRouterID: redundancy.virtualRouterID, interface: device, priority: redundancy.priority, version: redundancy.vrrpVersion,
            advertisementIntervalMilliseconds: redundancy.advertisementIntervalMilliseconds, source: source, peers: peers(of: redundancy),
            password: redundancy.password, addresses: layout.addresses, routes: layout.routes, notifyPipe: paths.notifyPipe)
        pieces.daemons.append(
            KeepalivedDaemon.daemon(
                router: router.id.description, namespace: pieces.namespace, paths: paths, configuration: configuration))
        if let daemon = conntrackd(router, redundancy, source: source, pieces.namespace, settings) { pieces.daemons.append(daemon) }
    }

    /// What of a membership cannot be spoken in VRRP, in a sentence; nil when all of it can.
    public static func problem(of redundancy: HostRouter.Redundancy) -> String? {
        guard (1...255).contains(redundancy.virtualRouterID) else {
            return "a VRRP group cannot have the number \(redundancy.virtualRouterID)"
        }
        guard (1...254).contains(redundancy.priority) else { return "a VRRP member cannot have the priority \(redundancy.priority)" }
        guard redundancy.vrrpVersion == 2 || redundancy.vrrpVersion == 3 else { return "VRRP has no version \(redundancy.vrrpVersion)" }
        guard redundancy.advertisementIntervalMilliseconds > 0 else { return "VRRP advertisements need an interval" }
        if let password = redundancy.password {
            // keepalived takes no others.
            guard (1...8).contains(password.utf8.count), password.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                return "a VRRP password has 1 to 8 visible ASCII characters"
            }
        }
        return nil
    }

    /// The other members, so that nobody has to ask for them: to find out where the next hop is would flood the HA network at the very moment
    /// when members were lost, and the kernel remembers only so many found ones for all routers of a host together
    /// (`net.ipv4.neigh.default.gc_thresh3`, 1024). Permanent ones do not count.
    private static func neighbours(of redundancy: HostRouter.Redundancy, _ device: String) -> Set<Neighbour> {
        Set(redundancy.peers.compactMap { peer in peer.mac.map { Neighbour(address: peer.address, mac: $0, link: device) } })
    }

    public static func conntrackdPaths(of routerID: ResourceID, settings: AgentSettings) -> ConntrackdPaths {
        ConntrackdPaths(stateDirectory: settings.stateDirectory, router: routerID.description)
    }

    /// Nil for a router whose connections nobody else needs to know.
    private static func conntrackd(
        _ router: HostRouter, _ redundancy: HostRouter.Redundancy, source: IPv4Address, _ namespace: NamespaceName,
        _ settings: AgentSettings
    ) -> DaemonConfiguration? {
        let peers = peers(of: redundancy)
        guard redundancy.replicatesConnections, let peer = peers.first else { return nil }
        let device = RouterLayout.redundancyDevice(redundancy)
        let configuration = ConntrackdConfiguration(
            interface: device, source: source, peer: peer, mode: peers.count == 1 ? .reliable : .unconfirmed,
            tellsExpectations: !router.connectionHelpers.isEmpty)
        let primary = KeepalivedConfiguration.primaryAddress(virtualRouterID: redundancy.virtualRouterID, interface: device)
        return ConntrackdDaemon.daemon(
            router: router.id.description, namespace: namespace, paths: conntrackdPaths(of: router.id, settings: settings),
            configuration: configuration, masterAddress: primary.address.address.description)
    }

    /// Where this member's advertisements come from.
    static func source(of redundancy: HostRouter.Redundancy) -> IPv4Address? {
        redundancy.port.addresses.lazy.compactMap { ipv4($0.address) }.first
    }

    static func peers(of redundancy: HostRouter.Redundancy) -> [IPv4Address] {
        redundancy.peers.compactMap { ipv4($0.address) }
    }

    private static func ipv4(_ address: IPAddress) -> IPv4Address? {
        guard case .v4(let address) = address else { return nil }
        return address
    }
}
