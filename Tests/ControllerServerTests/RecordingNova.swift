import APISchema
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import TestSupport

/// An HTTP endpoint that is Nova and Keystone to a server under test: it keeps what it was sent.
final class RecordingNova: Sendable {
    struct Post: Sendable {
        var token: String?
        var body: JSONValue
    }

    private struct State {
        var posts: [Post] = []
        var logins: [JSONValue] = []
        /// Statuses of the next answers; 200 once they are used up.
        var answers: [Int] = []
        /// Requests with events, accepted or not.
        var attempts = 0
        var token = 0
    }

    private let state = Mutex(State())

    var posts: [Post] { state.withLock { $0.posts } }
    var logins: [JSONValue] { state.withLock { $0.logins } }
    /// Events that were accepted, as `name status tag` in their order.
    var events: [JSONValue] { posts.flatMap { $0.body["events"]?.arrayValue ?? [] } }

    var attempts: Int { state.withLock { $0.attempts } }

    /// What it answers next; 207 is that it has the events and knows none of their instances.
    func answer(_ statuses: [Int]) { state.withLock { $0.answers = statuses } }

    private func take(_ body: JSONValue, token: String?) -> (status: Int, answer: JSONValue) {
        state.withLock { state in
            state.attempts += 1
            let status = state.answers.isEmpty ? 200 : state.answers.removeFirst()
            guard status == 200 || status == 207 else { return (status, [:]) }
            let code: JSONValue = status == 200 ? 200 : 404
            state.posts.append(Post(token: token, body: body))
            let events = (body["events"]?.arrayValue ?? []).map { event -> JSONValue in
                .object((event.objectValue ?? [:]).merging(["code": code]) { $1 })
            }
            return (status, ["events": .array(events)])
        }
    }

    private func login(_ body: JSONValue) -> String {
        state.withLock { state in
            state.logins.append(body)
            state.token += 1
            return "token-\(state.token)"
        }
    }

    /// Listens on a free port while the body works.
    func run(_ body: @Sendable (_ port: Int) async throws -> Void) async throws {
        let router = Hummingbird.Router()
        router.post("/v2.1/os-server-external-events") { request, _ in
            let (status, answer) = self.take(try await Self.json(request), token: request.headers[Self.tokenName])
            return Self.response(status, answer)
        }
        router.post("/v3/auth/tokens") { request, _ in
            var response = Self.response(201, ["token": [:]])
            response.headers[Self.subjectTokenName] = self.login(try await Self.json(request))
            return response
        }
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) }, logger: .quiet)
        let services = ServiceGroup(configuration: .init(services: [.init(service: application)], logger: .quiet))
        try await withThrowingTaskGroup { group in
            group.addTask { try await services.run() }
            guard let port = await ports.first(where: { _ in true }) else { return }
            do { try await body(port) } catch {
                await services.triggerGracefulShutdown()
                throw error
            }
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    private static let tokenName = HTTPField.Name("X-Auth-Token") ?? .authorization
    private static let subjectTokenName = HTTPField.Name("X-Subject-Token") ?? .authorization
    private static let maximumBytes = 1 << 20

    private static func json(_ request: Request) async throws -> JSONValue {
        let buffer = try await request.body.collect(upTo: maximumBytes)
        return try JSONParser.parse(Array(buffer.readableBytesView))
    }

    private static func response(_ status: Int, _ body: JSONValue) -> Response {
        Response(
            status: .init(code: status), headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: body.text)))
    }
}
