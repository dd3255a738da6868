import APISchema
import HTTPTypes
import Hummingbird
import Identity
import NIOCore

extension Response {
    /// A JSON document.
    static func json(_ writer: JSONWriter, status: HTTPResponse.Status = .ok) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: writer.bytes)))
    }

    /// 201 with `null`: something was made that has no body of its own.
    static var nothingCreated: Response {
        var writer = JSONWriter()
        writer.null()
        return .json(writer, status: .created)
    }

    /// 204.
    static var noContent: Response { Response(status: .noContent) }

    /// `{"NeutronError": {"type": …, "message": …, "detail": ""}}`.
    static func failure(_ error: APIError) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("NeutronError")
            writer.object { writer in
                writer.key("type")
                writer.string(error.type)
                writer.key("message")
                writer.string(error.message)
                writer.key("detail")
                writer.string("")
            }
        }
        var response = Response.json(writer, status: .init(code: error.status))
        if error.status == 503 { response.headers[.retryAfter] = "1" }
        return response
    }
}

extension Response {
    /// `{"error": {"code": …, "message": …, "title": …}}`, as Keystone says it.
    static func failure(_ error: IdentityError) -> Response {
        var writer = JSONWriter()
        writer.value([
            "error": ["code": .integer(error.status), "message": .string(error.message), "title": .string(error.title)]
        ])
        var response = Response.json(writer, status: .init(code: error.status))
        if let seconds = error.retryAfterSeconds { response.headers[.retryAfter] = "\(seconds)" }
        return response
    }
}

extension Request {
    /// The body as a JSON object.
    ///
    /// - Throws: 400 with Neutron's words when it is none, 408 when it does not come in time (``BodyDeadline``), 413 when it is larger than ``APIContext/maximumBodyBytes``.
    func jsonObject() async throws -> [String: JSONValue] {
        let buffer = try await wholeBody()
        guard buffer.readableBytes > 0 else { throw APIError.badRequest("Resource body required") }
        let document: JSONValue
        do throws(JSONSyntaxError) {
            document = try JSONParser.parse(Array(buffer.readableBytesView))
        } catch {
            throw APIError.badRequest("Malformed request body: \(error.description)")
        }
        guard case .object(let members) = document else { throw APIError.badRequest("Resource body required") }
        return members
    }

    /// The body; 408 when it does not come in time (``BodyDeadline``), 413 when it is larger than ``APIContext/maximumBodyBytes``.
    func wholeBody() async throws -> ByteBuffer {
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > APIContext.maximumBodyBytes { throw Self.bodyTooLarge }
        var whole = ByteBuffer()
        do {
            for try await part in body {
                guard whole.readableBytes + part.readableBytes <= APIContext.maximumBodyBytes else { throw Self.bodyTooLarge }
                whole.writeImmutableBuffer(part)
            }
        } catch let error as BodyDeadlinePassed {
            throw APIError(status: 408, type: "HTTPRequestTimeout", message: "The body took longer than \(error.seconds) s.")
        }
        return whole
    }

    private static let bodyTooLarge = APIError(
        status: 413, type: "HTTPRequestEntityTooLarge", message: "The body is larger than \(APIContext.maximumBodyBytes) bytes.")

    /// The query's names and values in their order, decoded as forms are: `+` is a space.
    var queryParameters: [(name: String, value: String)] {
        (uri.query ?? "").split(separator: "&").map { part in
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: Self.decoded(halves[0]), value: halves.count > 1 ? Self.decoded(halves[1]) : "")
        }
    }

    private static func decoded(_ text: Substring) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return String(text) }
        let spaced = String(text.map { $0 == "+" ? " " : $0 })
        return spaced.removingPercentEncoding ?? spaced
    }

    /// Where clients reached the server: the start of every link.
    var baseURL: String {
        let host = head.authority ?? "127.0.0.1"
        return "\(headers[.forwardedProto] ?? "http")://\(host)"
    }
}

extension HTTPField.Name {
    static let requestID = Self.known("X-Openstack-Request-Id")
    static let projectID = Self.known("X-Project-Id")
    static let authToken = Self.known("X-Auth-Token")
    static let subjectToken = Self.known("X-Subject-Token")
    static let serviceToken = Self.known("X-Service-Token")
    static let forwardedFor = Self.known("X-Forwarded-For")
    static let forwardedProto = Self.known("X-Forwarded-Proto")

    private static func known(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is a token of RFC 9110") }
        return name
    }
}
