import Election
import NetworkModel
import ServiceProcesses
import Synchronization

/// Which routers' addresses shall be taken away. Between the order and its execution, on other threads, the member may become master again: then
/// the addresses are rightly there.
///
///     nothing ◀───────────────────────────── due
///        │   keepalived: MASTER, or it goes   ▲
///        └────────────── strip ───────────────┘
final class StripLedger: Sendable {
    private let due = Mutex<Set<ResourceID>>([])

    func note(_ news: ElectionNews) {
        switch news {
        case .strip(let id): _ = due.withLock { $0.insert(id) }
        case .notified(let id, let line):
            // A master that does not obey goes on to say that it hears others: that is no new mastership.
            guard KeepalivedNotification(line: line)?.state == .master else { return }
            _ = due.withLock { $0.remove(id) }
        default: return
        }
    }

    /// The router is here no more.
    func forget(_ id: ResourceID) { _ = due.withLock { $0.remove(id) } }

    func isDue(_ id: ResourceID) -> Bool { due.withLock { $0.contains(id) } }
}
