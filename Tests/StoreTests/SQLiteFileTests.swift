import Foundation
import NetworkModel
import TestSupport
import Testing

@testable import Store

@Suite("The SQLite file") struct SQLiteFileTests {
    @Test("A file that was put in its place is noticed: nothing is written or read until the right one is back")
    func replaced() async throws {
        let path = try TemporaryFiles.makePath("neutrino.sqlite")
        let log = LogLines()
        let store = try Store(.sqlite(path: path), logger: log.logger)
        try await store.write { try $0.insert(Samples.network()) }
        let (files, kept, other) = (FileManager.default, path + ".kept", path + ".other")
        try files.copyItem(atPath: path, toPath: other)
        try files.linkItem(atPath: path, toPath: kept)
        #expect(rename(other, path) == 0)
        await #expect(throws: StoreError.replaced(path)) { try await store.write { try $0.insert(Samples.network()) } }
        await #expect(throws: StoreError.replaced(path)) { try await store.read { try $0.count(Network.self) } }
        await #expect(throws: StoreError.replaced(path)) { try await store.readBriefly { try $0.count(Network.self) } }
        #expect(log.all.count { $0.contains("another file") } == 1, "\(log.all)")
        #expect(rename(kept, path) == 0)
        try await store.write { try $0.insert(Samples.network()) }
        #expect(try await store.read { try $0.count(Network.self) } == 2)
        try files.removeItem(atPath: path)
        await #expect(throws: StoreError.replaced(path)) { try await store.write { try $0.insert(Samples.network()) } }
        await store.close()
    }

    @Test("One server at a time has it, by whichever link it is named")
    func locked() throws {
        let path = try TemporaryFiles.makePath("neutrino.sqlite")
        try Data().write(to: URL(fileURLWithPath: path))
        let first = try ServerLock(.sqlite(path: path))
        try FileManager.default.createSymbolicLink(atPath: path + ".link", withDestinationPath: path)
        for name in [path, path + ".link"] {
            #expect(throws: StoreError.inUse(name)) { try ServerLock(.sqlite(path: name)) }
        }
        // Servers that share a PostgreSQL are meant to.
        _ = (try ServerLock(.postgresql(url: "postgresql:///a")), try ServerLock(.postgresql(url: "postgresql:///a")))
        first.release()
        try ServerLock(.sqlite(path: path)).release()
    }
}
