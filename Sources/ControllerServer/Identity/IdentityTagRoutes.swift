import APISchema
import HTTPTypes
import Hummingbird
import Identity
import IdentityService

/// The tags of projects, all at once and one by one.
struct IdentityTagRoutes: Sendable {
    let api: IdentityRoutes

    func addRoutes(to router: APIRouter) {
        let path = RouterPath("\(IdentityRoutes.versionPath)/projects/:id/tags")
        router.get(path) { request, context in list(try await project("list_project_tags", request, context), request) }
        router.put(path) { request, context in
            try IdentityPolicy.check("update_project_tags", try await api.caller(request))
            guard let tags = try await request.jsonObject()["tags"] else { throw IdentityError.missing("tags", in: "request body") }
            return list(try await api.identity.changeTags(ofProject: context.id) { try $0.change(["tags": tags]) }, request)
        }
        router.delete(path) { request, context in
            try IdentityPolicy.check("delete_project_tags", try await api.caller(request))
            _ = try await api.identity.changeTags(ofProject: context.id) { try $0.change(["tags": []]) }
            return Response.noContent
        }
        addItemRoutes(to: router, RouterPath("\(IdentityRoutes.versionPath)/projects/:id/tags/:tag"))
    }

    private func addItemRoutes(to router: APIRouter, _ path: RouterPath) {
        for method in [HTTPRequest.Method.head, .get] {
            router.on(path, method: method) { request, context in
                let project = try await project("get_project_tag", request, context)
                guard project.tags.contains(context.tag) else { throw IdentityError.notFound("project tag", context.tag) }
                return Response.noContent
            }
        }
        router.put(path) { request, context in
            try IdentityPolicy.check("create_project_tag", try await api.caller(request))
            let tag = context.tag
            let project = try await api.identity.changeTags(ofProject: context.id) { try $0.add(tag: tag) }
            return Response(status: .created, headers: [.location: "\(api.url(request))/projects/\(project.id)/tags/\(context.tagText)"])
        }
        router.delete(path) { request, context in
            try IdentityPolicy.check("delete_project_tag", try await api.caller(request))
            let tag = context.tag
            _ = try await api.identity.changeTags(ofProject: context.id) { try $0.remove(tag: tag) }
            return Response.noContent
        }
    }

    /// The project whose tags are read: a user may see those of its own.
    private func project(_ action: String, _ request: Request, _ context: APIContext) async throws -> Project {
        let caller = try await api.caller(request)
        try IdentityPolicy.checkRead(action, caller, isOwn: context.id == caller.projectID)
        return try await api.identity.show(Project.self, context.id)
    }

    private func list(_ project: Project, _ request: Request) -> Response {
        .document([
            "tags": .array(project.tags.map(JSONValue.string)),
            "links": ["self": .string("\(api.url(request))/projects/\(project.id)/tags")],
        ])
    }
}

extension APIContext {
    /// As it stands in the path.
    fileprivate var tagText: String { parameters.get("tag") ?? "" }

    /// Clients write tags percent-encoded in paths.
    fileprivate var tag: String { tagText.removingPercentEncoding ?? tagText }
}
