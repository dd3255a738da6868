import Logging
import Operations
import Synchronization

/// What hosts cannot realise, so that each sentence is logged once and not with every report.
final class ReportedFailures: Sendable {
    /// Hosts that are remembered: those beyond are logged with every report.
    static let maximumHosts = 10_000
    /// Sentences of one report, and routers, that the log names.
    static let maximumNamed = 20

    /// A sentence that was not said for so long is news again: what is tried by turns fails by turns.
    static let rememberSeconds = 600
    /// Sentences of one host that are remembered.
    static let maximumSentences = 200

    /// When each sentence was last said, by its hash, since sentences are long.
    private let known = Mutex<[String: [Int: ContinuousClock.Instant]]>([:])

    /// Sentences about the host as a whole or about any part of it: all that last now.
    func note(_ sentences: [String], from hostID: String, at now: ContinuousClock.Instant = .now, _ logger: Logger) {
        let new = known.withLock { known in
            var said = (known[hostID] ?? [:]).filter { now - $0.value < .seconds(Self.rememberSeconds) }
            let new = sentences.filter { said[$0.hashValue] == nil }
            for sentence in sentences where said[sentence.hashValue] != nil || said.count < Self.maximumSentences {
                said[sentence.hashValue] = now
            }
            if said.isEmpty {
                known[hostID] = nil
            } else if known[hostID] != nil || known.count < Self.maximumHosts {
                known[hostID] = said
            }
            return new
        }
        for sentence in new.prefix(Self.maximumNamed) {
            logger.warning("A host cannot realise a part", metadata: ["host": "\(hostID)", "failure": "\(sentence)"])
        }
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
