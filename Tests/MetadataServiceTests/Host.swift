import Addressing
import AsyncHTTPClient
import CLinux
import Glibc
import HTTPTypes
import HostModel
import Hummingbird
import Logging
import Metadata
import MetadataService
import NIOCore
import NetworkModel
import ServiceLifecycle
import Synchronization
import TestSupport

func networkID(_ number: Int) -> ResourceID { ResourceID(rawValue: UInt128(number) << 96) }
private func portID(_ number: Int) -> ResourceID { ResourceID(rawValue: UInt128(100 + number) << 96) }
private func addresses(_ texts: [String]) -> [IPAddress] { texts.compactMap { IPAddress($0) } }

/// The metadata service of a host with some instances, on a socket of its own.
struct Host {
    var items: [HostReservation]? = Self.instances
    var nova: MetadataServiceConfiguration.Nova?

    static var instances: [HostReservation] {
        [
            instance(5, on: 1, "device-5"), instance(6, on: 1, "device-6"), instance(7, on: 1, ""),
            instance(5, on: 2, "other-5", port: 15),
        ]
    }

    private static func instance(_ number: Int, on network: Int, _ device: String, port: Int? = nil) -> HostReservation {
        HostReservation(
            portID: portID(port ?? number), networkID: networkID(network), mac: MACAddress(rawValue: 0xFA16_3E00_0000 | UInt64(number)),
            addresses: addresses(["10.0.0.\(number)"]), hostname: "vm\(number)", revision: 1,
            instance: .init(id: device, projectID: "p", addresses: addresses(["10.0.0.\(number)"])))
    }

    func run(_ body: @escaping @Sendable (SocketClient) async throws -> Void) async throws {
        let directory = InstanceDirectory()
        if let items { directory.apply(items.map { .put(.reservation($0)) }) }
        let path = try TemporaryFiles.makePath("proxy")
        var logger = Logger(label: "metadata")
        logger.logLevel = .critical
        let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
        let service = MetadataService(
            configuration: .init(socketDirectory: path, socketName: "socket", group: nil, nova: nova), directory: directory, logger: logger,
            onReady: { isReady.yield() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            group.addTask {
                for await _ in ready { break }
                try await body(SocketClient(path: path + "/socket"))
            }
            try await group.next()
            group.cancelAll()
        }
    }
}

/// What a haproxy is to the service.
struct SocketClient: Sendable {
    struct Answer: Sendable {
        var status: Int
        var body: String
        /// Names in lower case.
        var headers: [String: String]
    }

    let path: String

    func identity(_ network: Int, _ source: String) -> [(String, String)] {
        [("X-Neutron-Network-ID", networkID(network).description), ("X-Forwarded-For", source)]
    }

    func get(_ path: String, on network: Int = 1, from source: String) async throws -> Answer {
        try await send("GET", path, headers: identity(network, source))
    }

    func send(_ method: String, _ path: String, from source: String) async throws -> Answer {
        try await send(method, path, headers: identity(1, source))
    }

    func send(_ method: String, _ path: String, headers: [(String, String)], body: String? = nil) async throws -> Answer {
        let lines = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
        let text = try exchange(
            "\(method) \(path) HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\(lines)\(length)\r\n\(body ?? "")")
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        let head = parts[0].split(separator: "\r\n")
        let fields = head.dropFirst().map { $0.split(separator: ":", maxSplits: 1).map { $0.trimmingPrefix(" ") } }
        return Answer(
            status: head.first.flatMap { Int($0.split(separator: " ")[1]) } ?? 0, body: parts.count > 1 ? String(parts[1]) : "",
            headers: Dictionary(fields.map { ($0[0].lowercased(), String($0[1])) }) { first, _ in first })
    }

    func raw(_ path: String, _ source: String) -> String {
        "GET \(path) HTTP/1.1\r\nHost: m\r\nConnection: close\r\n" + identity(1, source).map { "\($0.0): \($0.1)\r\n" }.joined() + "\r\n"
    }

    struct Failure: Error { var code: Int32 }

    /// Sends octets over a new connection and answers what comes until the other end closes it.
    func exchange(_ text: String) throws -> String {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard code == 0 else { throw Failure(code: errno) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            // Who was refused may be told before all was sent.
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            answer += chunk.prefix(count)
        }
        return String(decoding: answer, as: UTF8.self)
    }
}

/// An HTTP endpoint that is Nova's metadata service to the one under test.
final class RecordingMetadata: Sendable {
    static let signatureOfDevice5 = "7b71ab64263e528c401c7b2aa1f80d7f1c7b8ac116651d7343b9aca8ce858fd2"

    struct Seen: Sendable {
        var path: String
        /// Names in lower case.
        var headers: [String: [String]]
        var body: String
    }

    private let state = Mutex([Seen]())

    var requests: [Seen] { state.withLock { $0 } }

    func run(_ body: @escaping @Sendable (_ port: Int) async throws -> Void) async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "nova")
        logger.logLevel = .critical
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in try await self.answer(request) },
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) }, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.runService(gracefulShutdownSignals: []) }
            group.addTask {
                for await number in ports {
                    try await body(number)
                    break
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private func answer(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 1 << 20)
        var headers: [String: [String]] = [:]
        for field in request.headers { headers[field.name.canonicalName, default: []].append(field.value) }
        if let authority = request.head.authority { headers["host"] = [authority] }
        state.withLock { $0.append(Seen(path: request.head.path ?? "", headers: headers, body: String(buffer: body))) }
        var answer = HTTPFields()
        if let cookie = HTTPField.Name("Set-Cookie") { answer[cookie] = "a=b" }
        if let tag = HTTPField.Name("ETag") { answer[tag] = "7" }
        return Response(status: .init(code: 203), headers: answer, body: .init(byteBuffer: ByteBuffer(string: "of Nova")))
    }
}
