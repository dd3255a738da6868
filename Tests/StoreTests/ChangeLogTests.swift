import APISchema
import NetworkModel
import TestSupport
import Testing

@testable import Store

@Suite("Change log", .timeLimit(.minutes(15))) struct ChangeLogTests {
    @Test("A transaction's changes share a revision, each resource once with what it became", arguments: Backend.allCases)
    func oneRevision(_ backend: Backend) async throws {
        let store = try backend.makeStore()
        let (kept, gone) = (Samples.network(), Samples.network())
        try await store.write { transaction in
            try transaction.insert(gone)
            try transaction.insert(kept)
            try transaction.update(kept)
            try transaction.delete(Network.self, gone.id)
            transaction.appendChange(kind: "hosts", id: "h1")
        }
        try await store.write { try $0.update(kept) }
        let changes = try await store.read { try $0.changes(after: 0, limit: 100) }
        let (first, second) = (try #require(changes.first).revision, try #require(changes.last).revision)
        #expect(first < second)
        #expect(
            changes == [
                Change(revision: first, kind: "networks", id: kept.id.description, isDrop: false),
                Change(revision: first, kind: "networks", id: gone.id.description, isDrop: true),
                Change(revision: first, kind: "hosts", id: "h1", isDrop: false),
                Change(revision: second, kind: "networks", id: kept.id.description, isDrop: false),
            ])
        #expect(try await store.read { try $0.currentRevision } == second)
        #expect(store.currentRevision == second)
        await store.close()
    }

    @Test("A page of changes ends with the end of a revision", arguments: Backend.allCases)
    func pagesOfChanges(_ backend: Backend) async throws {
        let store = try backend.makeStore()
        for _ in 0..<3 {
            try await store.write { transaction in for _ in 0..<4 { try transaction.insert(Samples.network()) } }
        }
        var seen: [Int] = []
        var pages: [Int] = []
        for _ in 0..<4 {
            let after = seen.last ?? 0
            let page = try await store.read { try $0.changes(after: after, limit: 5) }
            pages.append(page.count)
            seen += page.map(\.revision)
        }
        #expect(pages == [8, 4, 0, 0])
        #expect(Set(seen).count == 3)
        await store.close()
    }

    @Test("A transaction that changes no resource takes no revision", arguments: Backend.allCases)
    func silent(_ backend: Backend) async throws {
        let store = try backend.makeStore()
        try await store.write { try $0.execute("INSERT INTO quotas VALUES ('p', 'port', 3)") }
        #expect(try await store.read { try $0.currentRevision } == 0)
        await store.close()
    }

    @Test("A follower never skips a revision that is filled in later", arguments: Backend.allCases)
    func order(_ backend: Backend) async throws {
        let store = try backend.makeStore()
        let writers = 8
        let writesPerWriter = 25
        async let follower = follow(store, until: writers * writesPerWriter)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<writers {
                group.addTask {
                    for _ in 0..<writesPerWriter { try await store.write { try $0.insert(Samples.network()) } }
                }
            }
            try await group.waitForAll()
        }
        let seen = try await follower
        let all = try await store.read { try $0.changes(after: 0, limit: 10_000) }
        #expect(seen == all)
        #expect(Set(seen.map(\.revision)).count == writers * writesPerWriter)
        await store.close()
    }

    /// Reads on from the last revision seen, as fast as it can, until so many changes were seen.
    private func follow(_ store: Store, until count: Int) async throws -> [Change] {
        var seen: [Change] = []
        while seen.count < count {
            let after = seen.last?.revision ?? 0
            seen += try await store.read { try $0.changes(after: after, limit: 7) }
        }
        return seen
    }

    @Test("Each commit wakes who listens", arguments: Backend.allCases)
    func wake(_ backend: Backend) async throws {
        let store = try backend.makeStore()
        var commits = store.commits().makeAsyncIterator()
        for _ in 0..<3 {
            try await store.write { try $0.insert(Samples.network()) }
            let revision = await commits.next()
            #expect(revision == store.currentRevision)
        }
        await store.close()
        #expect(await commits.next() == nil)
    }

    @Test("A commit of another server on the same PostgreSQL wakes who listens here") func notify() async throws {
        let location = try Backend.postgresql.makeLocation()
        let here = try Store(location, logger: .quiet)
        let there = try Store(location, logger: .quiet)
        var commits = here.commits().makeAsyncIterator()
        try await there.write { try $0.insert(Samples.network()) }
        #expect(await commits.next() == there.currentRevision)
        let changes = try await here.read { try $0.changes(after: 0, limit: 10) }
        #expect(changes.count == 1)
        await here.close()
        await there.close()
    }

    @Test("A commit of which no notification came is heard of all the same", .timeLimit(.minutes(1))) func lostNotification() async throws {
        let location = try Backend.postgresql.makeLocation()
        guard case .postgresql(let url) = location else { return }
        var limits = StoreLimits()
        limits.revisionCheckMilliseconds = 10
        let store = try Store(location, limits: limits, logger: .quiet)
        var commits = store.commits().makeAsyncIterator()
        let other = try PostgreSQLConnection(url: url, limits: limits)
        try other.executeScript("INSERT INTO change_log (revision, position, kind, id, is_drop) VALUES (7, 0, 'networks', 'n', 0)")
        #expect(await commits.next() == 7)
        await store.close()
    }

    @Test("The log is trimmed to its limit, and tells from where it is complete", arguments: Backend.allCases)
    func trim(_ backend: Backend) async throws {
        var limits = StoreLimits()
        limits.retainedRevisions = 5
        limits.trimInterval = 1
        let store = try Store(backend.makeLocation(), limits: limits, logger: .quiet)
        for _ in 0..<20 { try await store.write { try $0.insert(Samples.network()) } }
        // The trim follows the commit: once another write was answered, that of the one before is done.
        let oldest = try await store.write { transaction in
            _ = try transaction.rows("SELECT 1")
            return try transaction.oldestRevision
        }
        #expect((15...16).contains(oldest))
        #expect(try await store.read { try $0.changes(after: 0, limit: 100) }.first?.revision == 16)
        #expect(try await store.read { try $0.currentRevision } == 20)
        await store.close()
    }
}
