import APISchema
import CLinux
import Glibc

/// One keep-alive connection to the API, with as little work for the client as possible: requests are bytes made beforehand, of answers only
/// the status and the length are looked at. Blocks; for a thread of its own.
struct LoadConnection: ~Copyable {
    static let timeoutSeconds = 60
    static let headerLimitBytes = 16 * 1024

    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 256 * 1024)

    /// Connects to 127.0.0.1.
    init(port: Int) throws {
        descriptor = clinux_stream_socket()
        guard descriptor >= 0 else { throw Files.failure("open a socket") }
        var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var isWithoutDelay: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isWithoutDelay, socklen_t(MemoryLayout<Int32>.size))
        var address = SocketAddress.ipv4("127.0.0.1", port: UInt16(clamping: port))
        let descriptor = descriptor
        guard SocketAddress.with(&address, { connect(descriptor, $0, $1) }) == 0 else {
            let failure = Files.failure("connect to the server")
            close(descriptor)
            throw failure
        }
    }

    deinit { close(descriptor) }

    /// A request as it goes over the wire.
    ///
    /// - Parameter token: of the caller; nil: none is sent.
    static func request(_ method: String, _ path: String, _ body: JSONValue? = nil, token: String?) -> [UInt8] {
        let text = body?.text ?? ""
        var lines = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if let token { lines += "X-Auth-Token: \(token)\r\n" }
        if body != nil { lines += "Content-Type: application/json\r\nContent-Length: \(text.utf8.count)\r\n" }
        return Array((lines + "\r\n" + text).utf8)
    }

    /// Sends a request and receives the whole answer.
    mutating func exchange(_ request: [UInt8]) throws -> (status: Int, bodyBytes: Int) {
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes {
                send(descriptor, $0.baseAddress?.advanced(by: sent), request.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Files.failure("send a request") }
            sent += count
        }
        var filled = 0
        while true {
            filled += try receive(at: filled)
            guard let end = endOfHeader(filled) else {
                guard filled < Self.headerLimitBytes else { throw LabError("The server answered a header without end.") }
                continue
            }
            let header = String(decoding: buffer[..<end], as: UTF8.self).lowercased()
            guard let length = Self.contentLength(header), let status = Int(header.dropFirst(9).prefix(3)) else {
                throw LabError("The server answered without a status or a length: \(header)")
            }
            var missing = end + length - filled
            while missing > 0 { missing -= try receive(at: 0) }
            guard missing == 0 else { throw LabError("The server sent more than it announced.") }
            return (status, length)
        }
    }

    private mutating func receive(at offset: Int) throws -> Int {
        let descriptor = descriptor
        let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset, 0) }
        guard count > 0 else { throw LabError("The server closed the connection or said nothing for \(Self.timeoutSeconds) s.") }
        return count
    }

    private func endOfHeader(_ filled: Int) -> Int? {
        guard filled >= 4 else { return nil }
        for index in 3..<filled where buffer[index] == 10 && buffer[index - 1] == 13 && buffer[index - 2] == 10 { return index + 1 }
        return nil
    }

    private static func contentLength(_ header: String) -> Int? {
        for line in header.split(whereSeparator: \.isNewline) where line.hasPrefix("content-length:") {
            return Int(line.dropFirst("content-length:".count).filter { $0 != " " })
        }
        return nil
    }
}

/// Several connections that ask as fast as they are answered.
enum Load {
    /// Repeats a request for some time.
    ///
    /// - Returns: answers per second, all of which had the status.
    static func rate(
        _ request: [UInt8], expecting status: Int, port: Int, connections: Int, milliseconds: Int
    ) async throws -> Double {
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            let deadline = MonotonicTime.milliseconds + milliseconds
            for _ in 0..<connections {
                group.addTask {
                    try await BackgroundThread.run { try repeated(request, expecting: status, port: port, until: deadline) }
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 }
        }
        return Double(counts) * 1000 / Double(milliseconds)
    }

    private static func repeated(_ request: [UInt8], expecting status: Int, port: Int, until deadline: Int) throws -> Int {
        var connection = try LoadConnection(port: port)
        var count = 0
        while true {
            let answer = try connection.exchange(request)
            guard answer.status == status else { throw LabError("A request was answered \(answer.status) instead of \(status).") }
            // What came after the end counts for nobody.
            guard MonotonicTime.milliseconds < deadline else { return count }
            count += 1
        }
    }
}
