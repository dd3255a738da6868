import APISchema
import Glibc
import Logging
import NetworkModel
import TestSupport
import Testing

@testable import Store

@Suite("Schema") struct SchemaTests {
    /// Released migrations never change: databases out there were made by them. Add a migration instead.
    private static let releasedHashes: [UInt64] = [
        4_203_178_101_905_385_247, 9_819_946_483_480_198_308, 14_950_268_600_561_087_578, 4_639_332_188_359_522_965,
        1_554_470_808_770_237_357, 9_698_775_516_955_219_288, 914_829_231_385_911_699, 15_087_957_921_960_464_423,
        1_802_213_999_675_549_841, 16_692_057_771_041_505_701, 18_301_159_883_583_651_004,
        11_423_489_763_615_560_651, 791_805_276_730_290_506, 5_310_566_720_130_919_566, 8_008_392_614_934_690_674,
    ]

    @Test("Released migrations are frozen") func frozenMigrations() {
        let hashes = Migration.all.map { Self.hash($0.shared + "\u{0}" + $0.postgresqlOnly) }
        #expect(hashes == Self.releasedHashes)
        #expect(Migration.all.map(\.version) == Array(1...Migration.all.count))
    }

    /// FNV-1a, 64 bits.
    private static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    @Test("The tables have exactly the columns that the attribute tables want", arguments: Backend.allCases)
    func columns(_ backend: Backend) async throws {
        let store = try backend.makeStore()
        func check<R: APIResource>(_ type: R.Type) async throws {
            let sql =
                switch backend {
                case .sqlite: "SELECT name, type FROM pragma_table_info(?)"
                case .postgresql: "SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_name = ?"
                }
            let rows = try await store.read { try $0.rows(sql, [.text(R.table.plural)]) }
            let found = Set(rows.map { "\(Self.text($0[0])) \(Self.text($0[1]).lowercased())" })
            let wanted = Set(R.table.columns.map { "\($0.name) \($0.type == .integer ? "bigint" : "text")" })
            #expect(found == wanted, "\(R.table.plural)")
        }
        try await check(Network.self)
        try await check(Subnet.self)
        try await check(Port.self)
        try await check(Router.self)
        try await check(FloatingIP.self)
        try await check(PortForwarding.self)
        try await check(ConnectionHelper.self)
        try await check(SecurityGroup.self)
        try await check(SecurityGroupRule.self)
        try await check(Agent.self)
        try await check(AddressScope.self)
        try await check(SubnetPool.self)
        try await check(QoSPolicy.self)
        try await check(BandwidthLimitRule.self)
        try await check(DSCPMarkingRule.self)
        try await check(PacketRateLimitRule.self)
        try await check(RBACPolicy.self)
        try await check(Segment.self)
        try await check(NetworkSegmentRange.self)
        try await check(Flavor.self)
        try await check(ServiceProfile.self)
        try await check(AddressGroup.self)
        try await check(SecurityGroupRuleTemplate.self)
        try await check(DefaultStatefulness.self)
        await store.close()
    }

    private static func text(_ value: ColumnValue) -> String {
        if case .text(let text) = value { text } else { "" }
    }

    @Test("A closed database opens again with what it held", arguments: Backend.allCases)
    func reopen(_ backend: Backend) async throws {
        let location = try backend.makeLocation()
        let network = Samples.network("kept")
        let first = try Store(location, logger: .quiet)
        try await first.write { try $0.insert(network) }
        await first.close()
        let second = try Store(location, logger: .quiet)
        #expect(try await second.read { try $0.find(Network.self, network.id) } == network)
        #expect(second.currentRevision == 1)
        await second.close()
    }

    @Test("A database of a later version is refused, with what to do", arguments: Backend.allCases)
    func newerSchema(_ backend: Backend) async throws {
        let location = try backend.makeLocation()
        let store = try Store(location, logger: .quiet)
        try await store.write { try $0.execute("UPDATE metadata SET value = '99' WHERE key = 'schema_version'") }
        await store.close()
        #expect(throws: StoreError.newerSchema(location: location.description, version: 99, supported: Migration.latestVersion)) {
            try Store(location, logger: .quiet)
        }
    }

    @Test("A database of another program is refused and left alone", arguments: Backend.allCases)
    func foreignDatabase(_ backend: Backend) async throws {
        let location = try backend.makeLocation()
        let store = try Store(location, logger: .quiet)
        try await store.write { try $0.execute("DROP TABLE metadata") }
        await store.close()
        let error = #expect(throws: StoreError.self) { try Store(location, logger: .quiet) }
        guard case .corrupt(let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("another program"))
    }

    @Test("A file that is no database is refused") func garbage() throws {
        let path = try TemporaryFiles.makePath("garbage.sqlite")
        try Self.write(Array(repeating: UInt8(ascii: "x"), count: 8192), to: path, at: 0)
        let error = #expect(throws: StoreError.self) { try Store(.sqlite(path: path), logger: .quiet) }
        guard case .corrupt = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("A database with a damaged page is refused") func damagedPage() async throws {
        let path = try TemporaryFiles.makePath("damaged.sqlite")
        let store = try Store(.sqlite(path: path), logger: .quiet)
        try await store.write { transaction in
            for number in 0..<500 { try transaction.insert(Samples.network("network \(number)")) }
        }
        await store.close()
        for page in 4..<12 { try Self.write(Array(repeating: 0xA5, count: 4096), to: path, at: page * 4096) }
        let error = #expect(throws: StoreError.self) { try Store(.sqlite(path: path), logger: .quiet) }
        guard case .corrupt = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("A missing directory, a directory instead of a file and a place that cannot be written are told apart") func places() throws {
        let directory = String(try TemporaryFiles.makePath("x").dropLast(2))
        #expect(throws: StoreError.missingDirectory("\(directory)/no")) { try Store(.sqlite(path: "\(directory)/no/x"), logger: .quiet) }
        #expect(throws: StoreError.notWritable(directory)) { try Store(.sqlite(path: directory), logger: .quiet) }
        #expect(throws: StoreError.notWritable("/proc/x.sqlite")) { try Store(.sqlite(path: "/proc/x.sqlite"), logger: .quiet) }
    }

    @Test("A PostgreSQL that does not answer is unavailable") func noServer() {
        let error = #expect(throws: StoreError.self) {
            try Store(.postgresql(url: "postgresql:///x?host=/nonexistent"), logger: .quiet)
        }
        guard case .unavailable = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    private static func write(_ bytes: [UInt8], to path: String, at offset: Int) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        try #require(pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count)
    }
}
