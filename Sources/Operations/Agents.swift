import APISchema
import AccessPolicy
import HostModel
import NetworkModel
import Store

/// An agent together with what it is to a router (`GET /routers/{id}/l3-agents`).
public struct RouterAgent: Sendable, Hashable {
    public var agent: Agent
    /// `ha_state`; nil for standalone routers.
    public var state: HAState?
}

extension Operations {
    /// `GET /agents/{id}/l3-routers`.
    public func routers(ofAgent id: String, caller: Caller) async throws -> [Router] {
        try await read(caller) { verb in try verb.routers(ofAgent: id) }
    }

    /// `GET /routers/{id}/l3-agents`.
    public func agents(ofRouter id: String, caller: Caller) async throws -> [RouterAgent] {
        try await read(caller) { verb in try verb.agents(ofRouter: id) }
    }

    /// `GET /agents/{id}/dhcp-networks`.
    public func networks(ofAgent id: String, caller: Caller) async throws -> [Network] {
        try await read(caller) { verb in try verb.networks(ofAgent: id) }
    }

    /// `GET /networks/{id}/dhcp-agents`.
    public func agents(ofNetwork id: String, caller: Caller) async throws -> [Agent] {
        try await read(caller) { verb in try verb.agents(ofNetwork: id) }
    }

    /// `POST /agents/{id}/l3-routers` with `router_id`.
    public func addRouter(_ routerID: String, toAgent id: String, caller: Caller) async throws {
        try await write(caller) { verb in try verb.addRouter(routerID, toAgent: id) }
    }

    /// `DELETE /agents/{id}/l3-routers/{router}`.
    public func removeRouter(_ routerID: String, fromAgent id: String, caller: Caller) async throws {
        try await write(caller) { verb in try verb.removeRouter(routerID, fromAgent: id) }
    }

    /// Takes a host's report (`POST /agent/v1/hosts/{host}/status`): registers or refreshes its agents, notes what was realised, and schedules
    /// what waits for an agent.
    @discardableResult
    public func report(host: String, status: HostStatus) async throws -> [RouterFailureChange] {
        try ReportLimits.check(host, status)
        return try await write(.server) { verb in try verb.report(host, status) }
    }
}

extension Agent: ManagedResource {
    public var revisionNumber: Int? { nil }

    /// Agents register themselves.
    public static func create(_ request: ResourceRequest<Agent>, in verb: Verb) throws -> Agent {
        throw APIError(status: 405, type: "HTTPMethodNotAllowed", message: "The method POST is not allowed for this resource.")
    }

    public static func update(_ agent: Agent, _ request: ResourceRequest<Agent>, in verb: Verb) throws -> Agent {
        var changed = agent
        try request.assign(to: &changed)
        if let description = request["description"] { changed.description = description.stringValue ?? "" }
        try verb.transaction.update(changed)
        if changed.isAdminStateUp, !agent.isAdminStateUp {
            try verb.schedulePending()
            try verb.dismissSubstituted(changed)
        }
        if !changed.isAdminStateUp, agent.isAdminStateUp { try verb.drain(changed) }
        return changed
    }

    /// What the agent realised is taken from it and given to others; a living agent registers anew with its next report.
    public static func delete(_ agent: Agent, in verb: Verb) throws {
        for routerID in try verb.routerIDs(ofAgent: agent.id) {
            for member in try verb.members(of: routerID) where member.agentID == agent.id { try verb.removeMember(member) }
            try verb.renumberMembers(of: routerID)
        }
        for networkID in try verb.networkIDs(ofAgent: agent.id) { try verb.dropDHCPBinding(networkID, hostID: agent.hostID) }
        try verb.transaction.delete(Agent.self, agent.id)
        try verb.schedulePending()
    }

    public func hasComputed(_ attribute: String, oneOf texts: [String]) -> Bool {
        switch attribute {
        case "alive": texts.contains { Bool.filterValue($0) == isAlive.columnValue }
        case "binary": texts.contains(type.binary)
        case "topic": texts.contains(type.topic)
        default: true
        }
    }

    public static func shown(_ agent: Agent, in verb: Verb) -> Agent {
        var agent = agent
        agent.isAlive = verb.isAlive(agent)
        return agent
    }
}

extension Verb {
    func routers(ofAgent id: String) throws -> [Router] {
        try authorize("get_l3-routers")
        return try Router.withComputed(
            try routerIDs(ofAgent: try visible(Agent.self, id).id).compactMap { try find(Router.self, $0) }, in: self)
    }

    func agents(ofRouter id: String) throws -> [RouterAgent] {
        let router = try authorized(Router.self, id, to: "get_l3-agents")
        return try members(of: router.id).compactMap { member in
            guard let agent = try find(Agent.self, member.agentID) else { return nil }
            let shown = Agent.shown(agent, in: self)
            guard router.isHighlyAvailable else { return RouterAgent(agent: shown, state: nil) }
            return RouterAgent(agent: shown, state: shown.isAlive ? member.state : .unknown)
        }
    }

    func networks(ofAgent id: String) throws -> [Network] {
        try authorize("get_dhcp-networks")
        return try Network.withComputed(
            try networkIDs(ofAgent: try visible(Agent.self, id).id).compactMap { try find(Network.self, $0) }, in: self)
    }

    func agents(ofNetwork id: String) throws -> [Agent] {
        let network = try authorized(Network.self, id, to: "get_dhcp-agents")
        return try dhcpBindings(of: network.id).compactMap { binding in
            try find(Agent.self, binding.agentID).map { Agent.shown($0, in: self) }
        }
    }

    func addRouter(_ routerID: String, toAgent id: String) throws {
        try authorize("create_l3-router")
        let agent = try visible(Agent.self, id)
        let router = try visible(Router.self, routerID)
        guard agent.type == .l3, agent.isAdminStateUp else { throw APIError.invalidL3Agent(agent.id) }
        let members = try members(of: router.id)
        guard !members.contains(where: { $0.agentID == agent.id }) else { return }
        if !router.isHighlyAvailable, let host = members.first { throw APIError.routerHosted(router.id, agentID: host.agentID) }
        let network = router.isHighlyAvailable ? try haNetwork(of: router.projectID) : nil
        if let network, try !reaches(network, from: agent.hostID) {
            throw APIError.routerSchedulingFailed(router.id, agentID: agent.id)
        }
        try endExclusion(of: router, from: router.isHighlyAvailable ? agent.id : nil)
        try addMember(agent.id, agent.hostID, to: router, beside: members, on: network)
        if !router.isHighlyAvailable { try moveRouterPorts(of: router.id, to: agent.hostID) }
    }

    func removeRouter(_ routerID: String, fromAgent id: String) throws {
        try authorize("delete_l3-router")
        let agent = try visible(Agent.self, id)
        let router = try visible(Router.self, routerID)
        guard let member = try members(of: router.id).first(where: { $0.agentID == agent.id }) else {
            throw APIError.routerNotHosted(router.id, agentID: agent.id)
        }
        try removeMember(member)
        _ = try transaction.insertIfAbsent(
            table: "router_exclusions", columns: ["router_id", "agent_id"], values: [router.id.columnValue, agent.id.columnValue])
        if router.isHighlyAvailable { try renumberMembers(of: router.id) }
    }

    /// Agents that an administrator took the router from.
    func excludedAgents(of routerID: ResourceID) throws -> Set<ResourceID> {
        Set(
            try transaction.rows("SELECT agent_id FROM router_exclusions WHERE router_id = ?", [routerID.columnValue])
                .compactMap { $0[0].id })
    }

    /// - Parameter agentID: nil: of all agents.
    private func endExclusion(of router: Router, from agentID: ResourceID?) throws {
        try transaction.execute(
            "DELETE FROM router_exclusions WHERE router_id = ?" + (agentID == nil ? "" : " AND agent_id = ?"),
            [router.id.columnValue] + (agentID.map { [$0.columnValue] } ?? []))
    }

    func routerIDs(ofAgent id: ResourceID) throws -> [ResourceID] {
        try transaction.rows("SELECT router_id FROM router_members WHERE agent_id = ? ORDER BY router_id", [id.columnValue]).compactMap {
            $0[0].id
        }
    }

    func networkIDs(ofAgent id: ResourceID) throws -> [ResourceID] {
        try transaction.rows("SELECT network_id FROM dhcp_bindings WHERE agent_id = ? ORDER BY network_id", [id.columnValue])
            .compactMap { $0[0].id }
    }
}
