import APISchema
import NetworkModel
import Store

// Which agents realise a router: one for a standalone router, up to the wished number for a highly available one.

extension Verb {
    /// VRRP priorities of the members in the order of their choice. The steps keep the times at which two backups take over apart: RFC 9568's
    /// skew is (256 - priority) / 256 of the interval.
    private static let priorities = Array(stride(from: 254, through: 14, by: -20))
    /// For more members than there are steps.
    private static let lowestPriority = 1

    /// Gives the router the agents that it lacks, as far as there are any.
    func scheduleRouter(_ router: Router) throws {
        guard router.status != .error else { return }
        var members = try members(of: router.id)
        let wanted = wantedMembers(router) - members.count
        guard wanted > 0 else { return }
        let taken = Set(members.map(\.agentID))
        let network = router.isHighlyAvailable ? try existingHANetwork(of: router.projectID) : nil
        let loads = try memberLoads()
        let candidates = try livingAgents(.l3).filter { agent in
            guard !taken.contains(agent.id) else { return false }
            return try network.map { try reaches($0, from: agent.hostID) } ?? true
        }
        let chosen = shuffled(candidates).sorted { loads.members[$0.id, default: 0] < loads.members[$1.id, default: 0] }.prefix(wanted)
        // The first member is the preferred master: the host that is it least often.
        for agent in chosen.sorted(by: { loads.preferred[$0.id, default: 0] < loads.preferred[$1.id, default: 0] }) {
            members.append(try addMember(agent, to: router, beside: members, on: network))
        }
        if !router.isHighlyAvailable, let member = members.first { try moveRouterPorts(of: router.id, to: member.hostID) }
    }

    func wantedMembers(_ router: Router) -> Int {
        guard router.isHighlyAvailable else { return 1 }
        return settings.maximumL3AgentsPerRouter == 0 ? Int.max : settings.maximumL3AgentsPerRouter
    }

    @discardableResult
    func addMember(_ agent: Agent, to router: Router, beside members: [RouterMember], on network: Network?) throws -> RouterMember {
        var member = RouterMember(routerID: router.id, agentID: agent.id, hostID: agent.hostID)
        let taken = Set(members.map(\.priority))
        member.priority = Self.priorities.first { !taken.contains($0) } ?? Self.lowestPriority
        if let network { member.haPortID = try createHAPort(for: router, on: network, hostID: agent.hostID).id }
        _ = try transaction.insertIfAbsent(
            table: "router_members", columns: ["router_id", "agent_id", "host_id", "ha_port_id", "state", "priority"],
            values: [
                router.id.columnValue, agent.id.columnValue, .text(agent.hostID), member.haPortID.columnValue,
                .text(member.state.rawValue), .integer(member.priority),
            ])
        transaction.appendChange(kind: "router_members", id: "\(router.id)/\(agent.hostID)")
        return member
    }

    func removeMember(_ member: RouterMember) throws {
        try transaction.execute(
            "DELETE FROM router_members WHERE router_id = ? AND agent_id = ?", [member.routerID.columnValue, member.agentID.columnValue])
        transaction.appendChange(kind: "router_members", id: "\(member.routerID)/\(member.hostID)", isDrop: true)
        if let portID = member.haPortID, let port = try find(Port.self, portID) { try dropPort(port) }
    }

    /// Highest priority first.
    func members(of routerID: ResourceID) throws -> [RouterMember] {
        try transaction.rows(
            "SELECT agent_id, host_id, ha_port_id, state, priority FROM router_members WHERE router_id = ? ORDER BY priority DESC, host_id",
            [routerID.columnValue]
        ).compactMap { row in
            guard let agentID = row[0].id, let hostID = row[1].text else { return nil }
            var member = RouterMember(routerID: routerID, agentID: agentID, hostID: hostID, haPortID: row[2].id)
            member.state = row[3].text.flatMap { HAState(rawValue: $0) } ?? .unknown
            member.priority = row[4].integer ?? Self.lowestPriority
            return member
        }
    }

    /// Where the router's packets go through: its only member, or the VRRP master; nil while nobody is it.
    func activeHost(of router: Router) throws -> String? {
        let members = try members(of: router.id)
        return router.isHighlyAvailable ? members.first { $0.state == .active }?.hostID : members.first?.hostID
    }

    /// Binds the router's ports to the host that has them now, as other hosts send their packets there. That is no change of the ports
    /// themselves, so their revision numbers stay.
    func moveRouterPorts(of routerID: ResourceID, to hostID: String) throws {
        for var port in try routerPorts(of: routerID) where port.hostID != hostID {
            port.hostID = hostID
            try bind(&port, on: try existing(Network.self, port.networkID))
            try transaction.update(port)
        }
    }

    private func memberLoads() throws -> (members: [ResourceID: Int], preferred: [ResourceID: Int]) {
        var loads: (members: [ResourceID: Int], preferred: [ResourceID: Int]) = ([:], [:])
        let rows = try transaction.rows(
            "SELECT agent_id, COUNT(*), SUM(CASE WHEN priority = ? THEN 1 ELSE 0 END) FROM router_members GROUP BY agent_id",
            [.integer(Self.priorities[0])])
        for row in rows {
            guard let id = row[0].id else { continue }
            loads.members[id] = row[1].integer ?? 0
            loads.preferred[id] = row[2].integer ?? 0
        }
        return loads
    }

    private func shuffled(_ agents: [Agent]) -> [Agent] {
        var generator = random
        return agents.shuffled(using: &generator)
    }
}
