import CLinux
import Glibc
import Synchronization

/// Carries the agents' connections from the lab's control network to the server, which listens on the machine's loopback.
///
/// One process may hold sockets of two network namespaces: the listening socket is opened in the lab's, connections to the server in the
/// machine's own. Two threads carry each connection, one for each direction.
public enum Relay {
    static let connectionLimit = 1024
    private static let chunkBytes = 64 * 1024
    /// How long bytes may stay unacknowledged by a host that was cut off before its connection is given up.
    private static let userTimeoutMilliseconds: Int32 = 20_000

    /// Listens and relays; returns only with an error.
    ///
    /// - Parameter process: any process in the network namespace to listen in.
    public static func run(
        inNamespaceOfProcess process: Int32, listen: (address: String, port: Int), destination: (address: String, port: Int)
    ) throws -> Never {
        let listener = try openSocket(inNamespaceOfProcess: process) { openListener(listen.address, UInt16(clamping: listen.port)) }
        let open = OpenConnections()
        while true {
            let connection = clinux_accept(listener)
            guard connection >= 0 else {
                guard [EINTR, ECONNABORTED, EMFILE, ENFILE].contains(-connection) else { throw Files.failure("accept connections") }
                usleep(10_000)
                continue
            }
            setOption(connection, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, userTimeoutMilliseconds)
            setOption(connection, SOL_SOCKET, SO_KEEPALIVE, 1)
            guard open.enter(limit: connectionLimit) else {
                close(connection)
                continue
            }
            do throws(LabError) {
                try BackgroundThread.start {
                    serve(connection, destination)
                    open.leave()
                }
            } catch {
                close(connection)
                open.leave()
            }
        }
    }

    private static func openListener(_ address: String, _ port: UInt16) -> Int32 {
        let descriptor = clinux_stream_socket()
        guard descriptor >= 0 else { return descriptor }
        setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        var local = SocketAddress.ipv4(address, port: port)
        guard SocketAddress.with(&local, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 128) == 0 else {
            let code = errno
            close(descriptor)
            return -code
        }
        return descriptor
    }

    /// Carries one connection to its end, in both directions.
    private static func serve(_ connection: Int32, _ destination: (address: String, port: Int)) {
        let server = clinux_stream_socket()
        defer {
            close(connection)
            if server >= 0 { close(server) }
        }
        guard server >= 0 else { return }
        var address = SocketAddress.ipv4(destination.address, port: UInt16(clamping: destination.port))
        guard SocketAddress.with(&address, { connect(server, $0, $1) }) == 0 else { return }
        for descriptor in [connection, server] { setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
        let ended = ThreadResult()
        do throws(LabError) {
            try BackgroundThread.start {
                copy(from: server, to: connection)
                ended.finish(0)
            }
        } catch { return }
        copy(from: connection, to: server)
        _ = ended.wait()
    }

    /// Copies until the end of the stream, which it passes on. When the reader is gone, the writer is told.
    private static func copy(from source: Int32, to sink: Int32) {
        var chunk = [UInt8](repeating: 0, count: chunkBytes)
        stream: while true {
            let count = read(source, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            var written = 0
            while written < count {
                let result = chunk.withUnsafeBytes {
                    send(sink, $0.baseAddress?.advanced(by: written), count - written, Int32(MSG_NOSIGNAL))
                }
                if result < 0 && errno == EINTR { continue }
                guard result > 0 else {
                    shutdown(source, Int32(SHUT_RDWR))
                    break stream
                }
                written += result
            }
        }
        shutdown(sink, Int32(SHUT_WR))
    }

    private static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}

private final class OpenConnections: Sendable {
    private let count = Mutex(0)

    func enter(limit: Int) -> Bool {
        count.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
    }

    func leave() { count.withLock { $0 -= 1 } }
}
