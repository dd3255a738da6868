import NetworkModel
import Store

// Members of HA routers that are of no use for longer than they should be: their agents are dead, or live and cannot realise the router.

extension Verb {
    /// Replaces a member of an HA router whose agent is dead, or which has failed for too long. It is removed once the router has as many
    /// useful members as it shall have, or one more; so a router never has fewer than before. Returns whether it was.
    ///
    /// - Parameter distrusted: agents that do not get what fails elsewhere.
    func replaceMember(of router: Router, on agentID: ResourceID, distrusted: Set<ResourceID>) throws -> Bool {
        let members = try members(of: router.id)
        guard router.isHighlyAvailable, let lost = members.first(where: { $0.agentID == agentID }) else { return false }
        let living = try members.filter { try find(Agent.self, $0.agentID).map(isAlive) ?? false }
        guard living.contains(lost) else { return try replace(lost, of: router, members, useful: living) }
        return try replaceFailing(lost, of: router, members, living, distrusted)
    }

    /// A router that none of its members can realise would fail elsewhere, too; and a host that fails at any router is no remedy.
    private func replaceFailing(
        _ lost: RouterMember, of router: Router, _ members: [RouterMember], _ living: [RouterMember], _ distrusted: Set<ResourceID>
    ) throws -> Bool {
        let failing = Set(
            try transaction.rows("SELECT agent_id FROM router_members WHERE router_id = ? AND failure IS NOT NULL", [router.id.columnValue])
                .compactMap { $0[0].id })
        let sound = living.filter { !failing.contains($0.agentID) }
        guard failing.contains(lost.agentID), !sound.isEmpty else { return false }
        let unfit = try transaction.rows("SELECT DISTINCT agent_id FROM router_members WHERE failure IS NOT NULL").compactMap { $0[0].id }
        return try replace(lost, of: router, members, useful: sound, excluding: distrusted.union(unfit))
    }

    private func replace(
        _ lost: RouterMember, of router: Router, _ members: [RouterMember], useful: [RouterMember], excluding unfit: Set<ResourceID> = []
    ) throws -> Bool {
        let network = try haNetwork(of: router.projectID)
        let excluded = unfit.union(try excludedAgents(of: router.id))
        guard
            try useful.count >= wantedMembers(router)
                || !addMembers(1, to: router, beside: members, on: network, excluding: excluded).isEmpty
        else { return false }
        try removeMember(lost)
        try renumberMembers(of: router.id)
        return true
    }

    // MARK: What rounds of maintenance find

    /// Members whose agents have sent no heartbeat since then. By the ids of their routers.
    func lostMembers(after id: String, silentSince: Timestamp, limit: Int) throws -> [MaintenanceRound.Need] {
        try needs(
            """
            SELECT m.router_id, m.agent_id FROM router_members m JOIN agents a ON a.id = m.agent_id WHERE m.router_id > ?
            AND m.ha_port_id IS NOT NULL AND a.heartbeat_timestamp < ? ORDER BY m.router_id LIMIT ?
            """, [.text(id), silentSince.columnValue, .integer(limit)])
    }

    /// Members that have failed for longer than ``ServerSettings/replaceLostMembersAfterSeconds`` on hosts that live, while another living
    /// member of the router does not fail. By the ids of their routers.
    func failingMembers(after id: String, limit: Int) throws -> [MaintenanceRound.Need] {
        let oldest = oldestLivingHeartbeat.columnValue
        return try needs(
            """
            SELECT m.router_id, m.agent_id FROM router_members m JOIN agents a ON a.id = m.agent_id WHERE m.failure IS NOT NULL
            AND m.router_id > ? AND m.failing_since < ? AND m.ha_port_id IS NOT NULL AND a.heartbeat_timestamp >= ?
            AND EXISTS (SELECT 1 FROM router_members o JOIN agents b ON b.id = o.agent_id WHERE o.router_id = m.router_id
            AND o.failure IS NULL AND b.heartbeat_timestamp >= ?) ORDER BY m.router_id LIMIT ?
            """,
            [
                .text(id), .integer(now.secondsSince1970 - settings.replaceLostMembersAfterSeconds), oldest, oldest, .integer(limit),
            ])
    }
}
