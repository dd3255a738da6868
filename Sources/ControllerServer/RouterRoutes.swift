import APISchema
import AccessPolicy
import Hummingbird
import NetworkModel
import Operations

/// The actions of routers, and who realises which router (`l3_agent_scheduler`) or serves which network (`dhcp_agent_scheduler`).
struct RouterRoutes: Sendable {
    let operations: Operations

    func addRoutes(to router: APIRouter) {
        router.put("/v2.0/routers/:id/add_router_interface") { request, context in
            answer(
                try await operations.addRouterInterface(
                    context.id, body: request.jsonObject(), ifMatch: request.revisionConstraint(), caller: context.caller))
        }
        router.put("/v2.0/routers/:id/remove_router_interface") { request, context in
            answer(
                try await operations.removeRouterInterface(
                    context.id, body: request.jsonObject(), ifMatch: request.revisionConstraint(), caller: context.caller))
        }
        router.put("/v2.0/routers/:id/add_extraroutes") { request, context in
            let changed = try await operations.addExtraRoutes(
                context.id, body: request.jsonObject(), ifMatch: request.revisionConstraint(), caller: context.caller)
            return try await operations.answer(changed, to: context.caller)
        }
        router.put("/v2.0/routers/:id/remove_extraroutes") { request, context in
            let changed = try await operations.removeExtraRoutes(
                context.id, body: request.jsonObject(), ifMatch: request.revisionConstraint(), caller: context.caller)
            return try await operations.answer(changed, to: context.caller)
        }
        for action in GatewayAction.allCases {
            router.put("/v2.0/routers/:id/\(action.rawValue)") { request, context in
                let changed = try await operations.changeGateways(
                    context.id, action, body: request.jsonObject(), caller: context.caller)
                return try await operations.answer(changed, to: context.caller)
            }
        }
        router.get("/v2.0/floatingip_pools") { request, context in
            let page = try operations.page(.floatingIPPools, called: "floatingip_pools", of: request)
            let pools = try await operations.floatingIPPools(caller: context.caller)
            return page.answer(
                pools, name: { $0.subnetID.description }, text: { $0.text(of: $1) },
                write: { $0.write(fields: $1, to: &$2) })
        }
        router.get("/v2.0/routers/:id/l3-agents") { request, context in
            let agents = try await operations.agents(ofRouter: context.id, caller: context.caller)
            return try await answer(agents, fields: request.fields, to: context.caller)
        }
        router.get("/v2.0/agents/:id/l3-routers") { request, context in
            let routers = try await operations.routers(ofAgent: context.id, caller: context.caller)
            return try await operations.answer(routers, fields: request.fields, to: context.caller)
        }
        router.post("/v2.0/agents/:id/l3-routers") { request, context in
            guard let id = try await request.jsonObject()["router_id"]?.stringValue else {
                throw APIError.badRequest("Invalid input for router_id. Reason: a router's id is required.")
            }
            try await operations.addRouter(id, toAgent: context.id, caller: context.caller)
            return Response.nothingCreated
        }
        router.delete("/v2.0/agents/:id/l3-routers/:router") { _, context in
            try await operations.removeRouter(context.parameters.get("router") ?? "", fromAgent: context.id, caller: context.caller)
            return Response.noContent
        }
        router.get("/v2.0/agents/:id/dhcp-networks") { request, context in
            let networks = try await operations.networks(ofAgent: context.id, caller: context.caller)
            return try await operations.answer(networks, fields: request.fields, to: context.caller)
        }
        router.post("/v2.0/agents/:id/dhcp-networks") { request, context in
            guard let id = try await request.jsonObject()["network_id"]?.stringValue else {
                throw APIError.badRequest("Invalid input for network_id. Reason: a network's id is required.")
            }
            try await operations.addNetwork(id, toAgent: context.id, caller: context.caller)
            return Response.nothingCreated
        }
        router.delete("/v2.0/agents/:id/dhcp-networks/:network") { _, context in
            try await operations.removeNetwork(context.parameters.get("network") ?? "", fromAgent: context.id, caller: context.caller)
            return Response.noContent
        }
        router.get("/v2.0/networks/:id/dhcp-agents") { request, context in
            let agents = try await operations.agents(ofNetwork: context.id, caller: context.caller)
            return try await operations.answer(agents, fields: request.fields, to: context.caller)
        }
    }

    private func answer(_ interface: RouterInterface) -> Response {
        var writer = JSONWriter()
        interface.write(to: &writer)
        return .json(writer)
    }

    /// Agents with the extra member `ha_state`, null for a standalone router.
    private func answer(_ agents: [RouterAgent], fields: Set<String>, to caller: Caller) async throws -> Response {
        let shown = try await operations.shownAttributes(of: agents.map(\.agent), fields: fields, caller: caller)
        var writer = JSONWriter(reservingCapacity: 4096)
        writer.object { writer in
            writer.key("agents")
            writer.array { writer in
                for member in agents {
                    Agent.table.write(member.agent, shown[member.agent.id], to: &writer) { writer in
                        guard fields.isEmpty || fields.contains("ha_state") else { return }
                        writer.key("ha_state")
                        if let state = member.state { writer.string(state.rawValue) } else { writer.null() }
                    }
                }
            }
        }
        return .json(writer)
    }
}
