import Election
import NetworkModel
import ServiceProcesses
import Synchronization

/// What shall be done about routers' addresses, by others and later: between the order and its execution the member may have become master, or be one no
/// more.
///
///     nothing ◀──────────────────────────── strip due              nothing ◀──────────────────────────── announcement due
///        │   keepalived: MASTER, or it goes     ▲                     │  keepalived: any other state,       ▲
///        └─────────────── strip ────────────────┘                     │  strip, or it goes                  │
///                                                                     └───────────── announce ──────────────┘
final class DueLedger: Sendable {
    private struct Due {
        var strips: Set<ResourceID> = []
        var announcements: Set<ResourceID> = []
    }

    private let due = Mutex(Due())

    func note(_ news: ElectionNews) {
        switch news {
        case .strip(let id):
            due.withLock { due in
                due.strips.insert(id)
                due.announcements.remove(id)
            }
        case .notified(let id, let line):
            // A master that does not obey goes on to say that it hears others: that is no new mastership.
            guard let state = KeepalivedNotification(line: line)?.state else { return }
            due.withLock { due in
                if state == .master { due.strips.remove(id) }
                if !state.isMaster { due.announcements.remove(id) }
            }
        default: return
        }
    }

    func note(_ errand: ElectionErrand) {
        guard case .announce(let id) = errand else { return }
        due.withLock { _ = $0.announcements.insert(id) }
    }

    /// The router is here no more.
    func forget(_ id: ResourceID) {
        due.withLock { due in
            due.strips.remove(id)
            due.announcements.remove(id)
        }
    }

    func isStripDue(_ id: ResourceID) -> Bool { due.withLock { $0.strips.contains(id) } }
    func isAnnouncementDue(_ id: ResourceID) -> Bool { due.withLock { $0.announcements.contains(id) } }
}
