import APISchema
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NetworkModel

/// What happens to a request before its path is looked up, and to an answer after everything else: the id of the request, spellings of paths,
/// browsers of other origins, and connections whose client would go on sending what nobody reads.
struct OuterResponder<Inner: HTTPResponder>: HTTPResponder where Inner.Context == APIContext {
    /// How long a client that was told to stop sending may take to read the answer.
    private static var lingerSeconds: Int64 { 2 }

    let inner: Inner
    let origins: CrossOriginRules
    let spellings: PathSpellings

    func respond(to request: Request, context: APIContext) async throws -> Response {
        var context = context
        var generator = SystemRandomNumberGenerator()
        context.requestID = "req-\(ResourceID(using: &generator))"
        context.logger[metadataKey: "request_id"] = "\(context.requestID)"
        var response = try await answer(to: request, context: context)
        response.headers[.requestID] = context.requestID
        // A body behind the answer to HEAD, a refusal's too, would be taken for the next answer on the connection.
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(to request: Request, context: APIContext) async throws -> Response {
        if let answer = origins.preflight(request.method, request.headers) { return answer }
        var response = try await innerAnswer(to: request, context: context)
        origins.allow(request.headers, &response.headers)
        if response.status == .contentTooLarge || response.status == .requestTimeout {
            response.headers[.connection] = "close"
            context.channel?.eventLoop.scheduleTask(in: .seconds(Self.lingerSeconds)) { [channel = context.channel] in
                channel?.close(mode: .all, promise: nil)
            }
        }
        return response
    }

    private func innerAnswer(to request: Request, context: APIContext) async throws -> Response {
        let path = request.uri.path
        // The router would leave empty parts of a path out, and find what the checks by path before it did not see.
        guard !Self.hasEmptyPart(path) else { return .failure(.pathNotFound) }
        let withoutSuffix = Self.plainPath(path)
        guard let plain = spellings.plainPath(withoutSuffix ?? path) ?? withoutSuffix else {
            return try await inner.respond(to: request, context: context)
        }
        return try await inner.respond(to: Self.request(request, path: plain), context: context)
    }

    /// Whether the path has `//`. Byte by byte: every request is looked at.
    private static func hasEmptyPart(_ path: String) -> Bool {
        var wasSlash = false
        for byte in path.utf8 {
            let isSlash = byte == UInt8(ascii: "/")
            if isSlash, wasSlash { return true }
            wasSlash = isSlash
        }
        return false
    }

    /// The path without the suffix that says the format, as older clients write it (`/v2.0/networks.json`); nil when it has none. A tag may
    /// end in anything.
    private static func plainPath(_ path: String) -> String? {
        guard path.hasSuffix(".json"), path.hasPrefix("/v2.0/"), !path.split(separator: "/").dropLast().contains("tags") else { return nil }
        return String(path.dropLast(".json".utf8.count))
    }

    private static func request(_ request: Request, path: String) -> Request {
        var head = request.head
        head.path = path + (request.uri.query.map { "?\($0)" } ?? "")
        return Request(head: head, body: request.body)
    }
}

/// Which pages of other origins may use the API from a browser (the Fetch standard's CORS protocol).
public struct CrossOriginRules: Sendable {
    /// Such as `https://dashboard.example.org`; `*` is any.
    public var allowedOrigins: Set<String>

    private static let allowedMethods = "GET, PUT, POST, DELETE, PATCH"
    private static let allowedHeaders =
        "Content-Type, If-Match, X-Auth-Token, X-OpenStack-Request-ID, X-Project-Id, X-Service-Token, X-Subject-Token"
    private static let exposedHeaders = "X-OpenStack-Request-ID, X-Subject-Token"
    /// For how long browsers may remember a preflight's answer.
    private static let maximumAgeSeconds = 3600

    public init(allowedOrigins: Set<String> = []) { self.allowedOrigins = allowedOrigins }

    /// The answer to a browser that asks before it sends; nil for every other request.
    func preflight(_ method: HTTPRequest.Method, _ headers: HTTPFields) -> Response? {
        guard method == .options, headers[.accessControlRequestMethod] != nil, isAllowed(headers) else { return nil }
        var answer = HTTPFields()
        allow(headers, &answer)
        answer[.accessControlAllowMethods] = Self.allowedMethods
        answer[.accessControlAllowHeaders] = Self.allowedHeaders
        answer[.accessControlMaxAge] = String(Self.maximumAgeSeconds)
        return Response(status: .ok, headers: answer)
    }

    func allow(_ headers: HTTPFields, _ answer: inout HTTPFields) {
        guard !allowedOrigins.isEmpty else { return }
        answer[values: .vary].append("Origin")
        guard isAllowed(headers), let origin = headers[.origin] else { return }
        answer[.accessControlAllowOrigin] = origin
        answer[.accessControlExposeHeaders] = Self.exposedHeaders
    }

    private func isAllowed(_ headers: HTTPFields) -> Bool {
        guard let origin = headers[.origin] else { return false }
        return allowedOrigins.contains("*") || allowedOrigins.contains(origin)
    }
}
