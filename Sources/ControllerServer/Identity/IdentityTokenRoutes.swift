import APISchema
import AccessPolicy
import HTTPTypes
import Hummingbird
import Identity
import IdentityService
import NetworkModel

/// `/v3/auth/tokens`.
struct IdentityTokenRoutes: Sendable {
    let api: IdentityRoutes

    func addRoutes(to router: APIRouter) {
        let path = RouterPath("\(IdentityRoutes.versionPath)/auth/tokens")
        router.post(path) { request, context in
            let login = try LoginRequest(body: await request.jsonObject())
            let issued = try await api.identity.logIn(login, address: api.proxies.client(of: request, context))
            var response = answer(issued.details, request, status: .created)
            response.headers[.subjectToken] = issued.text
            return response
        }
        router.get(path) { request, _ in
            let subject = try await subject(request)
            var response = answer(subject.details, request)
            response.headers[.subjectToken] = subject.text
            return response
        }
        router.head(path) { request, _ in
            _ = try await subject(request)
            return Response(status: .ok)
        }
        router.delete(path) { request, _ in
            let caller = try await api.caller(request)
            let subject = try await details(request)
            try IdentityPolicy.check("revoke_token", caller, isOwn: caller.userID == subject.details.user.id)
            try await api.identity.revoke(subject.details.token)
            return Response.noContent
        }
    }

    /// The token that is asked about, by who may ask.
    private func subject(_ request: Request) async throws -> (text: String, details: TokenDetails) {
        let caller = try await api.caller(request)
        let subject = try await details(request)
        try IdentityPolicy.checkValidation(caller, subjectUserID: subject.details.user.id)
        return subject
    }

    private func details(_ request: Request) async throws -> (text: String, details: TokenDetails) {
        guard let text = request.headers[.subjectToken], let details = try await api.identity.details(ofToken: text) else {
            throw IdentityError.tokenNotFound
        }
        return (text, details)
    }

    // MARK: Bodies

    private func answer(_ details: TokenDetails, _ request: Request, status: HTTPResponse.Status = .ok) -> Response {
        var members = Self.members(details)
        // An unscoped token can be used for nothing that the catalogue has.
        if details.token.scope != nil, request.query("nocatalog") == nil {
            members["catalog"] = ServiceCatalogue(api: api).entries(request)
        }
        var response = Response.document(["token": .object(members)], status: status)
        response.headers[.vary] = "X-Auth-Token"
        return response
    }

    private static func members(_ details: TokenDetails) -> [String: JSONValue] {
        let token = details.token
        let audits = [token.auditID] + (token.rootAuditID.map { [$0] } ?? [])
        var members: [String: JSONValue] = [
            "methods": .array(token.methods.names.map(JSONValue.string)), "issued_at": time(token.issuedAt),
            "expires_at": time(token.expiresAt), "audit_ids": .array(audits.map { .string($0.description) }),
            "user": [
                "id": .string(details.user.id), "name": .string(details.user.name), "domain": named(details.userDomain),
                "password_expires_at": nil,
            ],
        ]
        switch token.scope {
        case nil: return members
        case .project?:
            if let project = details.project, let domain = details.scopeDomain {
                members["project"] = ["id": .string(project.id), "name": .string(project.name), "domain": named(domain)]
                members["is_domain"] = false
            }
        case .domain?: if let domain = details.scopeDomain { members["domain"] = named(domain) }
        case .system?: members["system"] = ["all": true]
        }
        members["roles"] = .array(details.roles.map { ["id": .string($0.id), "name": .string($0.name)] })
        return members
    }

    private static func named(_ domain: Domain) -> JSONValue { ["id": .string(domain.id), "name": .string(domain.name)] }

    /// With microseconds, which Keystone's clients expect.
    private static func time(_ seconds: Int) -> JSONValue {
        .string(String(Timestamp(secondsSince1970: seconds).description.dropLast()) + ".000000Z")
    }
}
