import Glibc
import Synchronization

/// Runs pieces of work that block in system calls side by side, on a bounded number of threads that end with the last piece.
enum Parallel {
    /// What each thread needs at most: libnftables is the hungriest, and runs on threads of its own.
    private static let stackBytes = 512 * 1024

    /// The results of the body, in the order of the items. The caller's thread works too, so that a thread that cannot be started costs time only.
    static func map<Item: Sendable, Output: Sendable>(
        _ items: [Item], width: Int, _ body: @Sendable (Item) -> Output
    ) -> [Output] {
        guard items.count > 1, width > 1 else { return items.map(body) }
        let next = Atomic(0)
        let results = Mutex<[Int: Output]>([:])
        withoutActuallyEscaping(body) { body in
            let work = Work {
                while true {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < items.count else { return }
                    let output = body(items[index])
                    results.withLock { $0[index] = output }
                }
            }
            let threads = (1..<min(width, items.count)).compactMap { _ in start(work) }
            work.body()
            for thread in threads { pthread_join(thread, nil) }
        }
        return results.withLock { results in items.indices.compactMap { results[$0] } }
    }

    /// Runs the body on a thread of its own that nobody waits for; false when none can be started.
    static func detach(_ body: @escaping @Sendable () -> Void) -> Bool {
        guard let thread = start(Work(body)) else { return false }
        pthread_detach(thread)
        return true
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private static func start(_ work: Work) -> pthread_t? {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackBytes)
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(work)
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, argument.toOpaque())
        guard code == 0 else {
            argument.release()
            return nil
        }
        return thread
    }
}
