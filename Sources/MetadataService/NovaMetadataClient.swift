import AsyncHTTPClient
import Crypto
import HTTPTypes
import Hummingbird
import Metadata
import NIOCore
import NIOHTTP1

/// Asks Nova's metadata service in the name of an instance, as Neutron's metadata agent does: Nova believes who it is because of a signature.
final class NovaMetadataClient: Sendable {
    static let connectLimit = TimeAmount.seconds(3)
    /// For one question with its answer.
    static let answerLimit = TimeAmount.seconds(30)
    /// User data has at most 64 KiB; vendor data may have more.
    static let maximumAnswerBytes = 4 << 20

    private let configuration: MetadataServiceConfiguration.Nova
    private let client: HTTPClient

    init(_ configuration: MetadataServiceConfiguration.Nova) {
        self.configuration = configuration
        var settings = HTTPClient.Configuration()
        settings.timeout.connect = Self.connectLimit
        // A redirection would carry signatures to wherever it points.
        settings.redirectConfiguration = .disallow
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    func close() async throws { try await client.shutdown() }

    func answer(_ request: Request, body: ByteBuffer, of subject: InstanceSubject, at source: String) async throws -> Response {
        var question = HTTPClientRequest(url: configuration.url + (request.head.path ?? "/"))
        question.method = HTTPMethod(rawValue: request.method.rawValue)
        for field in request.headers where MetadataHeaders.isPassedToNova(field.name.canonicalName) {
            question.headers.add(name: field.name.rawName, value: field.value)
        }
        for (name, value) in MetadataHeaders.identity(of: subject, at: source, signature: signature(of: subject.deviceID)) {
            question.headers.add(name: name, value: value)
        }
        if body.readableBytes > 0 { question.body = .bytes(body) }
        let answer = try await client.execute(question, timeout: Self.answerLimit)
        let content = try await answer.body.collect(upTo: Self.maximumAnswerBytes)
        var headers = HTTPFields()
        for (name, value) in answer.headers where MetadataHeaders.isPassedBack(name.lowercased()) {
            if let name = HTTPField.Name(name) { headers.append(HTTPField(name: name, value: value)) }
        }
        return Response(status: .init(code: Int(answer.status.code)), headers: headers, body: ResponseBody(byteBuffer: content))
    }

    /// HMAC-SHA256 of the instance's id under the shared secret, in hexadecimal.
    private func signature(of instanceID: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Array(instanceID.utf8), using: SymmetricKey(data: Array(configuration.secret.utf8)))
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: code.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
