import CLinux
import Glibc
import KernelInterface

/// Runs code inside a network namespace.
///
/// A thread's namespace is a property of the thread, so no thread that runs anything else ever changes its own: each call starts a thread,
/// which enters the namespace, runs the body and ends. (A thread costs some 30 µs; a socket that the body opens stays in the namespace and can be
/// used from anywhere.) The caller blocks meanwhile.
public enum NamespaceRunner {
    /// Where `ip netns` keeps the names.
    public static let directory = "/run/netns"

    /// The file that holds a namespace.
    public static func path(of namespace: NamespaceName) -> String { "\(directory)/\(namespace)" }

    /// Runs the body in the namespace and answers what it answers; in the caller's own thread for nil.
    ///
    /// - Throws: what the body throws, or a ``KernelError`` when the namespace cannot be entered: ENOENT when there is none of that name.
    public static func run<Value>(in namespace: NamespaceName?, _ body: () throws -> Value) throws -> Value {
        guard let namespace else { return try body() }
        var result: Result<Value, any Error>?
        try onThread(in: namespace) { result = Result(catching: body) }
        guard let result else { preconditionFailure("the thread ran the body before it ended") }
        return try result.get()
    }

    /// The same for bodies of this room.
    static func runTyped<Value>(in namespace: NamespaceName?, _ body: () throws(KernelError) -> Value) throws(KernelError) -> Value {
        guard let namespace else { return try body() }
        var result: Result<Value, KernelError>?
        try onThread(in: namespace) { result = capture(body) }
        guard let result else { preconditionFailure("the thread ran the body before it ended") }
        return try result.get()
    }

    /// Runs the body on a thread in a namespace that is new and has no name; it goes when nothing refers to it any more.
    static func runInNewNamespace<Value>(_ body: () throws(KernelError) -> Value) throws(KernelError) -> Value {
        var result: Result<Value, KernelError>?
        try DedicatedThread.run {
            let entered = clinux_new_network_namespace()
            result = entered < 0 ? .failure(KernelError(-entered, "make a network namespace")) : capture(body)
        }
        guard let result else { preconditionFailure("the thread ran the body before it ended") }
        return try result.get()
    }

    private static func capture<Value>(_ body: () throws(KernelError) -> Value) -> Result<Value, KernelError> {
        do throws(KernelError) { return .success(try body()) } catch { return .failure(error) }
    }

    private static func onThread(in namespace: NamespaceName, _ body: () -> Void) throws(KernelError) {
        let descriptor = try openNamespace(namespace)
        defer { close(descriptor) }
        var entered: Int32 = 0
        try DedicatedThread.run {
            entered = clinux_enter_network_namespace(descriptor)
            if entered == 0 { body() }
        }
        guard entered == 0 else { throw KernelError(-entered, "enter namespace \(namespace)") }
    }

    /// A descriptor of the namespace, or of the process's own for nil. The caller closes it.
    static func openNamespace(_ namespace: NamespaceName?) throws(KernelError) -> Int32 {
        let path = namespace.map(path(of:)) ?? "/proc/self/ns/net"
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let code = errno
            throw KernelError(code, namespace.map { "open namespace \($0)" } ?? "open the process's own network namespace")
        }
        return clinux_lift(descriptor)
    }
}

/// A thread for one piece of work whose caller waits for it.
enum DedicatedThread {
    /// libnftables' parser and evaluator keep long arrays on the stack. Only touched pages cost memory.
    static let stackBytes = 2 * 1024 * 1024

    static func run(_ body: () -> Void) throws(KernelError) {
        let code = withoutActuallyEscaping(body) { body in start(Work(body: body)) }
        guard code == 0 else { throw KernelError(code, "start a thread") }
    }

    private final class Work {
        let body: () -> Void
        init(body: @escaping () -> Void) { self.body = body }
    }

    /// Starts the thread and waits for its end; an errno value when it cannot start.
    private static func start(_ work: Work) -> Int32 {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackBytes)
        // What is started is of normal priority (SCHED_RESET_ON_FORK), and its caller would wait for its turn.
        clinux_inherit_realtime(&attributes)
        var thread = pthread_t()
        var code = create(&thread, &attributes, work)
        if code == EPERM {
            // The priority is not to be had any more, which is no reason not to do it.
            pthread_attr_setinheritsched(&attributes, Int32(PTHREAD_INHERIT_SCHED))
            code = create(&thread, &attributes, work)
        }
        guard code == 0 else { return code }
        return withExtendedLifetime(work) { pthread_join(thread, nil) }
    }

    /// The work is not retained for the thread: whoever waits for its end keeps it alive.
    private static func create(_ thread: inout pthread_t, _ attributes: inout pthread_attr_t, _ work: Work) -> Int32 {
        pthread_create(
            &thread, &attributes,
            { argument in
                if let argument { Unmanaged<Work>.fromOpaque(argument).takeUnretainedValue().body() }
                return nil
            }, Unmanaged.passUnretained(work).toOpaque())
    }
}
