import AccessPolicy
import Hummingbird
import Logging
import NetworkModel

/// Gives each request its id and its caller. With authentication `none` every caller is admin of the project that `X-Project-Id` names.
struct RequestIdentity: RouterMiddleware {
    /// The project of callers that name none.
    static let defaultProjectID = "default"

    func handle(_ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response) async throws -> Response {
        var context = context
        var generator = SystemRandomNumberGenerator()
        context.requestID = "req-\(ResourceID(using: &generator))"
        context.logger[metadataKey: "request_id"] = "\(context.requestID)"
        let project = request.headers[.projectID].flatMap { $0.isEmpty ? nil : $0 } ?? Self.defaultProjectID
        context.caller = Caller(projectID: project, isAdmin: true)
        var response = try await next(request, context)
        response.headers[.requestID] = context.requestID
        return response
    }
}
