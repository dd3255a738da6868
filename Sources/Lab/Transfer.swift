import CLinux
import Glibc
import Synchronization

/// A TCP connection between two places that carries data in one direction, of which every byte is checked.
public final class Transfer: Sendable {
    /// Who sends, as the one that opened the connection sees it.
    public enum Direction: String, CaseIterable, Sendable {
        case upload, download
    }

    /// Slow on purpose: it shall go on during an event, not fill the links.
    private static let chunkBytes = 4096
    private static let chunkMicroseconds: UInt32 = 5000
    private static let connectTimeoutSeconds = 10
    private static let stepSeconds = 1

    private struct State {
        var received = 0
        var failure: String?
        var isStopping = false
    }

    public let name: String
    private let state = Mutex(State())
    private let sending: Int32
    private let receiving: Int32

    private init(name: String, sending: Int32, receiving: Int32) {
        self.name = name
        self.sending = sending
        self.receiving = receiving
    }

    deinit {
        close(sending)
        close(receiving)
    }

    /// Connects from one place to an address that leads to another, and starts sending.
    public static func start(
        _ direction: Direction, from client: Place, to server: Place, at address: String
    ) async throws -> Transfer {
        let (opened, accepted) = try await BackgroundThread.run { try connect(from: client, to: server, at: address) }
        let transfer = Transfer(
            name: "\(direction.rawValue) from \(client.name) to \(address)", sending: direction == .upload ? opened : accepted,
            receiving: direction == .upload ? accepted : opened)
        try BackgroundThread.start { transfer.send() }
        try BackgroundThread.start { transfer.receive() }
        return transfer
    }

    /// How many bytes arrived, all of them right.
    public var receivedBytes: Int { state.withLock { $0.received } }

    /// Why it ended; nil while it lives.
    public var failure: String? { state.withLock { $0.failure } }

    /// Waits until more bytes arrive; false when the connection ended or nothing came in time.
    public func goesOn(bytes: Int = 64 * 1024, timeoutMilliseconds: Int = 60_000) async throws -> Bool {
        let wanted = receivedBytes + bytes
        return try await waitOrGiveUp(timeoutMilliseconds: timeoutMilliseconds) {
            self.state.withLock { $0.failure != nil ? false : $0.received >= wanted ? true : nil }
        }
    }

    /// Ends the connection.
    public func stop() {
        state.withLock { $0.isStopping = true }
        for descriptor in [sending, receiving] { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    // MARK: Threads

    /// The byte at a position of the stream.
    private static func byte(at position: Int) -> UInt8 { UInt8(truncatingIfNeeded: position ^ position >> 8 ^ position >> 16) }

    private func send() {
        var position = 0
        while !isOver {
            let chunk = (position..<position + Self.chunkBytes).map(Self.byte)
            let count = Glibc.send(sending, chunk, chunk.count, Int32(MSG_NOSIGNAL))
            if count > 0 {
                position += count
            } else if errno != EAGAIN && errno != EINTR {
                return fail("sending")
            }
            usleep(Self.chunkMicroseconds)
        }
    }

    private func receive() {
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        var position = 0
        while !isOver {
            let count = recv(receiving, &chunk, chunk.count, 0)
            if count == 0 { return fail("receiving", "the other side closed") }
            if count < 0 {
                if errno == EAGAIN || errno == EINTR { continue }
                return fail("receiving")
            }
            for index in 0..<count where chunk[index] != Self.byte(at: position + index) {
                return fail("receiving", "a wrong byte at \(position + index)")
            }
            position += count
            let total = position
            state.withLock { $0.received = total }
        }
    }

    private var isOver: Bool { state.withLock { $0.isStopping || $0.failure != nil } }

    private func fail(_ action: String, _ reason: String = String(cString: strerror(errno))) {
        state.withLock { if !$0.isStopping && $0.failure == nil { $0.failure = "\(action): \(reason)" } }
    }

    // MARK: Connecting

    private static func connect(from client: Place, to server: Place, at address: String) throws -> (opened: Int32, accepted: Int32) {
        let listener = try openSocket(inNamespaceOfProcess: server.processID) { clinux_stream_socket() }
        defer { close(listener) }
        var any = SocketAddress.ipv4("0.0.0.0", port: 0)
        guard let local = SocketAddress.bound(listener, &any), listen(listener, 1) == 0 else {
            throw Files.failure("listen in \(server.name)")
        }
        let opened = try openSocket(inNamespaceOfProcess: client.processID) { clinux_stream_socket() }
        setTimeouts(opened, seconds: connectTimeoutSeconds)
        var remote = SocketAddress.ipv4(address, port: UInt16(bigEndian: local.sin_port))
        guard SocketAddress.with(&remote, { Glibc.connect(opened, $0, $1) }) == 0 else {
            let failure = Files.failure("connect from \(client.name) to \(address)")
            close(opened)
            throw failure
        }
        setTimeouts(listener, seconds: connectTimeoutSeconds)
        let accepted = clinux_accept(listener)
        guard accepted >= 0 else {
            close(opened)
            throw LabError("\(server.name) got no connection from \(client.name).")
        }
        for descriptor in [opened, accepted] { setTimeouts(descriptor, seconds: stepSeconds) }
        return (opened, accepted)
    }

    private static func setTimeouts(_ descriptor: Int32, seconds: Int) {
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
    }
}

/// Asks until there is an answer; false when the time is over.
private func waitOrGiveUp(timeoutMilliseconds: Int, _ condition: () -> Bool?) async throws -> Bool {
    let deadline = MonotonicTime.milliseconds + timeoutMilliseconds
    while MonotonicTime.milliseconds < deadline {
        if let answer = condition() { return answer }
        try await Task.sleep(for: .milliseconds(20))
    }
    return condition() ?? false
}
