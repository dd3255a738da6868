import APISchema
import HTTPTypes
import Hummingbird
import NetworkModel
import Operations

/// The routes of a resource that is a part of another: `/v2.0/{wholes}/{whole}/{parts}/{part}`, from its table.
struct ChildRoutes<Resource: ChildResource>: Sendable {
    let operations: Operations

    private var table: ResourceTable<Resource> { Resource.table }

    func addRoutes(to router: APIRouter) {
        // Every parameter at that place of a path has the same name, whatever route it belongs to.
        let path = RouterPath("/v2.0/\(Resource.Parent.table.collection)/:id/\(table.collection)")
        let itemPath = RouterPath("/v2.0/\(Resource.Parent.table.collection)/:id/\(table.collection)/:part")
        router.get(path) { request, context in try await answerList(request, context) }
        router.post(path) { request, context in try await answerCreate(request, context) }
        router.get(itemPath) { request, context in
            let part = try await operations.show(Resource.self, context.part, under: context.id, caller: context.caller)
            return try await operations.answer(part, fields: request.fields, to: context.caller)
        }
        router.put(itemPath) { request, context in
            let members = try table.object(in: await request.jsonObject())
            let part: Resource = try await operations.update(
                context.part, .update(members), under: context.id, ifMatch: request.revisionConstraint(), caller: context.caller)
            return try await operations.answer(part, to: context.caller)
        }
        router.delete(itemPath) { request, context in
            try await operations.delete(
                Resource.self, context.part, under: context.id, ifMatch: request.revisionConstraint(), caller: context.caller)
            return Response.noContent
        }
    }

    private func answerList(_ request: Request, _ context: APIContext) async throws -> Response {
        let query = try ListQuery.parse(request.queryParameters, for: Resource.self)
        let parts = try await operations.list(Resource.self, query, under: context.id, caller: context.caller)
        return try await operations.answer(parts, query, of: request, to: context.caller)
    }

    private func answerCreate(_ request: Request, _ context: APIContext) async throws -> Response {
        let body = try await request.jsonObject()
        guard let many = try table.objects(in: body) else {
            let requests = [try ResourceRequest<Resource>.create(table.object(in: body))]
            let created = try await operations.create(
                requests, under: context.id, ifMatch: request.revisionConstraint(), caller: context.caller)
            guard let part = created.first else { preconditionFailure("one request creates one part") }
            return try await operations.answer(part, status: .created, to: context.caller)
        }
        let requests = try many.map { try ResourceRequest<Resource>.create($0) }
        let created = try await operations.create(
            requests, under: context.id, ifMatch: request.revisionConstraint(), caller: context.caller)
        return try await operations.answer(created, status: .created, to: context.caller)
    }
}

extension APIContext {
    /// The id of the part in the path, as the client wrote it.
    fileprivate var part: String { parameters.get("part") ?? "" }
}
