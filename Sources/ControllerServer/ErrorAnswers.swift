import APISchema
import Hummingbird
import Identity
import Logging
import Store

/// Turns what a request threw into an answer: the one place where errors become HTTP.
struct ErrorAnswers: RouterMiddleware {
    func handle(_ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return Self.answer(error, request)
        } catch let error as IdentityError {
            return .failure(error)
        } catch let error as HTTPError {
            return Self.answer(Self.routingError(error, request), request)
        } catch let failure as AuthenticationFailure {
            // Of the middleware before, or of the identity's own routes.
            throw failure
        } catch let error as StoreError {
            return Self.answer(error, context)
        } catch is CancellationError {
            return .failure(APIError(status: 503, type: "ServiceUnavailable", message: "The server is stopping."))
        } catch {
            context.logger.error("A request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return .failure(Self.internalError)
        }
    }

    /// In the words of the API that was asked.
    private static func answer(_ error: APIError, _ request: Request) -> Response {
        guard IdentityRoutes.contains(request.uri.path) else { return .failure(error) }
        return .failure(IdentityError(status: error.status, message: error.message))
    }

    private static let internalError = APIError(
        status: 500, type: "HTTPInternalServerError", message: "Request Failed: internal server error while processing your request.")

    private static func answer(_ error: StoreError, _ context: APIContext) -> Response {
        context.logger.error("The store failed", metadata: ["error": "\(error)"])
        switch error {
        case .unavailable: return .failure(unavailable("The database cannot be reached; try again shortly."))
        case .readOnly, .replaced: return .failure(unavailable(error.description))
        default: return .failure(internalError)
        }
    }

    private static func unavailable(_ message: String) -> APIError {
        APIError(status: 503, type: "ServiceUnavailable", message: message)
    }

    private static func routingError(_ error: HTTPError, _ request: Request) -> APIError {
        switch error.status {
        case .notFound: .pathNotFound
        case .methodNotAllowed:
            APIError(status: 405, type: "HTTPMethodNotAllowed", message: "The method \(request.method) is not allowed for this resource.")
        default: APIError(status: error.status.code, type: "HTTPError", message: error.body ?? error.status.reasonPhrase)
        }
    }
}
