import APISchema
import Hummingbird
import Operations

/// `/quotas`: limits per project. Not a resource with a table, because its members are the names of resources.
struct QuotaRoutes: Sendable {
    let operations: Operations

    func addRoutes(to router: APIRouter) {
        // Neutron looks at nothing in the query of this list: no filter, no order, no page, no fields.
        router.get("/v2.0/quotas") { _, context in
            let quotas = try await operations.quotas(caller: context.caller)
            var writer = JSONWriter()
            writer.object { writer in
                writer.key("quotas")
                writer.array { writer in
                    for quota in quotas {
                        writer.object { writer in
                            write(quota.limits, to: &writer)
                            for name in ["project_id", "tenant_id"] {
                                writer.key(name)
                                writer.string(quota.projectID)
                            }
                        }
                    }
                }
            }
            return Response.json(writer)
        }
        router.get("/v2.0/quotas/:id") { _, context in
            // `/quotas/tenant` and `/quotas/project` tell which project the caller's token is for.
            if context.id == "tenant" || context.id == "project" { return try callersProject(context) }
            return answer(try await operations.quota(of: context.id, caller: context.caller))
        }
        router.get("/v2.0/quotas/:id/default") { _, context in
            answer(try await operations.defaultQuota(of: context.id, caller: context.caller))
        }
        for path in ["/v2.0/quotas/:id/details", "/v2.0/quotas/:id/details.json"] {
            router.get(RouterPath(path)) { _, context in
                answer(try await operations.quotaDetails(of: context.id, caller: context.caller))
            }
        }
        router.put("/v2.0/quotas/:id") { request, context in
            guard let body = try await request.jsonObject()["quota"]?.objectValue else {
                throw APIError.badRequest("Unable to find 'quota' in request body")
            }
            return answer(try await operations.updateQuota(of: context.id, body, caller: context.caller))
        }
        router.delete("/v2.0/quotas/:id") { _, context in
            try await operations.deleteQuota(of: context.id, caller: context.caller)
            return Response.noContent
        }
    }

    private func callersProject(_ context: APIContext) throws(APIError) -> Response {
        guard !context.caller.projectID.isEmpty else {
            throw APIError(status: 400, type: "QuotaMissingTenant", message: "Tenant-id was missing from quota request.")
        }
        var writer = JSONWriter()
        writer.object { writer in
            writer.key(context.id)
            writer.object {
                $0.key("\(context.id)_id")
                $0.string(context.caller.projectID)
            }
        }
        return .json(writer)
    }

    private func answer(_ limits: [String: Int]) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("quota")
            writer.object { write(limits, to: &$0) }
        }
        return .json(writer)
    }

    private func answer(_ details: [String: QuotaDetail]) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("quota")
            writer.object { writer in
                for (resource, detail) in details.sorted(by: { $0.key < $1.key }) {
                    writer.key(resource)
                    writer.object { write(["limit": detail.limit, "reserved": detail.reserved, "used": detail.used], to: &$0) }
                }
            }
        }
        return .json(writer)
    }

    private func write(_ numbers: [String: Int], to writer: inout JSONWriter) {
        for (name, number) in numbers.sorted(by: { $0.key < $1.key }) {
            writer.key(name)
            writer.integer(number)
        }
    }
}
