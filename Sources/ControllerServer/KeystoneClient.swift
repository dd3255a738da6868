import APISchema
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NetworkModel

/// Why Keystone did not say whether a token is valid.
struct KeystoneFailure: Error, CustomStringConvertible {
    var description: String
}

/// The two things that this server asks of Keystone: a token of its own, and whether a caller's token is valid.
final class KeystoneClient: Sendable {
    /// Tokens are validated without their catalogue, so an answer has some kilobytes.
    static let maximumAnswerBytes = 1 << 20
    /// A question that got no answer is put again: an idle connection may have been closed just when it was taken.
    static let attempts = 2

    private let configuration: KeystoneConfiguration
    private let client: HTTPClient

    init(configuration: KeystoneConfiguration) {
        self.configuration = configuration
        var settings = HTTPClient.Configuration()
        settings.timeout.connect = .seconds(Int64(configuration.connectSeconds))
        // A redirection would carry tokens to wherever it points.
        settings.redirectConfiguration = .disallow
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    func close() async throws { try await client.shutdown() }

    /// A new token for the service user, with the moment when it expires.
    func authenticate() async throws(KeystoneFailure) -> (text: String, expiresAt: Timestamp) {
        var request = HTTPClientRequest(url: configuration.versionURL + "/auth/tokens?nocatalog")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: credentials.text))
        let answer = try await send(request)
        guard answer.status == .created, let text = answer.headers.first(name: "X-Subject-Token"),
            let token = answer.body.flatMap({ KeystoneToken(body: $0) })
        else {
            throw KeystoneFailure(
                description: "Keystone gives the user '\(configuration.user)' no token (status \(answer.status.code)): check the options "
                    + "--keystone-user, --keystone-password-file and --keystone-project")
        }
        return (text, token.expiresAt)
    }

    /// What Keystone says of a token.
    enum Verdict {
        case valid(KeystoneToken)
        case invalid
        /// This server's own token is not valid (any more).
        case refused
    }

    /// Asks Keystone for the token of a caller, with this server's own token.
    ///
    /// - Parameter allowsExpired: whether one counts that expired within Keystone's window (`allow_expired_window`).
    func validate(_ token: String, allowsExpired: Bool, with own: String) async throws(KeystoneFailure) -> Verdict {
        var request = HTTPClientRequest(
            url: configuration.versionURL + "/auth/tokens?nocatalog" + (allowsExpired ? "&allow_expired=1" : ""))
        request.headers.add(name: "X-Auth-Token", value: own)
        request.headers.add(name: "X-Subject-Token", value: token)
        let answer = try await send(request)
        switch answer.status {
        case .ok:
            guard let token = answer.body.flatMap({ KeystoneToken(body: $0) }) else {
                throw KeystoneFailure(description: "Keystone's answer about a token cannot be read")
            }
            return .valid(token)
        case .notFound: return .invalid
        case .unauthorized: return .refused
        case .forbidden:
            throw KeystoneFailure(
                description: "Keystone does not let the user '\(configuration.user)' validate tokens: give it the role service or admin in "
                    + "the project '\(configuration.project)'")
        default: throw KeystoneFailure(description: "Keystone answered a validation with status \(answer.status.code)")
        }
    }

    private struct Answer {
        var status: HTTPResponseStatus
        var headers: HTTPHeaders
        var body: JSONValue?
    }

    private func send(_ request: HTTPClientRequest) async throws(KeystoneFailure) -> Answer {
        var failure = ""
        for _ in 0..<Self.attempts {
            do {
                let response = try await client.execute(request, timeout: .seconds(Int64(configuration.answerSeconds)))
                let buffer = try await response.body.collect(upTo: Self.maximumAnswerBytes)
                return Answer(
                    status: response.status, headers: response.headers, body: try? JSONParser.parse(Array(buffer.readableBytesView)))
            } catch {
                failure = "\(error)"
            }
        }
        throw KeystoneFailure(description: "Keystone at \(configuration.versionURL) cannot be reached: \(failure)")
    }

    private var credentials: JSONValue {
        [
            "auth": [
                "identity": [
                    "methods": ["password"],
                    "password": [
                        "user": [
                            "name": .string(configuration.user), "password": .string(configuration.password),
                            "domain": ["name": .string(configuration.userDomain)],
                        ]
                    ],
                ],
                "scope": [
                    "project": ["name": .string(configuration.project), "domain": ["name": .string(configuration.projectDomain)]]
                ],
            ]
        ]
    }
}
