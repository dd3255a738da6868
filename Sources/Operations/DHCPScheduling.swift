import APISchema
import AccessPolicy
import NetworkModel
import Store

// Networks that administrators put on DHCP agents and take from them (`dhcp_agent_scheduler`).

extension Operations {
    /// `POST /agents/{id}/dhcp-networks` with `network_id`.
    public func addNetwork(_ networkID: String, toAgent id: String, caller: Caller) async throws {
        try await write(caller) { verb in
            try verb.authorize("create_dhcp-network")
            try verb.addNetwork(networkID, toAgent: id)
        }
    }

    /// `DELETE /agents/{id}/dhcp-networks/{network}`.
    public func removeNetwork(_ networkID: String, fromAgent id: String, caller: Caller) async throws {
        try await write(caller) { verb in
            try verb.authorize("delete_dhcp-network")
            try verb.removeNetwork(networkID, fromAgent: id)
        }
    }
}

extension Verb {
    /// The network stays on the agent until it is taken away: nothing moves it, even while it has no subnet with DHCP.
    fileprivate func addNetwork(_ networkID: String, toAgent id: String) throws {
        let network = try visible(Network.self, networkID)
        let agent = try visible(Agent.self, id)
        guard agent.type == .dhcp, agent.isAdminStateUp else {
            throw APIError.notFound("InvalidDHCPAgent", "Agent \(agent.id) is not a valid DHCP Agent or has been disabled.")
        }
        guard try !dhcpBindings(of: network.id).contains(where: { $0.agentID == agent.id }) else {
            throw APIError.conflict(
                "NetworkHostedByDHCPAgent", "The network \(network.id) has been already hosted by the DHCP Agent \(agent.id).")
        }
        try transaction.execute(
            "DELETE FROM dhcp_exclusions WHERE network_id = ? AND agent_id = ?", [network.id.columnValue, agent.id.columnValue])
        try transaction.execute(
            "INSERT INTO dhcp_bindings (network_id, agent_id, host_id, is_manual) VALUES (?, ?, ?, 1)",
            [network.id.columnValue, agent.id.columnValue, .text(agent.hostID)])
        transaction.appendChange(kind: "dhcp_bindings", id: "\(network.id)/\(agent.hostID)")
        try serveDHCP(on: network)
    }

    /// The agent does not get the network back by itself, and no other takes its place at once: who takes DHCP away wants it gone.
    fileprivate func removeNetwork(_ networkID: String, fromAgent id: String) throws {
        let agent = try visible(Agent.self, id)
        guard let networkID = ResourceID(networkID), try dhcpBindings(of: networkID).contains(where: { $0.agentID == agent.id }) else {
            throw APIError.conflict(
                "NetworkNotHostedByDhcpAgent", "The network \(networkID) is not hosted by the DHCP Agent \(agent.id).")
        }
        try dropDHCPBinding(networkID, hostID: agent.hostID)
        _ = try transaction.insertIfAbsent(
            table: "dhcp_exclusions", columns: ["network_id", "agent_id"], values: [networkID.columnValue, agent.id.columnValue])
    }

    /// Agents that an administrator took the network from.
    func excludedDHCPAgents(of networkID: ResourceID) throws -> Set<ResourceID> {
        Set(
            try transaction.rows("SELECT agent_id FROM dhcp_exclusions WHERE network_id = ?", [networkID.columnValue])
                .compactMap { $0[0].id })
    }

    /// Hosts whose agents an administrator gave the network to.
    func manualDHCPHosts(of networkID: ResourceID) throws -> Set<String> {
        Set(
            try transaction.rows("SELECT host_id FROM dhcp_bindings WHERE network_id = ? AND is_manual = 1", [networkID.columnValue])
                .compactMap { $0[0].text })
    }
}
