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
            return Response.resources(bindings, fields: query.fields)
        }
        router.post(path) { request, context in
            let body = try ResourceRequest<PortBinding>.create(object(in: await request.jsonObject()))
            return Response.resource(
                try await operations.createBinding(ofPort: context.id, body, caller: context.caller), status: .created)
        }
        router.get(itemPath) { request, context in
            Response.resource(
                try await operations.binding(ofPort: context.id, to: context.host, caller: context.caller), fields: request.fields)
        }
        router.put(itemPath) { request, context in
            let body = try ResourceRequest<PortBinding>.update(object(in: await request.jsonObject()))
            return Response.resource(
                try await operations.updateBinding(ofPort: context.id, to: context.host, body, caller: context.caller))
        }
        router.delete(itemPath) { _, context in
            try await operations.deleteBinding(ofPort: context.id, to: context.host, caller: context.caller)
            return Response.noContent
        }
        router.put("/v2.0/ports/:id/bindings/:host/activate") { _, context in
            Response.resource(try await operations.activateBinding(ofPort: context.id, to: context.host, caller: context.caller))
        }
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
