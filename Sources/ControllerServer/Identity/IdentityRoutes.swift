import APISchema
import AccessPolicy
import HTTPTypes
import Hummingbird
import Identity
import IdentityService

/// The identity's API, on Keystone's paths (https://docs.openstack.org/api-ref/identity/v3/) under `/identity`.
struct IdentityRoutes: Sendable {
    static let path = "/identity"
    static let versionPath = "/identity/v3"
    /// The version of Keystone's API whose behaviour clients find.
    private static let versionID = "v3.14"

    let identity: IdentityService
    /// Where clients reach this server; nil: where each request came to.
    let publicURL: String?
    /// Whose word on where a login came from counts.
    let proxies: TrustedProxies

    /// Whether a path is answered in Keystone's words.
    static func contains(_ path: String) -> Bool { path == Self.path || path.hasPrefix(Self.path + "/") }

    func addRoutes(to router: APIRouter) {
        router.get(RouterPath(Self.path)) { request, _ in
            Response.document(["versions": ["values": [version(request)]]], status: .multipleChoices)
        }
        router.get(RouterPath(Self.versionPath)) { request, _ in Response.document(["version": version(request)]) }
        IdentityTokenRoutes(api: self).addRoutes(to: router)
        IdentityRecordRoutes<User>(api: self).addRoutes(to: router)
        IdentityRecordRoutes<Project>(api: self).addRoutes(to: router)
        IdentityRecordRoutes<Domain>(api: self).addRoutes(to: router)
        IdentityRecordRoutes<Role>(api: self).addRoutes(to: router)
        IdentityTagRoutes(api: self).addRoutes(to: router)
        IdentityUserRoutes(api: self).addRoutes(to: router)
        ServiceCatalogue(api: self).addRoutes(to: router)
        IdentityAssignmentRoutes(api: self).addRoutes(to: router)
    }

    private func version(_ request: Request) -> JSONValue {
        [
            "id": .string(Self.versionID), "status": "stable", "updated": "2020-04-07T00:00:00Z",
            "links": [["rel": "self", "href": .string(url(request) + "/")]],
            "media-types": [["base": "application/json", "type": "application/vnd.openstack.identity-v3+json"]],
        ]
    }

    /// Where clients reach this server.
    func base(_ request: Request) -> String { publicURL ?? request.baseURL }

    /// Where clients reach the API's version, without a slash at the end.
    func url(_ request: Request) -> String { base(request) + Self.versionPath }

    /// Who calls.
    ///
    /// - Throws: 401 (see ``RequestIdentity``).
    func caller(_ request: Request) async throws -> Caller {
        guard let token = request.headers[.authToken], let caller = try await identity.caller(ofToken: token) else {
            throw AuthenticationFailure.unauthorized
        }
        return caller
    }
}

extension Response {
    static func document(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        var writer = JSONWriter(reservingCapacity: 2048)
        writer.value(value)
        return .json(writer, status: status)
    }
}

extension Request {
    /// The object that a body wraps: `{"user": {…}}`.
    func wrapped(_ name: String) async throws -> [String: JSONValue] {
        guard let members = try await jsonObject()[name]?.objectValue else { throw IdentityError.missing(name, in: "request body") }
        return members
    }

    /// The first value of a parameter in the query.
    func query(_ name: String) -> String? { queryParameters.first { $0.name == name }?.value }

    /// Whether a parameter is there, and does not say no.
    func hasQueryFlag(_ name: String) -> Bool {
        guard let value = query(name) else { return false }
        return !["0", "false", "False", "no"].contains(value)
    }
}
