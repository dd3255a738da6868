import APISchema
import HTTPTypes
import Hummingbird
import NetworkModel
import Operations

/// The routes of one resource, from its table: list, show, create (one or many), update, delete. What each does is an operation.
struct ResourceRoutes<Resource: ManagedResource>: Sendable {
    let operations: Operations
    /// Which of POST, PUT and DELETE the resource has.
    var methods: Set<HTTPRequest.Method> = [.post, .put, .delete]

    private var table: ResourceTable<Resource> { Resource.table }

    func addRoutes(to router: APIRouter) {
        let path = RouterPath("/v2.0/\(table.collection)")
        let itemPath = RouterPath("/v2.0/\(table.collection)/:id")
        router.get(path) { request, context in try await answerList(request, context) }
        router.get(itemPath) { request, context in
            let resource = try await operations.show(Resource.self, context.id, caller: context.caller)
            return try await operations.answer(resource, fields: request.fields, to: context.caller)
        }
        if methods.contains(.post) {
            router.post(path) { request, context in try await answerCreate(request, context) }
        }
        if methods.contains(.put) {
            router.put(itemPath) { request, context in
                let members = try table.object(in: await request.jsonObject())
                let resource = try await operations.update(
                    Resource.self, context.id, .update(members), ifMatch: request.revisionConstraint(), caller: context.caller)
                return try await operations.answer(resource, to: context.caller)
            }
        }
        if methods.contains(.delete) {
            router.delete(itemPath) { request, context in
                try await operations.delete(Resource.self, context.id, ifMatch: request.revisionConstraint(), caller: context.caller)
                return Response.noContent
            }
        }
    }

    private func answerList(_ request: Request, _ context: APIContext) async throws -> Response {
        let query = try ListQuery.parse(
            request.queryParameters, for: Resource.self, maximumPageLength: operations.settings.maximumPageLength)
        let resources = try await operations.list(Resource.self, query, caller: context.caller)
        return try await operations.answer(resources, query, of: request, to: context.caller)
    }

    private func answerCreate(_ request: Request, _ context: APIContext) async throws -> Response {
        let body = try await request.jsonObject()
        guard let many = try table.objects(in: body) else {
            let created = try await operations.create(ResourceRequest<Resource>.create(table.object(in: body)), caller: context.caller)
            return try await operations.answer(created, status: .created, to: context.caller)
        }
        let requests = try many.map { try ResourceRequest<Resource>.create($0) }
        let created = try await operations.create(requests, caller: context.caller)
        return try await operations.answer(created, status: .created, to: context.caller)
    }
}

extension APIContext {
    /// The id in the path, as the client wrote it.
    var id: String { parameters.get("id") ?? "" }
}

extension Request {
    /// The names in `fields`; empty: all.
    var fields: Set<String> { Set(queryParameters.filter { $0.name == "fields" && !$0.value.isEmpty }.map(\.value)) }

    /// `If-Match: revision_number=N`; nil when the header is absent or holds other tags only, which nothing of ours has.
    func revisionConstraint() throws(APIError) -> RevisionConstraint? {
        guard let text = headers[.ifMatch] else { return nil }
        let name = "revision_number="
        let tags = text.split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" && $0 != "\"" } }.filter { $0.hasPrefix(name) }
        guard let tag = tags.first else { return nil }
        guard tags.count == 1 else { throw Self.badIfMatch("Multiple revision_number etags are not supported") }
        guard let revision = Int(tag.dropFirst(name.count)) else {
            throw Self.badIfMatch("Revision number etag must be in the format of revision_number=<int>")
        }
        return RevisionConstraint(revisionNumber: revision)
    }

    private static func badIfMatch(_ reason: String) -> APIError {
        APIError(status: 400, type: "BadRequest", message: "Bad if-match request: \(reason).")
    }
}
