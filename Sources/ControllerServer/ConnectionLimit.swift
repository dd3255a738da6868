import HummingbirdCore
import Logging

/// How many connections the server has open at once.
///
/// Clients beyond that wait in the kernel's queue of the listening socket, and are served when another connection ends: to wait asks nothing of a client,
/// while an answer that refuses would need a descriptor, which is what is short, and a client that tries again.
struct ConnectionLimit: AvailableConnectionsDelegate {
    /// The log tells of a limit that is reached at most so often.
    private static let warningSeconds = 60

    let maximum: Int
    let logger: Logger
    private var count = 0
    private var lastWarning: ContinuousClock.Instant?

    init(maximum: Int, logger: Logger) {
        self.maximum = maximum
        self.logger = logger
    }

    mutating func connectionOpened() {
        count += 1
        let now = ContinuousClock.now
        guard count >= maximum, lastWarning.map({ now - $0 >= .seconds(Self.warningSeconds) }) ?? true else { return }
        lastWarning = now
        logger.warning(
            "As many connections are open as --maximum-connections allows: further clients wait until one ends",
            metadata: ["connections": "\(count)"])
    }

    mutating func connectionClosed() { count -= 1 }

    func isAcceptingNewConnections() -> Bool { count < maximum }
}
