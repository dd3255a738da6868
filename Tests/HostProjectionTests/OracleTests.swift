import HostModel
import HostProjection
import NetworkModel
import Testing

/// Incremental against recomputed from nothing.
@Suite struct OracleTests {
    @Test("After every step of a random cloud, each host holds what a projection of the rows from nothing says", arguments: 1...4)
    func incrementalEqualsRecomputed(seed: Int) {
        var cloud = RandomCloud(seed: UInt64(seed))
        var topology = Topology()
        var feeds = RandomCloud.hosts.map { HostFeed(hostID: $0) }
        var views = RandomCloud.hosts.map { _ in HostView() }
        var itemsSeen: [HostItemKey.Kind: Int] = [:]
        for revision in 1...1500 {
            let concerned = topology.apply(cloud.step())
            let fresh = Topology(rows: cloud.shuffledRows())
            guard topology == fresh else {
                Issue.record("seed \(seed), step \(revision): an index holds what the rows do not say")
                return
            }
            for (index, host) in RandomCloud.hosts.enumerated() {
                let messages = feeds[index].changes(concerned[host] ?? [], topology: topology, revision: revision)
                views[index].apply(messages, exactly: true)
                let expected = fresh.items(for: host)
                guard expect(views[index].items, toBe: expected, "seed \(seed), step \(revision), \(host)") else { return }
                for item in expected { itemsSeen[item.key.kind, default: 0] += 1 }
            }
        }
        for kind in HostItemKey.Kind.allCases { #expect(itemsSeen[kind, default: 0] > 100, "the random cloud hardly has a \(kind)") }
    }

    @Test("A list leaves out no item that the host must realise", arguments: 1...2)
    func listIsComplete(seed: Int) {
        var cloud = RandomCloud(seed: UInt64(100 + seed))
        var topology = Topology()
        for _ in 1...300 {
            _ = topology.apply(cloud.step())
            for host in RandomCloud.hosts {
                let all = Set(everyKey.compactMap { topology.item($0, for: host) })
                let listed = topology.items(for: host)
                #expect(Set(listed) == all)
                #expect(listed.count == all.count)
            }
        }
    }

    @Test("An agent that comes back after any time ends up with the right view, resumed or listed", arguments: 1...2)
    func reconnecting(seed: Int) {
        var cloud = RandomCloud(seed: UInt64(200 + seed))
        var topology = Topology()
        var journal = ChangeJournal(startingAt: 0, keyLimit: 300)
        var feeds: [HostFeed?] = RandomCloud.hosts.map { _ in nil }
        var views = RandomCloud.hosts.map { _ in HostView() }
        var pending: [Set<HostItemKey>] = RandomCloud.hosts.map { _ in [] }
        var connections = 0
        for revision in 1...1500 {
            let concerned = topology.apply(cloud.step())
            journal.record(concerned, revision: revision)
            for (index, host) in RandomCloud.hosts.enumerated() {
                guard var feed = feeds[index] else {
                    // Away for 12 steps on average: sometimes longer than the journal remembers.
                    guard cloud.oneIn(12) else { continue }
                    var feed = HostFeed(hostID: host)
                    views[index].apply(feed.start(after: views[index].revision, topology: topology, journal: journal))
                    feeds[index] = feed
                    connections += 1
                    _ = expect(views[index].items, toBe: topology.items(for: host), "connected, seed \(seed), step \(revision), \(host)")
                    continue
                }
                pending[index].formUnion(concerned[host] ?? [])
                // A slow reader: several revisions in one batch.
                guard cloud.oneIn(3) else { continue }
                views[index].apply(feed.changes(pending[index], topology: topology, revision: revision), exactly: true)
                pending[index] = []
                feeds[index] = cloud.oneIn(8) ? nil : feed
                guard expect(views[index].items, toBe: topology.items(for: host), "seed \(seed), step \(revision), \(host)") else { return }
            }
        }
        let resets = views.reduce(0) { $0 + $1.resets }
        #expect(resets > 5 && connections - resets > 5, "both ways were taken: \(connections) connections, \(resets) resets")
    }

    /// Every key that a random cloud could have.
    private var everyKey: [HostItemKey] {
        let counts = RandomCloud.counts
        var keys = (0..<counts.networks).flatMap { [HostItemKey(.network, networkID($0)), HostItemKey(.dhcp, networkID($0))] }
        keys += (0..<counts.routers).map { HostItemKey(.router, routerID($0)) }
        keys += (0..<counts.groups).map { HostItemKey(.securityGroup, groupID($0)) }
        keys += (0..<counts.addresses).map { HostItemKey(.addressGroup, addressGroupID($0)) }
        for port in (0..<counts.ports).map(portID) {
            keys += [HostItemKey(.port, port), HostItemKey(.remotePort, port), HostItemKey(.reservation, port)]
            keys += (0..<counts.groups).map { HostItemKey(.groupMember, port, of: groupID($0)) }
        }
        return keys
    }

    /// Says what differs; a whole view is too long to read.
    private func expect(_ view: [HostItemKey: HostItem], toBe items: [HostItem], _ place: String) -> Bool {
        let expected = Dictionary(items.map { ($0.key, $0) }) { first, _ in first }
        guard view != expected else { return true }
        for key in Set(view.keys).union(expected.keys) where view[key] != expected[key] {
            Issue.record("\(place): holds \(String(describing: view[key])), must hold \(String(describing: expected[key]))")
        }
        return false
    }
}
