import APISchema
import AccessPolicy
import HTTPTypes
import Hummingbird
import NetworkModel

/// The routes of one resource, from its table: list, show, create (one or many), update, delete. What each does is an operation.
struct ResourceRoutes<Resource: APIResource>: Sendable {
    var list: @Sendable (ListQuery, Caller) async throws -> [Resource]
    var show: @Sendable (ResourceID, Caller) async throws -> Resource
    /// All or nothing.
    var create: (@Sendable ([ResourceRequest<Resource>], Caller) async throws -> [Resource])?
    /// The third parameter is the revision that `If-Match` demands.
    var update: (@Sendable (ResourceID, ResourceRequest<Resource>, Int?, Caller) async throws -> Resource)?
    var delete: (@Sendable (ResourceID, Int?, Caller) async throws -> Void)?

    /// More resources than this are not created in one request.
    static var maximumBulkCount: Int { 1000 }

    private var table: ResourceTable<Resource> { Resource.table }

    func addRoutes(to router: Router<APIContext>) {
        let path = RouterPath("/v2.0/\(table.collection)")
        let itemPath = RouterPath("/v2.0/\(table.collection)/:id")
        router.get(path) { request, context in try await answerList(request, context) }
        router.get(itemPath) { request, context in
            let resource = try await show(identity(context), context.caller)
            return document(resource, fields: fields(of: request))
        }
        if let create {
            router.post(path) { request, context in try await answerCreate(request, context, create) }
        }
        if let update {
            router.put(itemPath) { request, context in
                let members = try await object(in: request.jsonObject())
                let resource = try await update(identity(context), .update(members), request.demandedRevision(), context.caller)
                return document(resource)
            }
        }
        if let delete {
            router.delete(itemPath) { request, context in
                try await delete(identity(context), request.demandedRevision(), context.caller)
                return Response.noContent
            }
        }
    }

    private func answerList(_ request: Request, _ context: APIContext) async throws -> Response {
        let query = try ListQuery.parse(request.queryParameters, for: Resource.self)
        let resources = try await list(query, context.caller)
        // 1 KiB is about what a port takes: few reallocations for long lists.
        var writer = JSONWriter(reservingCapacity: 256 + resources.count * 1024)
        writer.object { writer in
            writer.key(table.plural)
            writer.array { writer in
                for resource in resources { table.write(resource, fields: query.fields, to: &writer) }
            }
            PageLinks(request: request, query: query, ids: resources.map(\.id)).write(to: &writer, name: table.plural + "_links")
        }
        return .json(writer)
    }

    private func answerCreate(
        _ request: Request, _ context: APIContext, _ create: @Sendable ([ResourceRequest<Resource>], Caller) async throws -> [Resource]
    ) async throws -> Response {
        let body = try await request.jsonObject()
        guard let many = body[table.plural], Resource.table.singular != table.plural else {
            let created = try await create([.create(object(in: body))], context.caller)
            guard let resource = created.first else { preconditionFailure("a create answers as many resources as it was asked for") }
            return document(resource, status: .created)
        }
        guard let elements = many.arrayValue, !elements.isEmpty, elements.count <= Self.maximumBulkCount else {
            throw APIError.badRequest("Resources required: a list of 1 to \(Self.maximumBulkCount)")
        }
        var requests: [ResourceRequest<Resource>] = []
        for element in elements {
            guard let members = element.objectValue else { throw APIError.badRequest("Unable to find '\(table.singular)' in request body") }
            requests.append(try .create(members))
        }
        let created = try await create(requests, context.caller)
        var writer = JSONWriter(reservingCapacity: 256 + created.count * 1024)
        writer.object { writer in
            writer.key(table.plural)
            writer.array { writer in for resource in created { table.write(resource, to: &writer) } }
        }
        return .json(writer, status: .created)
    }

    /// The id in the path. A text that is no UUID names nothing.
    private func identity(_ context: APIContext) throws -> ResourceID {
        let text = context.parameters.get("id") ?? ""
        guard let id = ResourceID(text) else { throw table.notFound(text) }
        return id
    }

    private func object(in body: [String: JSONValue]) throws -> [String: JSONValue] {
        guard let members = body[table.singular]?.objectValue else {
            throw APIError.badRequest("Unable to find '\(table.singular)' in request body")
        }
        return members
    }

    private func fields(of request: Request) -> Set<String> {
        Set(request.queryParameters.filter { $0.name == "fields" && !$0.value.isEmpty }.map(\.value))
    }

    private func document(_ resource: Resource, fields: Set<String> = [], status: HTTPResponse.Status = .ok) -> Response {
        var writer = JSONWriter(reservingCapacity: 2048)
        writer.object { writer in
            writer.key(table.singular)
            table.write(resource, fields: fields, to: &writer)
        }
        return .json(writer, status: status)
    }
}

extension Request {
    /// The revision of `If-Match: revision_number=N`; nil when the header is absent.
    func demandedRevision() throws -> Int? {
        guard let text = headers[.ifMatch] else { return nil }
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, parts[0] == "revision_number", let revision = Int(parts[1]) else {
            throw APIError.badRequest("Invalid revision number specified in If-Match header: \(text)")
        }
        return revision
    }
}
