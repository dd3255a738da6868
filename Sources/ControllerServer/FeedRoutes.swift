import APISchema
import Foundation
import HostModel
import Hummingbird
import NIOCore
import Operations

/// What agents ask: their feed, and where they report. (DESIGN, section 5.)
struct FeedRoutes: Sendable {
    /// A bookmark is sent at least so often, so that both ends notice a dead connection.
    static let keepAliveSeconds = 5
    /// Bytes that are gathered before they are written.
    static let chunkBytes = 64 * 1024

    let hub: FeedHub
    let operations: Operations
    private let conflicts = ReportedConflicts()
    private let failures = ReportedFailures()

    init(hub: FeedHub, operations: Operations) {
        self.hub = hub
        self.operations = operations
    }

    func addRoutes(to router: APIRouter) {
        router.get("/agent/v1/hosts/:host/feed") { request, context in
            let host = try Self.host(context)
            let after = request.uri.queryParameters.get("after", as: Int.self)
            return Response(
                status: .ok, headers: [.contentType: "application/x-ndjson"],
                body: ResponseBody { writer in
                    try await self.stream(to: &writer, host: host, after: after)
                    try await writer.finish(nil)
                })
        }
        router.post("/agent/v1/hosts/:host/status") { request, context in
            let host = try Self.host(context)
            let buffer = try await request.wholeBody()
            let status: HostStatus
            do {
                status = try JSONDecoder().decode(HostStatus.self, from: Data(buffer.readableBytesView))
            } catch {
                throw APIError.badRequest("The report of host \(host) cannot be read: \(error)")
            }
            let changes = try await operations.report(host: host, status: status)
            ReportedFailures.log(changes, context.logger)
            failures.note(status.failures, from: host, context.logger)
            conflicts.note(status.conflicts ?? [], from: host, context.logger)
            return Response.noContent
        }
        router.get("/agent/v1/hosts/:host/duties") { _, context in
            Self.answer(try await operations.duties(ofHost: Self.host(context), caller: context.caller))
        }
    }

    private static func answer(_ duties: HostDuties) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            for (name, value) in [
                ("mastered_routers", duties.masteredRouters), ("standalone_routers", duties.standaloneRouters),
                ("served_networks", duties.servedNetworks), ("memberships", duties.memberships),
            ] {
                writer.key(name)
                writer.integer(value)
            }
        }
        return .json(writer)
    }

    /// The host in the path, which clients write percent-encoded (RFC 3986, section 2.1).
    private static func host(_ context: APIContext) throws -> String {
        guard let host = context.parameters.get("host")?.removingPercentEncoding, (1...255).contains(host.utf8.count),
            !host.utf8.contains(0)
        else { throw APIError.badRequest("A host's name has 1 to 255 bytes, and no null character") }
        return host
    }

    /// Writes the opening, then a batch at each wake-up, until the agent goes away or the server stops.
    private func stream(to writer: inout any ResponseBodyWriter, host: String, after: Int?) async throws {
        let subscription = await hub.subscribe(host: host, after: after)
        let ticks = Self.ticks(with: subscription.wakeUps)
        do {
            try await write(subscription.opening, to: &writer)
            for await isKeepAlive in ticks {
                guard let batch = await hub.nextBatch(of: subscription.id, isKeepAlive: isKeepAlive) else { break }
                try await write(batch, to: &writer)
            }
        } catch {
            await hub.unsubscribe(subscription.id)
            throw error
        }
        await hub.unsubscribe(subscription.id)
    }

    /// Wake-ups (false) and, between them, keep-alives (true). Ends with the wake-ups.
    private static func ticks(with wakeUps: AsyncStream<Void>) -> AsyncStream<Bool> {
        let (stream, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(2))
        let keepAlive = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(keepAliveSeconds))
                continuation.yield(true)
            }
        }
        let forward = Task {
            for await _ in wakeUps { continuation.yield(false) }
            continuation.finish()
        }
        continuation.onTermination = { _ in
            keepAlive.cancel()
            forward.cancel()
        }
        return stream
    }

    private func write(_ messages: [FeedMessage], to writer: inout any ResponseBodyWriter) async throws {
        let encoder = JSONEncoder()
        var buffer = ByteBuffer()
        for message in messages {
            buffer.writeBytes(try encoder.encode(message))
            buffer.writeInteger(UInt8(ascii: "\n"))
            if buffer.readableBytes >= Self.chunkBytes {
                try await writer.write(buffer)
                buffer.clear()
            }
        }
        if buffer.readableBytes > 0 { try await writer.write(buffer) }
    }
}
