import APISchema
import HostModel
import NetworkModel
import Store

// Which host realises a port, and when it is realised.
//
//     unbound ──host──▶ bound, DOWN ──every block acknowledged──▶ ACTIVE
//        ▲                │  ▲                                      │
//        └──no host───────┘  └──host reports down, or other host────┘
//
// A block is a row (port, component, host): that component of that host has still to say that it has done its part.

extension Verb {
    static let bridgeVIFType = VIFType.bridge
    static let unboundVIFType = VIFType.unbound
    static let failedVIFType = VIFType.failed
    /// The one kind of device that bridges carry.
    private static let bridgedVNICType = "normal"

    /// Decides the binding of a port whose host or network connection changed.
    func bind(_ port: inout Port, on network: Network) throws {
        port.vifType = try vifType(of: port.vnicType, on: port.hostID, network)
    }

    /// What becomes of a binding to the host.
    func vifType(of vnicType: String, on hostID: String, _ network: Network) throws -> String {
        guard !hostID.isEmpty else { return Self.unboundVIFType }
        guard vnicType == Self.bridgedVNICType, try livingAgent(.linuxBridge, on: hostID) != nil, try reaches(network, from: hostID) else {
            return Self.failedVIFType
        }
        return Self.bridgeVIFType
    }

    /// Puts down what must be acknowledged before the port is ACTIVE, and its status until then. What was there is forgotten.
    ///
    /// - Parameter isNew: whether the port has no row yet, and so cannot have blocks.
    func block(_ port: inout Port, isNew: Bool) throws {
        if !isNew { try transaction.execute("DELETE FROM port_blocks WHERE port_id = ?", [port.id.columnValue]) }
        guard port.deviceOwner != DeviceOwner.floatingIP else {
            port.status = .notApplicable
            return
        }
        port.status = .down
        guard port.isAdminStateUp else { return }
        for (component, hostID) in try components(of: port) {
            _ = try transaction.insertIfAbsent(
                table: "port_blocks", columns: ["port_id", "component", "host_id"],
                values: [port.id.columnValue, .text(component.rawValue), .text(hostID)])
        }
    }

    /// Who must realise the port. An empty host is any host: every member of a router realises the router's ports.
    private func components(of port: Port) throws -> [(HostStatus.Component, String)] {
        if DeviceOwner.isRouterInterface(port.deviceOwner) || port.deviceOwner == DeviceOwner.routerGateway { return [(.l3, "")] }
        guard port.vifType == Self.bridgeVIFType else { return [] }
        if port.deviceOwner == DeviceOwner.dhcp { return [(.dhcp, port.hostID)] }
        if port.deviceOwner == DeviceOwner.haInterface { return [(.l3, port.hostID)] }
        var components: [(HostStatus.Component, String)] = [(.l2, port.hostID)]
        guard port.fixedIPs.contains(where: { $0.address.version == .v4 }) else { return components }
        // A host whose DHCP agent is dead would hold the port back for as long as it stays so.
        let bindings = try transaction.rows(
            "SELECT b.host_id FROM dhcp_bindings b JOIN agents a ON a.id = b.agent_id WHERE b.network_id = ? AND a.heartbeat_timestamp >= ?",
            [port.networkID.columnValue, oldestLivingHeartbeat.columnValue])
        guard !bindings.isEmpty, try hasServedAddress(port) else { return components }
        for row in bindings { if let hostID = row[0].text { components.append((.dhcp, hostID)) } }
        return components
    }

    private func hasServedAddress(_ port: Port) throws -> Bool {
        for fixed in port.fixedIPs where fixed.address.version == .v4 {
            if try find(Subnet.self, fixed.subnetID)?.isServedByDHCP == true { return true }
        }
        return false
    }

    // MARK: Agents

    var oldestLivingHeartbeat: Timestamp { Timestamp(secondsSince1970: now.secondsSince1970 - settings.agentDownSeconds) }

    func isAlive(_ agent: Agent) -> Bool { agent.heartbeatAt >= oldestLivingHeartbeat }

    /// Agents of a type that are alive and may be given work.
    func livingAgents(_ type: AgentType) throws -> [Agent] {
        var query = ListQuery()
        query.filters = [.column("agent_type", [type.columnValue]), .column("admin_state_up", [.integer(1)])]
        return try transaction.list(Agent.self, query).filter(isAlive)
    }

    func livingAgent(_ type: AgentType, on hostID: String) throws -> Agent? {
        var query = ListQuery()
        query.filters = [.column("host", [.text(hostID)]), .column("agent_type", [type.columnValue])]
        return try transaction.list(Agent.self, query).first(where: isAlive)
    }

    /// Whether a host can carry the network: it has a tunnel endpoint, or an interface on the physical network.
    func reaches(_ network: Network, from hostID: String) throws -> Bool {
        let row = try transaction.rows("SELECT tunnel_address, physical_networks FROM hosts WHERE id = ?", [.text(hostID)]).first
        guard let row else { return false }
        switch network.type {
        case .local: return true
        case .vxlan: return row[0].text != nil
        case .flat, .vlan:
            guard let physicalNetwork = network.physicalNetwork, let json = row[1].text.flatMap({ try? JSONParser.parse($0) }) else {
                return false
            }
            return json[physicalNetwork] != nil
        }
    }
}
