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
    /// drains is told to all members, and the handover is theirs.
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

    /// Moves a standalone router away from an agent that is disabled or dead, or puts the agent's member last in its group. Returns whether
    /// anything changed.
    @discardableResult
    func relieve(_ agentID: ResourceID, ofRouter routerID: ResourceID) throws -> Bool {
        guard let router = try find(Router.self, routerID), let agent = try find(Agent.self, agentID) else { return false }
        guard !agent.isAdminStateUp || !isAlive(agent) else { return false }
        return router.isHighlyAvailable ? try renumberMembers(of: routerID) : try moveRouter(router, from: agentID)
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

    /// Replaces a member of an HA router whose agent is dead. It is removed once the router has as many living members as it shall have, or
    /// one more; so a router never has fewer than before. Returns whether it was.
    func replaceMember(of router: Router, on agentID: ResourceID) throws -> Bool {
        let members = try members(of: router.id)
        guard router.isHighlyAvailable, let lost = members.first(where: { $0.agentID == agentID }) else { return false }
        let living = try members.filter { try find(Agent.self, $0.agentID).map(isAlive) ?? false }
        guard !living.contains(lost) else { return false }
        let network = try haNetwork(of: router.projectID)
        guard try living.count >= wantedMembers(router) || !addMembers(1, to: router, beside: members, on: network).isEmpty else {
            return false
        }
        try removeMember(lost)
        try renumberMembers(of: router.id)
        return true
    }
}
