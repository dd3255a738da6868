import APISchema
import HTTPTypes
import Hummingbird
import Logging
import NetworkModel

/// Gives each request its id and its caller. What needs no caller (discovery, the identity API itself, the agents' paths) is let through.
struct RequestIdentity: RouterMiddleware {
    let authenticator: any Authenticator

    func handle(_ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response) async throws -> Response {
        var context = context
        var generator = SystemRandomNumberGenerator()
        context.requestID = "req-\(ResourceID(using: &generator))"
        context.logger[metadataKey: "request_id"] = "\(context.requestID)"
        var response: Response
        do {
            if Self.needsCaller(request.uri.path) { context.caller = try await authenticator.caller(of: request.headers) }
            response = try await next(request, context)
        } catch let failure as AuthenticationFailure {
            response = refusal(failure)
        }
        response.headers[.requestID] = context.requestID
        return response
    }

    /// All that is served under the API's version; `/` and the identity API tell clients where to get tokens, and agents have their own way.
    private static func needsCaller(_ path: String) -> Bool { path.hasPrefix("/v2.0") }

    /// What Keystone's middleware answers.
    private func refusal(_ failure: AuthenticationFailure) -> Response {
        switch failure {
        case .unauthorized:
            var writer = JSONWriter()
            writer.object { writer in
                writer.key("error")
                writer.object { writer in
                    writer.key("message")
                    writer.string("The request you have made requires authentication.")
                    writer.key("code")
                    writer.integer(401)
                    writer.key("title")
                    writer.string("Unauthorized")
                }
            }
            var response = Response.json(writer, status: .unauthorized)
            if let identityURL = authenticator.identityURL { response.headers[.wwwAuthenticate] = "Keystone uri=\"\(identityURL)\"" }
            return response
        case .unavailable:
            var response = Response.failure(
                APIError(status: 503, type: "ServiceUnavailable", message: "The identity service cannot be reached; try again shortly."))
            response.headers[.retryAfter] = "1"
            return response
        }
    }
}
