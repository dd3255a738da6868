import APISchema
import AccessPolicy
import HTTPTypes
import Hummingbird
import Identity
import Operations

/// Gives each request its caller. Discovery needs none, and the identity's API asks for itself.
struct RequestIdentity: RouterMiddleware {
    let authenticator: any Authenticator
    /// Decides which callers are administrators.
    let policy: PolicyBook
    /// What agents present; nil: nothing is asked of them.
    var agentSecret: AgentSecret?

    func handle(_ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response) async throws -> Response {
        var context = context
        do {
            context.caller = try await caller(of: request) ?? context.caller
            return try await next(request, context)
        } catch let failure as AuthenticationFailure {
            return refusal(failure, request)
        }
    }

    /// Nil where none is needed: everything that is not named here needs one.
    private func caller(of request: Request) async throws(AuthenticationFailure) -> Caller? {
        let path = request.uri.path
        if path == "/" || path == OpenAPIRoutes.path { return nil }
        if path == IdentityRoutes.path || path.hasPrefix(IdentityRoutes.path + "/") { return nil }
        if path.hasPrefix("/agent/") || path == "/metrics" { return try await agent(of: request.headers) }
        return policy.deciding(for: try await authenticator.caller(of: request.headers))
    }

    /// Agents and who reads the metrics, by the secret that they share with the server; administrators, by their token.
    private func agent(of headers: HTTPFields) async throws(AuthenticationFailure) -> Caller? {
        guard let agentSecret else { return nil }
        if let authorization = headers[.authorization], agentSecret.isPresented(by: authorization) { return .server }
        let caller = policy.deciding(for: try await authenticator.caller(of: headers))
        // Without authentication everybody is an administrator: the secret would keep nobody out.
        guard authenticator.identityURL != nil, caller.isAdmin else { throw .unauthorized }
        return caller
    }

    /// What Keystone's middleware answers.
    private func refusal(_ failure: AuthenticationFailure, _ request: Request) -> Response {
        switch failure {
        case .unauthorized:
            var response = Response.failure(IdentityError.unauthorized)
            if let url = authenticator.identityURL {
                response.headers[.wwwAuthenticate] = "Keystone uri=\"\(url.hasPrefix("/") ? request.baseURL + url : url)\""
            }
            return response
        case .unavailable:
            var response = Response.failure(
                APIError(status: 503, type: "ServiceUnavailable", message: "The identity service cannot be reached; try again shortly."))
            response.headers[.retryAfter] = "1"
            return response
        }
    }
}
