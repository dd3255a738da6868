import Glibc
import KernelInterface
import Synchronization

/// Runs the programs that start daemons, beside the cycle: a keepalived that lives but does not come up is waited for 3 s, and nothing else of the host
/// may wait for it.
///
///     add ──▶ ordered ──(a thread is free)──▶ running ──▶ ended ──(takeEnded)──▶ forgotten
///                │ cancel
///                └──▶ forgotten
///
/// Threads are as many as there is work for, up to a bound, and end with it. Daemons that did not stay up before wait for those that are new, and
/// take half of the threads at most, so that a hundred that fail again and again do not hold up one.
final class DaemonStarts: Sendable {
    struct Order: Sendable {
        var key: String
        var command: [String]
        var namespace: NamespaceName?
        /// The start before was not long ago.
        var isRepeated: Bool
    }

    enum Outcome: Sendable {
        case started
        case failed(KernelError)
    }

    private struct State {
        var new: [Order] = []
        var repeated: [Order] = []
        var runningRepeated = 0
        var ended: [String: Outcome] = [:]
        var threads = 0
    }

    private let state = Mutex(State())
    private let host: any ProcessHost
    private let width: Int
    private let onEnd: @Sendable () -> Void

    /// `onEnd` is called on any thread after each end.
    init(host: any ProcessHost, width: Int, onEnd: @escaping @Sendable () -> Void) {
        self.host = host
        self.width = width
        self.onEnd = onEnd
    }

    func add(_ order: Order) {
        let needsThread = state.withLock { state in
            if order.isRepeated { state.repeated.append(order) } else { state.new.append(order) }
            guard state.threads < width else { return false }
            state.threads += 1
            return true
        }
        guard needsThread else { return }
        // Without a thread the caller has to wait.
        if !Parallel.detach({ self.work() }) { work() }
    }

    /// True when the program was not run yet and will not be.
    func cancel(_ key: String) -> Bool {
        state.withLock { state in
            let before = state.new.count + state.repeated.count
            state.new.removeAll { $0.key == key }
            state.repeated.removeAll { $0.key == key }
            return state.new.count + state.repeated.count < before
        }
    }

    /// What ended since the last call, by key.
    func takeEnded() -> [String: Outcome] {
        state.withLock { state in
            defer { state.ended = [:] }
            return state.ended
        }
    }

    static func run(_ order: Order, on host: any ProcessHost) -> Outcome {
        do throws(KernelError) {
            try host.start(order.command, in: order.namespace, timeoutMilliseconds: DaemonWork.startTimeoutMilliseconds)
            return .started
        } catch {
            return .failed(error)
        }
    }

    private func work() {
        while let order = next() {
            let outcome = Self.run(order, on: host)
            state.withLock { state in
                state.ended[order.key] = outcome
                if order.isRepeated { state.runningRepeated -= 1 }
            }
            onEnd()
        }
    }

    /// Nil: the thread has nothing to do, and ends.
    private func next() -> Order? {
        state.withLock { state in
            var order: Order?
            if !state.new.isEmpty {
                order = state.new.removeFirst()
            } else if !state.repeated.isEmpty, state.runningRepeated < max(width / 2, 1) {
                order = state.repeated.removeFirst()
                state.runningRepeated += 1
            }
            if order == nil { state.threads -= 1 }
            return order
        }
    }
}
