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
    public func report(host: String, status: HostStatus) async throws {
        try await write(.server) { verb in try verb.report(host, status) }
    }
}
