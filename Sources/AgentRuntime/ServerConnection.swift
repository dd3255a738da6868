import AsyncHTTPClient
import Foundation
import HostModel
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// Why a server did not answer as it should.
struct ServerFailure: Error, CustomStringConvertible {
    var description: String
}

/// The agent's side of the contract with the server: it follows the feed and posts reports.
final class ServerConnection: Sendable {
    /// A server that sends nothing for so long, not even a bookmark, is gone (it sends one every 5 s).
    static let silenceLimit = TimeAmount.seconds(15)
    static let connectLimit = TimeAmount.seconds(3)
    static let reportLimit = TimeAmount.seconds(10)
    /// A line of the feed holds one item; none comes near this size.
    static let maximumLineBytes = 4 << 20

    private let client: HTTPClient
    private let hostPath: String
    /// The value of `Authorization`; nil: none is sent.
    private let authorization: String?
    private let serverURLs: [String]
    /// The server in use: an index into `serverURLs`, which moves on when one fails.
    private let current = Atomic<Int>(0)

    init(configuration: AgentConfiguration) {
        var settings = HTTPClient.Configuration()
        settings.timeout.connect = Self.connectLimit
        settings.timeout.read = Self.silenceLimit
        // The process's shared event loops: one feed and small reports need none of their own.
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        serverURLs = configuration.serverURLs
        authorization = configuration.secret.map { "Bearer \($0)" }
        let allowed = CharacterSet.urlPathAllowed.subtracting(CharacterSet(charactersIn: "/"))
        hostPath = "/agent/v1/hosts/" + (configuration.hostID.addingPercentEncoding(withAllowedCharacters: allowed) ?? configuration.hostID)
    }

    func close() async throws { try await client.shutdown() }

    /// Turns to the next server.
    func turnToNextServer() { current.wrappingAdd(1, ordering: .relaxed) }

    private var baseURL: String { serverURLs[current.load(ordering: .relaxed) % serverURLs.count] }

    /// Follows the feed until the connection ends, and hands over each line's message.
    ///
    /// - Parameter revision: what the view holds; nil for nothing.
    func follow(after revision: Int?, _ handle: @Sendable (FeedMessage) async throws -> Void) async throws {
        var request = HTTPClientRequest(url: baseURL + hostPath + "/feed" + (revision.map { "?after=\($0)" } ?? ""))
        request.headers.add(name: "Accept", value: "application/x-ndjson")
        authorize(&request)
        let response = try await client.execute(request, deadline: .distantFuture)
        guard response.status != .unauthorized else { throw ServerFailure(description: refusal) }
        guard response.status == .ok else {
            throw ServerFailure(description: "the server \(baseURL) answered the feed with \(response.status)")
        }
        let decoder = JSONDecoder()
        var pending = ByteBuffer()
        for try await var chunk in response.body {
            pending.writeBuffer(&chunk)
            while let length = pending.readableBytesView.firstIndex(of: UInt8(ascii: "\n")).map({ $0 - pending.readerIndex }),
                let line = pending.readBytes(length: length + 1)
            {
                try await handle(try decoder.decode(FeedMessage.self, from: Data(line.dropLast())))
            }
            guard pending.readableBytes <= Self.maximumLineBytes else {
                throw ServerFailure(description: "a line of the feed is longer than \(Self.maximumLineBytes) bytes")
            }
            pending.discardReadBytes()
        }
    }

    private func authorize(_ request: inout HTTPClientRequest) {
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
    }

    private var refusal: String {
        "the server \(baseURL) refuses this agent: give it the server's secret with --agent-secret-file"
    }

    func report(_ status: HostStatus) async throws {
        var request = HTTPClientRequest(url: baseURL + hostPath + "/status")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        authorize(&request)
        request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(status)))
        let response = try await client.execute(request, timeout: Self.reportLimit)
        guard (200..<300).contains(response.status.code) else {
            let body = try? await response.body.collect(upTo: 4096)
            throw ServerFailure(
                description: "the server \(baseURL) answered a report with \(response.status): \(body.map { String(buffer: $0) } ?? "")")
        }
        _ = try await response.body.collect(upTo: 4096)
    }
}
