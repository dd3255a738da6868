import APISchema
import Addressing
import NetworkModel
import Store

extension Verb {
    /// Gives the network what its subnets with DHCP need: agents up to the wished number, each with a port that has an address in every
    /// such subnet; takes all away when there is none left.
    ///
    /// Where no agent is alive nothing happens: a host that registers asks again (``schedulePending(_:)``).
    func serveDHCP(on network: Network) throws {
        let served = try subnets(of: network).filter(\.isServedByDHCP)
        guard !served.isEmpty else { return try stopDHCP(on: network.id) }
        var bound = try dhcpBindings(of: network.id)
        let missing = settings.dhcpAgentsPerNetwork - bound.count
        for agent in missing > 0 ? try dhcpCandidates(for: network, without: bound).prefix(missing) : [] {
            guard
                try transaction.insertIfAbsent(
                    table: "dhcp_bindings", columns: ["network_id", "agent_id", "host_id"],
                    values: [network.id.columnValue, agent.id.columnValue, .text(agent.hostID)])
            else { continue }
            bound.append((agentID: agent.id, hostID: agent.hostID))
        }
        for binding in bound {
            try completeDHCPPort(on: network, served, hostID: binding.hostID)
            // The record names the port's subnets to the host, so it counts as changed with them.
            transaction.appendChange(kind: "dhcp_bindings", id: "\(network.id)/\(binding.hostID)")
        }
    }

    /// Without a subnet that needs it, DHCP ends, but for the agents that an administrator chose: they wait for one.
    private func stopDHCP(on networkID: ResourceID) throws {
        let manual = try manualDHCPHosts(of: networkID)
        for binding in try dhcpBindings(of: networkID) where !manual.contains(binding.hostID) {
            try dropDHCPBinding(networkID, hostID: binding.hostID)
        }
        for port in try dhcpPorts(of: networkID) { try dropPort(port) }
        for host in manual.sorted() { transaction.appendChange(kind: "dhcp_bindings", id: "\(networkID)/\(host)") }
    }

    /// Gives a network agents for DHCP that it lacks. False, and nothing is written, when none of those that there are can have it.
    func addDHCPAgents(to network: Network) throws -> Bool {
        guard try !dhcpCandidates(for: network, without: dhcpBindings(of: network.id)).isEmpty else { return false }
        try serveDHCP(on: network)
        return true
    }

    /// Takes DHCP off a network: bindings and ports.
    func unscheduleDHCP(_ networkID: ResourceID) throws {
        for binding in try dhcpBindings(of: networkID) { try dropDHCPBinding(networkID, hostID: binding.hostID) }
        for port in try dhcpPorts(of: networkID) { try dropPort(port) }
    }

    /// Takes one host's DHCP off a network.
    func dropDHCPBinding(_ networkID: ResourceID, hostID: String) throws {
        try transaction.execute(
            "DELETE FROM dhcp_bindings WHERE network_id = ? AND host_id = ?", [networkID.columnValue, .text(hostID)])
        transaction.appendChange(kind: "dhcp_bindings", id: "\(networkID)/\(hostID)", isDrop: true)
        for port in try dhcpPorts(of: networkID) where port.hostID == hostID { try dropPort(port) }
    }

    /// Before a subnet goes: its addresses on DHCP ports go, and with the last subnet the service.
    func dropDHCPAddresses(of subnetID: ResourceID, on network: Network) throws {
        for var port in try dhcpPorts(of: network.id) where port.fixedIPs.contains(where: { $0.subnetID == subnetID }) {
            for fixed in port.fixedIPs where fixed.subnetID == subnetID { try release(fixed) }
            port.fixedIPs.removeAll { $0.subnetID == subnetID }
            try save(&port)
        }
        try serveDHCP(on: network)
    }

    /// Gives one host's share of a network's DHCP to another living agent, with the port: its address is what instances have as their server
    /// and resolver until they ask again. False when there is no other, and for a network that an administrator put on the agent.
    @discardableResult
    func moveDHCP(of networkID: ResourceID, from agentID: ResourceID) throws -> Bool {
        let bound = try dhcpBindings(of: networkID)
        guard let network = try find(Network.self, networkID), let old = bound.first(where: { $0.agentID == agentID }),
            try !manualDHCPHosts(of: networkID).contains(old.hostID), let agent = try dhcpCandidates(for: network, without: bound).first
        else { return false }
        try transaction.execute(
            "UPDATE dhcp_bindings SET agent_id = ?, host_id = ? WHERE network_id = ? AND agent_id = ?",
            [agent.id.columnValue, .text(agent.hostID), networkID.columnValue, agentID.columnValue])
        transaction.appendChange(kind: "dhcp_bindings", id: "\(networkID)/\(old.hostID)", isDrop: true)
        let deviceID = dhcpDeviceID(hostID: old.hostID, networkID: networkID)
        if var port = try dhcpPorts(of: networkID).first(where: { $0.deviceID == deviceID }) {
            port.deviceID = dhcpDeviceID(hostID: agent.hostID, networkID: networkID)
            port.hostID = agent.hostID
            try bind(&port, on: network)
            try block(&port, isNew: false)
            try save(&port)
        }
        try serveDHCP(on: network)
        return true
    }

    func dhcpBindings(of networkID: ResourceID) throws -> [(agentID: ResourceID, hostID: String)] {
        try transaction.rows("SELECT agent_id, host_id FROM dhcp_bindings WHERE network_id = ? ORDER BY host_id", [networkID.columnValue])
            .compactMap { row in
                guard let agentID = row[0].id, let hostID = row[1].text else { return nil }
                return (agentID: agentID, hostID: hostID)
            }
    }

    private func dhcpPorts(of networkID: ResourceID) throws -> [Port] {
        var query = ListQuery()
        query.filters = [.column("network_id", [networkID.columnValue]), .column("device_owner", [.text(DeviceOwner.dhcp)])]
        return try transaction.list(Port.self, query)
    }

    /// Living DHCP agents whose hosts reach the network, those with the fewest networks first.
    private func dhcpCandidates(for network: Network, without bound: [(agentID: ResourceID, hostID: String)]) throws -> [Agent] {
        var loads: [ResourceID: Int] = [:]
        for row in try transaction.rows("SELECT agent_id, COUNT(*) FROM dhcp_bindings GROUP BY agent_id") {
            if let id = row[0].id { loads[id] = row[1].integer ?? 0 }
        }
        let taken = try excludedDHCPAgents(of: network.id).union(bound.map(\.agentID))
        let zones = Set(network.availabilityZoneHints.isEmpty ? settings.defaultAvailabilityZones : network.availabilityZoneHints)
        let candidates = try livingAgents(.dhcp).filter { agent in
            try !taken.contains(agent.id) && (zones.isEmpty || zones.contains(agent.zone)) && reaches(network, from: agent.hostID)
        }
        return candidates.sorted { (loads[$0.id] ?? 0, $0.hostID) < (loads[$1.id] ?? 0, $1.hostID) }
    }

    private func completeDHCPPort(on network: Network, _ served: [Subnet], hostID: String) throws {
        let deviceID = dhcpDeviceID(hostID: hostID, networkID: network.id)
        guard var port = try dhcpPorts(of: network.id).first(where: { $0.deviceID == deviceID }) else {
            var port = Port(id: newID(), projectID: network.projectID, networkID: network.id, mac: try newMAC(on: network.id))
            port.deviceOwner = DeviceOwner.dhcp
            port.deviceID = deviceID
            port.isPortSecurityEnabled = false
            port.hostID = hostID
            try insertPort(&port, on: network, served, served.map { AddressRequest(subnetID: $0.id) })
            return
        }
        let servedIDs = Set(served.map(\.id))
        let stale = port.fixedIPs.filter { !servedIDs.contains($0.subnetID) }
        let missing = served.filter { subnet in !port.fixedIPs.contains { $0.subnetID == subnet.id } }
        guard !stale.isEmpty || !missing.isEmpty else { return }
        for fixed in stale { try release(fixed) }
        port.fixedIPs.removeAll { !servedIDs.contains($0.subnetID) }
        try allocateAddresses(for: &port, in: served, missing.map { AddressRequest(subnetID: $0.id) })
        try save(&port)
    }

    /// The name of a DHCP port's device: `dhcp`, the UUID of the host's short name, `-`, the network. The same on every start, so that an agent
    /// finds its port again.
    private func dhcpDeviceID(hostID: String, networkID: ResourceID) -> String {
        let shortName = hostID.prefix { $0 != "." }
        return "dhcp\(ResourceID(namespace: .dns, name: String(shortName)))-\(networkID)"
    }
}
