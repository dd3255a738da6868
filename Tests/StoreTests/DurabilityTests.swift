import APISchema
import Foundation
import NetworkModel
import TestSupport
import Testing

@testable import Store

@Suite("Durability", .timeLimit(.minutes(15))) struct DurabilityTests {
    @Test("SQLite syncs its checkpoints, and commits are synced by the store") func synchronous() async throws {
        let store = try Backend.sqlite.makeStore()
        #expect(try await store.write { try $0.rows("PRAGMA synchronous") } == [[.integer(1)]])
        #expect(try await store.write { try $0.rows("PRAGMA foreign_keys") } == [[.integer(1)]])
        #expect(try await store.write { try $0.rows("PRAGMA journal_mode") } == [[.text("wal")]])
        await store.close()
    }

    @Test("What was answered is in the files at once: a copy of them, as a killed process leaves them, holds it")
    func killed() async throws {
        let path = try TemporaryFiles.makePath("living.sqlite")
        let copy = try TemporaryFiles.makePath("copy.sqlite")
        let store = try Store(.sqlite(path: path), logger: .quiet)
        let networks = (0..<50).map { Samples.network("\($0)") }
        for network in networks { try await store.write { try $0.insert(network) } }
        for suffix in ["", "-wal"] { try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix) }
        let restarted = try Store(.sqlite(path: copy), logger: .quiet)
        #expect(try await restarted.read { try Set($0.list(Network.self)) } == Set(networks))
        #expect(restarted.currentRevision == 50)
        await restarted.close()
        await store.close()
    }

    @Test("Connections that the server ended are made anew, and transactions run as if nothing had been") func reconnect() async throws {
        let (server, location, name) = try postgresql()
        let store = try Store(location, logger: .quiet)
        for _ in 0..<5 {
            try await store.write { try $0.insert(Samples.network()) }
            _ = try await store.read { try $0.count(Network.self) }
            try server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
        }
        try await store.write { try $0.insert(Samples.network()) }
        #expect(try await store.read { try $0.count(Network.self) } == 6)
        await store.close()
    }

    @Test("A server that has gone makes the store unavailable until it is back") func unavailable() async throws {
        let (server, location, name) = try postgresql()
        let store = try Store(location, logger: .quiet)
        try await store.write { try $0.insert(Samples.network()) }
        try server.execute("ALTER DATABASE \(name) ALLOW_CONNECTIONS false")
        try server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
        let error = await #expect(throws: StoreError.self) { try await store.write { try $0.insert(Samples.network()) } }
        guard case .unavailable = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        try server.execute("ALTER DATABASE \(name) ALLOW_CONNECTIONS true")
        try await store.write { try $0.insert(Samples.network()) }
        #expect(try await store.read { try $0.count(Network.self) } == 2)
        await store.close()
    }

    @Test("What a standby refuses is not asked again of the same connection", arguments: ["25006", "0A000"])
    func standby(_ state: String) {
        let failure = PostgreSQLFailure(state: state, message: "cannot use serializable mode in a hot standby")
        #expect(failure.isReadOnly && failure.isConnectionLost)
    }

    private func postgresql() throws -> (server: PrivatePostgreSQL, location: StoreLocation, name: String) {
        let server = try PrivatePostgreSQL.shared.get()
        let url = try server.makeDatabase()
        let name = try #require(url.split(separator: "/").dropFirst().first?.split(separator: "?").first)
        return (server, .postgresql(url: url), String(name))
    }

    @Test("More waiting transactions than the limit are refused at once", arguments: Backend.allCases)
    func overload(_ backend: Backend) async throws {
        var limits = StoreLimits()
        limits.waitingWrites = 3
        limits.writers = 1
        let store = try Store(backend.makeLocation(), limits: limits, logger: .quiet)
        let isHeld = DispatchSemaphore(value: 0)
        let release = DispatchSemaphore(value: 0)
        async let first: Void = store.write { _ in
            isHeld.signal()
            // Open for good: on a busy machine PostgreSQL may have ended the idle transaction, which is run again then.
            release.wait()
            release.signal()
        }
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                isHeld.wait()
                continuation.resume()
            }
        }
        let refused = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    do {
                        try await store.write { try $0.insert(Samples.network()) }
                        return false
                    } catch {
                        return error is StoreError
                    }
                }
            }
            var count = 0
            // Seven are refused while the writer is held; then it goes on and the other three are done.
            for await isRefused in group {
                count += isRefused ? 1 : 0
                if count == 7 { release.signal() }
            }
            return count
        }
        try await first
        #expect(refused == 7)
        #expect(try await store.read { try $0.count(Network.self) } == 3)
        await store.close()
    }
}
