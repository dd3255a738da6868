import APISchema
import AccessPolicy
import Hummingbird
import Identity
import IdentityService

/// List, show, create, update and delete of one kind of records.
struct IdentityRecordRoutes<Record: IdentityRecord>: Sendable {
    let api: IdentityRoutes

    private var kind: IdentityKind { Record.kind }

    func addRoutes(to router: APIRouter) {
        let path = RouterPath("\(IdentityRoutes.versionPath)/\(kind.plural)")
        let itemPath = RouterPath("\(IdentityRoutes.versionPath)/\(kind.plural)/:id")
        router.get(path) { request, _ in try await list(request) }
        router.post(path) { request, _ in
            try IdentityPolicy.check("create_\(kind.singular)", try await api.caller(request))
            let record = try await api.identity.create(Record.self, try await request.wrapped(kind.singular))
            return Response.document([kind.singular: api.shown(record, request)], status: .created)
        }
        router.get(itemPath) { request, context in
            let caller = try await api.caller(request)
            let id = context.id
            // Who may see it hears that it is not there; the others hear only that they may not look.
            try IdentityPolicy.checkRead("get_\(kind.singular)", caller, isOwn: try await isOwn(id, caller))
            return Response.document([kind.singular: api.shown(try await api.identity.show(Record.self, id), request)])
        }
        router.patch(itemPath) { request, context in
            try IdentityPolicy.check("update_\(kind.singular)", try await api.caller(request))
            let record = try await api.identity.update(Record.self, context.id, try await request.wrapped(kind.singular))
            return Response.document([kind.singular: api.shown(record, request)])
        }
        router.delete(itemPath) { request, context in
            try IdentityPolicy.check("delete_\(kind.singular)", try await api.caller(request))
            try await api.identity.delete(Record.self, context.id)
            return Response.noContent
        }
    }

    private func list(_ request: Request) async throws -> Response {
        try IdentityPolicy.checkRead("list_\(kind.plural)", try await api.caller(request))
        var filter = IdentityService.Filter()
        filter.name = request.query("name")
        filter.domainID = request.query("domain_id")
        filter.parentID = request.query("parent_id")
        if request.query("enabled") != nil { filter.isEnabled = request.hasQueryFlag("enabled") }
        filter.tags = Self.tags(request)
        return api.list(try await api.identity.list(Record.self, filter), request)
    }

    /// Nothing but projects has tags, so that other lists are asked for none.
    private static func tags(_ request: Request) -> ProjectTags.Filter {
        var filter = ProjectTags.Filter()
        guard Record.self is Project.Type else { return filter }
        func words(_ name: String) -> [String] { request.query(name)?.split(separator: ",").map(String.init) ?? [] }
        (filter.all, filter.any) = (words("tags"), words("tags-any"))
        (filter.notAll, filter.notAny) = (words("not-tags"), words("not-tags-any"))
        return filter
    }

    /// A user itself, the project of the token, the domains of the user and of the token.
    private func isOwn(_ id: String, _ caller: Caller) async throws -> Bool {
        switch Record.self {
        case is User.Type: return id == caller.userID
        case is Project.Type: return id == caller.projectID
        case is Domain.Type:
            if id == caller.domainID { return true }
            return try await api.identity.show(User.self, caller.userID).domainID == id
        default: return false
        }
    }
}

extension IdentityRoutes {
    /// A record as it is shown, with its link.
    func shown<Record: IdentityRecord>(_ record: Record, _ request: Request) -> JSONValue {
        var members = record.members
        members["links"] = ["self": .string("\(url(request))/\(Record.kind.plural)/\(record.id)")]
        return .object(members)
    }

    /// Records under their plural name.
    func list<Record: IdentityRecord>(_ records: [Record], _ request: Request) -> Response {
        .document([Record.kind.plural: .array(records.map { shown($0, request) }), "links": links(request)])
    }

    /// A list's own link; it has one page.
    func links(_ request: Request) -> JSONValue {
        ["self": .string(base(request) + request.uri.description), "next": nil, "previous": nil]
    }
}
