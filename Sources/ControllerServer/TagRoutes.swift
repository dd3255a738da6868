import APISchema
import HTTPTypes
import Hummingbird
import NetworkModel
import Operations

/// The tags of one resource: `/v2.0/{collection}/{id}/tags` and `/tags/{tag}`.
struct TagRoutes<Resource: ManagedResource & ProjectResource>: Sendable {
    let operations: Operations
    /// The path below /v2.0.
    var collection = Resource.table.collection

    func addRoutes(to router: APIRouter) {
        let all = RouterPath("/v2.0/\(collection)/:id/tags")
        let one = RouterPath("/v2.0/\(collection)/:id/tags/:tag")
        router.get(all) { _, context in
            answer(try await operations.tags(Resource.self, context.id, caller: context.caller))
        }
        router.put(all) { request, context in
            guard let tags = try await request.jsonObject()["tags"] else { throw APIError.invalidInput("Invalid tags body") }
            return answer(
                try await operations.setTags(
                    Resource.self, context.id, tags, ifMatch: request.revisionConstraint(), caller: context.caller))
        }
        router.post(all) { request, context in
            guard let tags = try await request.jsonObject()["tags"] else { throw APIError.invalidInput("Invalid tags body") }
            let given = try await operations.addTags(
                Resource.self, context.id, tags, ifMatch: request.revisionConstraint(), caller: context.caller)
            return answer(given, status: .created)
        }
        router.delete(all) { request, context in
            try await operations.removeTags(
                Resource.self, context.id, ifMatch: request.revisionConstraint(), caller: context.caller)
            return Response.noContent
        }
        router.get(one) { _, context in
            let tag = try context.tag
            guard try await operations.tags(Resource.self, context.id, caller: context.caller).contains(tag) else {
                throw APIError.tagNotFound(tag)
            }
            return Response.noContent
        }
        router.put(one) { request, context in
            try await operations.addTag(
                Resource.self, context.id, context.tag, ifMatch: request.revisionConstraint(), caller: context.caller)
            return Response(status: .created)
        }
        router.delete(one) { request, context in
            try await operations.removeTag(
                Resource.self, context.id, context.tag, ifMatch: request.revisionConstraint(), caller: context.caller)
            return Response.noContent
        }
    }

    private func answer(_ tags: [String], status: HTTPResponse.Status = .ok) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("tags")
            writer.array { writer in for tag in tags { writer.string(tag) } }
        }
        return .json(writer, status: status)
    }
}

extension APIContext {
    /// The tag in the path, percent-decoded.
    fileprivate var tag: String {
        get throws {
            guard let tag = parameters.get("tag"), let decoded = tag.removingPercentEncoding, !decoded.isEmpty else {
                throw APIError.invalidInput("Invalid tag")
            }
            return decoded
        }
    }
}
