import Logging
import Operations
import Synchronization

/// What hosts cannot realise, so that each sentence is logged once and not with every report.
final class ReportedFailures: Sendable {
    /// Hosts that are remembered: those beyond are logged with every report.
    static let maximumHosts = 10_000
    /// Sentences of one report, and routers, that the log names.
    static let maximumNamed = 20

    /// Hashes of sentences, which are long.
    private let known = Mutex<[String: Set<Int>]>([:])

    /// Sentences about the host as a whole or about any part of it: all that last now.
    func note(_ sentences: [String], from hostID: String, _ logger: Logger) {
        let current = Set(sentences.map(\.hashValue))
        let (before, isOver) = known.withLock { known in
            let before = known[hostID]
            if current.isEmpty {
                known[hostID] = nil
            } else if before != nil || known.count < Self.maximumHosts {
                known[hostID] = current
            }
            return (before ?? [], before != nil && current.isEmpty)
        }
        for sentence in sentences.filter({ !before.contains($0.hashValue) }).prefix(Self.maximumNamed) {
            logger.warning("A host cannot realise a part", metadata: ["host": "\(hostID)", "failure": "\(sentence)"])
        }
        if isOver { logger.notice("A host realises all of its parts again", metadata: ["host": "\(hostID)"]) }
    }

    /// Routers that began to fail, fail at something else, or are well again. The database remembers what was known before.
    static func log(_ changes: [RouterFailureChange], _ logger: Logger) {
        for change in changes.prefix(maximumNamed) {
            if let failure = change.failure {
                logger.warning(
                    "A host cannot realise a router",
                    metadata: ["router": "\(change.routerID)", "host": "\(change.hostID)", "failure": "\(failure)"])
            } else {
                logger.notice("A host realises a router again", metadata: ["router": "\(change.routerID)", "host": "\(change.hostID)"])
            }
        }
        if changes.count > maximumNamed {
            logger.warning("More routers began or ceased to fail", metadata: ["count": "\(changes.count - maximumNamed)"])
        }
    }
}
