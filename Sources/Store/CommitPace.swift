/// How long SQLite's writer waits for callers before it commits.
///
/// A commit costs an fsync, however many transactions it holds. Callers that one commit answered come back with their next requests almost, but
/// not quite, at once: committed with the first of them alone, all others would wait for two commits instead of one. So the writer waits for as
/// many as were at work lately, and for no longer than a commit takes: who waits in vain loses no more than who misses the commit. A caller that
/// is alone never waits.
struct CommitPace {
    /// Callers at work when a commit ended: those that it held, and those behind it.
    private var lastCallers = 1
    private var callersBefore = 1
    /// What the last commit itself took.
    private var commitNanoseconds: UInt64 = 0
    private var endedAt: UInt64 = 0

    /// What one group is run by.
    struct Group: Equatable {
        /// With so many it is complete.
        var expected: Int
        /// For so long it may still wait, in all.
        var patienceNanoseconds: UInt64

        /// Whether a group of `count` waits for another.
        func waits(after count: Int) -> Bool { count < expected && patienceNanoseconds > 0 }

        mutating func waited(_ nanoseconds: UInt64) { patienceNanoseconds -= min(nanoseconds, patienceNanoseconds) }
    }

    /// A commit has ended.
    ///
    /// - Parameters:
    ///   - count: the transactions that it held.
    ///   - waiting: those that came too late for it.
    mutating func note(count: Int, waiting: Int, commitNanoseconds: UInt64, now: UInt64) {
        callersBefore = lastCallers
        lastCallers = count + waiting
        self.commitNanoseconds = commitNanoseconds
        endedAt = now
    }

    /// What to expect of a group that begins.
    ///
    /// Two commits must have seen a caller: two that happen to meet are no reason to wait. After a silence of more than a commit those that were
    /// answered are busy with something else.
    func group(startingAt now: UInt64) -> Group {
        let isAfterSilence = now > endedAt + commitNanoseconds
        return Group(expected: isAfterSilence ? 1 : min(lastCallers, callersBefore), patienceNanoseconds: commitNanoseconds)
    }
}
