import APISchema
import Hummingbird
import NetworkModel
import Operations

/// `/auto-allocated-topology/{project}`: a network with a way out for who has none.
struct TopologyRoutes: Sendable {
    let operations: Operations

    func addRoutes(to router: APIRouter) {
        router.get("/v2.0/auto-allocated-topology/:id") { request, context in
            let fields = request.fields
            if fields.contains("dry-run") {
                let project = try await operations.checkAutoAllocation(for: context.id, caller: context.caller)
                return answer("dry-run=pass", project)
            }
            guard fields.isSubset(of: ["id", "project_id", "tenant_id"]) else {
                throw APIError(status: 400, type: "BadRequest", message: "Bad auto_allocate request: Unrecognized field.")
            }
            let topology = try await operations.autoAllocatedNetwork(of: context.id, caller: context.caller)
            return answer(topology.networkID.description, topology.projectID, fields)
        }
        router.delete("/v2.0/auto-allocated-topology/:id") { _, context in
            try await operations.deleteAutoAllocatedTopology(of: context.id, caller: context.caller)
            return Response.noContent
        }
    }

    private func answer(_ id: String, _ projectID: String, _ fields: Set<String> = []) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("auto_allocated_topology")
            writer.object { writer in
                for (name, value) in [("id", id), ("project_id", projectID), ("tenant_id", projectID)]
                where fields.isEmpty || fields.contains(name) {
                    writer.key(name)
                    writer.string(value)
                }
            }
        }
        return .json(writer)
    }
}
