import APISchema
import GRDB
import NetworkModel
import Store
import TestSupport
import Testing

@Suite("Brief reads of a SQLite file", .timeLimit(.minutes(15))) struct BriefReadTests {
    @Test("From the first resource that it finds on, a brief read sees one state, whatever is committed meanwhile")
    func snapshot() async throws {
        let path = try TemporaryFiles.makePath("neutrino.sqlite")
        let store = try Store(.sqlite(path: path), logger: .quiet)
        let (first, second) = (Samples.network("before"), Samples.network("before"))
        try await store.write { transaction in for network in [first, second] { try transaction.insert(network) } }
        let other = try DatabaseQueue(path: path)

        let seen = try await store.readBriefly { transaction in
            let missing = try transaction.find(Network.self, Samples.id())
            var names = [try transaction.find(Network.self, first.id)?.name]
            try other.writeWithoutTransaction { try $0.execute(sql: "UPDATE networks SET name = 'after'") }
            names.append(try transaction.find(Network.self, second.id)?.name)
            // The statement that found it stands on its row still.
            names.append(try transaction.find(Network.self, first.id)?.name)
            let rows = try transaction.rows("SELECT DISTINCT name FROM networks")
            return (missing, names, rows)
        }
        #expect(seen.0 == nil)
        #expect(seen.1 == ["before", "before", "before"])
        #expect(seen.2 == [[.text("before")]])
        #expect(try await store.readBriefly { try $0.find(Network.self, first.id) }?.name == "after")
        try other.close()
        await store.close()
    }

    @Test("A brief read that fails leaves its connection as new")
    func failure() async throws {
        let path = try TemporaryFiles.makePath("neutrino.sqlite")
        let store = try Store(.sqlite(path: path), logger: .quiet)
        let network = Samples.network("before")
        try await store.write { try $0.insert(network) }
        struct Refused: Error {}
        // More often than there are connections.
        for _ in 0..<20 {
            await #expect(throws: Refused.self) {
                try await store.readBriefly { transaction in
                    _ = try transaction.find(Network.self, network.id)
                    throw Refused()
                }
            }
        }
        try await store.write { transaction in
            var changed = network
            changed.name = "after"
            try transaction.update(changed)
        }
        for _ in 0..<20 { #expect(try await store.readBriefly { try $0.find(Network.self, network.id) }?.name == "after") }
        await store.close()
    }
}
