import APISchema
import Addressing
import AsyncHTTPClient
import Foundation
import HostModel
import NIOCore
import NetworkModel
import Testing

/// An agent's side of the feed and of reports, without a kernel below it.
struct HostAgent: Sendable {
    let client: APIClient
    let host: String

    func report(
        ports: [HostStatus.PortReport] = [], routers: [HostStatus.RouterReport] = [], conflicts: [HostStatus.MasterConflict]? = nil,
        hasTunnel: Bool = true
    ) async throws {
        let number = host.utf8.last ?? 0
        let status = HostStatus(
            registration: .init(
                startID: "1", tunnelAddress: hasTunnel ? IPAddress("192.0.2.\(number)") : nil, physicalNetworks: ["physnet1": "eth1"],
                stateDirectory: "/var/lib/neutrino"), ports: ports, routers: routers, conflicts: conflicts)
        let body = try [UInt8](JSONEncoder().encode(status))
        let answer = try await client.send(.POST, "/agent/v1/hosts/\(host)/status", bytes: body)
        try #require(answer.status == 204, "\(answer)")
    }

    /// Follows the feed while the body reads.
    func follow(after revision: Int? = nil, _ body: (inout FeedReader) async throws -> Void) async throws {
        let query = revision.map { "?after=\($0)" } ?? ""
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(client.port)/agent/v1/hosts/\(host)/feed\(query)")
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
        try #require(response.status == .ok && response.headers.first(name: "content-type") == "application/x-ndjson")
        var reader = FeedReader(response.body)
        try await body(&reader)
    }
}

/// Lines of a feed, applied to the view that an agent would hold.
struct FeedReader {
    private(set) var items: [HostItemKey: HostItem] = [:]
    private(set) var revision = 0
    private(set) var resets = 0
    private(set) var messages = 0

    private var bytes: HTTPClientResponse.Body.AsyncIterator
    private var buffer = ByteBuffer()
    private let decoder = JSONDecoder()

    init(_ body: HTTPClientResponse.Body) { bytes = body.makeAsyncIterator() }

    /// Nil when the server ended the feed.
    mutating func next() async throws -> FeedMessage? {
        while true {
            if let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer.readSlice(length: end - buffer.readerIndex + 1) ?? ByteBuffer()
                let message = try decoder.decode(FeedMessage.self, from: Data(line.readableBytesView))
                apply(message)
                return message
            }
            guard var more = try await bytes.next() else { return nil }
            buffer.discardReadBytes()
            buffer.writeBuffer(&more)
        }
    }

    /// Reads up to a bookmark after which the view is as wanted. False when the feed ends before.
    @discardableResult
    mutating func read(until isReached: (FeedReader) throws -> Bool) async throws -> Bool {
        while let message = try await next() {
            if case .bookmark = message, try isReached(self) { return true }
        }
        return false
    }

    var ports: [HostPort] {
        items.values.compactMap { if case .port(let port) = $0 { port } else { nil } }
    }

    var routers: [HostRouter] {
        items.values.compactMap { if case .router(let router) = $0 { router } else { nil } }
    }

    private mutating func apply(_ message: FeedMessage) {
        messages += 1
        switch message {
        case .reset:
            items = [:]
            resets += 1
        case .put(let item): items[item.key] = item
        case .drop(let key): items[key] = nil
        case .bookmark(let number): revision = number
        }
    }
}
