import CLinux
import Glibc

/// Threads of the lab's own: for work that blocks, so that Swift's few cooperative threads stay free, and for work in another namespace.
enum BackgroundThread {
    private final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Starts a thread that nobody joins.
    static func start(_ body: @escaping @Sendable () -> Void) throws(LabError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Work(body))
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, argument.toOpaque())
        guard code == 0 else {
            argument.release()
            throw LabError("A thread could not be started: \(String(cString: strerror(code))).")
        }
    }

    /// Runs a body that blocks, on a thread of its own.
    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            do { try start { continuation.resume(with: Result(catching: body)) } } catch { continuation.resume(throwing: error) }
        }
    }
}

/// Opens a socket in the network namespace of a process: a thread enters the namespace, opens the socket and ends. The socket stays in that
/// namespace and can be used from everywhere.
///
/// - Parameter open: answers a descriptor, or -errno.
func openSocket(inNamespaceOfProcess process: Int32, _ open: @escaping @Sendable () -> Int32) throws(LabError) -> Int32 {
    let result = ThreadResult()
    let namespace = Glibc.open("/proc/\(process)/ns/net", O_RDONLY | O_CLOEXEC)
    guard namespace >= 0 else { throw LabError("The namespace of process \(process) is gone: \(String(cString: strerror(errno))).") }
    defer { close(namespace) }
    try BackgroundThread.start {
        let entered = clinux_enter_network_namespace(namespace)
        guard entered == 0 else { return result.finish(entered) }
        result.finish(open())
    }
    let descriptor = result.wait()
    guard descriptor >= 0 else {
        throw LabError("A socket in the namespace of process \(process) could not be opened: \(String(cString: strerror(-descriptor))).")
    }
    return descriptor
}

/// A number that one thread hands to another.
final class ThreadResult: Sendable {
    private let ends: (Int32, Int32)

    init() {
        var pair: [Int32] = [-1, -1]
        let made = clinux_pipe(&pair)
        precondition(made >= 0, "a pipe needs two free descriptors")
        ends = (pair[0], pair[1])
    }

    deinit {
        close(ends.0)
        close(ends.1)
    }

    func finish(_ value: Int32) { _ = withUnsafeBytes(of: value) { write(ends.1, $0.baseAddress, $0.count) } }

    func wait() -> Int32 {
        var value: Int32 = -EIO
        var count: Int
        repeat {
            count = withUnsafeMutableBytes(of: &value) { read(ends.0, $0.baseAddress, $0.count) }
        } while count < 0 && errno == EINTR
        return value
    }
}
