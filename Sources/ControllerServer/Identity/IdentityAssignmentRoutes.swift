import APISchema
import HTTPTypes
import Hummingbird
import Identity
import IdentityService

/// Who has which role where: grants on projects, domains and the system, and the list of all.
struct IdentityAssignmentRoutes: Sendable {
    let api: IdentityRoutes

    func addRoutes(to router: APIRouter) {
        let version = IdentityRoutes.versionPath
        addGrants(to: router, "\(version)/projects/:id/users/:user/roles") { .project($0) }
        addGrants(to: router, "\(version)/domains/:id/users/:user/roles") { .domain($0) }
        addGrants(to: router, "\(version)/system/users/:user/roles") { _ in .system }
        router.get("\(version)/role_assignments") { request, _ in try await list(request) }
    }

    private func addGrants(to router: APIRouter, _ path: String, scope: @escaping @Sendable (String) -> Scope) {
        @Sendable func assignment(_ context: APIContext) -> Assignment {
            Assignment(
                userID: context.parameters.get("user") ?? "", roleID: context.parameters.get("role") ?? "",
                scope: scope(context.id))
        }
        router.get(RouterPath(path)) { request, context in
            let wanted = assignment(context)
            let caller = try await api.caller(request)
            try IdentityPolicy.checkRead("list_grants", caller, isOwn: wanted.userID == caller.userID)
            let grants = try await api.identity.grants(
                ofUser: wanted.userID, in: wanted.scope, seesAll: IdentityPolicy.seesAll(caller))
            return api.list(grants, request)
        }
        let item = RouterPath(path + "/:role")
        router.put(item) { request, context in
            try IdentityPolicy.check("create_grant", try await api.caller(request))
            try await api.identity.grant(assignment(context))
            return Response.noContent
        }
        for method in [HTTPRequest.Method.head, .get] {
            router.on(item, method: method) { request, context in
                try IdentityPolicy.checkRead("check_grant", try await api.caller(request))
                try await api.identity.check(assignment(context))
                return Response.noContent
            }
        }
        router.delete(item) { request, context in
            try IdentityPolicy.check("revoke_grant", try await api.caller(request))
            try await api.identity.revoke(assignment(context))
            return Response.noContent
        }
    }

    private func list(_ request: Request) async throws -> Response {
        let caller = try await api.caller(request)
        var filter = IdentityService.AssignmentFilter()
        filter.userID = request.query("user.id")
        filter.roleID = request.query("role.id")
        filter.isEffective = request.hasQueryFlag("effective")
        if let project = request.query("scope.project.id") {
            filter.scope = .project(project)
        } else if let domain = request.query("scope.domain.id") {
            filter.scope = .domain(domain)
        } else if request.query("scope.system") != nil {
            filter.scope = .system
        }
        try IdentityPolicy.checkRead("list_role_assignments", caller, isOwn: filter.userID == caller.userID)
        let includesNames = request.hasQueryFlag("include_names")
        // There are no groups, so nobody has a role by one.
        let found = request.query("group.id") == nil ? try await api.identity.assignments(filter) : []
        return Response.document([
            "role_assignments": .array(found.map { shown($0, includesNames: includesNames, request) }), "links": api.links(request),
        ])
    }

    private func shown(_ named: NamedAssignment, includesNames: Bool, _ request: Request) -> JSONValue {
        func reference(_ id: String, _ name: String, _ domain: Domain?) -> JSONValue {
            guard includesNames else { return ["id": .string(id)] }
            var members: [String: JSONValue] = ["id": .string(id), "name": .string(name)]
            if let domain { members["domain"] = ["id": .string(domain.id), "name": .string(domain.name)] }
            return .object(members)
        }
        let (user, role, scope) = (named.assignment.userID, named.assignment.roleID, named.assignment.scope)
        let place: JSONValue
        let path: String
        switch scope {
        case .project(let id):
            place = ["project": reference(id, named.project?.name ?? "", named.scopeDomain)]
            path = "projects/\(id)"
        case .domain(let id):
            place = ["domain": reference(id, named.scopeDomain?.name ?? "", nil)]
            path = "domains/\(id)"
        case .system:
            place = ["system": ["all": true]]
            path = "system"
        }
        return [
            "user": reference(user, named.user.name, named.userDomain), "role": reference(role, named.role.name, nil), "scope": place,
            "links": ["assignment": .string("\(api.url(request))/\(path)/users/\(user)/roles/\(role)")],
        ]
    }
}
