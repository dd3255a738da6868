import Glibc
import Lab
import Testing

/// What the lab looks with: its instruments must be right before what they say is believed.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct InstrumentTests {
    @Test("A connection carries data in its direction, and one whose path is cut and restored goes on")
    func transfer() async throws {
        try await withLab(startsServices: false) { lab in
            let (host, peer) = (try lab.host("h1"), try lab.place("h2"))
            var transfers: [Transfer] = []
            for direction in Transfer.Direction.allCases {
                transfers.append(try await .start(direction, from: host.place, to: peer, at: "192.0.2.2"))
            }
            for transfer in transfers { #expect(try await transfer.goesOn(), "\(transfer.failure ?? "stalled")") }
            try await host.fault(.uplink)
            try await host.heal()
            for transfer in transfers { #expect(try await transfer.goesOn(), "\(transfer.failure ?? "stalled")") }
            for transfer in transfers { transfer.stop() }
        }
    }

    @Test("A connection that a host resets is no connection that goes on, and says why")
    func brokenTransfer() async throws {
        try await withLab(startsServices: false) { lab in
            let (host, peer) = (try lab.host("h1"), try lab.place("h2"))
            let transfer = try await Transfer.start(.upload, from: host.place, to: peer, at: "192.0.2.2")
            #expect(try await transfer.goesOn())
            try await peer.output([
                "sh", "-c",
                "printf 'table inet t { chain c { type filter hook input priority 0; meta l4proto tcp reject with tcp reset\n}\n}\n' | nft -f -",
            ])
            #expect(try await !transfer.goesOn())
            #expect(transfer.failure != nil)
            transfer.stop()
        }
    }

    @Test("A probe of many addresses tells the gap of each, and which do not answer")
    func fleetProbe() async throws {
        try await withLab(startsServices: false) { lab in
            let host = try lab.host("h1")
            let probe = try FleetProbe.start(from: lab.place("h2"), to: ["192.0.2.1", "192.0.2.254"])
            try await waitUntil("both to answer", timeoutMilliseconds: 20_000) { probe.answering() == 2 }
            probe.reset()
            try await host.fault(.uplink)
            try await waitUntil("one not to answer", timeoutMilliseconds: 20_000) { probe.answering() == 1 }
            try await host.heal()
            try await waitUntil("both to answer", timeoutMilliseconds: 20_000) { probe.answering() == 2 }
            let report = try await probe.stop()
            #expect(report.longestGapsMilliseconds.count == 2)
            #expect(report.longestGapsMilliseconds[0] >= 200, "it was silent for longer than what counts as answering")
            #expect(report.longestGapsMilliseconds[0] > report.longestGapsMilliseconds[1])
        }
    }

    @Test("Addresses in a router's namespace are seen from outside, and a watch tells which routers changed")
    func routerNamespaces() async throws {
        try await withLab(hosts: 1, startsServices: false) { lab in
            let host = try lab.host("h1")
            for router in ["a", "b"] { try await host.place.output(["ip", "netns", "add", "qrouter-\(router)"]) }
            let namespaces = ["a", "b", "missing"].map { RouterNamespace(of: $0, on: host) }
            #expect(namespaces.map(\.exists) == [true, true, false])
            let watch = try await MastershipWatch(namespaces)
            #expect(watch.changedRouters().isEmpty)
            try await host.place.output(["ip", "-netns", "qrouter-b", "address", "add", "10.1.2.3/24", "dev", "lo"])
            #expect(try await RouterNamespace.addresses(of: namespaces) == [[], ["10.1.2.3"], []])
            #expect(watch.changedRouters() == ["b"])
            #expect(watch.changedRouters().isEmpty)
            #expect(try await lab.hosts(withAddress: "10.1.2.3", router: "b") == ["h1"])
        }
    }
}
