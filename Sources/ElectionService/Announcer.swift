import NetworkModel
import Synchronization

/// Who tells the neighbours of a router's addresses, once that is chosen.
final class Announcer: Sendable {
    private let chosen = Mutex<(@Sendable (ResourceID) -> Void)?>(nil)

    func set(_ announce: @escaping @Sendable (ResourceID) -> Void) { chosen.withLock { $0 = announce } }

    /// False when nobody is chosen yet.
    func announce(_ id: ResourceID) -> Bool {
        guard let announce = chosen.withLock({ $0 }) else { return false }
        announce(id)
        return true
    }
}
