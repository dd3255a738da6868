import Logging
import Synchronization

/// Says what instances did not get, without letting them fill the disk: of each kind a line in ten seconds, with the number of those that were left
/// out.
final class RefusalLog: Sendable {
    static let interval = Duration.seconds(10)

    private struct State {
        var last: ContinuousClock.Instant?
        var left = 0
    }

    private let logger: Logger
    /// By message. These are the program's own: there are a few.
    private let states = Mutex<[String: State]>([:])

    init(logger: Logger) { self.logger = logger }

    func note(_ message: Logger.Message, _ metadata: Logger.Metadata) {
        let now = ContinuousClock.now
        let left: Int? = states.withLock { states in
            let state = states[message.description, default: State()]
            if let last = state.last, now - last < Self.interval {
                states[message.description] = State(last: last, left: state.left + 1)
                return nil
            }
            states[message.description] = State(last: now, left: 0)
            return state.left
        }
        guard let left else { return }
        var metadata = metadata
        if left > 0 { metadata["others"] = "\(left)" }
        logger.warning(message, metadata: metadata)
    }
}
