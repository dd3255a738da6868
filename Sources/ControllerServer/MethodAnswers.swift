import APISchema
import HTTPTypes
import Hummingbird
import Identity

/// Answers 405 where a path has no such method: without this a known path with another method would be unknown as a whole.
enum MethodAnswers {
    private static let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete]

    /// Adds the missing methods to every path that the router has; call it last.
    static func addRoutes(to router: APIRouter) {
        let known = Dictionary(grouping: router.routes) { "\($0.path)" }
        for routes in known.values {
            guard let path = routes.first?.path else { continue }
            let present = Set(routes.map(\.method))
            let isIdentity = IdentityRoutes.contains("\(path)")
            let allowed = methods.filter(present.contains).map(\.rawValue).joined(separator: ", ")
            for method in methods where !present.contains(method) {
                router.on(path, method: method) { _, _ in refusal(of: method, allowed: allowed, isIdentity: isIdentity) }
            }
        }
    }

    private static func refusal(of method: HTTPRequest.Method, allowed: String, isIdentity: Bool) -> Response {
        let message = "The method \(method.rawValue) is not allowed for this resource."
        var response =
            isIdentity
            ? Response.failure(IdentityError(status: 405, message: message))
            : Response.failure(APIError(status: 405, type: "HTTPMethodNotAllowed", message: message))
        response.headers[.allow] = allowed
        // The answer to HEAD is never followed by a body (RFC 9110, 9.3.2).
        return method == .head ? Response(status: response.status, headers: response.headers) : response
    }
}
