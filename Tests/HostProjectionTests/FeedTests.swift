import HostModel
import HostProjection
import NetworkModel
import Testing

/// What agents are sent, when.
@Suite struct FeedTests {
    private let rows =
        threeHosts + [
            network(1), subnet(1, on: 1, "10.0.0.0/24"), group(1), rule(1, of: 1) { $0.remoteGroupID = groupID(1) },
            port(1, on: 1, host: "h1", addresses: [(1, "10.0.0.5")], groups: [1]),
            port(2, on: 1, host: "h2", addresses: [(1, "10.0.0.6")], groups: [1]),
        ]

    @Test("A list begins with what is referred to and ends with a bookmark")
    func list() {
        var feed = HostFeed(hostID: "h1")
        let messages = feed.start(after: nil, topology: Topology(rows: rows), journal: ChangeJournal(startingAt: 30))
        let kinds = messages.compactMap { message -> HostItemKey.Kind? in
            guard case .put(let item) = message else { return nil }
            return item.key.kind
        }
        #expect(kinds == [.network, .remotePort, .securityGroup, .groupMember, .groupMember, .port])
        #expect(messages.last == .bookmark(revision: 30))
        #expect(messages.count == kinds.count + 1)
    }

    @Test("A change that makes no difference to the host sends nothing but a bookmark")
    func noDifference() {
        var topology = Topology(rows: rows)
        var feed = HostFeed(hostID: "h2")
        _ = feed.list(topology, revision: 1)
        let renamed = port(1, on: 1, host: "h1", addresses: [(1, "10.0.0.5")], groups: [1]) { $0.name = "web" }
        let concerned = topology.apply([.put(renamed)])
        #expect(feed.changes(concerned["h2"] ?? [], topology: topology, revision: 2) == [.bookmark(revision: 2)])
    }

    @Test("A batch puts what is referred to first, and drops it last")
    func order() {
        var topology = Topology(rows: threeHosts + [network(1), group(1)])
        var feed = HostFeed(hostID: "h1")
        #expect(feed.list(topology, revision: 1) == [.bookmark(revision: 1)])
        let row = port(1, on: 1, host: "h1", groups: [1])
        var concerned = topology.apply([.put(row)])
        #expect(
            feed.changes(concerned["h1"] ?? [], topology: topology, revision: 2).map(describe)
                == ["put network", "put securityGroup", "put port", "bookmark 2"])
        concerned = topology.apply([.drop(row.key)])
        #expect(
            feed.changes(concerned["h1"] ?? [], topology: topology, revision: 3).map(describe)
                == ["drop port", "drop securityGroup", "drop network", "bookmark 3"])
    }

    @Test("What came and went between two batches is not sent")
    func transient() {
        var topology = Topology(rows: rows)
        var feed = HostFeed(hostID: "h1")
        _ = feed.list(topology, revision: 1)
        let row = port(3, on: 1, host: "h2")
        var keys = topology.apply([.put(row)])["h1"] ?? []
        keys.formUnion(topology.apply([.drop(row.key)])["h1"] ?? [])
        #expect(!keys.isEmpty)
        #expect(feed.changes(keys, topology: topology, revision: 3) == [.bookmark(revision: 3)])
    }

    @Test("An agent that holds a remembered revision is sent only what has changed since")
    func resume() {
        var topology = Topology(rows: rows)
        var journal = ChangeJournal(startingAt: 1)
        journal.record(topology.apply([.put(network(2))]), revision: 2)
        journal.record(topology.apply([.put(port(3, on: 1, host: "h2"))]), revision: 3)
        journal.record(topology.apply([.drop(.port(portID(2)))]), revision: 4)
        var feed = HostFeed(hostID: "h1")
        #expect(
            feed.start(after: 2, topology: topology, journal: journal).map(describe)
                == ["put remotePort", "drop groupMember", "drop remotePort", "bookmark 4"])
        var again = HostFeed(hostID: "h1")
        #expect(again.start(after: 4, topology: topology, journal: journal) == [.bookmark(revision: 4)])
        // It knows what the agent holds although it never sent it.
        let concerned = topology.apply([.drop(.port(portID(1)))])
        #expect(
            again.changes(concerned["h1"] ?? [], topology: topology, revision: 5).map(describe)
                == ["drop port", "drop groupMember", "drop securityGroup", "drop remotePort", "drop network", "bookmark 5"])
    }

    @Test("An agent that holds a revision from before the journal, or from a future, is reset and sent the list", arguments: [0, 1, 5])
    func reset(revision: Int) {
        var topology = Topology(rows: rows)
        var journal = ChangeJournal(startingAt: 1)
        journal.record(topology.apply([.put(port(3, on: 1, host: "h2"))]), revision: 4)
        var feed = HostFeed(hostID: "h1")
        let messages = feed.start(after: revision, topology: topology, journal: journal)
        #expect(messages.first == .reset)
        #expect(messages.last == .bookmark(revision: 4))
        #expect(messages.count == topology.items(for: "h1").count + 2)
    }

    @Test("A journal forgets its oldest revisions beyond its limit, and knows that it did")
    func limit() {
        func keys(_ count: Int) -> [String: Set<HostItemKey>] { ["h1": Set((0..<count).map { HostItemKey(.port, portID($0)) })] }
        var journal = ChangeJournal(startingAt: 0, keyLimit: 10)
        for revision in 1...3 { journal.record(keys(4), revision: revision) }
        #expect(journal.floor == 1)
        #expect(journal.keys(for: "h1", since: 0) == nil)
        #expect(journal.keys(for: "h1", since: 1)?.count == 4)
        #expect(journal.keys(for: "h2", since: 1) == [])
        for revision in 4...100 { journal.record([:], revision: revision) }
        #expect(journal.keys(for: "h1", since: 1)?.count == 4, "revisions that concern nobody push nothing out")
        journal.record(keys(11), revision: 101)
        #expect(journal.keys(for: "h1", since: 100) == nil, "larger than the whole journal")
        #expect(journal.keys(for: "h1", since: 101) == [])
    }

    private func describe(_ message: FeedMessage) -> String {
        switch message {
        case .reset: "reset"
        case .put(let item): "put \(item.key.kind)"
        case .drop(let key): "drop \(key.kind)"
        case .bookmark(let revision): "bookmark \(revision)"
        }
    }
}
