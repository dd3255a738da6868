import APISchema
import HTTPTypes
import Hummingbird
import NetworkModel
import Operations

/// The bindings of one port to hosts: `/v2.0/ports/{id}/bindings/{host}` and its action `activate`.
struct PortBindingRoutes: Sendable {
    let operations: Operations

    func addRoutes(to router: APIRouter) {
        let path = RouterPath("/v2.0/ports/:id/bindings")
        let itemPath = RouterPath("/v2.0/ports/:id/bindings/:host")
        router.get(path) { request, context in
            let query = try ListQuery.parse(request.queryParameters, for: PortBinding.self)
            let bindings = try await operations.bindings(ofPort: context.id, query, caller: context.caller)
            return try await answer(bindings, of: context, fields: query.fields)
        }
        router.post(path) { request, context in
            let body = try ResourceRequest<PortBinding>.create(object(in: await request.jsonObject()))
            let created = try await operations.createBinding(
                ofPort: context.id, body, ifMatch: request.revisionConstraint(), caller: context.caller)
            return try await answer(created, of: context, status: .created)
        }
        router.get(itemPath) { request, context in
            let binding = try await operations.binding(ofPort: context.id, to: context.host, caller: context.caller)
            return try await answer(binding, of: context, fields: request.fields)
        }
        router.put(itemPath) { request, context in
            let body = try ResourceRequest<PortBinding>.update(object(in: await request.jsonObject()))
            let changed = try await operations.updateBinding(
                ofPort: context.id, to: context.host, body, ifMatch: request.revisionConstraint(), caller: context.caller)
            return try await answer(changed, of: context)
        }
        router.delete(itemPath) { request, context in
            try await operations.deleteBinding(
                ofPort: context.id, to: context.host, ifMatch: request.revisionConstraint(), caller: context.caller)
            return Response.noContent
        }
        router.put("/v2.0/ports/:id/bindings/:host/activate") { request, context in
            let binding = try await operations.activateBinding(
                ofPort: context.id, to: context.host, ifMatch: request.revisionConstraint(), caller: context.caller)
            return try await answer(binding, of: context)
        }
    }

    private func answer(
        _ binding: PortBinding, of context: APIContext, fields: Set<String> = [], status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let shown = try await operations.selections(of: [binding], ofPort: context.id, fields: fields, caller: context.caller)
        var writer = JSONWriter()
        writer.object { writer in
            writer.key(PortBinding.table.singular)
            for selection in shown { PortBinding.table.write(binding, selection, to: &writer) }
        }
        return .json(writer, status: status)
    }

    private func answer(_ bindings: [PortBinding], of context: APIContext, fields: Set<String>) async throws -> Response {
        let shown = try await operations.selections(of: bindings, ofPort: context.id, fields: fields, caller: context.caller)
        var writer = JSONWriter()
        writer.object { writer in
            writer.key(PortBinding.table.plural)
            writer.array { writer in
                for (binding, selection) in zip(bindings, shown) { PortBinding.table.write(binding, selection, to: &writer) }
            }
        }
        return .json(writer)
    }

    private func object(in body: [String: JSONValue]) throws -> [String: JSONValue] {
        guard let members = body[PortBinding.table.singular]?.objectValue else {
            throw APIError.badRequest("Unable to find '\(PortBinding.table.singular)' in request body")
        }
        return members
    }
}

extension APIContext {
    /// The host in the path, percent-decoded.
    fileprivate var host: String {
        let text = parameters.get("host") ?? ""
        return text.removingPercentEncoding ?? text
    }
}
