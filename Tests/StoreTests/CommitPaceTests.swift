import Dispatch
import NetworkModel
import TestSupport
import Testing

@testable import Store

@Suite("The pace of commits") struct CommitPaceTests {
    /// A commit of a thousand nanoseconds that ended at a time.
    private func note(_ pace: inout CommitPace, count: Int, waiting: Int, at time: UInt64) {
        pace.note(count: count, waiting: waiting, commitNanoseconds: 1000, now: time)
    }

    @Test("Nobody waits for others before others were seen, and a caller that is alone never does") func alone() {
        var pace = CommitPace()
        #expect(!pace.group(startingAt: 0).waits(after: 1))
        for time in 1...5 as ClosedRange<UInt64> {
            note(&pace, count: 1, waiting: 0, at: time * 10_000)
            #expect(!pace.group(startingAt: time * 10_000 + 10).waits(after: 1))
        }
    }

    @Test("As many are expected as the last two commits both saw, in them and behind them") func expectation() {
        var pace = CommitPace()
        note(&pace, count: 1, waiting: 7, at: 10_000)
        #expect(pace.group(startingAt: 10_100).expected == 1)
        note(&pace, count: 7, waiting: 1, at: 20_000)
        #expect(pace.group(startingAt: 20_100).expected == 8)
        note(&pace, count: 8, waiting: 0, at: 30_000)
        #expect(pace.group(startingAt: 30_100) == CommitPace.Group(expected: 8, patienceNanoseconds: 1000))
        // Three stayed away.
        note(&pace, count: 5, waiting: 0, at: 40_000)
        #expect(pace.group(startingAt: 40_100).expected == 5)
    }

    @Test("After a silence of more than a commit nobody is expected") func silence() {
        var pace = CommitPace()
        note(&pace, count: 8, waiting: 0, at: 10_000)
        note(&pace, count: 8, waiting: 0, at: 20_000)
        #expect(pace.group(startingAt: 21_000).expected == 8)
        #expect(pace.group(startingAt: 21_001).expected == 1)
    }

    @Test("A group waits for no longer than a commit takes, and not when it is complete") func patience() {
        var group = CommitPace.Group(expected: 3, patienceNanoseconds: 1000)
        #expect(group.waits(after: 2))
        #expect(!group.waits(after: 3))
        group.waited(600)
        #expect(group.waits(after: 2))
        group.waited(600)
        #expect(!group.waits(after: 2))
    }

    @Test("Transactions that come while another runs are made durable with it, and a failure among them is its own")
    func latecomers() async throws {
        struct Refused: Error {}
        let location = try Backend.sqlite.makeLocation()
        guard case .sqlite(let path) = location else { preconditionFailure("SQLite is a file") }
        var limits = StoreLimits()
        // However slowly the others come.
        limits.gatheringNanoseconds = 600 * 1_000_000_000
        let backend = try SQLiteBackend(path: path, limits: limits, logger: .quiet, statements: ResourceSQLCache())
        let hasCome = DispatchSemaphore(value: 0)
        let come = { @Sendable (body: @escaping @Sendable (StoreTransaction) throws -> Int) async throws -> Int in
            try await withCheckedThrowingContinuation { continuation in
                backend.write(TransactionJob(body, continuation))
                hasCome.signal()
            }
        }
        let (isRunning, running) = AsyncStream.makeStream(of: Void.self)
        // Each tells the latest revision that was committed when it ran.
        async let first = come { transaction in
            try transaction.insert(Samples.network("first"))
            running.finish()
            // Itself and the two others.
            for _ in 0..<3 { hasCome.wait() }
            return backend.commits.latest
        }
        for await _ in isRunning {}
        async let second = come { transaction in
            try transaction.insert(Samples.network("second"))
            return backend.commits.latest
        }
        async let third = come { transaction in
            try transaction.insert(Samples.network("third"))
            throw Refused()
        }
        let revisions = try await [first, second]
        #expect(revisions == [0, 0])
        do {
            _ = try await third
            Issue.record("the third transaction was kept")
        } catch is Refused {}
        #expect(backend.commits.latest == 2)
        await backend.close()
    }
}
