import APISchema
import NetworkModel
import Store

// Which agents realise a router: one for a standalone router, up to the wished number for a highly available one.

extension Verb {
    /// Gives the router the agents that it lacks, as far as there are any. Returns whether it got one.
    @discardableResult
    func scheduleRouter(_ router: Router) throws -> Bool {
        let members = try members(of: router.id)
        let wanted = wantedMembers(router) - members.count
        guard wanted > 0 else { return false }
        let network = router.isHighlyAvailable ? try haNetwork(of: router.projectID) : nil
        let excluded = try excludedAgents(of: router.id)
        let added = try addMembers(wanted, to: router, beside: members, on: network, excluding: excluded)
        if !router.isHighlyAvailable, let member = added.first { try moveRouterPorts(of: router.id, to: member.hostID) }
        return !added.isEmpty
    }

    func wantedMembers(_ router: Router) -> Int {
        guard router.isHighlyAvailable else { return 1 }
        return settings.maximumL3AgentsPerRouter == 0 ? Int.max : settings.maximumL3AgentsPerRouter
    }

    /// Adds as many members as there are agents for, up to a number. They come after those that are there.
    ///
    /// - Parameter excluded: agents that shall not have the router, beside those that have it.
    @discardableResult
    func addMembers(
        _ count: Int, to router: Router, beside members: [RouterMember], on network: Network?, excluding excluded: Set<ResourceID> = []
    ) throws -> [RouterMember] {
        let candidates = try candidates(for: router, on: network, without: excluded.union(members.map(\.agentID)))
        guard !candidates.isEmpty else { return [] }
        var all = members
        for candidate in RouterPlacement.choose(count, from: candidates, taken: try zones(of: members)) {
            all.append(try addMember(candidate.agentID, candidate.hostID, to: router, beside: all, on: network))
        }
        return Array(all[members.count...])
    }

    @discardableResult
    func addMember(
        _ agentID: ResourceID, _ hostID: String, to router: Router, beside members: [RouterMember], on network: Network?
    ) throws -> RouterMember {
        var member = RouterMember(routerID: router.id, agentID: agentID, hostID: hostID)
        member.priority = RouterPlacement.joiningPriority(members.map(\.priority))
        if let network { member.haPortID = try createHAPort(for: router, on: network, hostID: hostID).id }
        _ = try transaction.insertIfAbsent(
            table: "router_members", columns: ["router_id", "agent_id", "host_id", "ha_port_id", "state", "priority", "state_since"],
            values: [
                router.id.columnValue, agentID.columnValue, .text(hostID), member.haPortID.columnValue, .text(member.state.rawValue),
                .integer(member.priority), .integer(now.secondsSince1970),
            ])
        transaction.appendChange(kind: "router_members", id: "\(router.id)/\(hostID)")
        return member
    }

    func removeMember(_ member: RouterMember) throws {
        try transaction.execute(
            "DELETE FROM router_members WHERE router_id = ? AND agent_id = ?", [member.routerID.columnValue, member.agentID.columnValue])
        transaction.appendChange(kind: "router_members", id: "\(member.routerID)/\(member.hostID)", isDrop: true)
        if let portID = member.haPortID, let port = try find(Port.self, portID) { try dropPort(port) }
        try refreshStatus(ofRouter: member.routerID)
    }

    /// Gives the members of a group their priorities anew, in the order that they have, those of disabled agents last. It moves no master:
    /// members do not preempt, and a handover is the agents' work. Returns whether any changed.
    @discardableResult
    func renumberMembers(of routerID: ResourceID) throws -> Bool {
        let disabled = Set(
            try transaction.rows(
                "SELECT m.agent_id FROM router_members m JOIN agents a ON a.id = m.agent_id WHERE m.router_id = ? AND a.admin_state_up = 0",
                [routerID.columnValue]
            ).compactMap { $0[0].id })
        let members = try members(of: routerID)
        let ordered = members.filter { !disabled.contains($0.agentID) } + members.filter { disabled.contains($0.agentID) }
        var isChanged = false
        for (rank, member) in ordered.enumerated() where member.priority != RouterPlacement.priority(atRank: rank) {
            try transaction.execute(
                "UPDATE router_members SET priority = ? WHERE router_id = ? AND agent_id = ?",
                [.integer(RouterPlacement.priority(atRank: rank)), routerID.columnValue, member.agentID.columnValue])
            transaction.appendChange(kind: "router_members", id: "\(routerID)/\(member.hostID)")
            isChanged = true
        }
        return isChanged
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
            if let priority = row[4].integer { member.priority = priority }
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

    // MARK: Candidates

    /// Agents that are alive, enabled, in the zones that the router asks for, and on hosts that reach its HA network. Shuffled.
    private func candidates(for router: Router, on network: Network?, without taken: Set<ResourceID>) throws -> [RouterPlacement.Candidate]
    {
        let zones = Set(router.availabilityZoneHints.isEmpty ? settings.defaultAvailabilityZones : router.availabilityZoneHints)
        let loads = try memberLoads()
        let agents = try livingAgents(.l3).filter { agent in
            guard !taken.contains(agent.id), zones.isEmpty || zones.contains(agent.zone) else { return false }
            return try network.map { try reaches($0, from: agent.hostID) } ?? true
        }
        var generator = random
        return agents.shuffled(using: &generator).map { agent in
            RouterPlacement.Candidate(
                agentID: agent.id, hostID: agent.hostID, zone: agent.zone, memberCount: loads.members[agent.id, default: 0],
                preferredCount: loads.preferred[agent.id, default: 0])
        }
    }

    private func zones(of members: [RouterMember]) throws -> [String: Int] {
        try members.reduce(into: [:]) { counts, member in
            guard let agent = try find(Agent.self, member.agentID) else { return }
            counts[agent.zone, default: 0] += 1
        }
    }

    private func memberLoads() throws -> (members: [ResourceID: Int], preferred: [ResourceID: Int]) {
        var loads: (members: [ResourceID: Int], preferred: [ResourceID: Int]) = ([:], [:])
        let rows = try transaction.rows(
            "SELECT agent_id, COUNT(*), SUM(CASE WHEN priority = ? THEN 1 ELSE 0 END) FROM router_members GROUP BY agent_id",
            [.integer(RouterPlacement.priority(atRank: 0))])
        for row in rows {
            guard let id = row[0].id else { continue }
            loads.members[id] = row[1].integer ?? 0
            loads.preferred[id] = row[2].integer ?? 0
        }
        return loads
    }
}

extension Agent {
    /// The zone, also of agents that name none.
    var zone: String { availabilityZone ?? Self.defaultAvailabilityZone }
}
