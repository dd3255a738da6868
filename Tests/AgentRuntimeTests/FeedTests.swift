import FakeKernel
import HostModel
import KernelInterface
import Synchronization
import Testing

@Suite("An agent and its feed")
struct FeedTests {
    @Test("Nothing of the host is touched before the first bookmark")
    func waitsForFirstBookmark() async throws {
        let kernel = FakeKernel()
        // What an earlier agent left, and nobody has said yet whether it is still wanted.
        try kernel.plug(Link(name: bridge(7), kind: .bridge, alias: "neutrino:bridge"))
        try await AgentBench.run(kernel) { bench in
            let first = try await bench.server.nextFeed()
            #expect(first.after == nil)
            first.send(network(1))
            first.cut()
            let second = try await bench.server.nextFeed()
            #expect(second.after == nil)
            #expect(kernel.performed.isEmpty && kernel.reads.isEmpty)

            second.send(network(1), .bookmark(revision: 3))
            try await bench.eventually("the network's bridge instead of the old one") {
                kernel.rendered.contains("link \(bridge(1)),") && !kernel.rendered.contains(bridge(7))
            }
        }
    }

    @Test("A feed that is cut in the middle of a batch changes nothing, and is resumed from the last bookmark")
    func dropsHalfABatch() async throws {
        try await AgentBench.run { bench in
            let first = try await bench.server.nextFeed()
            first.send(network(1), .bookmark(revision: 3))
            try await bench.eventually("the network's bridge") { bench.kernel.rendered.contains("link \(bridge(1)),") }
            bench.kernel.clearLog()
            first.send(network(2), .drop(HostItemKey(.network, id(1))))
            first.cut()

            let second = try await bench.server.nextFeed()
            #expect(second.after == 3)
            second.send(network(3), .bookmark(revision: 4))
            try await bench.eventually("the third network's bridge") { bench.kernel.rendered.contains("link \(bridge(3)),") }
            #expect(bench.kernel.rendered.contains("link \(bridge(1)),"))
            #expect(!bench.kernel.rendered.contains(bridge(2)))
        }
    }

    @Test("A reset removes nothing before the list behind it is whole")
    func resetWaitsForList() async throws {
        try await AgentBench.run { bench in
            let first = try await bench.server.nextFeed()
            first.send(network(1), network(2), .bookmark(revision: 3))
            try await bench.eventually("both bridges") {
                bench.kernel.rendered.contains("link \(bridge(1)),") && bench.kernel.rendered.contains("link \(bridge(2)),")
            }
            // The cycle goes on after the bridges are there.
            try await bench.eventually("the end of the cycle") { bench.server.reports.last?.appliedRevision == 3 }
            bench.kernel.clearLog()
            first.send(.reset, network(1))
            first.cut()
            let second = try await bench.server.nextFeed()
            #expect(second.after == 3)
            #expect(bench.kernel.performed.isEmpty)

            second.send(.reset, network(1), .bookmark(revision: 1))
            try await bench.eventually("that the second bridge is gone") { !bench.kernel.rendered.contains(bridge(2)) }
            #expect(bench.kernel.rendered.contains("link \(bridge(1)),"))
        }
    }

    @Test("A bookmark without changes costs no look at the kernel, and is reported as applied")
    func bareBookmark() async throws {
        try await AgentBench.run { bench in
            let feed = try await bench.server.nextFeed()
            feed.send(network(1), .bookmark(revision: 3))
            try await bench.eventually("the report of revision 3") { bench.server.reports.last?.appliedRevision == 3 }
            bench.kernel.clearLog()
            feed.send(.bookmark(revision: 9))
            try await bench.eventually("the report of revision 9") { bench.server.reports.last?.appliedRevision == 9 }
            #expect(bench.kernel.reads.isEmpty && bench.kernel.performed.isEmpty)
        }
    }

    @Test("After a burst of work memory is given back, and not after a little of it")
    func givesMemoryBack() async throws {
        let count = Mutex(0)
        try await AgentBench.run(giveBackMemory: { count.withLock { $0 += 1 } }) { bench in
            let feed = try await bench.server.nextFeed()
            feed.send(network(1), .bookmark(revision: 1))
            try await bench.eventually("the report of revision 1") { bench.server.reports.last?.appliedRevision == 1 }
            #expect(count.withLock { $0 } == 0)
            feed.send((2..<400).map { network($0) } + [.bookmark(revision: 2)])
            try await bench.eventually("the report of revision 2") { bench.server.reports.last?.appliedRevision == 2 }
            try await bench.eventually("memory given back") { count.withLock { $0 } == 1 }
        }
    }

    @Test("Stopping the agent touches nothing")
    func gracefulStop() async throws {
        try await AgentBench.run { bench in
            let feed = try await bench.server.nextFeed()
            feed.send(network(1), dhcp(network: 1, port: 8), .bookmark(revision: 3))
            try await bench.eventually("dnsmasq") { !bench.kernel.runningProcesses.isEmpty }
            try await bench.eventually("the report") { bench.state(of: id(8), .dhcp) == .up }
            let before = bench.kernel.rendered + bench.kernel.renderedProcesses
            bench.kernel.clearLog()
            await bench.stop()
            try await bench.ended()
            #expect(bench.kernel.performed.isEmpty && bench.kernel.signals.isEmpty)
            #expect(bench.kernel.rendered + bench.kernel.renderedProcesses == before)
        }
    }
}
