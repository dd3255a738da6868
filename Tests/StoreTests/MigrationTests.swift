import APISchema
import Addressing
import GRDB
import NetworkModel
import TestSupport
import Testing

@testable import Store

@Suite("Migrations of a database with rows") struct MigrationTests {
    private static let networkID = id(1)
    private static let portID = id(3)
    private static let routerID = id(4)
    private static let floatingID = id(5)
    private static let agentID = id(6)

    private static func id(_ number: Int) -> ResourceID { ResourceID(rawValue: UInt128(number) << 96 | 0x4000_8000_0000_0000_0000) }

    /// What a server of schema version 1 wrote: an external network that is shared, and an HA router without VRID, whose project waited for one.
    private static var rows: String {
        let standard = "'', '[]', 7, '2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z'"
        return """
            INSERT INTO networks VALUES ('\(networkID)', 'p', 'public', 1, 'ACTIVE', '["\(id(2))"]', 1, 1, 1500, 1, 'flat', 'physnet1', NULL, NULL,
                \(standard));
            INSERT INTO subnets VALUES ('\(id(2))', 'p', 's', '\(networkID)', 4, '203.0.113.0/24', '203.0.113.1', '[]', '[]', '[]', 0, NULL, NULL,
                '[]', \(standard));
            INSERT INTO ports VALUES ('\(portID)', '', '', '\(networkID)', 1, 'fa:16:3e:00:00:03', '[]', '\(floatingID)', 'network:floatingip',
                'ACTIVE', '[]', 0, '[]', '[]', '', 'normal', 'unbound', '{}', \(standard));
            INSERT INTO routers VALUES ('\(routerID)', 'p', 'r', 1, 'ALLOCATING', NULL, 1, '[]', NULL, \(standard));
            INSERT INTO floatingips VALUES ('\(floatingID)', 'p', '\(networkID)', '203.0.113.9', NULL, NULL, NULL, 'DOWN', '\(portID)', \(standard));
            INSERT INTO agents VALUES ('\(agentID)', 'L3 agent', 'h1', 1, '', '{}', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z',
                '2026-01-02T03:04:05Z');
            INSERT INTO router_members VALUES ('\(routerID)', '\(agentID)', 'h1', NULL, 'standby', 254);
            INSERT INTO hosts VALUES ('h1', '192.0.2.1', '{}');
            INSERT INTO change_log VALUES (41, 0, 'networks', '\(networkID)', 0);
            """
    }

    /// Makes the database as a server of version 1 did, with its rows.
    private static func makeVersion1(_ location: StoreLocation) throws {
        func fill(_ connection: any SQLConnection) throws {
            try Migrator(connection: connection, location: location, migrations: [.version1]).run()
            try connection.executeScript(rows)
        }
        switch location {
        case .sqlite(let path):
            try DatabaseQueue(path: path).write { try fill(SQLiteConnection($0, path: path)) }
        case .postgresql(let url):
            let connection = try PostgreSQLConnection(url: url, limits: StoreLimits())
            try connection.executeScript("BEGIN")
            try fill(connection)
            try connection.executeScript("COMMIT")
        }
    }

    @Test("A database of the first version with rows becomes one of the newest, and keeps them", arguments: Backend.allCases)
    func fromFirst(_ backend: Backend) async throws {
        let location = try backend.makeLocation()
        try Self.makeVersion1(location)
        let store = try Store(location, logger: .quiet)
        #expect(store.currentRevision == 41)
        try await store.read { transaction in
            let network = try #require(try transaction.find(Network.self, Self.networkID))
            #expect(network.name == "public" && network.isExternal && network.isShared && network.standard.revisionNumber == 7)
            let router = try #require(try transaction.find(Router.self, Self.routerID))
            #expect(router.virtualRouterID == 1 && router.status == .active)
            let floating = try #require(try transaction.find(FloatingIP.self, Self.floatingID))
            #expect(floating.address.description == "203.0.113.9" && floating.portForwardings.isEmpty && floating.qosPolicyID == nil)
            #expect(try transaction.find(Port.self, Self.portID)?.networkID == Self.networkID)
            #expect(try transaction.find(Agent.self, Self.agentID)?.availabilityZone == "nova")
            #expect(try transaction.rows("SELECT failure, failing_since FROM router_members") == [[.null, .null]])
            let grants = try transaction.rows("SELECT action FROM rbac_policies ORDER BY action")
            #expect(grants == [[.text("access_as_external")], [.text("access_as_shared")]])
            let version = try transaction.rows("SELECT value FROM metadata WHERE key = 'schema_version'")
            #expect(version == [[.text(String(Migration.latestVersion))]])
        }
        await store.close()
    }
}
