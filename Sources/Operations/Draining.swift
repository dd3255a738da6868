import APISchema
import AccessPolicy
import NetworkModel
import Store

// What becomes of an agent's work when an administrator disables it, or when it is dead.

/// What a host still does for others.
public struct HostDuties: Sendable, Hashable {
    /// Highly available routers whose master it is.
    public var masteredRouters = 0
    /// Standalone routers that it realises.
    public var standaloneRouters = 0
    /// Networks that it serves DHCP for.
    public var servedNetworks = 0
    /// Memberships in highly available routers.
    public var memberships = 0

    public init() {}

    /// Whether nothing would be missed if the host stopped now.
    public var isFree: Bool { masteredRouters == 0 && standaloneRouters == 0 && servedNetworks == 0 }
}

extension Operations {
    /// What the host still does, as far as its agents reported.
    public func duties(ofHost hostID: String, caller: Caller) async throws -> HostDuties {
        try await read(caller) { verb in
            var duties = HostDuties()
            let members = try verb.transaction.rows(
                "SELECT state, ha_port_id FROM router_members WHERE host_id = ?", [.text(hostID)])
            for row in members {
                guard row[1].text != nil else {
                    duties.standaloneRouters += 1
                    continue
                }
                duties.memberships += 1
                if row[0].text == HAState.active.rawValue { duties.masteredRouters += 1 }
            }
            let networks = try verb.transaction.rows("SELECT COUNT(*) FROM dhcp_bindings WHERE host_id = ?", [.text(hostID)])
            duties.servedNetworks = networks.first?[0].integer ?? 0
            return duties
        }
    }
}

extension Verb {
    /// Routers and networks that one request moves away from an agent; ``Operations/maintain(_:)`` moves the rest.
    private static let maximumMoves = 100

    /// Takes an agent's work from it after it was disabled. Its members of HA routers stay, with the lowest priorities: that the agent
    /// drains is told to all members, and the handover is theirs. A router that nobody else could take gets members to hand over to.
    func drain(_ agent: Agent) throws {
        switch agent.type {
        case .l3:
            for routerID in try routerIDs(ofAgent: agent.id).prefix(Self.maximumMoves) {
                try tolerate { _ = try relieve(agent.id, ofRouter: routerID) }
            }
        case .dhcp:
            for networkID in try networkIDs(ofAgent: agent.id).prefix(Self.maximumMoves) {
                try tolerate { _ = try relieve(agent.id, ofNetwork: networkID) }
            }
        case .linuxBridge: break
        }
    }

    /// Ends a drain: routers that got other members meanwhile, and use one of them, do without the agent's.
    func dismissSubstituted(_ agent: Agent) throws {
        guard agent.type == .l3 else { return }
        for routerID in try routerIDs(ofAgent: agent.id).prefix(Self.maximumMoves) {
            guard let router = try find(Router.self, routerID) else { continue }
            try removeSurplus(of: router, beside: agent.id)
        }
    }

    /// Moves a standalone router away from an agent that is disabled or dead, or puts the agent's member last in its group, behind new ones
    /// when no other is of use. Returns whether anything changed.
    @discardableResult
    func relieve(_ agentID: ResourceID, ofRouter routerID: ResourceID) throws -> Bool {
        guard let router = try find(Router.self, routerID), let agent = try find(Agent.self, agentID) else { return false }
        guard !agent.isAdminStateUp || !isAlive(agent) else { return false }
        guard router.isHighlyAvailable else { return try moveRouter(router, from: agentID) }
        let isAdded = try addSubstitutes(to: router)
        let isRenumbered = try renumberMembers(of: routerID)
        return isAdded || isRenumbered
    }

    /// The same of a network's DHCP.
    func relieve(_ agentID: ResourceID, ofNetwork networkID: ResourceID) throws -> Bool {
        guard let agent = try find(Agent.self, agentID), !agent.isAdminStateUp || !isAlive(agent) else { return false }
        return try moveDHCP(of: networkID, from: agentID)
    }

    /// Gives a standalone router to another agent; it stays where there is none.
    private func moveRouter(_ router: Router, from agentID: ResourceID) throws -> Bool {
        guard let member = try members(of: router.id).first(where: { $0.agentID == agentID }) else { return false }
        guard let new = try addMembers(1, to: router, beside: [], on: nil, excluding: [agentID]).first else { return false }
        try removeMember(member)
        try moveRouterPorts(of: router.id, to: new.hostID)
        return true
    }

    /// Gives an HA router whose members are all on disabled or dead agents as many on other hosts as it shall have. The old ones are there
    /// until a new one is master: see ``removeSurplus(of:beside:)``.
    private func addSubstitutes(to router: Router) throws -> Bool {
        let members = try members(of: router.id)
        guard try !members.contains(where: { try isOfUse($0) }) else { return false }
        let network = try haNetwork(of: router.projectID)
        let excluded = try excludedAgents(of: router.id)
        return try !addMembers(wantedMembers(router), to: router, beside: members, on: network, excluding: excluded).isEmpty
    }

    /// Takes members from an HA router that has more of them than it shall have, because others stood in for them during a drain: those on
    /// disabled agents, the last ones first, and never the master. Returns whether it had any.
    ///
    /// - Parameter enabled: an agent that was disabled until now; its member may go as well. If that is the master, nobody has taken over, and the others
    ///   are as many too many: the last ones go.
    @discardableResult
    func removeSurplus(of router: Router, beside enabled: ResourceID? = nil) throws -> Bool {
        let members = try members(of: router.id)
        let surplus = members.count - wantedMembers(router)
        guard router.isHighlyAvailable, surplus > 0,
            try members.contains(where: { try $0.state == .active && isOfUse($0) })
        else { return false }
        let backups = members.reversed().filter { $0.state != .active }
        let disabled = try backups.filter { try find(Agent.self, $0.agentID)?.isAdminStateUp == false }
        let isAborted = members.contains { $0.agentID == enabled && $0.state == .active }
        let returned = backups.filter { backup in
            backup.agentID == enabled || isAborted && !disabled.contains { $0.agentID == backup.agentID }
        }
        let removed = (disabled + returned).prefix(surplus)
        for member in removed { try removeMember(member) }
        if !removed.isEmpty { try renumberMembers(of: router.id) }
        return !removed.isEmpty
    }

    /// Whether a member's agent is alive and enabled.
    private func isOfUse(_ member: RouterMember) throws -> Bool {
        try find(Agent.self, member.agentID).map { $0.isAdminStateUp && isAlive($0) } ?? false
    }

    // MARK: What rounds of maintenance find

    /// Routers that agents shall be relieved of: standalone ones of disabled or dead agents, and HA routers whose member on a disabled agent
    /// does not come last, or that no enabled agent could take while there are any. By their ids.
    ///
    /// - Parameter silentSince: agents without a heartbeat since then are dead; nil: none is.
    func drainNeeds(after id: String, silentSince: Timestamp?, limit: Int) throws -> [MaintenanceRound.Need] {
        let silent = ColumnValue.text(silentSince?.description ?? "")
        let dead = settings.movesRoutersFromDeadAgents ? silent : .text("")
        let others =
            "SELECT 1 FROM router_members o JOIN agents b ON b.id = o.agent_id WHERE o.router_id = m.router_id AND b.admin_state_up = 1"
        var reasons = "EXISTS (\(others) AND o.priority < m.priority)"
        var arguments: [ColumnValue] = [.text(id), dead]
        if try !livingAgents(.l3).isEmpty {
            reasons += " OR NOT EXISTS (\(others) AND b.heartbeat_timestamp >= ?)"
            arguments.append(silent)
        }
        return try needs(
            """
            SELECT m.router_id, m.agent_id FROM router_members m JOIN agents a ON a.id = m.agent_id WHERE m.router_id > ? AND
            ((m.ha_port_id IS NULL AND (a.admin_state_up = 0 OR a.heartbeat_timestamp < ?)) OR
            (m.ha_port_id IS NOT NULL AND a.admin_state_up = 0 AND (\(reasons)))) ORDER BY m.router_id LIMIT ?
            """, arguments + [.integer(limit)])
    }

    /// HA routers that ``removeSurplus(of:beside:)`` has something to do for. By their ids.
    func routersWithSurplus(after id: String, limit: Int) throws -> [ResourceID] {
        guard settings.maximumL3AgentsPerRouter > 0 else { return [] }
        return try transaction.rows(
            """
            SELECT DISTINCT m.router_id FROM agents a JOIN router_members m ON m.agent_id = a.id WHERE a.admin_state_up = 0
            AND m.router_id > ? AND m.ha_port_id IS NOT NULL AND m.state <> ?
            AND (SELECT COUNT(*) FROM router_members c WHERE c.router_id = m.router_id) > ?
            AND EXISTS (SELECT 1 FROM router_members o JOIN agents b ON b.id = o.agent_id WHERE o.router_id = m.router_id AND o.state = ?
            AND b.admin_state_up = 1 AND b.heartbeat_timestamp >= ?) ORDER BY m.router_id LIMIT ?
            """,
            [
                .text(id), .text(HAState.active.rawValue), .integer(settings.maximumL3AgentsPerRouter), .text(HAState.active.rawValue),
                oldestLivingHeartbeat.columnValue, .integer(limit),
            ]
        ).compactMap { $0[0].id }
    }
}
