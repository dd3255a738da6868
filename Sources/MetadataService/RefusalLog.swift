import Logging
import Synchronization

/// Says what instances did not get, without letting them fill the disk: a line in ten seconds, with the number of those that were left out.
final class RefusalLog: Sendable {
    static let interval = Duration.seconds(10)

    private struct State {
        var last: ContinuousClock.Instant?
        var left = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) { self.logger = logger }

    func note(_ message: Logger.Message, _ metadata: Logger.Metadata) {
        let now = ContinuousClock.now
        let left: Int? = state.withLock { state in
            if let last = state.last, now - last < Self.interval {
                state.left += 1
                return nil
            }
            defer { state = State(last: now, left: 0) }
            return state.left
        }
        guard let left else { return }
        var metadata = metadata
        if left > 0 { metadata["others"] = "\(left)" }
        logger.warning(message, metadata: metadata)
    }
}
