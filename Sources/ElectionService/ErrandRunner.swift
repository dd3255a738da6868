import Election
import Synchronization

/// Who does what the election wants done at once.
final class ErrandRunner: Sendable {
    private let chosen = Mutex<(@Sendable (ElectionErrand) -> Void)?>(nil)

    /// Before the election is told of any member: until then nothing is to be done.
    func choose(_ run: (@Sendable (ElectionErrand) -> Void)?) { chosen.withLock { $0 = run } }

    func run(_ errand: ElectionErrand) {
        let run = chosen.withLock { $0 }
        run?(errand)
    }
}
