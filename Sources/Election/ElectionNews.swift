import Addressing
import NetworkModel

/// What an agent hears from whoever runs its ``Election``.
public enum ElectionNews: Hashable, Sendable {
    /// keepalived wrote a line into its notify FIFO.
    case notified(ResourceID, line: String)
    /// Take the master's addresses away: another member has them, and keepalived does not do it.
    case strip(ResourceID)
    /// keepalived, which has ended, may be started again: another member is master, or nobody else is there to be it.
    case restartDaemon(ResourceID)
    /// Two living members claim to be master, or no longer do.
    case conflict(ResourceID, with: String, isOver: Bool)
    /// A host came to life, or went.
    case peer(IPAddress, isAlive: Bool)
    /// A sentence for the log.
    case problem(String)
}
