import AccessPolicy
import HTTPTypes

/// Tells from a request's headers who calls: the one difference between the ways to authenticate (`none`, `built-in`, `keystone`).
protocol Authenticator: Sendable {
    /// The caller.
    ///
    /// - Throws: ``AuthenticationFailure``.
    func caller(of headers: HTTPFields) async throws(AuthenticationFailure) -> Caller

    /// Where clients get tokens: the answer 401 names it in `WWW-Authenticate`. Nil where no token is needed.
    var identityURL: String? { get }

    /// Lets go of connections; nobody asks after it.
    func close() async throws
}

extension Authenticator {
    func close() async throws {}
}

/// Why a request has no caller.
enum AuthenticationFailure: Error {
    /// No token, or one that is not valid (any more): 401.
    case unauthorized
    /// The identity service cannot be asked: 503.
    case unavailable
}

/// Authentication `none`: every caller is an administrator of the project that `X-Project-Id` names. For laboratories.
struct NoAuthentication: Authenticator {
    /// The project of callers that name none.
    static let defaultProjectID = "default"

    let identityURL: String? = nil

    func caller(of headers: HTTPFields) -> Caller {
        let project = headers[.projectID].flatMap { $0.isEmpty ? nil : $0 } ?? Self.defaultProjectID
        return Caller(projectID: project, isAdmin: true, roles: ["admin", "manager", "member", "reader"], isUnrestricted: true)
    }
}
