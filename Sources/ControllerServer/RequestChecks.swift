import APISchema
import HTTPTypes
import Hummingbird
import Logging
import NetworkModel

/// What every request under the API's version must fulfil before anything looks at it, and the caller's own id of it for the log.
struct RequestChecks: RouterMiddleware {
    /// Bytes of path and query. Long enough for some hundred ids in one query; clients split longer lists themselves.
    static let maximumTargetBytes = 32 * 1024
    /// Parameters of one query.
    static let maximumParameters = 1000

    func handle(_ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response) async throws -> Response {
        var context = context
        if let id = Self.globalID(request.headers) { context.logger[metadataKey: "global_request_id"] = "\(id)" }
        try Self.check(request)
        return try await next(request, context)
    }

    private static func check(_ request: Request) throws(APIError) {
        let target = request.uri.description
        guard target.utf8.count <= maximumTargetBytes else {
            throw APIError(
                status: 414, type: "HTTPRequestURITooLong", message: "The address is longer than \(maximumTargetBytes) bytes.")
        }
        guard request.uri.path.hasPrefix("/v2.0") else { return }
        guard target.utf8.lazy.filter({ $0 == UInt8(ascii: "&") }).count < maximumParameters else {
            throw APIError.badRequest("The query has more than \(maximumParameters) parameters")
        }
        if let accept = request.headers[.accept], !MediaTypes.accepts(accept, "application/json") {
            throw APIError(
                status: 406, type: "HTTPNotAcceptable",
                message: "The resource could not be generated that was acceptable to your browser (content of type \(accept)).")
        }
        // Without a word about it a body is taken for JSON, and so is what curl says of every body.
        if let type = request.headers[.contentType], !MediaTypes.isJSON(type), request.method != .get, request.method != .delete {
            throw APIError(
                status: 415, type: "HTTPUnsupportedMediaType", message: "The content type \(type) is not supported: send application/json.")
        }
    }

    /// The id under which services log one user's request together: `req-` and a UUID, or it is left out of the log.
    private static func globalID(_ headers: HTTPFields) -> String? {
        guard let text = headers[.requestID], text.hasPrefix("req-"), ResourceID(String(text.dropFirst(4))) != nil else { return nil }
        return text
    }
}

/// Media types in headers (RFC 9110, 8.3.1 and 12.5.1). Pure.
enum MediaTypes {
    /// Whether an `Accept` header allows the type.
    static func accepts(_ header: String, _ type: String) -> Bool {
        let family = type.split(separator: "/").first.map { "\($0)/*" } ?? ""
        var best: (specificity: Int, isRefused: Bool)?
        for part in header.lowercased().split(separator: ",") {
            let pieces = part.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
            guard let range = pieces.first, let specificity = ["*/*", family, type].firstIndex(of: range) else { continue }
            guard specificity >= best?.specificity ?? 0 else { continue }
            best = (specificity, pieces.dropFirst().contains { $0.hasPrefix("q=") && Double($0.dropFirst(2)) == 0 })
        }
        // An empty header is none.
        return best.map { !$0.isRefused } ?? header.allSatisfy(\.isWhitespace)
    }

    /// Whether a `Content-Type` can be JSON.
    static func isJSON(_ header: String) -> Bool {
        // What nearly all clients send.
        if header == "application/json" { return true }
        let type = header.lowercased().split(separator: ";").first.map { $0.filter { !$0.isWhitespace } } ?? ""
        return type.isEmpty || ["application/json", "application/x-www-form-urlencoded", "text/json"].contains(type)
            || (type.hasPrefix("application/") && type.hasSuffix("+json"))
    }
}
