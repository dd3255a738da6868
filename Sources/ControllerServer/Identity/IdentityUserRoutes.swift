import APISchema
import Hummingbird
import Identity
import IdentityService

/// What users ask about themselves: their projects, domains and groups, and a new password.
struct IdentityUserRoutes: Sendable {
    let api: IdentityRoutes

    func addRoutes(to router: APIRouter) {
        let version = IdentityRoutes.versionPath
        router.get("\(version)/auth/projects") { request, _ in
            api.list(try await api.identity.projects(ofUser: try await api.caller(request).userID), request)
        }
        router.get("\(version)/auth/domains") { request, _ in
            api.list(try await api.identity.domains(ofUser: try await api.caller(request).userID), request)
        }
        router.get("\(version)/auth/system") { request, _ in
            let hasRole = try await api.identity.hasSystemRole(userID: try await api.caller(request).userID)
            return Response.document(["system": hasRole ? [["all": true]] : [], "links": api.links(request)])
        }
        router.get("\(version)/users/:id/projects") { request, context in
            let caller = try await api.caller(request)
            try IdentityPolicy.checkRead("list_user_projects", caller, isOwn: context.id == caller.userID)
            _ = try await api.identity.show(User.self, context.id)
            return api.list(try await api.identity.projects(ofUser: context.id), request)
        }
        // There are no groups; clients ask all the same. Horizon lists them before it changes a project.
        router.get("\(version)/groups") { request, _ in
            try IdentityPolicy.checkRead("list_groups", try await api.caller(request))
            return Response.document(["groups": [], "links": api.links(request)])
        }
        router.get("\(version)/users/:id/groups") { request, context in
            let caller = try await api.caller(request)
            try IdentityPolicy.checkRead("list_groups_for_user", caller, isOwn: context.id == caller.userID)
            _ = try await api.identity.show(User.self, context.id)
            return Response.document(["groups": [], "links": api.links(request)])
        }
        // The former password is what is asked for, not a token.
        router.post("\(version)/users/:id/password") { request, context in
            let members = try await request.wrapped("user")
            guard let original = try User.password(in: members, "original_password") else {
                throw IdentityError.missing("original_password", in: "user")
            }
            guard let password = try User.password(in: members) else { throw IdentityError.missing("password", in: "user") }
            try await api.identity.changePassword(
                ofUser: context.id, from: original, to: password, address: api.proxies.client(of: request, context))
            return Response.noContent
        }
    }
}
