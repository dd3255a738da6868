import CLinux
import Dispatch
import Foundation
import Synchronization

/// Work that packets wait for, one piece after the other, on a thread of its own that runs before everything of normal priority, like the
/// ``ElectionThread`` that asks for most of it. Lives as long as the process.
public final class RealtimeQueue: Sendable {
    private let waiting = Mutex<[@Sendable () -> Void]>([])
    private let arrivals = DispatchSemaphore(value: 0)

    public init(name: String) {
        // Where the priority is not to be had, the election has said so.
        let thread = Thread { [self] in
            _ = clinux_become_realtime(ElectionThread.realtimePriority)
            while true {
                arrivals.wait()
                let work = waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
                work?()
            }
        }
        thread.name = name
        thread.start()
    }

    /// Does it as soon as what was asked for before is done.
    public func perform(_ work: @escaping @Sendable () -> Void) {
        waiting.withLock { $0.append(work) }
        arrivals.signal()
    }
}
