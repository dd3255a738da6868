import APISchema
import AccessPolicy
import Addressing
import HostModel
import NetworkModel
import Store

// What hosts report. A report that says nothing new costs one statement and no change.

extension Verb {
    /// Networks and routers that one report schedules at most; ``Operations/maintain(_:)`` takes the rest.
    private static let maximumPending = 500

    /// Returns the failures of routers that began or ended.
    func report(_ hostID: String, _ status: HostStatus) throws -> [RouterFailureChange] {
        let isNews = try register(hostID, status.registration)
        for report in status.ports { try note(report, from: hostID) }
        let changes = try note(status.routers, from: hostID)
        if isNews { try schedulePending(hostID) }
        return changes
    }

    // MARK: Registration

    /// Refreshes the host's agents. True when something about them is new: they were not there, had been silent for too long, or have changed.
    private func register(_ hostID: String, _ registration: HostStatus.Registration) throws -> Bool {
        let configurations = AgentType.allCases.map { ($0, Self.configuration(of: $0, registration)) }
        let zone = registration.availabilityZone ?? Agent.defaultAvailabilityZone
        let agents = try list(Agent.self, where: "host", hostID)
        let isCurrent = configurations.allSatisfy { type, configuration in
            agents.contains {
                $0.type == type && $0.configurations == configuration && isAlive($0)
                    && $0.availabilityZone == (type.zoneResource == nil ? nil : zone)
            }
        }
        guard !isCurrent else {
            try transaction.execute("UPDATE agents SET heartbeat_timestamp = ? WHERE host = ?", [now.columnValue, .text(hostID)])
            return false
        }
        try registerHost(hostID, registration)
        for (type, configuration) in configurations {
            guard var agent = agents.first(where: { $0.type == type }) else {
                var agent = Agent(id: newID(), type: type, hostID: hostID)
                (agent.createdAt, agent.startedAt, agent.heartbeatAt) = (now, now, now)
                agent.configurations = configuration
                agent.availabilityZone = type.zoneResource == nil ? nil : zone
                try transaction.insert(agent)
                continue
            }
            if agent.configurations != configuration { agent.startedAt = now }
            agent.configurations = configuration
            agent.availabilityZone = type.zoneResource == nil ? nil : zone
            agent.heartbeatAt = now
            try transaction.update(agent)
        }
        return true
    }

    private func registerHost(_ hostID: String, _ registration: HostStatus.Registration) throws {
        let physicalNetworks = JSONValue.object(registration.physicalNetworks.mapValues(JSONValue.string)).text
        let row: [ColumnValue] = [registration.tunnelAddress.columnValue, .text(physicalNetworks)]
        let known = try transaction.rows("SELECT tunnel_address, physical_networks FROM hosts WHERE id = ?", [.text(hostID)]).first
        guard known != row else { return }
        if known == nil {
            try transaction.execute(
                "INSERT INTO hosts (id, tunnel_address, physical_networks) VALUES (?, ?, ?)", [.text(hostID)] + row)
        } else {
            try transaction.execute(
                "UPDATE hosts SET tunnel_address = ?, physical_networks = ? WHERE id = ?", row + [.text(hostID)])
        }
        transaction.appendChange(kind: "hosts", id: hostID)
    }

    /// The `configurations` that operators know from Neutron's agents.
    private static func configuration(of type: AgentType, _ registration: HostStatus.Registration) -> String {
        let interfaces = JSONValue.object(registration.physicalNetworks.mapValues(JSONValue.string))
        var members: [String: JSONValue] = ["start_id": .string(registration.startID), "state_path": .string(registration.stateDirectory)]
        switch type {
        case .linuxBridge:
            members["interface_mappings"] = interfaces
            members["bridge_mappings"] = [:]
            members["tunnel_types"] = registration.tunnelAddress == nil ? [] : ["vxlan"]
            members["tunneling_ip"] = registration.tunnelAddress.map { .string($0.description) } ?? .null
            members["l2_population"] = true
        case .dhcp:
            members["dhcp_driver"] = "dnsmasq"
            members["dhcp_lease_duration"] = 86400
            members[Agent.servesMetadataKey] = .bool(registration.servesMetadata ?? true)
        case .l3:
            members["agent_mode"] = "legacy"
            members["handle_internal_only_routers"] = true
        }
        return JSONValue.object(members).text
    }

    // MARK: What waits for agents

    /// Schedules what had no agent, as far as a transaction should (``Operations/maintain(_:)`` goes on with the rest), and binds ports that the host could not realise before.
    func schedulePending(_ hostID: String? = nil) throws {
        if let hostID { try rebindFailed(on: hostID) }
        for networkID in try unservedNetworks(after: "", limit: Self.maximumPending) {
            guard let network = try find(Network.self, networkID) else { continue }
            try tolerate { _ = try addDHCPAgents(to: network) }
        }
        for routerID in try incompleteRouters(after: "", limit: Self.maximumPending) {
            guard let router = try find(Router.self, routerID) else { continue }
            try tolerate { _ = try scheduleRouter(router) }
        }
    }

    /// One of many things to do, of which each is somebody else's: one that cannot be done, such as DHCP for a network whose addresses ran out,
    /// leaves nothing behind, and stops neither the others nor the host or the administrator who asked.
    func tolerate(_ body: () throws -> Void) throws {
        do { try transaction.part(body) } catch is APIError {}
    }

    /// Networks that have fewer agents for DHCP than they shall have and there are. By their ids.
    func unservedNetworks(after id: String, limit: Int) throws -> [ResourceID] {
        let wanted = min(try livingAgents(.dhcp).count, settings.dhcpAgentsPerNetwork)
        guard wanted > 0 else { return [] }
        return try transaction.rows(
            "SELECT DISTINCT s.network_id FROM subnets s WHERE s.network_id > ? AND s.enable_dhcp = 1 AND (s.ip_version = 4 "
                + "OR COALESCE(s.ipv6_address_mode, 'slaac') <> 'slaac' OR (s.ipv6_address_mode IS NULL AND s.ipv6_ra_mode IS NULL)) AND "
                + "(SELECT COUNT(*) FROM dhcp_bindings b WHERE b.network_id = s.network_id) < ? ORDER BY s.network_id LIMIT ?",
            [.text(id), .integer(wanted), .integer(limit)]
        ).compactMap { $0[0].id }
    }

    /// Routers that have fewer members than they shall have and there are agents for. By their ids. A standalone router that an administrator
    /// took from its agent waits for the administrator.
    func incompleteRouters(after id: String, limit: Int) throws -> [ResourceID] {
        let agents = try livingAgents(.l3).count
        guard agents > 0 else { return [] }
        let wanted = settings.maximumL3AgentsPerRouter == 0 ? agents : min(agents, settings.maximumL3AgentsPerRouter)
        return try transaction.rows(
            "SELECT r.id FROM routers r WHERE r.id > ? AND (SELECT COUNT(*) FROM router_members m WHERE m.router_id = r.id) "
                + "< CASE WHEN r.ha = 1 THEN ? ELSE 1 END "
                + "AND (r.ha = 1 OR NOT EXISTS (SELECT 1 FROM router_exclusions e WHERE e.router_id = r.id)) ORDER BY r.id LIMIT ?",
            [.text(id), .integer(wanted), .integer(limit)]
        ).compactMap { $0[0].id }
    }

    private func rebindFailed(on hostID: String) throws {
        for var port in try list(Port.self, where: "binding_host_id", hostID) where port.vifType == Self.failedVIFType {
            try bind(&port, on: try existing(Network.self, port.networkID))
            guard port.vifType != Self.failedVIFType else { continue }
            if port.status != .active { try block(&port, isNew: false) }
            try save(&port)
        }
    }

    // MARK: Ports

    private func note(_ report: HostStatus.PortReport, from hostID: String) throws {
        switch report.state {
        case .up: try acknowledge(report, from: hostID)
        case .down, .failed: try lower(report, from: hostID)
        }
    }

    /// One component has done its part as the port now asks it; the last one makes the port ACTIVE. The status is the server's, so the
    /// revision number stays: a host that reported a revision has not to do it again. A report of an older revision says nothing: the host
    /// has still to hear of the newer one, and reports that.
    private func acknowledge(_ report: HostStatus.PortReport, from hostID: String) throws {
        let removed = try transaction.execute(
            "DELETE FROM port_blocks WHERE port_id = ? AND component = ? AND (host_id = ? OR host_id = '') "
                + "AND EXISTS (SELECT 1 FROM ports p WHERE p.id = port_id AND p.revision_number <= ?)",
            [report.portID.columnValue, .text(report.component.rawValue), .text(hostID), .integer(report.revision)])
        guard removed > 0 else { return try noteWiredAhead(report, from: hostID, isWired: true) }
        let rest = try transaction.rows("SELECT 1 FROM port_blocks WHERE port_id = ? LIMIT 1", [report.portID.columnValue])
        guard rest.isEmpty, var port = try find(Port.self, report.portID), port.status != .active, port.isAdminStateUp else { return }
        port.status = .active
        try transaction.update(port)
    }

    /// The host that has the port lost it, such as an instance's device: it must be acknowledged again.
    private func lower(_ report: HostStatus.PortReport, from hostID: String) throws {
        guard report.component == .l2, var port = try find(Port.self, report.portID) else { return }
        guard port.hostID == hostID else { return try noteWiredAhead(report, from: hostID, isWired: false) }
        guard port.status == .active else { return }
        try block(&port, isNew: false)
        if !DeviceOwner.isNetworkOwned(port.deviceOwner) {
            // Of an instance's port only the wiring was lost: DHCP has nothing to say anew.
            try transaction.execute(
                "DELETE FROM port_blocks WHERE port_id = ? AND component <> ?", [port.id.columnValue, .text(report.component.rawValue)])
        }
        try transaction.update(port)
    }

    /// A host that waits for an instance wired its device, or lost it again: Nova is told, the port's status stays its own host's.
    private func noteWiredAhead(_ report: HostStatus.PortReport, from hostID: String, isWired: Bool) throws {
        guard report.component == .l2,
            try !transaction.rows(
                "SELECT 1 FROM ports WHERE id = ? AND binding_host_id <> ? AND inactive_bindings <> '[]'",
                [report.portID.columnValue, .text(hostID)]
            ).isEmpty, var port = try find(Port.self, report.portID),
            let position = port.inactiveBindings.firstIndex(where: { $0.hostID == hostID && $0.isWired != isWired })
        else { return }
        port.inactiveBindings[position].isWired = isWired
        try transaction.update(port)
    }
}
