import APISchema
import NetworkModel
import Store
import TestSupport
import Testing

@Suite("Lists", .timeLimit(.minutes(15))) struct ListTests {
    /// Six networks: a, B, c (project p), a, ä (project q), and one with a null in a column that the others fill.
    private func filled(_ backend: Backend) async throws -> (store: Store, networks: [Network]) {
        let store = try backend.makeStore()
        var networks = [("a", "p"), ("B", "p"), ("c", "p"), ("a", "q"), ("ä", "q"), ("d", "q")].map { Samples.network($0, project: $1) }
        for index in 0..<5 { networks[index].segmentationID = 100 + index }
        let made = networks
        try await store.write { transaction in for network in made { try transaction.insert(network) } }
        return (store, networks)
    }

    private func names(_ store: Store, _ change: @Sendable @escaping (inout ListQuery) -> Void) async throws -> [String] {
        var query = ListQuery()
        change(&query)
        let made = query
        return try await store.read { try $0.list(Network.self, made).map(\.name) }
    }

    @Test("Filters hold together; values of one filter are alternatives", arguments: Backend.allCases)
    func filters(_ backend: Backend) async throws {
        let (store, _) = try await filled(backend)
        func sorted(_ filters: [ListQuery.Filter]) async throws -> [String] { try await names(store) { $0.filters = filters }.sorted() }
        #expect(try await sorted([.column("name", [.text("a")])]) == ["a", "a"])
        #expect(try await sorted([.column("name", [.text("a"), .text("B"), .text("c")])]) == ["B", "a", "a", "c"])
        #expect(try await sorted([.column("name", [.text("a")]), .column("project_id", [.text("q")])]) == ["a"])
        #expect(try await sorted([.column("name", [])]) == [])
        #expect(try await sorted([.column("provider_segmentation_id", [.null])]) == ["d"])
        #expect(try await sorted([.column("provider_segmentation_id", [.null, .integer(101)])]) == ["B", "d"])
        #expect(try await sorted([.column("shared", [.integer(0)])]).count == 6)
        #expect(
            try await store.read { try $0.count(Network.self, [.column("project_id", [.text("p")])]) } == 3)
        await store.close()
    }

    @Test("Related filters find ports by address, group and both", arguments: Backend.allCases)
    func related(_ backend: Backend) async throws {
        let store = try backend.makeStore()
        let network = Samples.network()
        let subnet = try Samples.subnet(on: network)
        let group = SecurityGroup(id: Samples.id(), projectID: "p")
        let ports = (0..<3).map { Samples.port(on: network, $0, name: "\($0)") }
        try await store.write { transaction in
            try transaction.insert(network)
            try transaction.insert(subnet)
            try transaction.insert(group)
            for (number, port) in ports.enumerated() {
                try transaction.insert(port)
                #expect(try transaction.allocate(number, in: subnet, to: port))
            }
            for port in ports[1...2] {
                try transaction.execute(
                    "INSERT INTO port_security_groups VALUES (?, ?)", [.text(port.id.description), .text(group.id.description)])
            }
        }
        let byAddress = ListQuery.Filter.related(
            table: "ip_allocations", owner: "port_id", column: "ip_address", [.text("0.0.0.0"), .text("0.0.0.1")])
        let byGroup = ListQuery.Filter.related(
            table: "port_security_groups", owner: "port_id", column: "security_group_id", [.text(group.id.description)])
        func names(_ filters: [ListQuery.Filter]) async throws -> [String] {
            var query = ListQuery()
            query.filters = filters
            query.sortKeys = [.init(column: "name")]
            let made = query
            return try await store.read { try $0.list(Port.self, made).map(\.name) }
        }
        #expect(try await names([byAddress]) == ["0", "1"])
        #expect(try await names([byGroup]) == ["1", "2"])
        #expect(try await names([byAddress, byGroup]) == ["1"])
        await store.close()
    }

    @Test("Texts sort by their bytes and null before everything, on both databases", arguments: Backend.allCases)
    func order(_ backend: Backend) async throws {
        let (store, _) = try await filled(backend)
        #expect(try await names(store) { $0.sortKeys = [.init(column: "name")] } == ["B", "a", "a", "c", "d", "ä"])
        #expect(try await names(store) { $0.sortKeys = [.init(column: "name", isAscending: false)] } == ["ä", "d", "c", "a", "a", "B"])
        #expect(try await names(store) { $0.sortKeys = [.init(column: "provider_segmentation_id")] } == ["d", "a", "B", "c", "a", "ä"])
        #expect(
            try await names(store) { $0.sortKeys = [.init(column: "provider_segmentation_id", isAscending: false)] }
                == ["ä", "a", "c", "B", "a", "d"])
        #expect(
            try await names(store) { $0.sortKeys = [.init(column: "project_id", isAscending: false), .init(column: "name")] }
                == ["a", "d", "ä", "B", "a", "c"])
        await store.close()
    }

    private static let orders: [[ListQuery.SortKey]] = [
        [], [.init(column: "name")], [.init(column: "project_id", isAscending: false), .init(column: "name")],
        [.init(column: "provider_segmentation_id")],
        [.init(column: "provider_segmentation_id", isAscending: false), .init(column: "name")],
        [.init(column: "id", isAscending: false)],
    ]

    @Test("Pages, forwards and backwards, are the list in pieces", arguments: Backend.allCases)
    func pages(_ backend: Backend) async throws {
        let (store, _) = try await filled(backend)
        for keys in Self.orders {
            var query = ListQuery()
            query.sortKeys = keys
            let whole = try await list(store, query)
            #expect(whole.count == 6)
            for size in 1...4 {
                query.limit = size
                (query.isReversed, query.marker) = (false, nil)
                var forwards: [ResourceID] = []
                // One page more than there can be, so that the last one is seen to be empty.
                for _ in 0...6 {
                    let page = try await list(store, query)
                    forwards += page
                    query.marker = page.last ?? query.marker
                }
                #expect(forwards == whole, "\(keys) in pages of \(size)")
                (query.isReversed, query.marker) = (true, nil)
                var backwards: [ResourceID] = []
                for _ in 0...6 {
                    let page = try await list(store, query)
                    backwards = page + backwards
                    query.marker = page.first ?? query.marker
                }
                #expect(backwards == whole, "\(keys) backwards in pages of \(size)")
            }
        }
        await store.close()
    }

    private func list(_ store: Store, _ query: ListQuery) async throws -> [ResourceID] {
        try await store.read { try $0.list(Network.self, query).map(\.id) }
    }

    @Test("An unknown marker gives an empty page", arguments: Backend.allCases)
    func unknownMarker(_ backend: Backend) async throws {
        let (store, _) = try await filled(backend)
        #expect(try await names(store) { $0.marker = Samples.id() } == [])
        await store.close()
    }

    @Test("A page keeps to its filters", arguments: Backend.allCases)
    func filteredPage(_ backend: Backend) async throws {
        let (store, networks) = try await filled(backend)
        let found = try await names(store) { query in
            query.filters = [.column("project_id", [.text("p")])]
            query.sortKeys = [.init(column: "name")]
            query.marker = networks[1].id
            query.limit = 10
        }
        #expect(found == ["a", "c"])
        await store.close()
    }
}
