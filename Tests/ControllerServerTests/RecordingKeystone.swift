import APISchema
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NetworkModel
import Synchronization

/// A clock that only a test moves.
final class TestClock: Sendable {
    private let seconds = Mutex(1_800_000_000)
    var now: Timestamp { Timestamp(secondsSince1970: seconds.withLock { $0 }) }
    func advance(_ interval: Int) { seconds.withLock { $0 += interval } }
}

/// Keystone's side of token validation, played by a test: it notes each question, and decides what is valid and whether it answers at all.
final class RecordingKeystone: Sendable {
    static let password = "correct horse"

    /// A question about a token.
    struct Validation: Sendable, Equatable {
        var token: String
        var allowsExpired: Bool
        /// The token of the one who asks.
        var own: String
    }

    private struct State {
        var tokens: [String: JSONValue] = [:]
        var own: Set<String> = []
        var logins = 0
        var validations: [Validation] = []
        var isOut = false
        var gate: AsyncStream<Void>?
    }

    let clock = TestClock()
    private let state = Mutex(State())

    var logins: Int { state.withLock { $0.logins } }
    var validations: [Validation] { state.withLock { $0.validations } }

    /// While it is out, every answer is 500.
    func setOut(_ isOut: Bool) { state.withLock { $0.isOut = isOut } }

    /// The service's tokens are no longer valid, as after a change of Keystone's keys.
    func revokeOwn() { state.withLock { $0.own = [] } }

    /// Holds validations until the stream ends.
    func hold(until gate: AsyncStream<Void>) { state.withLock { $0.gate = gate } }

    /// Makes a token valid.
    func add(
        _ token: String, roles: [String] = ["member"], lifetime: Int = 3600, scope: [String: JSONValue] = ["project": ["id": "p1"]]
    ) {
        let body = Self.body(user: "user of \(token)", roles: roles, expiresAt: clock.now.secondsSince1970 + lifetime, scope: scope)
        state.withLock { $0.tokens[token] = body }
    }

    private static func body(user: String, roles: [String], expiresAt: Int, scope: [String: JSONValue]) -> JSONValue {
        let expiry = "\(Timestamp(secondsSince1970: expiresAt))".replacing("Z", with: ".000000Z")
        let members: [String: JSONValue] = [
            "user": ["id": .string(user)], "roles": .array(roles.map { ["name": .string($0)] }), "expires_at": .string(expiry),
        ]
        return ["token": .object(members.merging(scope) { $1 })]
    }

    /// Runs it on a free port of the loopback device while the body runs.
    static func run(_ body: @Sendable @escaping (RecordingKeystone, _ url: String) async throws -> Void) async throws {
        let keystone = RecordingKeystone()
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "keystone")
        logger.logLevel = .critical
        let application = Application(
            router: keystone.router(), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) }, logger: logger)
        try await withThrowingTaskGroup { group in
            group.addTask { try await application.runService(gracefulShutdownSignals: []) }
            group.addTask {
                for await number in ports {
                    try await body(keystone, "http://127.0.0.1:\(number)")
                    return
                }
            }
            // The body ends first; then nobody needs the server.
            try await group.next()
            group.cancelAll()
        }
    }

    private func router() -> Hummingbird.Router<BasicRequestContext> {
        let router = Hummingbird.Router()
        router.post("/v3/auth/tokens") { request, _ in
            let body = try JSONParser.parse(Array(try await request.body.collect(upTo: 1 << 16).readableBytesView))
            return self.logIn(body)
        }
        router.get("/v3/auth/tokens") { request, _ in
            func header(_ name: String) -> String { HTTPField.Name(name).flatMap { request.headers[$0] } ?? "" }
            let validation = Validation(
                token: header("X-Subject-Token"), allowsExpired: request.uri.queryParameters["allow_expired"] == "1",
                own: header("X-Auth-Token"))
            let gate = self.state.withLock { state in
                state.validations.append(validation)
                return state.gate
            }
            if let gate { for await _ in gate {} }
            return self.answer(validation)
        }
        return router
    }

    private func logIn(_ body: JSONValue) -> Response {
        let user = body["auth"]?["identity"]?["password"]?["user"]
        return state.withLock { state in
            state.logins += 1
            guard !state.isOut else { return Response(status: .internalServerError) }
            guard user?["name"] == "neutron", user?["password"]?.stringValue == Self.password,
                body["auth"]?["scope"]?["project"]?["name"] == "service"
            else { return Response(status: .unauthorized) }
            let token = "own-\(state.logins)"
            state.own.insert(token)
            var response = Self.json(
                Self.body(user: "neutron", roles: ["service"], expiresAt: clock.now.secondsSince1970 + 3600, scope: [:]), .created)
            if let name = HTTPField.Name("X-Subject-Token") { response.headers[name] = token }
            return response
        }
    }

    private func answer(_ validation: Validation) -> Response {
        state.withLock { state in
            guard !state.isOut else { return Response(status: .internalServerError) }
            guard state.own.contains(validation.own) else { return Response(status: .unauthorized) }
            guard let body = state.tokens[validation.token],
                let expiry = body["token"]?["expires_at"]?.stringValue.flatMap({ Timestamp($0.prefix(19)) }),
                validation.allowsExpired || clock.now < expiry
            else { return Response(status: .notFound) }
            return Self.json(body, .ok)
        }
    }

    private static func json(_ body: JSONValue, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: body.text)))
    }
}
