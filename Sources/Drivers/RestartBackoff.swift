/// When a daemon that does not stay up may be started again. At once the first time, then after delays that double.
struct RestartBackoff: Hashable, Sendable {
    static let firstDelayMilliseconds = 500
    static let longestDelayMilliseconds = 30_000
    /// A daemon that ran this long was well: its end is a new story.
    static let stableMilliseconds = 10_000

    private(set) var lastStart: Int?
    private var shortLives = 0

    /// Notes that the daemon was started, or that a start was tried.
    mutating func started(at now: Int) {
        if let lastStart {
            shortLives = now - lastStart < Self.stableMilliseconds + delay ? shortLives + 1 : 0
        }
        lastStart = now
    }

    /// Milliseconds until the next start is allowed; 0 when it is now.
    func wait(at now: Int) -> Int {
        guard let lastStart, now - lastStart < Self.stableMilliseconds + delay else { return 0 }
        return max(0, lastStart + delay - now)
    }

    /// Whether a start now would follow one that the daemon did not outlive.
    func isRepeat(at now: Int) -> Bool { lastStart.map { now - $0 < Self.stableMilliseconds + delay } ?? false }

    private var delay: Int {
        if shortLives == 0 { return 0 }
        return min(Self.firstDelayMilliseconds << min(shortLives - 1, 16), Self.longestDelayMilliseconds)
    }
}
