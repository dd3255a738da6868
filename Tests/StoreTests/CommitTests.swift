import Dispatch
import Glibc
import NetworkModel
import Synchronization
import TestSupport
import Testing

@testable import Store

/// SQLite with a disk that writes when the test says so.
@Suite("Commits", .timeLimit(.minutes(15))) struct CommitTests {
    /// A disk, and what happened in which order.
    private final class Disk: Sendable {
        private struct State {
            var events: [String] = []
            var waiting: [(condition: @Sendable ([String]) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
        }

        /// One for each sync that may begin to end.
        let release = DispatchSemaphore(value: 0)
        private let state = Mutex(State())
        private let code: Int32

        /// - Parameter code: of the error that it reports; 0: none.
        init(failingWith code: Int32 = 0) { self.code = code }

        var noted: [String] { state.withLock { $0.events } }
        var answers: Int { noted.count { $0 == "answered" } }

        func note(_ event: String) {
            let ready = state.withLock { state in
                state.events.append(event)
                let ready = state.waiting.filter { $0.condition(state.events) }.map(\.continuation)
                state.waiting.removeAll { $0.condition(state.events) }
                return ready
            }
            for continuation in ready { continuation.resume() }
        }

        /// Returns once what was noted is so.
        func reaches(_ condition: @escaping @Sendable ([String]) -> Bool) async {
            await withCheckedContinuation { continuation in
                let isSo = state.withLock { state in
                    if condition(state.events) { return true }
                    state.waiting.append((condition, continuation))
                    return false
                }
                if isSo { continuation.resume() }
            }
        }

        func synchronize(_ descriptor: Int32) -> Int32 {
            note("sync")
            release.wait()
            note("synced")
            errno = code
            return code == 0 ? 0 : -1
        }
    }

    private func makeBackend(_ disk: Disk, _ limits: StoreLimits = StoreLimits()) throws -> SQLiteBackend {
        let location = try Backend.sqlite.makeLocation()
        guard case .sqlite(let path) = location else { preconditionFailure("SQLite is a file") }
        return try SQLiteBackend(
            path: path, limits: limits, logger: .quiet, statements: ResourceSQLCache(), synchronize: { disk.synchronize($0) })
    }

    /// Lets everything run that can.
    private func settle() async {
        for _ in 0..<100 { await Task.yield() }
    }

    @Test("Callers hear of a commit when it is durable, and the next transactions run while it is synced") func pipelined() async throws {
        let disk = Disk()
        let store = Store(try makeBackend(disk))
        async let first: Void = {
            try await store.write { try $0.insert(Samples.network("first")) }
            disk.note("first answered")
        }()
        await disk.reaches { $0 == ["sync"] }
        async let second: Void = {
            try await store.write { transaction in
                disk.note("second runs")
                try transaction.insert(Samples.network("second"))
            }
            disk.note("second answered")
        }()
        await disk.reaches { $0 == ["sync", "second runs"] }
        await settle()
        #expect(store.currentRevision == 0)
        disk.release.signal()
        try await first
        disk.release.signal()
        try await second
        let order = disk.noted.filter { $0.hasPrefix("s") }
        #expect(order == ["sync", "second runs", "synced", "sync", "synced", "second answered"])
        #expect(disk.noted.firstIndex(of: "first answered") ?? 0 > 2)
        #expect(store.currentRevision == 2)
        await store.close()
    }

    @Test("Who has read what is not durable yet hears of it when it is, however it was read", arguments: [false, true], [false, true])
    func reading(isBrief: Bool, isMissing: Bool) async throws {
        struct Missing: Error {}
        let disk = Disk()
        let store = Store(try makeBackend(disk))
        let network = Samples.network("seen")
        async let written: Void = store.write { try $0.insert(network) }
        await disk.reaches { $0 == ["sync"] }
        let body = { @Sendable (transaction: StoreTransaction) throws -> String? in
            let name = try transaction.find(Network.self, network.id)?.name
            disk.note("read")
            if isMissing { throw Missing() }
            return name
        }
        async let seen: String? = {
            defer { disk.note("answered") }
            do {
                return try await isBrief ? store.readBriefly(body) : store.read(body)
            } catch is Missing {
                return nil
            }
        }()
        await disk.reaches { $0 == ["sync", "read"] }
        await settle()
        disk.release.signal()
        #expect(try await seen == (isMissing ? nil : "seen"))
        try await written
        #expect(disk.noted == ["sync", "read", "synced", "answered"])
        // And nobody waits any more.
        #expect(try await store.readBriefly { try $0.count(Network.self) } == 1)
        await store.close()
    }

    @Test("Those who wait while a group runs are committed in halves, and a failure among them is its own") func halves() async throws {
        struct Refused: Error {}
        let disk = Disk()
        let backend = try makeBackend(disk)
        let hasCome = DispatchSemaphore(value: 0)
        let come = { @Sendable (name: String, isRefused: Bool, waitsFor: Int) async throws -> Int in
            defer { disk.note("answered") }
            return try await withCheckedThrowingContinuation { continuation in
                backend.write(
                    TransactionJob(
                        { transaction in
                            disk.note(name)
                            try transaction.insert(Samples.network(name))
                            for _ in 0..<waitsFor { hasCome.wait() }
                            if isRefused { throw Refused() }
                            return backend.commits.latest
                        }, continuation))
                hasCome.signal()
            }
        }
        async let first = come("first", false, 4)
        await disk.reaches { $0 == ["first"] }
        async let second = come("second", true, 0)
        async let third = come("third", false, 0)
        async let fourth = come("fourth", false, 0)
        // The others run while two are synced.
        await disk.reaches { $0.count { $0 != "sync" } == 4 }
        disk.release.signal()
        await disk.reaches { $0.count { $0 == "answered" } == 2 }
        await settle()
        #expect(disk.answers == 2)
        disk.release.signal()
        #expect(try await [first, third, fourth].count == 3)
        do {
            _ = try await second
            Issue.record("the second transaction was kept")
        } catch is Refused {}
        #expect(backend.commits.latest == 3)
        await backend.close()
    }

    @Test("A group has a limit, also while a sync lasts") func limit() async throws {
        let disk = Disk()
        var limits = StoreLimits()
        limits.groupedWrites = 2
        let store = Store(try makeBackend(disk, limits))
        let all = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<7 {
                    group.addTask {
                        try await store.write { transaction in
                            try transaction.insert(Samples.network("\(number)"))
                            disk.note("ran")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        await disk.reaches { $0.count { $0 == "ran" } == 7 }
        #expect(disk.noted.filter { $0 == "sync" }.count == 1)
        for _ in 0..<7 { disk.release.signal() }
        try await all.value
        #expect(store.currentRevision == 7)
        await store.close()
    }

    @Test("When the disk fails, nothing is said to be durable, and nobody reads or writes any more") func failure() async throws {
        let disk = Disk(failingWith: EIO)
        let store = Store(try makeBackend(disk))
        disk.release.signal()
        for _ in 0..<2 {
            let refusal = await #expect(throws: StoreError.self) { try await store.write { try $0.insert(Samples.network()) } }
            #expect(refusal?.description.contains("(Input/output error): mend the disk, then restart the server") == true)
        }
        await #expect(throws: StoreError.self) { try await store.read { try $0.count(Network.self) } }
        await #expect(throws: StoreError.self) { try await store.readBriefly { try $0.count(Network.self) } }
        #expect(disk.noted == ["sync", "synced"])
        #expect(store.currentRevision == 0)
        await store.close()
    }
}
