import Foundation
import HostModel
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// The server's side of the contract with agents, played by a test: it decides what a feed carries and when it is cut.
final class FeedServer: Sendable {
    /// One connection of an agent to the feed.
    struct Feed: Sendable {
        /// The revision that the agent says it holds.
        var after: Int?
        fileprivate var lines: AsyncStream<[FeedMessage]>.Continuation

        func send(_ messages: FeedMessage...) { lines.yield(messages) }
        func send(_ messages: [FeedMessage]) { lines.yield(messages) }

        /// Ends the connection. What was sent before arrives.
        func cut() { lines.finish() }
    }

    /// Each connection, in order.
    private let feeds: AsyncStream<Feed>
    private let newFeed: AsyncStream<Feed>.Continuation
    private let state = Mutex(State())

    private struct State {
        var reports: [HostStatus] = []
        var refusals = 0
    }

    private init() { (feeds, newFeed) = AsyncStream.makeStream() }

    /// Reports that were answered with 204, in order.
    var reports: [HostStatus] { state.withLock { $0.reports } }

    /// The next reports are answered with 503.
    func refuseReports(_ count: Int) { state.withLock { $0.refusals = count } }
    var refusalsLeft: Int { state.withLock { $0.refusals } }

    /// Waits for the agent's next connection.
    func nextFeed() async throws -> Feed {
        for await feed in feeds { return feed }
        throw CancellationError()
    }

    /// Runs a server on a free port of the loopback device while the body runs.
    static func run(_ body: @Sendable @escaping (FeedServer, _ url: String) async throws -> Void) async throws {
        let server = FeedServer()
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "feed server")
        logger.logLevel = .critical
        let application = Application(
            router: server.router(), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) }, logger: logger)
        try await withThrowingTaskGroup { group in
            group.addTask { try await application.runService(gracefulShutdownSignals: []) }
            group.addTask {
                for await number in ports {
                    try await body(server, "http://127.0.0.1:\(number)")
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
        router.get("/agent/v1/hosts/h1/feed") { request, _ in
            let (batches, lines) = AsyncStream.makeStream(of: [FeedMessage].self)
            self.newFeed.yield(Feed(after: request.uri.queryParameters.get("after", as: Int.self), lines: lines))
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    for await batch in batches { try await writer.write(Self.text(batch)) }
                    try await writer.finish(nil)
                })
        }
        router.post("/agent/v1/hosts/h1/status") { request, _ -> HTTPResponse.Status in
            let body = try await request.body.collect(upTo: 1 << 20)
            let status = try JSONDecoder().decode(HostStatus.self, from: Data(buffer: body))
            return self.state.withLock { state in
                if state.refusals > 0 {
                    state.refusals -= 1
                    return .serviceUnavailable
                }
                state.reports.append(status)
                return .noContent
            }
        }
        return router
    }

    private static func text(_ messages: [FeedMessage]) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        for message in messages {
            buffer.writeBytes(try JSONEncoder().encode(message))
            buffer.writeString("\n")
        }
        return buffer
    }
}
