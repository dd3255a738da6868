import Addressing
import HTTPTypes
import Hummingbird
import Metadata
import NIOCore
import NetworkModel

/// What travels with one request.
struct MetadataContext: RequestContext {
    var coreContext: CoreRequestContextStorage

    init(source: ApplicationRequestContextSource) { coreContext = .init(source: source) }
}

/// One request of an instance.
struct MetadataResponder: HTTPResponder {
    typealias Context = MetadataContext

    /// Passwords that instances tell Nova have some hundred octets.
    static let maximumBodyBytes = 65_536

    let directory: InstanceDirectory
    /// Nil: Neutrino answers by itself.
    let nova: NovaMetadataClient?
    let log: RefusalLog

    func respond(to request: Request, context: MetadataContext) async throws -> Response {
        // haproxy asks for it. The server then looks at nothing that comes behind the request, which haproxy would not have looked at either.
        guard request.headers[.connection] == "close" else { return Self.text(.badRequest, "A connection carries one request.") }
        guard request.head.path?.hasPrefix("/") == true else { return Self.text(.badRequest, "A path begins with a slash.") }
        let subject: InstanceSubject
        switch sender(of: request) {
        case .found(let instance): subject = instance
        case .refused(let response): return response
        }
        let response: Response
        if let nova {
            response = await forward(request, of: subject, to: nova)
        } else {
            response = Self.answer(request, of: subject)
        }
        return request.method == .head ? response.createHeadResponse() : response
    }

    // MARK: Who asks

    private enum Sender {
        case found(InstanceSubject)
        case refused(Response)
    }

    /// By the headers that haproxy writes, each of which must be there once.
    private func sender(of request: Request) -> Sender {
        guard let network = request.headers.only(MetadataHeaders.network).flatMap({ ResourceID($0) }),
            let source = request.headers.only(MetadataHeaders.source).flatMap({ IPAddress($0) })
        else {
            log.note("A request for metadata does not say who asks", ["headers": "\(MetadataHeaders.network), \(MetadataHeaders.source)"])
            return .refused(Self.text(.badRequest, "Who asks is not known."))
        }
        if let subject = directory.instance(on: network, at: source) { return .found(subject) }
        guard directory.isComplete else {
            return .refused(Self.text(.serviceUnavailable, "This host does not know its instances yet: ask again."))
        }
        log.note("No instance has the address that asks for metadata", ["network": "\(network)", "address": "\(source)"])
        return .refused(Self.text(.notFound, "No instance has the address \(source)."))
    }

    // MARK: Answers

    private static func answer(_ request: Request, of subject: InstanceSubject) -> Response {
        guard request.method == .get || request.method == .head else {
            var response = text(.methodNotAllowed, "Metadata can be read.")
            response.headers[.allow] = "GET, HEAD"
            return response
        }
        switch MetadataDocuments.document(at: request.uri.path, for: subject) {
        case .text(let text): return Self.text(.ok, text)
        case .json(let text): return Self.response(.ok, "application/json", ByteBuffer(string: text))
        case .bytes(let bytes): return Self.response(.ok, "application/octet-stream", ByteBuffer(bytes: bytes))
        case nil: return Self.text(.notFound, "There is nothing at this path.")
        }
    }

    private func forward(_ request: Request, of subject: InstanceSubject, to nova: NovaMetadataClient) async -> Response {
        guard !subject.deviceID.isEmpty else { return Self.text(.notFound, "The port belongs to no instance of Nova.") }
        guard let source = request.headers.only(MetadataHeaders.source) else { return Self.text(.badRequest, "Who asks is not known.") }
        let body: ByteBuffer
        do { body = try await request.body.collect(upTo: Self.maximumBodyBytes) } catch {
            return Self.text(.contentTooLarge, "A body has at most \(Self.maximumBodyBytes) bytes.")
        }
        do {
            return try await nova.answer(request, body: body, of: subject, at: source)
        } catch {
            log.note("Nova does not answer for metadata", ["error": "\(error)"])
            return Self.text(.serviceUnavailable, "Nova's metadata service cannot be asked now.")
        }
    }

    static func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
        response(status, "text/plain; charset=utf-8", ByteBuffer(string: text))
    }

    static func response(_ status: HTTPResponse.Status, _ type: String, _ body: ByteBuffer) -> Response {
        Response(status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: body))
    }
}

extension HTTPFields {
    /// The value of a header that is there exactly once.
    func only(_ name: String) -> String? {
        guard let name = HTTPField.Name(name) else { return nil }
        let values = self[values: name]
        return values.count == 1 ? values[0] : nil
    }
}
