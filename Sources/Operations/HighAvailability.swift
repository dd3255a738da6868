import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

// The hidden network on which the members of a project's HA routers speak VRRP, and the numbers of their VRRP groups.

extension Verb {
    /// VRRP groups of one network: 0 is not allowed (RFC 9568, section 5.2.3), and 255 has no address in 169.254.0.0/24.
    static let virtualRouterIDs = 1...254

    /// Gives the router a VRRP group on its project's HA network, which is made with the first router.
    func joinHANetwork(_ router: inout Router) throws {
        _ = try haNetwork(of: router.projectID)
        router.virtualRouterID = try virtualRouterID(for: router.projectID)
    }

    /// After a router has gone: the project's last one takes the HA network with it.
    func leaveHANetwork(projectID: String) throws {
        let others = try transaction.rows("SELECT 1 FROM routers WHERE project_id = ? AND ha = 1 LIMIT 1", [.text(projectID)])
        guard others.isEmpty, let network = try existingHANetwork(of: projectID) else { return }
        try transaction.execute("DELETE FROM ha_networks WHERE project_id = ?", [.text(projectID)])
        for port in try list(Port.self, where: "network_id", network.id) { try dropPort(port) }
        try dropNetwork(network)
    }

    /// Makes a router highly available, or the contrary. It is down meanwhile, so its members may all go and come anew.
    func convert(_ router: inout Router, isHighlyAvailable: Bool) throws {
        for member in try members(of: router.id) { try removeMember(member) }
        router.isHighlyAvailable = isHighlyAvailable
        // What failed went with the members.
        router.status = .active
        if isHighlyAvailable {
            try joinHANetwork(&router)
        } else {
            router.virtualRouterID = nil
        }
        for var port in try routerPorts(of: router.id) where DeviceOwner.isRouterInterface(port.deviceOwner) {
            port.deviceOwner = router.interfaceOwner
            try save(&port)
            try transaction.execute(
                "UPDATE router_ports SET port_type = ? WHERE router_id = ? AND port_id = ?",
                [.text(port.deviceOwner), router.id.columnValue, port.id.columnValue])
        }
        try transaction.update(router)
        if !isHighlyAvailable { try leaveHANetwork(projectID: router.projectID) }
        try scheduleRouter(router)
    }

    /// A member's own port on the HA network.
    func createHAPort(for router: Router, on network: Network, hostID: String) throws -> Port {
        var port = Port(id: newID(), projectID: "", networkID: network.id, mac: try newMAC(on: network.id))
        port.name = Self.name(of: "port", of: router.projectID)
        port.deviceOwner = DeviceOwner.haInterface
        port.deviceID = router.id.description
        port.isPortSecurityEnabled = false
        port.hostID = hostID
        try insertPort(&port, on: network, try subnets(of: network), nil)
        return port
    }

    private static let maximumNameLength = 255

    /// `HA network tenant 8f1c…`, as Neutron calls it.
    private static func name(of what: String, of projectID: String) -> String {
        String(String.UnicodeScalarView("HA \(what) tenant \(projectID)".unicodeScalars.prefix(maximumNameLength)))
    }

    func existingHANetwork(of projectID: String) throws -> Network? {
        try transaction.rows("SELECT network_id FROM ha_networks WHERE project_id = ?", [.text(projectID)]).first?[0].id
            .flatMap { try find(Network.self, $0) }
    }

    /// The project's HA network. Its row in `ha_networks` is claimed first, so that of two routers created at once only one makes it.
    func haNetwork(of projectID: String) throws -> Network {
        if let network = try existingHANetwork(of: projectID) { return network }
        var network = Network(id: newID(), projectID: "")
        let isOurs = try transaction.insertIfAbsent(
            table: "ha_networks", columns: ["project_id", "network_id"], values: [.text(projectID), network.id.columnValue])
        guard isOurs else {
            guard let network = try existingHANetwork(of: projectID) else {
                throw StoreError.uniqueViolation(constraint: "ha_networks(project_id)")
            }
            return network
        }
        let prefix = settings.haNetworkPrefix
        network.name = Self.name(of: "network", of: projectID)
        network.haProjectID = projectID
        network.isPortSecurityEnabled = false
        try allocateSegment(&network, SegmentRequest(type: settings.projectNetworkType))
        network.mtu = settings.maximumMTU(of: network.type.rawValue)
        var subnet = Subnet(id: newID(), projectID: "", networkID: network.id, prefix: prefix)
        subnet.name = Self.name(of: "subnet", of: projectID)
        subnet.isDHCPEnabled = false
        subnet.allocationPools = SubnetRules.defaultPools(prefix, without: nil)
        network.subnetIDs = [subnet.id]
        open(&network)
        open(&subnet)
        try transaction.insert(network)
        try transaction.insert(subnet)
        return network
    }

    /// One of the groups that the fewest routers of the project have, at random. Members advertise to each other's own addresses only, so
    /// groups may repeat; spread, they tell routers apart in a packet capture.
    private func virtualRouterID(for projectID: String) throws -> Int? {
        var counts: [Int: Int] = [:]
        let rows = try transaction.rows(
            "SELECT virtual_router_id, COUNT(*) FROM routers WHERE project_id = ? AND ha = 1 GROUP BY virtual_router_id", [.text(projectID)]
        )
        for row in rows { if let id = row[0].integer { counts[id] = row[1].integer ?? 0 } }
        let fewest = Self.virtualRouterIDs.map { counts[$0, default: 0] }.min()
        var generator = random
        return Self.virtualRouterIDs.filter { counts[$0, default: 0] == fewest }.randomElement(using: &generator)
    }
}
