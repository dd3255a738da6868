import Dispatch
import Foundation
import Synchronization

/// A thread of its own for an actor whose work blocks in system calls, so that it never holds up the cooperative pool.
///
/// The thread lives as long as the process: an agent is made once.
final class CycleThread: SerialExecutor {
    private let jobs = Mutex<[UnownedJob]>([])
    private let waiting = DispatchSemaphore(value: 0)

    init(name: String) {
        let thread = Thread { [self] in work() }
        thread.name = name
        thread.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        waiting.signal()
    }

    private func work() {
        while true {
            waiting.wait()
            let batch = jobs.withLock { jobs in
                defer { jobs = [] }
                return jobs
            }
            // Jobs that came in one batch have signalled once each; the wake-ups that are left over find nothing, which is harmless.
            for job in batch { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }
}
