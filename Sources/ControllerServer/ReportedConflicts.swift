import HostModel
import Logging
import NetworkModel
import Synchronization

/// What hosts say of second masters that they hear, so that each is logged once and not with every report.
final class ReportedConflicts: Sendable {
    /// Hosts that are remembered: those beyond are logged with every report.
    static let maximumHosts = 10_000

    private let known = Mutex<[String: Set<HostStatus.MasterConflict>]>([:])

    func note(_ conflicts: [HostStatus.MasterConflict], from hostID: String, _ logger: Logger) {
        let current = Set(conflicts)
        let new = known.withLock { known in
            let new = current.subtracting(known[hostID] ?? [])
            if current.isEmpty {
                known[hostID] = nil
            } else if known[hostID] != nil || known.count < Self.maximumHosts {
                known[hostID] = current
            }
            return new
        }
        for conflict in new.sorted(by: { $0.routerID < $1.routerID }) {
            logger.warning(
                "A master hears a second one",
                metadata: ["router": "\(conflict.routerID)", "hosts": "\([hostID, conflict.hostID].sorted().joined(separator: ","))"])
        }
    }
}
